//! The dynamic section and its relocations: what the image has to do for itself at its first entry.
//!
//! Only one kind of relocation exists here, "base plus constant" (System V ABI, AMD64 supplement 1.0,
//! R_X86_64_RELATIVE), and it hits aligned words of writable segments only. The relocator inside relies on that.

use object::LittleEndian;
use object::elf;
use object::read::elf::{Dyn, ProgramHeader, Rela};
use twine_abi::sgx::Permissions;

use super::Program;
use super::rules::{ElfError, RelocationRule};
use super::segment::Segment;

type Entry = elf::Dyn64<LittleEndian>;
type Relocation = elf::Rela64<LittleEndian>;

/// Checks everything that a loader would do at the image's request, as `segments` hold it.
///
/// # Errors
/// [`ElfError`]: the first rule that is broken.
pub(crate) fn check(segments: &[Segment<'_>], programs: &[Program]) -> Result<(), ElfError> {
    let mut table = Table::default();
    for program in programs {
        if program.p_type(LittleEndian) == elf::PT_DYNAMIC {
            for entry in dynamic(segments, program)? {
                table.note(entry.d_tag(LittleEndian), entry.d_val(LittleEndian))?;
            }
        }
    }
    for (index, relocation) in table.find(segments)?.iter().enumerate() {
        check_one(segments, relocation).map_err(|rule| ElfError::Relocation {
            index,
            offset: relocation.r_offset(LittleEndian),
            rule,
        })?;
    }
    Ok(())
}

/// The dynamic section up to its end mark, as the image will find it in its own memory.
fn dynamic<'data>(
    segments: &[Segment<'data>],
    program: &Program,
) -> Result<&'data [Entry], ElfError> {
    let bytes = slice(
        segments,
        program.p_vaddr(LittleEndian),
        program.p_filesz(LittleEndian),
    )
    .ok_or(ElfError::Malformed(
        "the dynamic section does not lie in a segment",
    ))?;
    let entries: &[Entry] = object::slice_from_all_bytes(bytes)
        .map_err(|()| ElfError::Malformed("the dynamic section holds half an entry"))?;
    let is_end = |entry: &Entry| entry.d_tag(LittleEndian) == elf::DT_NULL;
    let end = entries.iter().position(is_end);
    end.and_then(|end| entries.get(..end))
        .ok_or(ElfError::Malformed("the dynamic section has no end mark"))
}

/// `len` bytes from address `start`, if the file provides them.
fn slice<'data>(segments: &[Segment<'data>], start: u64, len: u64) -> Option<&'data [u8]> {
    segments
        .iter()
        .find_map(|segment| segment.slice(start, len))
}

fn check_one(segments: &[Segment<'_>], relocation: &Relocation) -> Result<(), RelocationRule> {
    let kind = relocation.r_type(LittleEndian, false);
    if kind != elf::R_X86_64_RELATIVE || relocation.r_sym(LittleEndian, false) != 0 {
        return Err(RelocationRule::Kind(kind));
    }
    let target = relocation.r_offset(LittleEndian);
    let writable = |segment: &Segment<'_>| {
        segment.permissions == Permissions::RW && segment.holds(target, WORD_LEN)
    };
    if !target.is_multiple_of(WORD_LEN) || !segments.iter().any(writable) {
        return Err(RelocationRule::Target);
    }
    let value = relocation.r_addend(LittleEndian).cast_unsigned();
    if segments.last().is_none_or(|last| value > last.end()) {
        return Err(RelocationRule::Value(value));
    }
    Ok(())
}

/// Where the relocation table lies, in the image's memory.
#[derive(Default)]
struct Table {
    start: u64,
    len: u64,
}

impl Table {
    /// The relocations, as the image will find them in its own memory.
    fn find<'data>(&self, segments: &[Segment<'data>]) -> Result<&'data [Relocation], ElfError> {
        if self.len == 0 {
            return Ok(&[]);
        }
        let bytes = slice(segments, self.start, self.len).ok_or(ElfError::Malformed(
            "the relocation table does not lie in a segment",
        ))?;
        object::slice_from_all_bytes(bytes)
            .map_err(|()| ElfError::Malformed("the relocation table holds half an entry"))
    }

    /// Takes note of a dynamic entry, and refuses those that ask for a loader.
    fn note(&mut self, tag: i64, value: u64) -> Result<(), ElfError> {
        let name = match tag {
            elf::DT_RELA => {
                self.start = value;
                return Ok(());
            }
            elf::DT_RELASZ => {
                self.len = value;
                return Ok(());
            }
            elf::DT_NEEDED => "DT_NEEDED, a shared library",
            elf::DT_REL => "DT_REL, relocations without addend",
            elf::DT_RELR => "DT_RELR, packed relocations",
            elf::DT_JMPREL => "DT_JMPREL, a procedure linkage table",
            elf::DT_TEXTREL => "DT_TEXTREL, relocations in code",
            elf::DT_INIT | elf::DT_INIT_ARRAY | elf::DT_PREINIT_ARRAY => "a constructor",
            elf::DT_FINI | elf::DT_FINI_ARRAY => "a destructor",
            _ => return Ok(()),
        };
        Err(ElfError::Dynamic { tag, name })
    }
}

/// Bytes that one relocation writes.
const WORD_LEN: u64 = 8;
