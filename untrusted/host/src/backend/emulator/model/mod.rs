//! The processor's side of SGX as a pure state machine: no memory is touched here, no signal, no `unsafe`.
//!
//! ```text
//!            ECREATE        EADD EEXTEND          EINIT                       EAUG EMODPR EMODT EREMOVE  (driver)
//!  Processor ───────► Model ─────────────► Model ───────► Model (INIT = 1) ──► EACCEPT EMODPE EREPORT EGETKEY
//!                                                                              EENTER ERESUME EEXIT AEX
//! ```
//!
//! | module | leaves |
//! |---|---|
//! | [`processor`] | what the emulated processor supports, and its fused secret |
//! | [`pages`] | the EPCM: what each page is and who may do what with it |
//! | [`build`] | ECREATE, EADD, EEXTEND |
//! | [`init`] | EINIT |
//! | [`measure`] | MRENCLAVE |
//! | [`manage`] | EAUG, EMODPR, EMODT, EREMOVE |
//! | [`accept`] | EACCEPT, EACCEPTCOPY, EMODPE |
//! | [`threads`] | EENTER, ERESUME, EEXIT, asynchronous exit |
//! | [`identity`] | EREPORT |
//! | [`keys`] | EGETKEY |
//! | [`architectural`] | enclaves that come with the platform |
//!
//! What an instruction refuses is a [`Refusal`]: the manual's fault or error code. The bytes of operands are handed in
//! by the caller, who looks at memory only after [`Model::operand`] has allowed it.

mod accept;
mod architectural;
mod build;
mod identity;
mod init;
mod keys;
mod manage;
mod measure;
mod pages;
mod processor;
mod threads;

use std::collections::BTreeMap;

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{AttributeFlags, ErrorCode, Secs};

use crate::backend::Refusal;

pub(in crate::backend::emulator) use accept::Accepted;
pub(in crate::backend::emulator) use architectural::Architectural;
pub(in crate::backend::emulator) use pages::Page;
pub(in crate::backend::emulator) use processor::{CPU_SVN, PlatformSecret, Processor, xsave_len};
pub(in crate::backend::emulator) use threads::Entered;

use measure::Measurement;
use pages::PageTable;
use threads::Thread;

/// One enclave: its SECS, its pages, its threads.
#[derive(Debug)]
pub(in crate::backend::emulator) struct Model {
    processor: Processor,
    secs: Secs,
    /// The parts of SIGSTRUCT that EREPORT and EGETKEY use and the SECS keeps where no software sees them.
    isv_family_id: [u8; 16],
    isv_ext_prod_id: [u8; 16],
    measurement: Measurement,
    pages: PageTable,
    threads: BTreeMap<u64, Thread>,
}

impl Model {
    /// The SECS, as the processor keeps it.
    pub(super) fn secs(&self) -> &Secs {
        &self.secs
    }

    /// The page at `offset` from the base, if there is one.
    pub(super) fn page(&self, offset: u64) -> Option<&Page> {
        self.pages.get(offset / PAGE_LEN)
    }

    /// The page at `offset` from the base, to note what the operating system's page tables grant.
    pub(super) fn page_mut(&mut self, offset: u64) -> Option<&mut Page> {
        self.pages.get_mut(offset / PAGE_LEN)
    }

    /// Whether EINIT has succeeded.
    pub(super) fn is_initialised(&self) -> bool {
        self.secs.attributes.flags.contains(AttributeFlags::INIT)
    }

    /// Converts an address into an offset from the base, if it lies in the enclave's address range.
    pub(super) fn offset_of(&self, address: u64) -> Option<u64> {
        address
            .checked_sub(self.secs.base)
            .filter(|&offset| offset < self.secs.size)
    }
}

/// What an operand is used for; the EPCM must allow it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Access {
    /// The instruction reads it.
    Read,
    /// The instruction writes it.
    Write,
}

/// The refusal that the manual expresses by an error code.
fn code(code: ErrorCode) -> Refusal {
    Refusal::Code {
        code: u64::from(code as u32),
        name: code.name(),
    }
}

/// The refusal #GP(0).
fn general_protection<T>(rule: &'static str) -> Result<T, Refusal> {
    Err(Refusal::GeneralProtection(rule))
}

/// Passes if the rule holds, else #GP(0).
#[expect(
    clippy::fn_params_excessive_bools,
    reason = "the condition reads as the rule that follows it"
)]
fn require(holds: bool, rule: &'static str) -> Result<(), Refusal> {
    if holds {
        Ok(())
    } else {
        general_protection(rule)
    }
}

/// Whether bits 63 to 47 of an address are equal.
pub(super) const fn is_canonical(address: u64) -> bool {
    matches!(address >> 47, 0 | 0x1_ffff)
}
