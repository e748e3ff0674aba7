//! Charged costs: an emulator for which entering and leaving is nearly free makes benchmarks look better than silicon
//! would. With costs set, each operation takes at least as long as configured, by waiting in a loop.

use std::hint;
use std::time::{Duration, Instant};

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
