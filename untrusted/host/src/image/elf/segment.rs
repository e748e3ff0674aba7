//! Loadable segments: where their bytes go and what may be done with them.

use object::LittleEndian;
use object::elf;
use object::read::elf::ProgramHeader;
use twine_abi::layout::{IMAGE_LEN_MAX, PAGE_LEN};
use twine_abi::sgx::{PageKind, Permissions, SecInfo};

use super::Program;
use super::rules::{ElfError, SegmentRule};

/// One loadable segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'data> {
    /// Its first byte, from the enclave's base.
    pub(crate) start: u64,
    /// Its first bytes; the rest up to `len` is zero.
    pub(super) bytes: &'data [u8],
    /// Its length in memory.
    pub(super) len: u64,
    /// R, RW or RX. RW is also what constants that hold addresses have: the image seals them after relocating itself.
    pub(super) permissions: Permissions,
}

impl<'data> Segment<'data> {
    /// Checks one loadable segment against the rules and against its predecessor.
    pub(crate) fn load(
        file: &'data [u8],
        index: usize,
        program: &Program,
        previous: Option<&Segment<'_>>,
    ) -> Result<Self, ElfError> {
        let start = program.p_vaddr(LittleEndian);
        let len = program.p_memsz(LittleEndian);
        let bytes = program
            .data(LittleEndian, file)
            .ok()
            .filter(|bytes| bytes.len() as u64 <= len)
            .ok_or_else(|| SegmentRule::Bytes.of(index))?;
        if start.checked_add(len).is_none_or(|end| end > IMAGE_LEN_MAX) {
            return Err(SegmentRule::TooLong.of(index));
        }
        match previous {
            None if start != 0 || program.p_offset(LittleEndian) != 0 => {
                return Err(SegmentRule::NotAtZero.of(index));
            }
            Some(previous) if start / PAGE_LEN < previous.end().div_ceil(PAGE_LEN) => {
                return Err(SegmentRule::Overlap.of(index));
            }
            _ => {}
        }
        let permissions =
            permissions(program.p_flags(LittleEndian)).map_err(|rule| rule.of(index))?;
        Ok(Self {
            start,
            bytes,
            len,
            permissions,
        })
    }

    /// The offset of its first page.
    pub(crate) const fn first_page(&self) -> u64 {
        self.start - self.start % PAGE_LEN
    }

    /// What all its pages are.
    pub(crate) const fn info(&self) -> SecInfo {
        SecInfo::new(PageKind::Reg, self.permissions)
    }

    /// Its whole pages; what the file does not provide is zero.
    pub(crate) fn contents(&self) -> Vec<u8> {
        let len = self.end().next_multiple_of(PAGE_LEN) - self.first_page();
        let before = usize::try_from(self.start % PAGE_LEN).unwrap_or_default();
        let mut contents = vec![0; usize::try_from(len).unwrap_or_default()];
        if let Some(room) = contents.get_mut(before..before + self.bytes.len()) {
            room.copy_from_slice(self.bytes);
        }
        contents
    }

    /// One past its last byte. Cannot overflow: [`Segment::load`] has checked it against [`IMAGE_LEN_MAX`].
    pub(crate) const fn end(&self) -> u64 {
        self.start + self.len
    }

    /// Whether `len` bytes from `start` all lie in the segment.
    pub(crate) fn holds(&self, start: u64, len: u64) -> bool {
        start >= self.start && start.checked_add(len).is_some_and(|end| end <= self.end())
    }

    /// `len` bytes from `start`, if the file provides them.
    pub(crate) fn slice(&self, start: u64, len: u64) -> Option<&'data [u8]> {
        let from = usize::try_from(start.checked_sub(self.start)?).ok()?;
        let to = from.checked_add(usize::try_from(len).ok()?)?;
        self.bytes.get(from..to)
    }
}

/// Translates segment flags.
fn permissions(flags: u32) -> Result<Permissions, SegmentRule> {
    let has = |flag| flags & flag != 0;
    match (has(elf::PF_R), has(elf::PF_W), has(elf::PF_X)) {
        (_, true, true) => Err(SegmentRule::WritableCode),
        (false, _, _) => Err(SegmentRule::Unreadable),
        (true, true, false) => Ok(Permissions::RW),
        (true, false, true) => Ok(Permissions::RX),
        (true, false, false) => Ok(Permissions::R),
    }
}
