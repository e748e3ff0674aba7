//! What can go wrong around a guest's run, and who is to blame.
//!
//! A guest that traps or is stopped is not an error: that is an [`Outcome`](crate::Outcome).

use std::io;
use std::path::PathBuf;

use twine_abi::entry::Status;
use twine_launch::ModuleIdentity;

use crate::backend::BackendError;
use crate::image::ElfError;
use crate::provision::ProvisionError;
use crate::sign::SignError;
use crate::state::StateError;

/// Why a guest did not run to an outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that the caller named cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The operating system failed underneath.
    #[error("{what}: {source}")]
    Os {
        /// What was being done.
        what: &'static str,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The module is not WebAssembly, is broken, or uses what this engine does not support. The module's author is to
    /// blame.
    #[error("{name}: {reason}")]
    BadModule {
        /// What the caller calls the module.
        name: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// The module would have to be compiled, and this build has no compiler.
    #[error(
        "{name}: not compiled, and this build has no compiler (feature `compiler`); compile it elsewhere with `twine compile`"
    )]
    NoCompiler {
        /// What the caller calls the module.
        name: String,
    },
    /// The launch document, or the options that one is generated from, break a rule. Their author is to blame.
    #[error(transparent)]
    BadDocument(#[from] twine_launch::Error),
    /// The launch document names another module than the one to be launched.
    #[error("the launch document names another module{}: expected {}, found {}", hint(expected, found), expected.sha256, found.sha256)]
    OtherModule {
        /// The module that the document names.
        expected: Box<ModuleIdentity>,
        /// The module that was given.
        found: Box<ModuleIdentity>,
    },
    /// The launch document settles this; it cannot be chosen beside it.
    #[error("the launch document settles the {0}; change it there")]
    FixedByDocument(&'static str),
    /// The launch document mounts a volume or a host directory, and the caller did not say which.
    #[error("the launch document has a {kind} mounted at {guest}: name what stands behind it")]
    NoBacking {
        /// Where the guest finds it.
        guest: String,
        /// What it is: `volume` or `host`.
        kind: &'static str,
    },
    /// The caller named something for a place where the launch document mounts nothing of that kind.
    #[error("the launch document has no {kind} mounted at {guest}")]
    NoSuchMount {
        /// The place.
        guest: String,
        /// What it was to be: `volume` or `host`.
        kind: &'static str,
    },
    /// The volume is open for writing already: in another process, or behind another mount.
    #[error("{}: the volume is in use, by another process or behind another mount", path.display())]
    VolumeInUse {
        /// The volume's file.
        path: PathBuf,
    },
    /// An argument, or a variable of the environment, holds a zero byte. The caller is to blame.
    #[error("{0:?} holds a zero byte, which no argument or variable can")]
    ZeroByte(String),
    /// The platform that was asked for cannot be used here.
    #[error("{0}")]
    BackendUnavailable(String),
    /// No image was given, and this build has none of its own.
    #[error("this build has no enclave image of its own (feature `bundled-image`)")]
    NoImage,
    /// The image is not one that can live in an enclave.
    #[error("enclave image: {0}")]
    Image(#[from] ElfError),
    /// There is no certificate for the image, or it is about another one.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The user's files cannot be kept or read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The platform did not create or enter the enclave.
    #[error("{0}")]
    Backend(#[source] BackendError),
    /// The provisioner that the launch document names could not be asked, or did not answer.
    #[error(transparent)]
    NotProvisioned(#[from] ProvisionError),
    /// The launch document says that the module is confidential, and the caller gave one.
    #[error(
        "the module is confidential: it comes from the provisioner, and this host must not have it"
    )]
    ConfidentialModule,
    /// The launch document does not say that the module is confidential, and the caller gave none.
    #[error("the launch document's module is not confidential: it has to be given")]
    ModuleNeeded,
    /// The caller asked for a profile of an enclave that nobody can look into.
    #[error(
        "only a debug launch of a module that this host has can be profiled: everything else is hidden from it"
    )]
    NotForProfiling,
    /// The enclave looked at what it was given and did not start the guest.
    #[error("{refusal}: {message}")]
    Refused {
        /// What it refused.
        refusal: Refusal,
        /// Its reason, for people.
        message: String,
    },
    /// The enclave refused a call, as the host's own words (not the guest's or the module's) do not fit its state.
    #[error("the enclave refused a call: {0:?}")]
    CallRefused(Status),
    /// The enclave is gone: the machine slept, or the operating system took its memory. A new launch may succeed.
    #[error("the enclave is gone (the machine slept, or the operating system reclaimed it)")]
    EnclaveLost,
    /// The enclave found its own state, or an entry, to be wrong and killed itself.
    #[error("the enclave killed itself{}", message.as_deref().map(|m| format!(": {m}")).unwrap_or_default())]
    EnclaveKilled {
        /// Its last words; only debug launches have any.
        message: Option<String>,
    },
    /// The enclave broke the rules between image and host. Either the image is not the one this library was built for,
    /// or one of the two has a fault.
    #[error("the enclave broke the protocol: {0}")]
    EnclaveMisbehaved(&'static str),
}

/// What an enclave refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The launch document is not this enclave's, or is not valid.
    #[error("the enclave refuses the launch document")]
    Document,
    /// The module is not the one that the launch document names.
    #[error("the enclave refuses the module")]
    Module,
    /// The module cannot run: other engine settings, unknown imports, or no entry point.
    #[error("the module cannot run here")]
    ModuleUnusable,
    /// The launch document's limits, or the enclave's memory, do not suffice to start the guest.
    #[error("a limit is too small to start the guest")]
    Limit,
    /// The arguments or the environment are not what the launch document allows.
    #[error("the launch document does not allow these arguments or this environment")]
    Arguments,
    /// A volume is not this program's, or is not there.
    #[error("the enclave cannot open a volume")]
    Volume,
    /// A volume was tampered with, or is an older one.
    #[error("the enclave refuses a volume")]
    VolumeTampered,
    /// This host brought no bundle from the provisioner.
    #[error("the enclave got no bundle")]
    BundleMissing,
    /// The bundle is not the provisioner's, not for this launch, or not what the launch document names.
    #[error("the enclave refuses the bundle")]
    Bundle,
    /// This host gave no quote.
    #[error("the enclave got no quote")]
    QuoteMissing,
    /// The launch document names an owner, whose signature is missing or wrong.
    #[error("the enclave refuses to start without the owner")]
    Signature,
    /// Volumes are not handed over to another image, or not taken over from it.
    #[error("the enclave refuses to move volumes between images")]
    Migration,
    /// This library broke the rules of a host call.
    #[error("the enclave says that its host misbehaved")]
    Host,
}

impl From<BackendError> for Error {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Lost => Self::EnclaveLost,
            BackendError::Unusable { .. } => Self::BackendUnavailable(error.to_string()),
            error => Self::Backend(error),
        }
    }
}

/// Why the right Wasm can be the wrong module.
fn hint(expected: &ModuleIdentity, found: &ModuleIdentity) -> &'static str {
    if expected.wasm_sha256 != found.wasm_sha256 {
        ""
    } else if expected.engine != found.engine {
        " (of the same Wasm, compiled for another engine)"
    } else {
        " (of the same Wasm, compiled by another version of the compiler)"
    }
}
