//! A commit on its way: its record is written and applied in memory, and somebody flushes the store.
//!
//! ```text
//! begin (volume locked) ──► fly: flush, tell the anchor (nothing locked) ──► land (volume locked)
//! ```
//!
//! Nothing that a crash could see depends on the order in which memory and disk learn of a commit, because only a
//! checkpoint writes what is in memory, and a checkpoint lands the flight first. If the flush fails, the mount writes
//! nothing any more; so nobody ever has to take the commit back.

use alloc::sync::Arc;

use crate::{
    error::Result,
    freshness::{Checkpoint, Freshness, Mark},
    store::Store,
    sync::Monitor,
};

/// A commit between its write and the end of its flush.
pub(crate) struct Flight {
    store: Arc<dyn Store>,
    freshness: Arc<Freshness>,
    /// The commit.
    pub(crate) mark: Mark,
    /// Every sequence in the commit, and before it, is smaller.
    pub(crate) bound: u64,
    outcome: Monitor<Option<Outcome>>,
}

/// How a flight ended.
#[derive(Clone, Copy)]
pub(crate) struct Outcome {
    /// What the store says: whether the commit is durable.
    pub(crate) flushed: Result<()>,
    /// Whether that can be told to the program: the anchor knows it too, if it has to.
    pub(crate) acknowledged: Result<()>,
}

impl Flight {
    pub(crate) const fn new(
        store: Arc<dyn Store>,
        freshness: Arc<Freshness>,
        mark: Mark,
        bound: u64,
    ) -> Self {
        Self {
            store,
            freshness,
            mark,
            bound,
            outcome: Monitor::new(None),
        }
    }

    /// Flushes. Called once, by whoever began the commit, and with nothing locked that others need.
    pub(crate) fn fly(&self) {
        let flushed = self.store.flush();
        let told = || self.freshness.committed(self.mark, Checkpoint::No);
        *self.outcome.lock() = Some(Outcome {
            flushed,
            acknowledged: flushed.and_then(|()| told()),
        });
        self.outcome.ring();
    }

    /// Waits until the flight is over.
    pub(crate) fn outcome(&self) -> Outcome {
        let mut outcome = self.outcome.lock();
        loop {
            match *outcome {
                Some(over) => return over,
                None => outcome = self.outcome.wait(outcome),
            }
        }
    }
}
