//! A small executable whose every part a test can break.
//!
//! ```text
//! 0x0000 R    file header, program headers; the relocations at 0x800
//! 0x1000 RX   0x40 bytes of code
//! 0x2000 RW   the dynamic section, then 0x1100 bytes in all; 0x3000 in memory. The first page is sealed
//! 0x3100      not loaded: symbols, their names, section headers
//! ```

use object::elf;

/// The parts.
pub(crate) struct Fixture {
    pub(crate) kind: u16,
    pub(crate) machine: u16,
    pub(crate) entry: u64,
    /// Three to load, the dynamic section, the range to be sealed.
    pub(crate) programs: Vec<Program>,
    /// Tag and value; the relocation table's are added.
    pub(crate) dynamic: Vec<(i64, u64)>,
    /// Offset, type and symbol, addend.
    pub(crate) relocations: Vec<(u64, u64, u64)>,
    /// An undefined symbol.
    pub(crate) symbol: Option<&'static str>,
}

/// One program header.
pub(crate) struct Program {
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) offset: u64,
    pub(crate) address: u64,
    pub(crate) file_len: u64,
    pub(crate) memory_len: u64,
}

impl Program {
    /// A readable segment that has the same place in the file and in memory.
    pub(crate) const fn new(kind: u32, address: u64, len: u64) -> Self {
        Self {
            kind,
            flags: elf::PF_R,
            offset: address,
            address,
            file_len: len,
            memory_len: len,
        }
    }
}

impl Default for Fixture {
    fn default() -> Self {
        let mut code = Program::new(elf::PT_LOAD, 0x1000, 0x40);
        code.flags |= elf::PF_X;
        let mut data = Program::new(elf::PT_LOAD, 0x2000, 0x1100);
        data.flags |= elf::PF_W;
        data.memory_len = 0x3000;
        Self {
            kind: elf::ET_DYN,
            machine: elf::EM_X86_64,
            entry: 0x1000,
            programs: vec![
                Program::new(elf::PT_LOAD, 0, 0x1000),
                code,
                data,
                Program::new(elf::PT_DYNAMIC, 0x2000, 0x100),
                Program::new(elf::PT_GNU_RELRO, 0x2000, 0x1000),
            ],
            dynamic: Vec::new(),
            relocations: vec![(0x2800, elf::R_X86_64_RELATIVE.into(), 0x1000)],
            symbol: None,
        }
    }
}

impl Fixture {
    /// The file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut file = File(vec![0; 0x3100]);
        let (sections, names) = if self.symbol.is_some() {
            (3, 2)
        } else {
            (0, 0)
        };
        self.put_header(&mut file, sections, names);
        for (index, program) in self.programs.iter().enumerate() {
            let at = 64 + 56 * index;
            file.put(at, &[program.kind.into()], 4);
            file.put(at + 4, &[program.flags.into()], 4);
            let Program {
                offset,
                address,
                file_len,
                memory_len,
                ..
            } = *program;
            file.put(
                at + 8,
                &[offset, address, address, file_len, memory_len, 0x1000],
                8,
            );
        }
        for (index, (offset, info, addend)) in self.relocations.iter().enumerate() {
            file.put(0x800 + 24 * index, &[*offset, *info, *addend], 8);
        }
        let table = [
            (elf::DT_RELA, 0x800),
            (elf::DT_RELASZ, 24 * self.relocations.len() as u64),
        ];
        for (index, (tag, value)) in table.iter().chain(&self.dynamic).enumerate() {
            file.put(0x2000 + 16 * index, &[tag.cast_unsigned(), *value], 8);
        }
        if let Some(name) = self.symbol {
            put_symbol(&mut file, name);
        }
        file.0
    }

    fn put_header(&self, file: &mut File, sections: u64, names: u64) {
        file.0[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        file.put(16, &[self.kind.into(), self.machine.into()], 2);
        file.put(20, &[1], 4);
        let section_table = if sections == 0 { 0 } else { SECTIONS };
        file.put(24, &[self.entry, 64, section_table], 8);
        file.put(
            52,
            &[64, 56, self.programs.len() as u64, 64, sections, names],
            2,
        );
    }
}

/// A null symbol and an undefined one at 0x3100, the name behind it, then the section headers.
fn put_symbol(file: &mut File, name: &str) {
    file.0.resize(0x3100 + 48, 0);
    file.put(0x3118, &[1], 4);
    file.0.push(0);
    file.0.extend(name.bytes());
    file.0.push(0);
    let names_len = name.len() as u64 + 2;
    file.0
        .resize(usize::try_from(SECTIONS).unwrap() + 3 * 64, 0);
    let symbols = usize::try_from(SECTIONS).unwrap() + 64;
    file.put(symbols + 4, &[elf::SHT_SYMTAB.into()], 4);
    file.put(symbols + 24, &[0x3100, 48], 8);
    file.put(symbols + 40, &[2, 1], 4);
    file.put(symbols + 56, &[24], 8);
    let names = symbols + 64;
    file.put(names + 4, &[elf::SHT_STRTAB.into()], 4);
    file.put(names + 24, &[0x3130, names_len], 8);
}

struct File(Vec<u8>);

impl File {
    /// Writes integers of `width` bytes one after the other.
    fn put(&mut self, at: usize, values: &[u64], width: usize) {
        for (place, value) in self.0[at..].chunks_exact_mut(width).zip(values) {
            place.copy_from_slice(&value.to_le_bytes()[..width]);
        }
    }
}

/// Where the section headers lie in the file.
const SECTIONS: u64 = 0x3180;
