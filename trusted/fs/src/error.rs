//! The crate's one error. A variant says what happened and who is to blame; tampering is never mixed with I/O failure.

use core::fmt;

/// Result of every fallible call of this crate.
pub type Result<T> = core::result::Result<T, Error>;

/// What went wrong, and whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Attacker: a block did not authenticate. The host changed, moved or replayed it. The mount is poisoned.
    Tampered {
        /// Address of the block in the volume file.
        block: u64,
    },
    /// Attacker: the volume is authentic but older than what the freshness anchor remembers.
    RolledBack {
        /// Commit number found.
        found: u64,
        /// Commit number the anchor remembers.
        expected: u64,
    },
    /// Attacker or operator: the volume's history differs from the anchored one, as after two mounts of one copy.
    Forked {
        /// Commit number at which the histories differ.
        commit: u64,
    },
    /// Earlier tampering: this mount answers nothing any more.
    Poisoned,
    /// Host: the backing file is shorter than the volume.
    Truncated {
        /// Blocks present.
        found: u64,
        /// Blocks needed.
        needed: u64,
    },
    /// Host: it failed to do as asked; the number is the store's own.
    Host(i32),
    /// Host: an earlier flush failed, so what is on the disk is unknown. Reading works; mount again to write.
    WritesStopped,
    /// Host: it failed while a durable commit was being taken over. The disk is right, memory is not: mount again.
    MountAgain,
    /// Host or platform: no randomness.
    Entropy,
    /// Host: the freshness anchor did not answer, or refused.
    Anchor(i32),
    /// Caller: the key or slot secret is wrong, or the key material was damaged.
    WrongKey,
    /// Caller: the file is not a volume.
    NotAVolume,
    /// Caller: the volume needs a newer release; the number is the version or the unknown feature bits.
    Unsupported(u64),
    /// Writer of the volume: authentic bytes that break the format. A bug, or a foreign writer that has the key.
    Malformed {
        /// What broke the rules.
        what: &'static str,
    },
    /// The volume, or the limit the caller gave it, is full.
    NoSpace,
    /// Caller: more unsynced data than the budget allows. Sync, then go on.
    TooMuchUnsynced,
    /// Caller: no such name or inode.
    NotFound,
    /// Caller: the name exists already.
    Exists,
    /// Caller: a directory was needed.
    NotADirectory,
    /// Caller: a directory cannot be used here.
    IsADirectory,
    /// Caller: the directory has entries.
    NotEmpty,
    /// Caller: not a name (empty, ".", "..", or with '/' or NUL).
    InvalidName,
    /// Caller: a name or link target is too long.
    NameTooLong,
    /// Caller: a file would grow beyond the largest size.
    FileTooLarge,
    /// Caller: an inode would get too many names.
    TooManyLinks,
    /// Caller: an argument makes no sense for this inode, such as moving a directory into itself.
    InvalidArgument,
    /// Caller: the volume is mounted for reading only.
    ReadOnly,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tampered { block } => write!(
                f,
                "block {block} was tampered with: do not trust this host's copy"
            ),
            Self::RolledBack { found, expected } => {
                write!(
                    f,
                    "the volume was rolled back: it is at commit {found}, the anchor remembers {expected}"
                )
            }
            Self::Forked { commit } => write!(
                f,
                "the volume's history differs from the anchored one at commit {commit}"
            ),
            Self::Truncated { found, needed } => {
                write!(
                    f,
                    "the volume file was cut: {found} blocks of {needed} are left"
                )
            }
            Self::Host(code) => write!(f, "the host's store failed with code {code}"),
            Self::Anchor(code) => write!(f, "the freshness anchor failed with code {code}"),
            Self::Unsupported(what) => write!(
                f,
                "the volume needs a newer release (version or features {what:#x})"
            ),
            Self::Malformed { what } => write!(f, "authentic but malformed: {what}"),
            other => f.write_str(other.sentence()),
        }
    }
}

impl Error {
    fn sentence(self) -> &'static str {
        match self {
            Self::Poisoned => "this mount met tampering before and answers nothing any more",
            Self::WritesStopped => "an earlier flush failed: mount the volume again to write",
            Self::MountAgain => "memory no longer mirrors the volume: mount it again",
            Self::Entropy => "the platform gave no randomness",
            Self::WrongKey => "the key does not open this volume",
            Self::NotAVolume => "the file is not a volume",
            Self::NoSpace => "no space left on the volume",
            Self::TooMuchUnsynced => "too much unsynced data: sync, then go on",
            Self::NotFound => "no such file or directory",
            Self::Exists => "the name exists already",
            Self::NotADirectory => "not a directory",
            Self::IsADirectory => "is a directory",
            Self::NotEmpty => "the directory is not empty",
            Self::InvalidName => "not a valid name",
            Self::NameTooLong => "the name is too long",
            Self::FileTooLarge => "the file would be too large",
            Self::TooManyLinks => "too many links",
            Self::InvalidArgument => "invalid argument",
            Self::ReadOnly => "the volume is mounted for reading only",
            _ => "failure",
        }
    }
}

impl core::error::Error for Error {}

/// Shorthand for [`Error::Malformed`].
pub(crate) const fn malformed(what: &'static str) -> Error {
    Error::Malformed { what }
}
