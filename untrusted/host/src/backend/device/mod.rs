//! The processor's own SGX, through the Linux driver: so far, only whether it is there.
//!
//! Creating enclaves on the device is not in this release. What is: finding out, and saying, what a machine lacks.

mod cpu;
mod linux;
mod requirement;

pub use cpu::Cpu;
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

    /// The first requirement that is not met, if any.
    #[must_use]
    pub fn first_missing(&self) -> Option<Requirement> {
        let mut requirements = self.requirements().into_iter();
        requirements.find(|requirement| requirement.state == State::Missing)
    }
}
