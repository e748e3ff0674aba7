//! Why a guest was not started, and who has to change what.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use twine_abi::exchange::HostErrno;
use twine_abi::outcome::Kind;
use twine_abi::profile;
use twine_evidence::bundle::Refusal;
use twine_fs::SlotKind;
use twine_launch::{Binding, Digest, RecoveryKey};

use crate::platform::Fault;

/// Why a guest was not started.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The host passed a document that is not the one this enclave was created for.
    OtherDocument,
    /// The enclave was created with another CONFIGSVN than the document's version.
    OtherVersion {
        /// The document's.
        document: u16,
        /// The enclave's.
        enclave: u16,
    },
    /// The document is the enclave's, but not valid: its author has to mend it.
    Document(twine_launch::Error),
    /// The document names an owner, and the host passed no signature.
    NotSigned,
    /// The host passed a signature of the document that is not its owner's.
    WrongSignature,
    /// What the document calls its owner's key is not a point of P-256.
    OwnersKey,
    /// The host passed a module that is not the one the document names.
    OtherModule {
        /// The hash in the document.
        expected: Digest,
        /// The hash of what was passed.
        found: Digest,
    },
    /// The host passed a module, though the document says that it is confidential.
    UnexpectedModule,
    /// The host brought no bundle.
    NoBundle(Fault),
    /// The host's quote is so long that no request can hold it; the length of the request.
    RequestTooLong(usize),
    /// The bundle that the host brought is not accepted.
    Bundle(Refusal),
    /// A secret that is to become a variable of the environment is not text; its name.
    SecretNotText(String),
    /// The document names another engine profile than this release's: compile again.
    OtherEngine {
        /// The profile in the document.
        found: String,
    },
    /// The caller's arguments or environment break a rule; the rule.
    Arguments(String),
    /// The engine cannot use the module; the engine's reason.
    Unusable(String),
    /// The module imports what does not exist here.
    MissingImports(Vec<String>),
    /// The module was built for the snapshot of WASI before preview 1.
    OlderWasi,
    /// The module has no entry point that can be called.
    NoEntryPoint(&'static str),
    /// Something cannot be mounted; what and why.
    Mounts(String),
    /// The guest needs more than the document, or the enclave, allows it to have; what.
    Limit(String),
    /// A volume cannot be opened.
    Volume {
        /// Where the guest would find it.
        guest: String,
        /// Why not.
        reason: VolumeError,
    },
    /// A verifier's nonce that cannot be one.
    Nonce(twine_evidence::Error),
    /// There is no evidence: the host gave no quote, or something else in its place.
    NoEvidence(Fault),
    /// The host asks for several tasks at once.
    Tasks,
    /// Volumes are not handed over to another image, or not taken over from it.
    Migration(MigrationError),
    /// The host does not open a directory.
    Directory {
        /// Where the guest would find it.
        guest: String,
        /// Why not.
        fault: Fault,
    },
}

/// Why volumes are not handed over to another image, or not taken over from it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MigrationError {
    /// What should name an image is no MRENCLAVE.
    NoImage,
    /// The launch document does not list the other image.
    NotListed {
        /// `to` or `from`.
        section: &'static str,
        /// The image's MRENCLAVE.
        image: Digest,
    },
    /// What the other enclave is to have said has not the form.
    Malformed(twine_evidence::Error),
    /// The processor does not vouch for it: not this machine, since it was switched on, or not for this enclave.
    NotVouchedFor,
    /// The other enclave has another launch document.
    OtherDocument,
    /// The other enclave differs in its attributes: one of the two can be debugged.
    OtherAttributes,
    /// The launch document mounts no volume that belongs to the image and can be written.
    NoVolumes,
    /// The processor gives no key.
    NoKey,
    /// The host does not do its part.
    Host(Fault),
}

impl From<MigrationError> for Error {
    fn from(error: MigrationError) -> Self {
        Self::Migration(error)
    }
}

/// Why a volume cannot be opened.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum VolumeError {
    /// The host did not open the file.
    Store(Fault),
    /// There is none, and the launch document does not allow to make one.
    Missing,
    /// The file holds no key slots: it is no volume, or making it was interrupted.
    NoSlots,
    /// No slot is for this program in this runtime; what the slots are for.
    NotForUs(Vec<SlotKind>),
    /// A slot was sealed on another machine, by another user's emulator, or in another runtime.
    Elsewhere,
    /// A slot was sealed in this runtime, for another program; what ours is told by.
    OtherProgram(Binding),
    /// A slot is for this program, and the owner's document that sealed it had this higher version.
    NewerDocument(u16),
    /// The provisioner brought another key than the one the volume was made with.
    OtherProvisionedKey,
    /// The provisioner brought no key.
    NoProvisionedKey,
    /// A recovery key of the launch document is nobody's: no slot can be made for it.
    RecoveryKey(RecoveryKey),
    /// The other image did not hand it over: no slot in it was made by that one for this one.
    NotHandedOver,
    /// All slots are taken.
    NoFreeSlot,
    /// A slot is for this program, but a newer runtime or processor microcode made it.
    Newer,
    /// The file system's reason.
    FileSystem(twine_fs::Error),
}

