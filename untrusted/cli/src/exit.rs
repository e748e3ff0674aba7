//! Exit codes of the program `twine`.
//!
//! `twine run` ends with the guest's own exit code. What is not the guest's doing has a code of its own, chosen like
//! those of `timeout(1)`, `env(1)` and the shell, so that scripts can tell them apart; a guest that uses the same numbers
//! can only be told apart by what stands on standard error.

use std::io::ErrorKind;
use std::process::ExitCode;

use twine::error::{Error, Refusal};

/// A failure that is not the guest's exit code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Code {
    /// The command line is wrong; the number is clap's.
    Usage = 2,
    /// There is no bundle: the provisioner could not be asked, or did not answer.
    NoBundle = 109,
    /// The enclave refuses the bundle.
    Bundle = 110,
    /// The evidence is refused.
    Refused = 111,
    /// What was handed over is no evidence.
    NoEvidence = 112,
    /// The policy is not valid.
    Policy = 113,
    /// There is no collateral, or it cannot be read.
    Collateral = 114,
    /// The passphrase or key does not open the volume.
    Key = 115,
    /// A volume was tampered with, rolled back, or has another history.
    Tampered = 116,
    /// The check of a volume found something wrong.
    Damaged = 117,
    /// The file is not a volume, or needs a newer release.
    NotAVolume = 118,
    /// The volume, or the disk below it, is full.
    Full = 119,
    /// The launch document, or what was passed beside it, is not valid, or the enclave refused it.
    Document = 120,
    /// The platform that was asked for cannot be used.
    Backend = 121,
    /// The enclave was lost, killed itself, or broke the protocol.
    Enclave = 122,
    /// A limit is too small to start the guest.
    Limit = 123,
    /// The guest's time was up.
    Timeout = 124,
    /// Twine or this machine failed.
    Host = 125,
    /// The file is not a module that can run.
    Module = 126,
    /// There is no such file.
    NotFound = 127,
    /// The guest trapped.
    Trap = 134,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

impl Code {
    /// The code for an error, found anywhere in its chain of causes.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if let Some(code) = error
            .chain()
            .find_map(|cause| cause.downcast_ref::<Blame>())
        {
            return code.code;
        }
        if let Some(error) = error.chain().find_map(|cause| cause.downcast_ref()) {
            return Self::of_volume(error);
        }
        if let Some(code) = error.chain().find_map(Self::of_verification) {
            return code;
        }
        let found = error.chain().find_map(|cause| cause.downcast_ref());
        found.map_or(Self::Host, Self::of_host)
    }

    fn of_host(error: &Error) -> Self {
        match error {
            Error::File { source, .. } if source.kind() == ErrorKind::NotFound => Self::NotFound,
            Error::BadModule { .. } | Error::NoCompiler { .. } => Self::Module,
            Error::BadDocument(_)
            | Error::OtherModule { .. }
            | Error::FixedByDocument(_)
            | Error::NoBacking { .. }
            | Error::NoSuchMount { .. }
            | Error::ConfidentialModule
            | Error::ModuleNeeded
            | Error::ZeroByte(_) => Self::Document,
            Error::BackendUnavailable(_) => Self::Backend,
            Error::NotProvisioned(_) => Self::NoBundle,
            Error::Refused { refusal, .. } => Self::of_refusal(*refusal),
            Error::EnclaveLost
            | Error::EnclaveKilled { .. }
            | Error::EnclaveMisbehaved(_)
            | Error::CallRefused(_) => Self::Enclave,
            _ => Self::Host,
        }
    }

    fn of_verification(cause: &(dyn std::error::Error + 'static)) -> Option<Self> {
        use twine_attest::{collateral, pccs, policy, presented};
        if cause.is::<presented::Error>() {
            Some(Self::NoEvidence)
        } else if cause.is::<policy::Error>() {
            Some(Self::Policy)
        } else if cause.is::<collateral::Error>() || cause.is::<pccs::Error>() {
            Some(Self::Collateral)
        } else {
            None
        }
    }

    fn of_volume(error: &twine_volume::Error) -> Self {
        use twine_volume::Error as Volume;
        match error {
            Volume::File { source, .. } if source.kind() == ErrorKind::NotFound => Self::NotFound,
            Volume::File { source, .. } if source.kind() == ErrorKind::StorageFull => Self::Full,
            Volume::Volume { source, .. } | Volume::Inside { source, .. } => {
                Self::of_file_system(*source)
            }
            Volume::NoSlot { .. } | Volume::WrongSecret { .. } | Volume::KeyFile { .. } => {
                Self::Key
            }
            Volume::UnreasonableSlot { .. } | Volume::ForbiddenName { .. } => Self::Tampered,
            _ => Self::Host,
        }
    }

    fn of_file_system(error: twine_volume::fs::Error) -> Self {
        use twine_volume::fs::Error as Fs;
        match error {
            Fs::WrongKey => Self::Key,
            Fs::Tampered { .. }
            | Fs::RolledBack { .. }
            | Fs::Forked { .. }
            | Fs::Poisoned
            | Fs::Truncated { .. }
            | Fs::Malformed { .. } => Self::Tampered,
            Fs::NotAVolume | Fs::Unsupported(_) => Self::NotAVolume,
            Fs::NoSpace => Self::Full,
            Fs::NotFound => Self::NotFound,
            _ => Self::Host,
        }
    }

    const fn of_refusal(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Document | Refusal::Signature | Refusal::Arguments | Refusal::Migration => {
                Self::Document
            }
            Refusal::Module | Refusal::ModuleUnusable => Self::Module,
            Refusal::Limit => Self::Limit,
            Refusal::BundleMissing => Self::NoBundle,
            Refusal::Bundle => Self::Bundle,
            Refusal::Volume => Self::Key,
            Refusal::VolumeTampered => Self::Tampered,
            Refusal::QuoteMissing => Self::Backend,
            _ => Self::Host,
        }
    }
}

