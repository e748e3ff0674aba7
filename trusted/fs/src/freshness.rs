//! Protection against a host that presents an older volume: the last commit is remembered where the host cannot roll it back.

use alloc::boxed::Box;

use crate::error::{Error, Result};

/// A commit and its root: names one state in one history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Commit number.
    pub commit: u64,
    /// Root of the commit (`docs/format.md`, section 6).
    pub root: [u8; 32],
}

/// Remembers the newest mark of one volume: a ledger, a quorum of enclaves, a hardware counter.
pub trait FreshnessAnchor: Send + Sync {
    /// The newest mark; `None` if there never was one.
    ///
    /// # Errors
    /// [`Error::Anchor`].
    fn load(&self) -> Result<Option<Mark>>;

    /// Replaces the mark by a newer one.
    ///
    /// # Errors
    /// [`Error::Anchor`], also if the anchor already holds a newer one: somebody else writes to a copy of this volume.
    fn advance(&self, mark: Mark) -> Result<()>;
}

/// When the anchor is told about commits.
#[derive(Default)]
pub enum Freshness {
    /// Never: an older volume is not recognised.
    #[default]
    Unprotected,
    /// Before a sync returns. What was acknowledged can never be rolled back.
    Strict(Box<dyn FreshnessAnchor>),
    /// Whenever the caller asks for it with [`settle`](crate::Volume::settle). Commits since then can be rolled back.
    Deferred(Box<dyn FreshnessAnchor>),
    /// At every checkpoint. Commits since the last one can be rolled back.
    OnCheckpoint(Box<dyn FreshnessAnchor>),
    /// Checked once, at mount, against a mark the caller got from elsewhere; new marks are taken from
    /// [`mark`](crate::Volume::mark) and handed to clients.
    Export(Option<Mark>),
}

impl Freshness {
    /// The mark the volume is measured against.
    pub(crate) fn expected(&self) -> Result<Option<Mark>> {
        match self {
            Self::Unprotected => Ok(None),
            Self::Strict(anchor) | Self::Deferred(anchor) | Self::OnCheckpoint(anchor) => {
                anchor.load()
            }
            Self::Export(mark) => Ok(*mark),
        }
    }

    /// After a durable commit.
    pub(crate) fn committed(&self, mark: Mark, checkpoint: Checkpoint) -> Result<()> {
        match (self, checkpoint) {
            (Self::Strict(anchor), _) | (Self::OnCheckpoint(anchor), Checkpoint::Yes) => {
                anchor.advance(mark)
            }
            _ => Ok(()),
        }
    }

    /// Now.
    pub(crate) fn settle(&self, mark: Mark) -> Result<()> {
        match self {
            Self::Strict(anchor) | Self::Deferred(anchor) | Self::OnCheckpoint(anchor) => {
                anchor.advance(mark)
            }
            Self::Unprotected | Self::Export(_) => Ok(()),
        }
    }
}

/// Whether a commit was a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checkpoint {
    Yes,
    No,
}

/// Compares a volume's history, seen commit by commit, with the expected mark.
pub(crate) struct Judge {
    expected: Option<Mark>,
    matched: bool,
    newest: u64,
}

impl Judge {
    pub(crate) const fn new(expected: Option<Mark>) -> Self {
        Self {
            expected,
            matched: false,
            newest: 0,
        }
    }

    /// Takes the next commit of the history into account.
    pub(crate) fn see(&mut self, mark: Mark) -> Result<()> {
        self.newest = mark.commit;
        match self.expected {
            Some(expected) if expected.commit == mark.commit => {
                self.matched = true;
                if expected.root == mark.root {
                    Ok(())
                } else {
                    Err(Error::Forked {
                        commit: mark.commit,
                    })
                }
            }
            _ => Ok(()),
        }
    }

    /// The verdict on the whole history.
    ///
    /// # Errors
    /// [`Error::RolledBack`] or, with [`Freshness::Strict`], [`Error::Forked`] for a volume that ran ahead.
    pub(crate) fn verdict(&self, freshness: &Freshness) -> Result<()> {
        let Some(expected) = self.expected else {
            return Ok(());
        };
        if self.newest < expected.commit {
            return Err(Error::RolledBack {
                found: self.newest,
                expected: expected.commit,
            });
        }
        let strict = matches!(freshness, Freshness::Strict(_));
        if strict && (!self.matched || self.newest > expected.commit + 1) {
            return Err(Error::Forked {
                commit: expected.commit + 1,
            });
        }
        Ok(())
    }
}

#[cfg(feature = "std")]
pub use anchors::{FileAnchor, MemoryAnchor};

#[cfg(feature = "std")]
mod anchors {
    use std::{
        fs,
        io::{self, Write as _},
        path::PathBuf,
        sync::{Arc, Mutex, PoisonError},
    };

    use super::{FreshnessAnchor, Mark};
    use crate::error::{Error, Result};

    /// An anchor in memory; clones share it.
    #[derive(Clone, Debug, Default)]
    pub struct MemoryAnchor(Arc<Mutex<Option<Mark>>>);

    impl FreshnessAnchor for MemoryAnchor {
        fn load(&self) -> Result<Option<Mark>> {
            Ok(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }

        fn advance(&self, mark: Mark) -> Result<()> {
            let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if held.is_some_and(|held| held.commit > mark.commit) {
                return Err(Error::Anchor(STALE));
            }
            *held = Some(mark);
            Ok(())
        }
    }

    /// An anchor in a file: for one machine whose owner is trusted, such as a developer's. Replaced atomically.
    #[derive(Debug)]
    pub struct FileAnchor(pub PathBuf);

    impl FreshnessAnchor for FileAnchor {
        fn load(&self) -> Result<Option<Mark>> {
            let bytes = match fs::read(&self.0) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(failed(&error)),
            };
            let (commit, root) = bytes.split_first_chunk().ok_or(Error::Anchor(STALE))?;
            let root = root.try_into().map_err(|_| Error::Anchor(STALE))?;
            Ok(Some(Mark {
                commit: u64::from_le_bytes(*commit),
                root,
            }))
        }

        fn advance(&self, mark: Mark) -> Result<()> {
            if self.load()?.is_some_and(|held| held.commit > mark.commit) {
                return Err(Error::Anchor(STALE));
            }
            let next = self.0.with_extension("next");
            let write = || {
                let mut file = fs::File::create(&next)?;
                file.write_all(&mark.commit.to_le_bytes())?;
                file.write_all(&mark.root)?;
                file.sync_all()?;
                fs::rename(&next, &self.0)
            };
            write().map_err(|error| failed(&error))
        }
    }

    fn failed(error: &io::Error) -> Error {
        Error::Anchor(error.raw_os_error().unwrap_or(STALE))
    }

    /// `ESTALE`: the anchor is ahead, or its contents make no sense.
    const STALE: i32 = 116;
}
