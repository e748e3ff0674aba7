//! The pages of an enclave, in the order in which they are added and measured.

use std::fmt;

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{PageKind, Permissions, SecInfo};

/// Pages that follow each other and differ in nothing but their contents.
#[derive(Clone, Eq, PartialEq)]
pub struct Run {
    /// Offset of the first page from the enclave's base, in bytes.
    pub offset: u64,
    /// Type and permissions, as EADD takes them.
    pub info: SecInfo,
    /// The contents: whole pages, at least one.
    pub bytes: Vec<u8>,
}

impl Run {
    /// One past the last byte, from the enclave's base.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// The single pages with their offsets.
    pub fn pages(&self) -> impl Iterator<Item = (u64, &[u8])> {
        (self.offset..)
            .step_by(PAGE)
            .zip(self.bytes.chunks_exact(PAGE))
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, info, .. } = self;
        let flags = info.flags.bits();
        write!(f, "Run({offset:#x}..{:#x}, flags {flags:#x})", self.end())
    }
}

/// Why a page cannot be added.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PageRule {
    /// The page is misaligned, not beyond the page before it, or beyond the enclave's end.
    #[error("the page at {0:#x} is misaligned, out of order or outside the enclave")]
    Place(u64),
    /// A type that cannot be added, or permissions that the type cannot have.
    #[error("the page at {0:#x} has a type or permissions that EADD does not accept")]
    Kind(u64),
}

/// The pages and what ECREATE needs to know.
#[derive(Debug)]
pub(crate) struct Pages {
    size: u64,
    ssa_frame_pages: u32,
    runs: Vec<Run>,
}

impl Pages {
    /// An address range of `size` bytes without a page.
    pub(crate) const fn new(size: u64, ssa_frame_pages: u32) -> Self {
        Self {
            size,
            ssa_frame_pages,
            runs: Vec::new(),
        }
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    pub(crate) const fn ssa_frame_pages(&self) -> u32 {
        self.ssa_frame_pages
    }

    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Adds pages behind all others. Pages that continue the last run become a part of it, so that one enclave has one
    /// list of runs. `bytes` is a whole number of pages.
    ///
    /// # Errors
    /// [`PageRule`], and nothing is added.
    pub(crate) fn add(
        &mut self,
        offset: u64,
        info: SecInfo,
        bytes: Vec<u8>,
    ) -> Result<(), PageRule> {
        let start = self.runs.last().map_or(0, Run::end);
        let fits = |end: u64| end <= self.size;
        if !offset.is_multiple_of(PAGE_LEN)
            || offset < start
            || !offset.checked_add(bytes.len() as u64).is_some_and(fits)
        {
            return Err(PageRule::Place(offset));
        }
        if !addable(&info) {
            return Err(PageRule::Kind(offset));
        }
        match self.runs.last_mut() {
            Some(last) if last.end() == offset && last.info == info => last.bytes.extend(bytes),
            _ if bytes.is_empty() => {}
            _ => self.runs.push(Run {
                offset,
                info,
                bytes,
            }),
        }
        Ok(())
    }
}

/// What EADD accepts of the page types that enclaves are built of. Manual, "EADD".
fn addable(info: &SecInfo) -> bool {
    let permissions = info.permissions();
    let Ok(kind) = info.kind() else {
        return false;
    };
    let known = *info == SecInfo::new(kind, permissions);
    let allowed = match kind {
        PageKind::Tcs => permissions == Permissions::EMPTY,
        PageKind::Reg => {
            permissions.contains(Permissions::R) || !permissions.contains(Permissions::W)
        }
        _ => false,
    };
    known && allowed
}

/// [`PAGE_LEN`] as the length of a slice.
pub(crate) const PAGE: usize = 4096;

const _: () = assert!(PAGE as u64 == PAGE_LEN);
