//! What the driver does to the pages of a running enclave, for whole ranges.

use std::io;

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{PageKind, Permissions};

use crate::backend::emulator::model::Model;
use crate::backend::{BackendError, PageRange, Refusal};

use super::instance::{Instance, refused};
use super::{exits, mirror};

impl Instance {
    /// EMODPR for a range of pages.
    pub(in crate::backend::emulator) fn restrict(
        &self,
        pages: PageRange,
        permissions: Permissions,
    ) -> Result<(), BackendError> {
        self.manage(pages, "EMODPR", |model, offset| {
            model.restrict(offset, permissions)
        })
    }

    /// EMODT for a range of pages.
    pub(in crate::backend::emulator) fn retype(
        &self,
        pages: PageRange,
        kind: PageKind,
    ) -> Result<(), BackendError> {
        self.manage(pages, "EMODT", |model, offset| model.retype(offset, kind))
    }

    /// EREMOVE for a range of pages.
    pub(in crate::backend::emulator) fn remove(
        &self,
        pages: PageRange,
    ) -> Result<(), BackendError> {
        self.manage(pages, "EREMOVE", Model::remove)
    }

    /// EAUG for those of a range of pages that are not there.
    pub(in crate::backend::emulator) fn augment(
        &self,
        pages: PageRange,
    ) -> Result<(), BackendError> {
        self.manage(pages, "EAUG", |model, offset| {
            if model.page(offset).is_some() {
                return Ok(());
            }
            model.augment(offset)?;
            self.tally.augmented.add(1);
            Ok(())
        })
    }

    /// Maps a range of pages, under somebody else's rule; what was granted beyond that is taken away.
    pub(in crate::backend::emulator) fn map(
        &self,
        pages: PageRange,
        permissions: Permissions,
    ) -> io::Result<()> {
        let Some(mappings) = self.range.mappings() else {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        };
        let mut state = self.lock();
        let end = pages.offset + pages.count * PAGE_LEN;
        // What was not mapped has not been granted; most mappings are first ones, and of millions of pages.
        if !mappings.set(pages.offset, end, permissions) {
            return Ok(());
        }
        mirror::revoke(&self.range, &mut state.model, pages)
    }

    /// What the mapping of the page at `offset` allows.
    pub(in crate::backend::emulator) fn mapped(&self, offset: u64) -> Permissions {
        self.range.mapped(offset)
    }

    /// EREMOVE of one page, as the processor allows it: the driver's conditions are the driver's.
    pub(in crate::backend::emulator) fn remove_at_will(
        &self,
        offset: u64,
    ) -> Result<(), BackendError> {
        let page = PageRange { offset, count: 1 };
        self.manage(page, "EREMOVE", Model::remove_at_will)?;
        // The driver removes pages that nobody can reach any more; this one could still be reached.
        self.range
            .protect(offset, PAGE_LEN, Permissions::EMPTY)
            .map_err(exits::os)
    }

    /// EAUG of one page that nobody has asked for.
    pub(in crate::backend::emulator) fn add_at_will(
        &self,
        offset: u64,
    ) -> Result<(), BackendError> {
        let page = PageRange { offset, count: 1 };
        self.manage(page, "EAUG", Model::augment)
    }

    /// The type of the page at `offset`, if there is one.
    pub(in crate::backend::emulator) fn page_kind(&self, offset: u64) -> Option<PageKind> {
        self.lock().model.page(offset).map(|page| page.kind)
    }

    /// Does something to each page of a range, in order, until one is refused; what is done stays done, as with the
    /// driver. The page tables follow before this returns.
    fn manage(
        &self,
        pages: PageRange,
        leaf: &'static str,
        change: impl Fn(&mut Model, u64) -> Result<(), Refusal>,
    ) -> Result<(), BackendError> {
        let mut state = self.lock();
        let model = &mut state.model;
        let in_range = pages
            .count
            .checked_mul(PAGE_LEN)
            .and_then(|len| len.checked_add(pages.offset))
            .is_some_and(|end| end <= model.secs().size);
        if !in_range || !pages.offset.is_multiple_of(PAGE_LEN) {
            let rule = "the pages are misaligned or outside the enclave";
            return Err(refused(leaf)(Refusal::GeneralProtection(rule)));
        }
        let mut done = 0;
        let mut result = Ok(());
        while done < pages.count && result.is_ok() {
            let offset = pages.offset + done * PAGE_LEN;
            result = change(model, offset).map_err(refused(leaf));
            if result.is_ok() {
                self.note(model, offset, leaf);
                done += 1;
            }
        }
        match leaf {
            // Counted where it is done: pages that are there already are left alone.
            "EAUG" => {}
            "EREMOVE" => self.tally.removed.add(done),
            _ => self.tally.changed.add(done),
        }
        let changed = PageRange {
            count: done,
            ..pages
        };
        self.follow(model, changed).map_err(exits::os)?;
        result
    }

    /// Takes away what is no longer allowed, and the memory behind pages that are no more.
    fn follow(&self, model: &mut Model, pages: PageRange) -> io::Result<()> {
        mirror::revoke(&self.range, model, pages)?;
        let is_gone = pages.count > 0 && model.page(pages.offset).is_none();
        if is_gone {
            self.range.discard(pages.offset, pages.count * PAGE_LEN)?;
        }
        Ok(())
    }
}
