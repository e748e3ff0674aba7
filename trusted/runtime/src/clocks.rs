//! Clocks: the host's time, with the one property that can be enforced here.
//!
//! The host can set its clocks as it likes. What is kept from it: the monotonic clock never goes backwards, and the time
//! used never shrinks. A clock that stands still or jumps ahead is the host's privilege.

use twine_abi::exchange::Clock;

use crate::platform::{Fault, Platform};

/// The resolution that every clock states, nanoseconds. The host's may be coarser.
pub(crate) const RESOLUTION_NS: u64 = 1;

/// What has been seen of the host's monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    seen: Option<Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    first: u64,
    latest: u64,
}

impl Clocks {
    /// Nanoseconds since 1970-01-01 00:00 UTC. Can jump in either direction.
    pub(crate) fn realtime(platform: &mut dyn Platform) -> Result<u64, Fault> {
        platform.clock(Clock::Realtime)
    }

    /// Nanoseconds since some point in the past. Never less than before.
    pub(crate) fn monotonic(&mut self, platform: &mut dyn Platform) -> Result<u64, Fault> {
        self.observe(platform).map(|seen| seen.latest)
    }

    /// Nanoseconds since the monotonic clock was first read. Stands for the processor time used, which the
    /// host alone could tell: a guest has one thread and never uses more than this.
    pub(crate) fn elapsed(&mut self, platform: &mut dyn Platform) -> Result<u64, Fault> {
        self.observe(platform)
            .map(|seen| seen.latest.saturating_sub(seen.first))
    }

    fn observe(&mut self, platform: &mut dyn Platform) -> Result<Seen, Fault> {
        let now = platform.clock(Clock::Monotonic)?;
        let seen = self.seen.unwrap_or(Seen {
            first: now,
            latest: now,
        });
        let seen = Seen {
            latest: seen.latest.max(now),
            ..seen
        };
        self.seen = Some(seen);
        Ok(seen)
    }
}
