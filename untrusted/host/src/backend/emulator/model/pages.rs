//! The EPCM: for each page of the address range what it is, who may do what with it, and what is still to be accepted.
//!
//! An address range of 64 GiB has 16 million pages of which a few thousand exist, so the table has two levels: chunks
//! come into being with the first page in them.

use twine_abi::sgx::{PageKind, Permissions, SecInfo, SecInfoFlags};

/// Pages in one chunk of the table: 16 MiB of address range.
const CHUNK_PAGES: usize = 4096;

/// What has been done to a page and waits for the enclave's consent. The bits are those of SECINFO.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::backend::emulator) struct PageState(u8);

impl PageState {
    pub(in crate::backend::emulator) const SETTLED: Self = Self(0);
    pub(in crate::backend::emulator) const PENDING: Self = Self(1 << 3);
    pub(in crate::backend::emulator) const MODIFIED: Self = Self(1 << 4);
    pub(in crate::backend::emulator) const RESTRICTED: Self = Self(1 << 5);

    /// Whether any of `other`'s states is here.
    pub(in crate::backend::emulator) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both states.
    pub(in crate::backend::emulator) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// An EPCM entry whose VALID bit is set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::backend::emulator) struct Page {
    /// The type.
    pub(in crate::backend::emulator) kind: PageKind,
    /// R, W, X.
    pub(in crate::backend::emulator) permissions: Permissions,
    /// PENDING, MODIFIED, PR.
    pub(in crate::backend::emulator) state: PageState,
    /// What the operating system's page tables grant at the moment; never more than [`Page::reachable`]. Not part of
    /// the EPCM: it is kept here because it changes with the entry.
    pub(in crate::backend::emulator) granted: Permissions,
}

impl Page {
    /// A page that nothing waits for, and that the page tables do not grant yet.
    pub(super) const fn settled(kind: PageKind, permissions: Permissions) -> Self {
        Self {
            kind,
            permissions,
            state: PageState::SETTLED,
            granted: Permissions::EMPTY,
        }
    }

    /// What the enclave's code can do with the page now.
    pub(in crate::backend::emulator) fn reachable(&self) -> Permissions {
        let waiting = PageState::PENDING.union(PageState::MODIFIED);
        if self.kind == PageKind::Reg && !self.state.intersects(waiting) {
            self.permissions
        } else {
            Permissions::EMPTY
        }
    }

    /// The entry in the form of SECINFO, which is how EACCEPT compares it.
    pub(super) fn flags(&self) -> SecInfoFlags {
        SecInfo::new(self.kind, self.permissions)
            .with(SecInfoFlags::from_bits(u64::from(self.state.0)))
            .flags
    }
}

/// The table. Pages are named by their number from the base.
#[derive(Debug)]
pub(super) struct PageTable {
    chunks: Vec<Option<Box<[Option<Page>; CHUNK_PAGES]>>>,
    pages: u64,
}

impl PageTable {
    /// A table for that many pages, none of which exists yet.
    pub(super) fn new(pages: u64) -> Self {
        Self {
            chunks: Vec::new(),
            pages,
        }
    }

    /// The page, if it exists.
    pub(super) fn get(&self, number: u64) -> Option<&Page> {
        let (chunk, slot) = position(number)?;
        self.chunks.get(chunk)?.as_ref()?.get(slot)?.as_ref()
    }

    /// The page, if it exists.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Page> {
        let (chunk, slot) = position(number)?;
        self.chunks
            .get_mut(chunk)?
            .as_mut()?
            .get_mut(slot)?
            .as_mut()
    }

    /// Puts a page in place of whatever was there. The number must lie in the range.
    pub(super) fn set(&mut self, number: u64, page: Option<Page>) {
        assert!(number < self.pages, "the caller checked the range");
        let Some((chunk, slot)) = position(number) else {
            return;
        };
        if self.chunks.len() <= chunk {
            self.chunks.resize_with(chunk + 1, || None);
        }
        let entry = self
            .chunks
            .get_mut(chunk)
            .map(|chunk| chunk.get_or_insert_with(|| Box::new([None; CHUNK_PAGES])))
            .and_then(|chunk| chunk.get_mut(slot));
        if let Some(entry) = entry {
            *entry = page;
        }
    }
}

/// Chunk and place in the chunk.
fn position(number: u64) -> Option<(usize, usize)> {
    let number = usize::try_from(number).ok()?;
    Some((number / CHUNK_PAGES, number % CHUNK_PAGES))
}

const _: () = {
    assert!(size_of::<Option<Page>>() == 4, "a chunk is 16 KiB");
    assert!(PageState::PENDING.0 as u64 == SecInfoFlags::PENDING.bits());
    assert!(PageState::MODIFIED.0 as u64 == SecInfoFlags::MODIFIED.bits());
    assert!(PageState::RESTRICTED.0 as u64 == SecInfoFlags::PR.bits());
};