impl Error {
    /// The outcome that the error leads to.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::OtherDocument
            | Self::OtherVersion { .. }
            | Self::Document(_)
            | Self::OwnersKey
            | Self::Bundle(Refusal::ProvisionersKey) => Kind::DocumentRefused,
            Self::NotSigned | Self::WrongSignature => Kind::SignatureRefused,
            Self::OtherModule { .. } | Self::UnexpectedModule => Kind::ModuleRefused,
            Self::NoBundle(Fault::Misbehaved(_)) | Self::RequestTooLong(_) => Kind::HostMisbehaved,
            Self::NoBundle(Fault::Host(HostErrno::NoMemory)) => Kind::LimitReached,
            Self::NoBundle(Fault::Host(_)) => Kind::BundleMissing,
            Self::Bundle(_) | Self::SecretNotText(_) => Kind::BundleRefused,
            Self::OtherEngine { .. }
            | Self::Unusable(_)
            | Self::MissingImports(_)
            | Self::OlderWasi
            | Self::NoEntryPoint(_) => Kind::ModuleUnusable,
            Self::Arguments(_) | Self::Nonce(_) => Kind::ArgumentsRefused,
            Self::NoEvidence(Fault::Misbehaved(_)) => Kind::HostMisbehaved,
            Self::NoEvidence(_) => Kind::QuoteMissing,
            Self::Limit(_) | Self::Mounts(_) => Kind::LimitReached,
            Self::Volume { reason, .. } => reason.kind(),
            Self::Directory { .. }
            | Self::Tasks
            | Self::Migration(MigrationError::Host(Fault::Misbehaved(_))) => Kind::HostMisbehaved,
            Self::Migration(_) => Kind::MigrationRefused,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherDocument => f.write_str(
                "the launch document passed by the host is not the one this enclave was created for: \
                 its SHA-512 is not the enclave's CONFIGID",
            ),
            Self::OtherVersion { document, enclave } => write!(
                f,
                "the launch document states version {document}, but the enclave was created with CONFIGSVN {enclave}"
            ),
            Self::Document(error) => error.fmt(f),
            Self::NotSigned => f.write_str(
                "the launch document names an owner, and comes without the owner's signature (`twine sign`)",
            ),
            Self::WrongSignature => f.write_str(
                "the signature of the launch document is not its owner's, or the document has been changed since: \
                 have the owner sign it again (`twine sign`)",
            ),
            Self::OwnersKey => {
                f.write_str("the launch document's `owner.key` is not a public key of P-256")
            }
            Self::OtherModule { expected, found } => write!(
                f,
                "the module passed by the host is not the one the launch document names: \
                 its SHA-256 is {found}, the document's {expected}"
            ),
            Self::UnexpectedModule => f.write_str(
                "the host passed a module, though the launch document says that it is confidential: it has to come from \
                 the provisioner, and this one may have been seen by anybody",
            ),
            Self::NoBundle(Fault::Host(HostErrno::NoMemory)) => {
                f.write_str("there is no memory for the bundle, inside or outside")
            }
            Self::NoBundle(fault) => write!(f, "the host brought no bundle from the provisioner: {fault}"),
            Self::RequestTooLong(len) => write!(
                f,
                "the host's quote makes a request of {len} bytes, longer than any quote can be"
            ),
            Self::Bundle(refusal) => refusal.fmt(f),
            Self::SecretNotText(name) => write!(
                f,
                "the secret `{name}` is to become a variable of the environment, and is not UTF-8 without zero bytes"
            ),
            Self::OtherEngine { found } => write!(
                f,
                "the module was compiled for the engine profile `{found}`, this enclave has `{}`: compile it again",
                profile::ENGINE
            ),
            Self::Arguments(rule) => f.write_str(rule),
            Self::Unusable(reason) => write!(f, "the module cannot be used: {reason}"),
            Self::MissingImports(names) => {
                f.write_str("the module imports what does not exist here:")?;
                names.iter().try_for_each(|name| write!(f, "\n  {name}"))
            }
            Self::OlderWasi => f.write_str(
                "the module imports from `wasi_unstable`, which preview 1 (`wasi_snapshot_preview1`) has replaced: \
                 build it with a toolchain from 2020 or later",
            ),
            Self::NoEntryPoint(reason) => write!(f, "the module cannot be run as a program: {reason}"),
            Self::Limit(what) => f.write_str(what),
            Self::Nonce(error) => error.fmt(f),
            Self::NoEvidence(fault) => write!(f, "no evidence can be made: {fault}"),
            Self::Directory { guest, fault } => write!(
                f,
                "the host's directory for {guest} cannot be opened: {fault}"
            ),
            Self::Tasks => f.write_str("the host asks for several tasks at once"),
            Self::Migration(error) => error.fmt(f),
            Self::Volume { guest, reason } => write!(f, "the volume for {guest}: {reason}"),
            Self::Mounts(reason) => write!(f, "cannot mount: {reason}"),
        }
    }
}

