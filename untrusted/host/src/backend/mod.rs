//! Where enclaves come from: one seam, several platforms.
//!
//! ```text
//!   launch ──► Backend::create ──► Build::add_pages … ──► Build::initialise ──► Enclave
//!                ECREATE             EADD, EEXTEND           EINIT               enter, restrict, trim, remove
//! ```
//!
//! Nothing above this module knows which platform it runs on. Nothing in or below it is trusted: a backend that lies
//! can deny service, no more.

mod counts;
pub mod device;
pub mod emulator;

use std::fmt;
use std::sync::Arc;

use twine_abi::sgx::{PageKind, Permissions, SecInfo, Secs, Sigstruct};

use crate::quote::{self, QuoteSource};

pub use counts::Counts;

/// A platform that can create enclaves.
pub trait Backend: Send + Sync {
    /// Which platform this is.
    fn kind(&self) -> BackendKind;

    /// Creates an empty enclave (ECREATE). `secs.base` is ignored; the platform chooses a base aligned to `secs.size`.
    ///
    /// # Errors
    /// [`BackendError::Refused`] if the platform does not accept the parameters.
    fn create(&self, secs: &Secs) -> Result<Box<dyn Build>, BackendError>;

    /// Where quotes of its enclaves' reports come from.
    fn quotes(&self) -> Arc<dyn QuoteSource> {
        quote::platform()
    }
}

/// An enclave that is being built.
pub trait Build: Send {
    /// Adds pages at `offset` from the base (EADD), all with the same `info`, and measures their contents (EEXTEND) if
    /// `measure` says so. `bytes` is a whole number of pages.
    ///
    /// # Errors
    /// [`BackendError::Refused`] if the offset, the length or `info` is not allowed.
    fn add_pages(
        &mut self,
        offset: u64,
        bytes: &[u8],
        info: SecInfo,
        measure: Measure,
    ) -> Result<(), BackendError>;

    /// Lets pages come into being in a range while the enclave runs (EAUG), to be used at most as `permissions` say.
    /// Anywhere else an access from inside faults.
    ///
    /// # Errors
    /// [`BackendError::Refused`] if the range leaves the enclave.
    fn leave_room(
        &mut self,
        pages: PageRange,
        permissions: Permissions,
    ) -> Result<(), BackendError>;

    /// Finishes the enclave (EINIT). Nothing can be added afterwards, and only now can it be entered.
    ///
    /// # Errors
    /// [`BackendError::Refused`] if the SIGSTRUCT does not fit what has been built.
    fn initialise(self: Box<Self>, sigstruct: &Sigstruct)
    -> Result<Arc<dyn Enclave>, BackendError>;
}

/// An enclave that can be entered. Dropping the last reference destroys it.
pub trait Enclave: Send + Sync {
    /// The address of its first byte.
    fn base(&self) -> u64;

    /// Enters the thread whose TCS lies at `tcs` (offset from the base) and comes back when it leaves.
    ///
    /// Every call on a host thread for the same TCS presents the same host stack pointer to the enclave, whatever the
    /// caller's own depth: the enclave returns to the stack it saw at EENTER even if an exception and ERESUME lie
    /// between.
    ///
    /// # Errors
    /// [`BackendError::Refused`] if the processor faults on the instruction (TCS busy, no SSA frame left);
    /// [`BackendError::Lost`] if the enclave is gone.
    fn enter(&self, tcs: u64, leaf: Leaf, registers: &mut Registers) -> Result<Left, BackendError>;

    /// Asks a thread that is inside, or about to go inside, to leave asynchronously. `thread` is the host thread
    /// (`pthread_t`) that is in [`Enclave::enter`] for `tcs`; that call returns [`Left::Interrupted`], at once if the
    /// thread is inside, else at its next entry.
    fn interrupt(&self, tcs: u64);

    /// Restricts pages to `permissions` (EMODPR).
    ///
    /// # Errors
    /// [`BackendError::Refused`] if a page is not there or not in a state for it.
    fn restrict(&self, range: PageRange, permissions: Permissions) -> Result<(), BackendError>;

