//! What the image's ELF file is made of: sections, the length without symbols, undefined symbols.

use anyhow::{Context as _, Result, ensure};
use object::Endianness;
use object::elf::{SHF_ALLOC, SHN_UNDEF, SHT_NOBITS};
use object::read::elf::{ElfFile64, SectionHeader as _, Sym as _};

/// Longest image, in bytes without symbols. The whole of it is measured, loaded and trusted; a tenth of it is ours.
pub(crate) const STRIPPED_LEN_MAX: u64 = 1_900_000;

/// The file as `strip` would leave it.
pub(crate) struct Shape {
    /// Sections that are loaded, in the file's order, with their length in memory in bytes.
    pub sections: Vec<(String, u64)>,
    /// Length of the file without symbols, in bytes.
    pub stripped_len: u64,
    undefined: Vec<String>,
}

impl Shape {
    /// Reads the file.
    pub(crate) fn of(file: &[u8]) -> Result<Self> {
        let elf = ElfFile64::<Endianness>::parse(file).context("the image is not an ELF file")?;
        let endian = elf.endian();
        let table = elf.elf_section_table();
        let mut sections = Vec::new();
        let mut dropped_len = 0;
        for section in table.iter() {
            let length = section.sh_size(endian);
            if section.sh_flags(endian) & u64::from(SHF_ALLOC) != 0 {
                let name = table.section_name(endian, section)?;
                sections.push((String::from_utf8_lossy(name).into_owned(), length));
            } else if section.sh_type(endian) != SHT_NOBITS {
                dropped_len += length;
            }
        }
        Ok(Self {
            sections,
            stripped_len: file.len() as u64 - dropped_len,
            undefined: undefined(&elf)?,
        })
    }

    /// # Errors
    /// If the image is too long or needs something from outside.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(
            self.undefined.is_empty(),
            "the image has undefined symbols, which nobody will resolve: {}",
            self.undefined.join(", ")
        );
        ensure!(
            self.stripped_len <= STRIPPED_LEN_MAX,
            "the image has {} bytes without symbols, more than {STRIPPED_LEN_MAX}: see `cargo xtask tcb` for what is in it",
            self.stripped_len
        );
        Ok(())
    }
}

/// Names of the symbols that somebody else would have to define.
fn undefined(elf: &ElfFile64<'_, Endianness>) -> Result<Vec<String>> {
    let endian = elf.endian();
    let mut names = Vec::new();
    for table in [elf.elf_symbol_table(), elf.elf_dynamic_symbol_table()] {
        // Symbol 0 is a placeholder, undefined by definition.
        for symbol in table.iter().skip(1) {
            if symbol.st_shndx(endian) == SHN_UNDEF {
                names
                    .push(String::from_utf8_lossy(table.symbol_name(endian, symbol)?).into_owned());
            }
        }
    }
    Ok(names)
}
