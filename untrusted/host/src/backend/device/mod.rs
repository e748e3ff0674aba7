//! The processor's own SGX, through the Linux driver.
//!
//! ```text
//!   Device ──► Building ──► Running        the traits of `backend`, in the order that the driver asks for
//!      └───────────┴───────────┘
//!                  │ SgxDevice, SgxFile    the seam
//!            ┌─────┴──────┐
//!         kernel        model              system calls and the vDSO │ the driver's rules over the emulator
//! ```
//!
//! **Nothing here has run on SGX silicon yet.** What has been tested against what is listed in `docs/hardware.md`.

mod backend;
mod cpu;
mod explain;
mod facts;
#[doc(hidden)]
pub mod kernel;
mod linux;
#[doc(hidden)]
pub mod model;
mod operand;
mod requirement;
mod retry;
mod running;
#[doc(hidden)]
pub mod seam;
#[doc(hidden)]
pub mod uapi;

pub use backend::Device;
pub use cpu::Cpu;
pub use facts::Fact;
pub use linux::{Access, Linux};
pub use requirement::{Requirement, State};

/// What this machine offers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Machine {
    /// The processor.
    pub cpu: Cpu,
    /// The operating system.
    pub linux: Linux,
}

impl Machine {
    /// Looks at this machine. Changes nothing and needs no rights.
    #[must_use]
    pub fn detect() -> Self {
        Self {
            cpu: Cpu::detect(),
            linux: Linux::detect(),
        }
    }

    /// Everything that the device backend needs, in the order in which it makes sense to provide it.
    #[must_use]
    pub fn requirements(&self) -> Vec<Requirement> {
        requirement::of(self)
    }

    /// What a bug report should say about this machine; nothing in it names its owner, users or files.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        facts::collect(&self.cpu, &self.linux)
    }

    /// The first requirement that is not met, if any.
    #[must_use]
    pub fn first_missing(&self) -> Option<Requirement> {
        let mut requirements = self.requirements().into_iter();
        requirements.find(|requirement| requirement.state == State::Missing)
    }
}