impl fmt::Display for MigrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoImage => f.write_str("an image is named by its MRENCLAVE, 32 bytes"),
            Self::NotListed { section, image } => write!(
                f,
                "the launch document does not list the image {image} in `migration.{section}`"
            ),
            Self::Malformed(error) => error.fmt(f),
            Self::NotVouchedFor => f.write_str(
                "what the other enclave said is not vouched for: it was not made for this enclave, or not on this machine \
                 since it was started; begin anew",
            ),
            Self::OtherDocument => f.write_str(
                "the other enclave was started with another launch document; both need the same",
            ),
            Self::OtherAttributes => f.write_str(
                "the other enclave has other attributes: debug enclaves and others do not share volumes",
            ),
            Self::NoVolumes => f.write_str(
                "the launch document mounts no volume with `runtime = \"image\"` that can be written",
            ),
            Self::NoKey => f.write_str("the processor gives no key to take volumes over with"),
            Self::Host(fault) => write!(f, "the host does not do its part: {fault}"),
        }
    }
}

impl VolumeError {
    const fn kind(&self) -> Kind {
        match self {
            Self::Store(Fault::Misbehaved(_)) => Kind::HostMisbehaved,
            Self::FileSystem(
                twine_fs::Error::Tampered { .. }
                | twine_fs::Error::RolledBack { .. }
                | twine_fs::Error::Forked { .. }
                | twine_fs::Error::Truncated { .. }
                | twine_fs::Error::Poisoned,
            ) => Kind::VolumeTampered,
            _ => Kind::VolumeRefused,
        }
    }
}

impl fmt::Display for VolumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(fault) => write!(f, "its file cannot be opened: {fault}"),
            Self::Missing => f.write_str(
                "there is none, and the launch document does not allow to make one (`create = true`)",
            ),
            Self::NoSlots => f.write_str(
                "the file holds no keys: it is not a volume, or making it was interrupted; delete it to start anew",
            ),
            Self::NotForUs(kinds) => {
                f.write_str("no key in it is for this program in this runtime on this machine; it has keys for")?;
                let separators = core::iter::once(" ").chain(core::iter::repeat(", "));
                kinds
                    .iter()
                    .zip(separators)
                    .try_for_each(|(kind, separator)| write!(f, "{separator}{}", holder(*kind)))
            }
            Self::Newer => f.write_str(
                "its key was sealed by a newer runtime or newer processor microcode; run that one",
            ),
            Self::Elsewhere => f.write_str(
                "its key was sealed on another machine, by another user's emulator, or in another runtime: \
                 another image or signer, or a debug launch",
            ),
            Self::OtherProgram(binding) => write!(
                f,
                "its key was sealed on this machine for another {}",
                match binding {
                    Binding::Module => "module",
                    Binding::Document => "launch document",
                    Binding::Owner => "owner, or another application of the owner's",
                }
            ),
            Self::NewerDocument(version) => write!(
                f,
                "its key was sealed by version {version} of the application, and this one is older; run that one"
            ),
            Self::OtherProvisionedKey => {
                f.write_str("the key that the provisioner sent is not the one it was made with")
            }
            Self::NoProvisionedKey => f.write_str("the provisioner has sent no key for it"),
            Self::RecoveryKey(key) => write!(
                f,
                "the launch document's recovery key {key} is not a public key of X25519"
            ),
            Self::NotHandedOver => f.write_str(
                "the other image has not handed it over; have it hand it over again",
            ),
            Self::NoFreeSlot => f.write_str(
                "all its key slots are taken; remove one (`twine volume slots`)",
            ),
            Self::FileSystem(error) => error.fmt(f),
        }
    }
}

const fn holder(kind: SlotKind) -> &'static str {
    match kind {
        SlotKind::SealedToImage => "one runtime image",
        SlotKind::SealedToSigner => "one signer's runtimes",
        SlotKind::Provisioned => "a provisioner",
        SlotKind::Recovery => "a recovery key",
        SlotKind::Passphrase => "a passphrase",
    }
}

impl core::error::Error for Error {}
