//! What the driver does to the pages of a finished enclave: EAUG, EMODPR, EMODT, EREMOVE.
//!
//! Manual, the instructions of these names. Between EMODPR or EMODT and the enclave's EACCEPT the Linux driver forces
//! every thread out once (ETRACK and an interrupt); here a change is in force for all threads as soon as it is made, so
//! tracking is always complete and SGX_NOT_TRACKED cannot happen.

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{ErrorCode, PageKind, Permissions};

use crate::backend::Refusal;

use super::pages::{Page, PageState};
use super::{Model, code, require};

/// A change that the enclave has not accepted forbids another one.
const UNSETTLED: PageState = PageState::PENDING.union(PageState::MODIFIED);

impl Model {
    /// EAUG: a page of zeros, readable and writable once the enclave accepts it.
    pub(in crate::backend::emulator) fn augment(&mut self, offset: u64) -> Result<(), Refusal> {
        require(self.is_initialised(), "EAUG before EINIT")?;
        require(
            offset.is_multiple_of(PAGE_LEN) && offset < self.secs.size,
            "the page is misaligned or outside the enclave",
        )?;
        require(
            self.page(offset).is_none(),
            "there is a page at this address already",
        )?;
        let page = Page {
            state: PageState::PENDING,
            ..Page::settled(PageKind::Reg, Permissions::RW)
        };
        self.pages.set(offset / PAGE_LEN, Some(page));
        Ok(())
    }

    /// EMODPR: takes away permissions that are not in `permissions`.
    pub(in crate::backend::emulator) fn restrict(
        &mut self,
        offset: u64,
        permissions: Permissions,
    ) -> Result<(), Refusal> {
        require(self.is_initialised(), "EMODPR before EINIT")?;
        require(
            permissions.contains(Permissions::R) || !permissions.contains(Permissions::W),
            "SECINFO: W without R",
        )?;
        let page = self.managed(offset)?;
        if page.state.intersects(UNSETTLED) {
            return Err(code(ErrorCode::PageNotModifiable));
        }
        if page.kind != PageKind::Reg {
            return Err(code(ErrorCode::PageNotModifiable));
        }
        page.permissions = page.permissions & permissions;
        page.state = PageState::RESTRICTED;
        Ok(())
    }

    /// EMODT: a regular page becomes a TCS or is to be removed, a TCS is to be removed.
    pub(in crate::backend::emulator) fn retype(
        &mut self,
        offset: u64,
        kind: PageKind,
    ) -> Result<(), Refusal> {
        require(self.is_initialised(), "EMODT before EINIT")?;
        require(
            matches!(kind, PageKind::Tcs | PageKind::Trim),
            "SECINFO: a page can only become a TCS or TRIM",
        )?;
        let page = self.managed(offset)?;
        let possible = matches!(
            (page.kind, kind),
            (PageKind::Reg, PageKind::Tcs | PageKind::Trim) | (PageKind::Tcs, PageKind::Trim)
        );
        if page.state.intersects(UNSETTLED) || !possible {
            return Err(code(ErrorCode::PageNotModifiable));
        }
        page.kind = kind;
        page.permissions = Permissions::EMPTY;
        page.state = PageState::MODIFIED;
        Ok(())
    }

    /// EREMOVE, whatever the page is, while no thread is inside.
    pub(in crate::backend::emulator) fn remove_at_will(
        &mut self,
        offset: u64,
    ) -> Result<(), Refusal> {
        self.managed(offset)?;
        if self.has_thread_inside() {
            return Err(code(ErrorCode::EnclaveAct));
        }
        self.threads.remove(&offset);
        self.pages.set(offset / PAGE_LEN, None);
        Ok(())
    }

    /// EREMOVE, under the driver's condition that the enclave has accepted the removal.
    pub(in crate::backend::emulator) fn remove(&mut self, offset: u64) -> Result<(), Refusal> {
        let page = *self.managed(offset)?;
        if page.kind != PageKind::Trim || page.state.intersects(UNSETTLED) {
            return Err(code(ErrorCode::PageNotModifiable));
        }
        self.threads.remove(&offset);
        self.pages.set(offset / PAGE_LEN, None);
        Ok(())
    }

    /// The page that the driver names.
    fn managed(&mut self, offset: u64) -> Result<&mut Page, Refusal> {
        require(offset.is_multiple_of(PAGE_LEN), "the page is misaligned")?;
        let address = self.secs.base.wrapping_add(offset);
        self.page_mut(offset).ok_or(Refusal::PageFault { address })
    }
}
