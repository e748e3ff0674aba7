//! How a run ended, as it stands in the exchange area's payload after [`crate::entry::Call::Launch`]. The [crate]
//! documentation has the layout.

use crate::exchange::PAYLOAD_LEN;

/// Bytes before the message.
pub const OUTCOME_HEADER_LEN: usize = 16;

/// Longest message.
pub const MESSAGE_LEN_MAX: usize = PAYLOAD_LEN - OUTCOME_HEADER_LEN;

/// How a run ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Kind {
    /// The guest ended by itself; `code` is its exit code.
    Exited = 0,
    /// The guest trapped; the message holds the reason and the Wasm backtrace.
    Trapped = 1,
    /// The guest was stopped because its time was up.
    Stopped = 2,
    /// The launch document is not the one of this enclave (CONFIGID, CONFIGSVN), or is not valid.
    DocumentRefused = 3,
    /// The module is not the one that the launch document names.
    ModuleRefused = 4,
    /// The module cannot run here: it does not fit the engine profile, imports what does not exist, or has no entry
    /// point.
    ModuleUnusable = 5,
    /// A limit of the launch document, or the enclave's memory, did not suffice to start the guest.
    LimitReached = 6,
    /// The caller's arguments or environment are not what the launch document allows.
    ArgumentsRefused = 7,
    /// The host broke the rules of a call (a length out of range, an address inside the enclave).
    HostMisbehaved = 8,
    /// A volume cannot be opened: it is not this program's, or is not there.
    VolumeRefused = 9,
    /// A volume was tampered with, or is an older one.
    VolumeTampered = 10,
    /// The host brought no bundle from the provisioner that the launch document names.
    BundleMissing = 11,
    /// The bundle is not the provisioner's, not for this launch, or not what the launch document names.
    BundleRefused = 12,
    /// The host gave no quote, so there is no evidence.
    QuoteMissing = 13,
    /// The launch document names an owner, whose signature is missing or wrong.
    SignatureRefused = 14,
    /// Volumes are not handed over to another image, or not taken over from it.
    MigrationRefused = 15,
}

impl TryFrom<u32> for Kind {
    type Error = u32;

    /// Returns the number itself if it names nothing.
    fn try_from(number: u32) -> Result<Self, u32> {
        Ok(match number {
            0 => Self::Exited,
            1 => Self::Trapped,
            2 => Self::Stopped,
            3 => Self::DocumentRefused,
            4 => Self::ModuleRefused,
            5 => Self::ModuleUnusable,
            6 => Self::LimitReached,
            7 => Self::ArgumentsRefused,
            8 => Self::HostMisbehaved,
            9 => Self::VolumeRefused,
            10 => Self::VolumeTampered,
            11 => Self::BundleMissing,
            12 => Self::BundleRefused,
            13 => Self::QuoteMissing,
            14 => Self::SignatureRefused,
            15 => Self::MigrationRefused,
            _ => return Err(number),
        })
    }
}