    /// Changes the type of pages (EMODT), to TRIM or TCS.
    ///
    /// # Errors
    /// [`BackendError::Refused`] if a page is not there or not in a state for it.
    fn retype(&self, range: PageRange, kind: PageKind) -> Result<(), BackendError>;

    /// Removes pages that have been trimmed and whose removal the enclave has accepted (EREMOVE).
    ///
    /// # Errors
    /// [`BackendError::Refused`] if a page is not there or not in a state for it.
    fn remove(&self, range: PageRange) -> Result<(), BackendError>;

    /// Adds pages that the enclave is about to accept (EAUG), so that it need not fault for each. A hint: a page that is
    /// there already is left alone, and one that is not added comes when it is first touched.
    ///
    /// # Errors
    /// [`BackendError::Refused`] if a page cannot be added.
    fn augment(&self, _range: PageRange) -> Result<(), BackendError> {
        Ok(())
    }

    /// What the enclave has cost so far, where somebody counts.
    fn counts(&self) -> Option<Counts> {
        None
    }
}

/// A platform.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BackendKind {
    /// The processor's own SGX, through the Linux driver.
    Device,
    /// SGX in software. No protection whatsoever.
    Emulator,
}

/// Whether added pages count towards MRENCLAVE with their contents, or only with their address and type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Measure {
    /// EADD and sixteen EEXTENDs a page.
    Contents,
    /// EADD only.
    AddressOnly,
}

/// The instruction to enter with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Leaf {
    /// EENTER.
    Enter,
    /// ERESUME.
    Resume,
}

/// The registers that pass the border in both directions. [`twine_abi::entry`] gives them meaning.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Registers {
    /// RDI.
    pub rdi: u64,
    /// RSI.
    pub rsi: u64,
    /// RDX.
    pub rdx: u64,
    /// R8.
    pub r8: u64,
    /// R9.
    pub r9: u64,
}

/// How a thread came out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Left {
    /// By EEXIT; the registers hold what the enclave left in them.
    Exited,
    /// By an exception (asynchronous exit), as the kernel reports it.
    Exception {
        /// The exception's vector.
        vector: u8,
        /// The exception's error code.
        error: u16,
        /// The address of a page fault.
        address: u64,
    },
    /// By [`Enclave::interrupt`] (asynchronous exit).
    Interrupted,
}

/// Pages from an offset, by their number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PageRange {
    /// Offset of the first page from the enclave's base, a multiple of the page length.
    pub offset: u64,
    /// Number of pages.
    pub count: u64,
}

/// Why a platform did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The platform refused: the instruction, its error code or fault, and where.
    #[error("{leaf} was refused: {reason}")]
    Refused {
        /// The SGX instruction.
        leaf: &'static str,
        /// What the manual calls the reason.
        reason: Refusal,
    },
    /// The enclave is gone (power transition, or destroyed by the kernel).
    #[error("the enclave is gone")]
    Lost,
    /// The machine, or this process's place on it, lacks something that a person can provide.
    #[error("{problem}: {remedy}")]
    Unusable {
        /// What was found.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// The operating system failed underneath.
    #[error("{what}: {source}")]
    Os {
        /// What was being done.
        what: &'static str,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

/// The manual's two ways of refusing an SGX instruction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// #GP(0): the operands break a rule.
    GeneralProtection(&'static str),
    /// #PF: an operand's page is not what the instruction needs.
    PageFault {
        /// The address that faulted.
        address: u64,
    },
    /// An error code in RAX.
    Code {
        /// The code's number.
        code: u64,
        /// The code's name in the manual.
        name: &'static str,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GeneralProtection(rule) => write!(f, "#GP(0), {rule}"),
            Self::PageFault { address } => write!(f, "#PF at {address:#x}"),
            Self::Code { code, name } => write!(f, "{name} ({code})"),
        }
    }
}
