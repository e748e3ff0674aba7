//! The host's clocks. The enclave does not believe them; it only has no others.

use rustix::time::{ClockId, Timespec, clock_gettime};
use twine_abi::exchange::{Clock, HostErrno};

/// Reads the clock with this number, in nanoseconds.
pub(super) fn read(number: u64) -> Result<u64, HostErrno> {
    const REALTIME: u64 = Clock::Realtime as u64;
    const MONOTONIC: u64 = Clock::Monotonic as u64;
    let clock = match number {
        REALTIME => ClockId::Realtime,
        MONOTONIC => ClockId::Monotonic,
        _ => return Err(HostErrno::Invalid),
    };
    nanoseconds(clock_gettime(clock)).ok_or(HostErrno::Io)
}

/// `None` for a time before the clock's start, or one that no signed 64-bit number can hold (the year 2262).
fn nanoseconds(time: Timespec) -> Option<u64> {
    let nanoseconds = time
        .tv_sec
        .checked_mul(1_000_000_000)?
        .checked_add(time.tv_nsec)?;
    u64::try_from(nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_realtime_clock_counts_nanoseconds_since_1970() {
        let year = read(Clock::Realtime as u64).unwrap() / 1_000_000_000 / 31_556_952 + 1970;
        assert!((2024..2262).contains(&year), "{year}");
    }

    #[test]
    fn there_are_no_other_clocks_and_no_times_before_the_start() {
        assert_eq!(read(2), Err(HostErrno::Invalid));
        assert_eq!(read(u64::MAX), Err(HostErrno::Invalid));
        let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
        assert_eq!(nanoseconds(time(-1, 0)), None);
        assert_eq!(nanoseconds(time(i64::MAX, 0)), None);
        assert_eq!(nanoseconds(time(1, 5)), Some(1_000_000_005));
    }
}
