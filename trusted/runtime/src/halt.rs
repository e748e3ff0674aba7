//! Reasons for which a call of the guest into the runtime ends the guest instead of returning.

use core::fmt;

use twine_abi::exchange::HostErrno;

use crate::platform::Fault;

/// Why the guest ends in the middle of a call. Travels through the engine as an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Halt {
    /// The guest asked for it.
    Exit(u32),
    /// The host interrupted the call because the guest's time is up.
    Stopped,
    /// The host broke this rule.
    Misbehaved(&'static str),
    /// The guest calls what needs its memory but exports none under the name that WASI prescribes.
    NoMemory,
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "the guest exited with {code}"),
            Self::Stopped => f.write_str("the guest was stopped"),
            Self::Misbehaved(rule) => write!(f, "the host broke a rule: {rule}"),
            Self::NoMemory => f.write_str("the guest exports no memory named `memory`"),
        }
    }
}

impl core::error::Error for Halt {}

/// Separates what ends the guest from what the guest is told.
pub(crate) fn sort(fault: Fault) -> Result<HostErrno, Halt> {
    match fault {
        Fault::Host(HostErrno::Interrupted) => Err(Halt::Stopped),
        Fault::Host(errno) => Ok(errno),
        Fault::Misbehaved(rule) => Err(Halt::Misbehaved(rule)),
    }
}
