//! Charged costs: an emulator for which entering and leaving is nearly free makes benchmarks look better than silicon
//! would. With costs set, each operation takes at least as long as configured, by waiting in a loop. All are counted.

use std::hint;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::backend::Counts;

/// Running [`Counts`].
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) added: Count,
    pub(super) measured: Count,
    pub(super) augmented: Count,
    pub(super) faulted: Count,
    pub(super) accepted: Count,
    pub(super) changed: Count,
    pub(super) removed: Count,
    pub(super) entries: Count,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    pub(super) fn counts(&self) -> Counts {
        Counts {
            added: self.added.now(),
            measured: self.measured.now(),
            augmented: self.augmented.now(),
            faulted: self.faulted.now(),
            accepted: self.accepted.now(),
            changed: self.changed.now(),
            removed: self.removed.now(),
            entries: self.entries.now(),
        }
    }
}

/// What operations cost besides what they really take. Free by default.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Costs {
    /// Going in (EENTER, ERESUME) or coming out (EEXIT, asynchronous exit), each.
    pub transition: Duration,
    /// EACCEPT, EACCEPTCOPY or EMODPE of one page.
    pub accept: Duration,
    /// EAUG of one page: the fault that leads to it and the driver's work.
    pub augment: Duration,
}

/// Spends the time.
pub(super) fn charge(cost: Duration) {
    if cost.is_zero() {
        return;
    }
    let start = Instant::now();
    while start.elapsed() < cost {
        hint::spin_loop();
    }
}
