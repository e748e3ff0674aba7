//! What the enclave itself does to its pages: EACCEPT, EACCEPTCOPY, EMODPE; and the check of operands in memory.
//!
//! Manual, the instructions of these names. An operand that lies where it must not is #GP(0); one whose page does not
//! allow the access is #PF at that address.

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{ErrorCode, PageKind, Permissions, SecInfo, SecInfoFlags, Tcs};

use crate::backend::Refusal;

use super::pages::{Page, PageState};
use super::threads::Thread;
use super::{Access, Model, code, require};

/// What an EACCEPT changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::backend::emulator) enum Accepted {
    /// A page that EAUG added, or whose permissions EMODPR restricted.
    Page,
    /// A page that EMODT made a TCS: from now on its contents are the thread's.
    Thread,
}

impl Model {
    /// Checks an operand of `len` bytes that must be aligned to its length's power of two `align`, and returns its
    /// offset from the base.
    pub(in crate::backend::emulator) fn operand(
        &self,
        address: u64,
        align: u64,
        access: Access,
    ) -> Result<u64, Refusal> {
        require(address.is_multiple_of(align), "an operand is misaligned")?;
        let offset = self.inside(address)?;
        let needed = match access {
            Access::Read => Permissions::R,
            Access::Write => Permissions::W,
        };
        let allowed = self
            .page(offset)
            .is_some_and(|page| page.reachable().contains(needed));
        if allowed {
            Ok(offset)
        } else {
            Err(Refusal::PageFault { address })
        }
    }

    /// Checks the address of a page that an instruction changes, and returns its offset from the base.
    pub(in crate::backend::emulator) fn page_operand(&self, address: u64) -> Result<u64, Refusal> {
        require(address.is_multiple_of(PAGE_LEN), "an operand is misaligned")?;
        self.inside(address)
    }

    fn inside(&self, address: u64) -> Result<u64, Refusal> {
        self.offset_of(address).ok_or(Refusal::GeneralProtection(
            "an operand lies outside the enclave",
        ))
    }

    /// EACCEPT of the page at `offset`.
    pub(in crate::backend::emulator) fn accept(
        &mut self,
        offset: u64,
        info: &SecInfo,
    ) -> Result<Accepted, Refusal> {
        check_accept(info)?;
        let page = self.target(offset)?;
        if page.flags() != info.flags {
            return Err(code(ErrorCode::PageAttributesMismatch));
        }
        page.state = PageState::SETTLED;
        if page.kind == PageKind::Tcs {
            Ok(Accepted::Thread)
        } else {
            Ok(Accepted::Page)
        }
    }

    /// Makes the contents of an accepted TCS page a thread.
    pub(in crate::backend::emulator) fn adopt_thread(&mut self, offset: u64, tcs: Tcs) {
        self.threads.insert(offset, Thread::new(tcs));
    }

    /// EACCEPTCOPY: the pending page at `offset` gets the permissions in `info`; the caller copies the contents.
    pub(in crate::backend::emulator) fn accept_copy(
        &mut self,
        offset: u64,
        info: &SecInfo,
    ) -> Result<(), Refusal> {
        check_extend(info)?;
        require(
            info.kind() == Ok(PageKind::Reg),
            "SECINFO: EACCEPTCOPY makes regular pages only",
        )?;
        let page = self.target(offset)?;
        let pending = Page {
            state: PageState::PENDING,
            ..Page::settled(PageKind::Reg, Permissions::RW)
        };
        if page.flags() != pending.flags() {
            return Err(code(ErrorCode::PageAttributesMismatch));
        }
        page.permissions = page.permissions | info.permissions();
        page.state = PageState::SETTLED;
        Ok(())
    }

    /// EMODPE: adds the permissions in `info` to those of the page at `offset`.
    pub(in crate::backend::emulator) fn extend_permissions(
        &mut self,
        offset: u64,
        info: &SecInfo,
    ) -> Result<(), Refusal> {
        check_extend(info)?;
        let address = self.secs.base.wrapping_add(offset);
        let page = self.target(offset)?;
        let unsettled = PageState::PENDING.union(PageState::MODIFIED);
        if page.kind != PageKind::Reg || page.state.intersects(unsettled) {
            return Err(Refusal::PageFault { address });
        }
        let extended = page.permissions | info.permissions();
        require(
            extended.contains(Permissions::R) || !extended.contains(Permissions::W),
            "EMODPE: W without R",
        )?;
        page.permissions = extended;
        Ok(())
    }

    fn target(&mut self, offset: u64) -> Result<&mut Page, Refusal> {
        let address = self.secs.base.wrapping_add(offset);
        self.page_mut(offset).ok_or(Refusal::PageFault { address })
    }
}

fn check_reserved(info: &SecInfo) -> Result<(), Refusal> {
    require(
        info.reserved == [0; 56] && SecInfoFlags::NAMED.contains(info.flags),
        "SECINFO sets bits that are reserved",
    )
}

fn check_accept(info: &SecInfo) -> Result<(), Refusal> {
    check_reserved(info)?;
    let modified = info.flags.contains(SecInfoFlags::MODIFIED);
    let pending = info.flags.contains(SecInfoFlags::PENDING);
    match info.kind() {
        Ok(PageKind::Reg) => require(!modified, "SECINFO: a regular page is never MODIFIED"),
        Ok(PageKind::Tcs | PageKind::Trim) => require(
            modified && !pending,
            "SECINFO: a TCS or TRIM page is accepted as MODIFIED",
        ),
        _ => Err(Refusal::GeneralProtection(
            "SECINFO: pages of this type are not accepted",
        )),
    }
}

fn check_extend(info: &SecInfo) -> Result<(), Refusal> {
    check_reserved(info)?;
    let permissions = info.permissions();
    require(
        permissions.contains(Permissions::R) || !permissions.contains(Permissions::W),
        "SECINFO: W without R",
    )
}