/// An error of the command line itself that has a code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Blame {
    pub(crate) code: Code,
    pub(crate) message: String,
}

/// What `--help` says about exit codes.
pub(crate) const HELP: &str = "\
Exit codes:
  The guest's own exit code (its lowest 8 bits), or
    2  the command line is wrong
  109  no bundle came from the provisioner
  110  the enclave refuses the bundle
  115  the enclave has no key for a volume
  116  a volume was tampered with, or failed while `twine sqlite` used it
  120  the launch document is not valid, or the enclave refuses it or the arguments
  121  the backend that was asked for cannot be used (see `twine doctor`)
  122  the enclave was lost, or killed itself
  123  a limit is too small to start the guest
  124  the guest was stopped: its time was up
  125  Twine itself or this machine failed
  126  the file is not a module that can run
  127  there is no such file
  134  the guest trapped";

/// What `twine volume --help` says about exit codes.
pub(crate) const VOLUME_HELP: &str = "\
Exit codes:
    0  done; for `diff-root`: the same, or newer
    2  the command line is wrong
  115  the passphrase or key does not open the volume
  116  the volume was tampered with, cut, rolled back, or has another history
  117  the check found something wrong
  118  the file is not a volume, or needs a newer release
  119  the volume, or the disk below it, is full
  125  Twine itself or this machine failed
  127  there is no such file";

/// What `twine provision --help` says about exit codes.
pub(crate) const PROVISION_HELP: &str = "\
Exit codes:
    0  the bundle is written
    2  the command line is wrong, or a key file is none, or everybody may read it
  111  the evidence is refused, for the reasons that are told: there is no bundle
  112  what was handed over is no request
  113  the policy is not valid
  114  there is no collateral, it cannot be fetched, or it cannot be read
  120  the launch document is not valid, or asks for something else than what was given
  125  Twine itself or this machine failed
  126  the file is not a module that can run
  127  there is no such file";

/// What `twine verify --help` says about exit codes.
pub(crate) const VERIFY_HELP: &str = "\
Exit codes:
    0  the evidence is accepted: GENUINE, or SIMULATED if the policy names the emulator's root
    2  the command line is wrong
  111  the evidence is refused, for the reasons that are told
  112  what was handed over is neither evidence nor a quote nor an RA-TLS certificate
  113  the policy is not valid
  114  there is no collateral, it cannot be fetched, or it cannot be read
  125  Twine itself or this machine failed
  127  there is no such file";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_documented() {
        for code in [
            Code::Usage,
            Code::NoBundle,
            Code::Bundle,
            Code::Refused,
            Code::NoEvidence,
            Code::Policy,
            Code::Collateral,
            Code::Key,
            Code::Tampered,
            Code::Damaged,
            Code::NotAVolume,
            Code::Full,
            Code::Document,
            Code::Backend,
            Code::Enclave,
            Code::Limit,
            Code::Timeout,
            Code::Host,
            Code::Module,
            Code::NotFound,
            Code::Trap,
        ] {
            let line = format!("\n{:5}  ", code as u8);
            assert!(
                [HELP, PROVISION_HELP, VERIFY_HELP, VOLUME_HELP]
                    .iter()
                    .any(|help| help.contains(&line)),
                "{code:?}"
            );
        }
    }

    #[test]
    fn an_errors_code_is_found_behind_its_context() {
        let lost = anyhow::Error::new(Error::EnclaveLost).context("running app.wasm");
        assert_eq!(Code::of(&lost), Code::Enclave);
        let missing = Error::File {
            path: "app.wasm".into(),
            source: ErrorKind::NotFound.into(),
        };
        assert_eq!(Code::of(&missing.into()), Code::NotFound);
        assert_eq!(Code::of(&anyhow::anyhow!("else")), Code::Host);
        let full = twine_volume::Error::Volume {
            path: "app.volume".into(),
            source: twine_volume::fs::Error::NoSpace,
        };
        assert_eq!(Code::of(&full.into()), Code::Full);
        let blame = Blame {
            code: Code::Backend,
            message: "no".into(),
        };
        assert_eq!(Code::of(&blame.into()), Code::Backend);
    }
}
