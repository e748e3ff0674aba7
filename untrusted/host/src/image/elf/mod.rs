//! The enclave's ELF file, checked: what comes out can be loaded without any further question.
//!
//! The image has no loader inside. Everything a loader would have to do on its behalf is therefore refused here: an
//! interpreter, libraries, undefined symbols, thread-local storage, constructors, and every relocation other than
//! "base plus constant", which the image applies to itself.
//!
//! References: System V ABI, AMD64 supplement (version 1.0), "Relocation types"; gABI, "Program header", "Dynamic
//! section".

use object::LittleEndian;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, Sym};
use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::Permissions;

#[cfg(test)]
pub(crate) mod fixture;
mod relocation;
mod rules;
mod segment;
#[cfg(test)]
mod tests;

pub use rules::{ElfError, RelocationRule, SegmentRule};
pub(crate) use segment::Segment;

type Header = elf::FileHeader64<LittleEndian>;
type Program = elf::ProgramHeader64<LittleEndian>;

/// A file that passed every check.
#[derive(Debug)]
pub(crate) struct Elf<'data> {
    /// The loadable segments by rising address. No two share a page.
    pub(crate) segments: Vec<Segment<'data>>,
    /// Where a thread starts, in an executable segment.
    pub(crate) entry: u64,
}

impl<'data> Elf<'data> {
    /// Checks `file` and returns what there is to load.
    ///
    /// # Errors
    /// [`ElfError`]: the first rule that the file breaks.
    pub(crate) fn parse(file: &'data [u8]) -> Result<Self, ElfError> {
        let (header, programs) = headers(file)?;
        let mut segments = Vec::new();
        for (index, program) in programs.iter().enumerate() {
            match program.p_type(LittleEndian) {
                elf::PT_LOAD => {
                    segments.push(Segment::load(file, index, program, segments.last())?)
                }
                kind => optional(index, kind)?,
            }
        }
        let elf = Self {
            segments,
            entry: header.e_entry(LittleEndian),
        };
        elf.check_headers(header, programs)?;
        elf.check_entry()?;
        elf.check_seal(programs)?;
        relocation::check(&elf.segments, programs)?;
        check_symbols(file, header)?;
        Ok(elf)
    }

    /// The image finds its own headers at its base, and takes the first of a kind.
    fn check_headers(&self, header: &Header, programs: &[Program]) -> Result<(), ElfError> {
        let start = header.e_phoff(LittleEndian);
        let len = size_of_val(programs) as u64;
        let loaded = self.segments.first().ok_or(ElfError::Empty)?;
        if loaded.slice(start, len).is_none() {
            return Err(SegmentRule::NoHeaders.of(0));
        }
        for kind in [elf::PT_DYNAMIC, elf::PT_GNU_RELRO] {
            let is_kind = |(_, program): &(usize, &Program)| program.p_type(LittleEndian) == kind;
            if let Some((index, _)) = programs.iter().enumerate().filter(is_kind).nth(1) {
                let name = "a second one of its kind";
                return Err(ElfError::SegmentKind { index, kind, name });
            }
        }
        Ok(())
    }

    fn check_entry(&self) -> Result<(), ElfError> {
        self.segments
            .iter()
            .any(|segment| segment.permissions == Permissions::RX && segment.holds(self.entry, 1))
            .then_some(())
            .ok_or(ElfError::Entry(self.entry))
    }

    /// The image restricts whole pages, so the range that the linker wants sealed must be whole pages, but for the bytes
    /// before the segment that nobody uses.
    fn check_seal(&self, programs: &[Program]) -> Result<(), ElfError> {
        for (index, program) in programs.iter().enumerate() {
            if program.p_type(LittleEndian) != elf::PT_GNU_RELRO {
                continue;
            }
            let start = program.p_vaddr(LittleEndian);
            let len = program.p_memsz(LittleEndian);
            let fits = |segment: &Segment<'_>| {
                let end = start.wrapping_add(len);
                segment.permissions == Permissions::RW
                    && segment.holds(start, len)
                    && (start == segment.start || start.is_multiple_of(PAGE_LEN))
                    && end.is_multiple_of(PAGE_LEN)
            };
            if !self.segments.iter().any(fits) {
                return Err(SegmentRule::Seal.of(index));
            }
        }
        Ok(())
    }
}

/// The file header and the program headers of a position-independent x86-64 executable.
fn headers(file: &[u8]) -> Result<(&Header, &[Program]), ElfError> {
    let header = Header::parse(file).map_err(|_| ElfError::Malformed("no ELF header"))?;
    if !header.is_class_64() || !header.is_little_endian() {
        return Err(ElfError::Malformed("wrong class or byte order"));
    }
    let kind = header.e_type(LittleEndian);
    let machine = header.e_machine(LittleEndian);
    if kind != elf::ET_DYN || machine != elf::EM_X86_64 {
        return Err(ElfError::WrongKind { kind, machine });
    }
    let programs = header
        .program_headers(LittleEndian, file)
        .map_err(|_| ElfError::Malformed("the program headers do not lie in the file"))?;
    Ok((header, programs))
}

/// Accepts the segment types that describe what is loaded anyway, and names the others.
fn optional(index: usize, kind: u32) -> Result<(), ElfError> {
    let name = match kind {
        elf::PT_NULL | elf::PT_PHDR | elf::PT_NOTE | elf::PT_DYNAMIC => return Ok(()),
        elf::PT_GNU_RELRO | elf::PT_GNU_STACK => return Ok(()),
        elf::PT_GNU_EH_FRAME | elf::PT_GNU_PROPERTY => return Ok(()),
        elf::PT_INTERP => "a program interpreter",
        elf::PT_TLS => "thread-local storage",
        _ => "unknown",
    };
    Err(ElfError::SegmentKind { index, kind, name })
}

/// Refuses a symbol table with an undefined symbol. A file without section headers has no table to check; its
/// relocations have then shown that it refers to nothing.
fn check_symbols(file: &[u8], header: &Header) -> Result<(), ElfError> {
    const MALFORMED: ElfError = ElfError::Malformed("the symbol tables contradict themselves");
    let sections = header.sections(LittleEndian, file).map_err(|_| MALFORMED)?;
    for (index, section) in sections.enumerate() {
        if !matches!(
            section.sh_type(LittleEndian),
            elf::SHT_SYMTAB | elf::SHT_DYNSYM
        ) {
            continue;
        }
        let table = sections
            .symbol_table_by_index(LittleEndian, file, index)
            .map_err(|_| MALFORMED)?;
        // Symbol 0 is the null symbol.
        for symbol in table.iter().skip(1) {
            if symbol.is_undefined(LittleEndian) {
                let name = table.symbol_name(LittleEndian, symbol).unwrap_or_default();
                return Err(ElfError::Undefined(
                    String::from_utf8_lossy(name).into_owned(),
                ));
            }
        }
    }
    Ok(())
}
