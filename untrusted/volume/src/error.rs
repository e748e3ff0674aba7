//! What can go wrong with a volume on the host, and who is to blame.

use std::io;
use std::path::{Path, PathBuf};

use crate::tree::printable;

/// Result of this crate's calls.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of this machine cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Another process has the volume open.
    #[error("{}: another process has this volume open", .0.display())]
    InUse(PathBuf),
    /// The volume as a whole cannot be used.
    #[error("{}: {source}", path.display())]
    Volume {
        /// The volume's file.
        path: PathBuf,
        /// What the file system says.
        source: twine_fs::Error,
    },
    /// Something in the volume cannot be used.
    #[error("{}: {source}", printable(path))]
    Inside {
        /// The path within the volume.
        path: Vec<u8>,
        /// What the file system says.
        source: twine_fs::Error,
    },
    /// The operating system gave no randomness.
    #[error(transparent)]
    Entropy(twine_fs::Error),
    /// No key slot is for this kind of secret.
    #[error("{}: no key slot is for {what} (`twine volume slots` lists them)", path.display())]
    NoSlot {
        /// The volume's file.
        path: PathBuf,
        /// The kind of secret.
        what: &'static str,
    },
    /// The secret opens no key slot.
    #[error("{}: {what} does not open this volume", path.display())]
    WrongSecret {
        /// The volume's file.
        path: PathBuf,
        /// The kind of secret.
        what: &'static str,
    },
    /// A key slot asks for more work than anybody should do for a volume of unknown origin, or for nonsense.
    #[error("key slot {number} cannot be used: its passphrase parameters are out of range")]
    UnreasonableSlot {
        /// The slot.
        number: usize,
    },
    /// The cost chosen for a passphrase is out of range.
    #[error("the memory for a passphrase must lie between 8MiB and 1GiB")]
    UnreasonableCost,
    /// Removing the slot would lock everybody out.
    #[error("slot {number} is the last one: without it nobody could open the volume again")]
    LastSlot {
        /// The slot.
        number: usize,
    },
    /// A new volume key would lock holders out whose secrets are not at hand.
    #[error(
        "a new volume key would lock out the holders of slots {numbers:?}, whose secrets are not at hand"
    )]
    WouldLockOut {
        /// Their slots.
        numbers: Vec<usize>,
    },
    /// A key file is not what it should be.
    #[error("{}: not {expected}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
    },
    /// A public recovery key that cannot be anybody's.
    #[error(
        "the public recovery key is not a usable point: whoever made it has no private key for it"
    )]
    UnusablePublicKey,
    /// The directory for an export has something in it.
    #[error("{}: not empty; export into a new or empty directory", .0.display())]
    NotEmpty(PathBuf),
    /// A name in the volume cannot be a file name here.
    #[error(
        "{}: a name that no file can have; whoever wrote the volume did not use this file system",
        printable(path)
    )]
    ForbiddenName {
        /// The path within the volume.
        path: Vec<u8>,
    },
    /// Directories nest too deeply, or in a circle.
    #[error(
        "{}: directories nest more than {max} deep, or in a circle",
        printable(path)
    )]
    TooDeep {
        /// The path within the volume.
        path: Vec<u8>,
        /// The limit.
        max: usize,
    },
    /// A file is there that must not be replaced.
    #[error(
        "{}: exists already in the volume (allow replacing files to go on)",
        printable(path)
    )]
    Exists {
        /// The path within the volume.
        path: Vec<u8>,
    },
    /// Not text of the form `COMMIT:ROOT`.
    #[error(
        "not a mark: expected COMMIT:ROOT, a number and 64 hexadecimal digits, as `twine volume info` prints it"
    )]
    NotAMark,
    /// The two volumes have nothing to do with each other.
    #[error("the two are different volumes: each has its own identity")]
    OtherVolume,
}

/// Names a file of this machine in an error.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |source| Error::File {
        path: path.to_owned(),
        source,
    }
}

/// As [`at`], for the errors of system calls.
pub(crate) fn call(path: &Path) -> impl FnOnce(rustix::io::Errno) -> Error + '_ {
    move |error| at(path)(error.into())
}

/// Names a path within the volume in an error.
pub(crate) fn inside(path: &[u8]) -> impl FnOnce(twine_fs::Error) -> Error + '_ {
    move |source| Error::Inside {
        path: path.to_owned(),
        source,
    }
}
