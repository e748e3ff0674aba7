//! What the kernel means by "not now": a signal came first (EINTR), a page is being swapped out (EAGAIN), or another
//! request is being served (EBUSY). All three mean: again.
//!
//! A signal may also end a request early that has done something; it then reports how much, with or without an error.

use std::io;
use std::thread;
use std::time::Duration;

/// How often to try again before giving up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    attempts: u32,
    pause: Duration,
}

impl Patience {
    /// For what is over in microseconds.
    pub(super) const USUAL: Self = Self {
        attempts: 1000,
        pause: Duration::from_millis(1),
    };
    /// For what may wait for the machine's entropy (EUPDATESVN), or for a processor without interrupts for as long as
    /// EINIT takes.
    pub(super) const PATIENT: Self = Self {
        attempts: 100,
        pause: Duration::from_millis(20),
    };
}

/// Repeats a request until it is done or fails for good.
///
/// # Errors
/// The kernel's, also one that meant "not now" if it did so too often.
pub(super) fn until_done<T>(
    patience: Patience,
    mut request: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let mut refused = 0;
    loop {
        match request() {
            Err(error) if is_not_now(&error) && refused < patience.attempts => {
                refused += 1;
                pause(&error, patience);
            }
            result => return result,
        }
    }
}

/// Repeats a request for the rest of `len` bytes until all are done or one fails for good. The request is given how many
/// bytes are done and how many remain, and answers how many more it did.
///
/// # Errors
/// The kernel's, also one that meant "not now" if it did so too often without any progress.
pub(super) fn in_parts(
    len: u64,
    mut request: impl FnMut(u64, u64) -> (u64, io::Result<()>),
) -> io::Result<()> {
    let patience = Patience::USUAL;
    let mut done = 0;
    let mut refused = 0;
    while done < len {
        let (count, result) = request(done, len - done);
        if count > len - done || !count.is_multiple_of(4096) {
            return Err(io::Error::other(format!(
                "the driver reports {count} bytes done of {}",
                len - done
            )));
        }
        done += count;
        refused = if count > 0 { 0 } else { refused + 1 };
        match result {
            Err(error) if !is_not_now(&error) || refused > patience.attempts => return Err(error),
            Err(error) => pause(&error, patience),
            Ok(()) if refused > patience.attempts => {
                return Err(io::Error::other(
                    "the driver reports success and does nothing",
                ));
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

fn is_not_now(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)
    )
}

/// A signal has been dealt with when the call comes back; the others need time.
fn pause(error: &io::Error, patience: Patience) {
    if error.raw_os_error() != Some(libc::EINTR) {
        thread::sleep(patience.pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 4096;

    fn errno(number: i32) -> io::Error {
        io::Error::from_raw_os_error(number)
    }

    #[test]
    fn parts_add_up_whatever_interrupts_them() {
        let mut answers = [
            (0, Err(errno(libc::EINTR))),
            (2 * PAGE, Ok(())),
            (PAGE, Err(errno(libc::EAGAIN))),
            (0, Err(errno(libc::EBUSY))),
            (2 * PAGE, Ok(())),
        ]
        .into_iter();
        let mut seen = Vec::new();
        in_parts(5 * PAGE, |done, rest| {
            seen.push((done / PAGE, rest / PAGE));
            answers.next().unwrap()
        })
        .unwrap();
        assert_eq!(seen, [(0, 5), (0, 5), (2, 3), (3, 2), (3, 2)]);
    }

    #[test]
    fn what_is_an_error_for_good_ends_it() {
        let mut calls = 0;
        let result = in_parts(2 * PAGE, |_, _| {
            calls += 1;
            (PAGE, Err(errno(libc::EIO)))
        });
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EIO));
        assert_eq!(calls, 1);
        let result: io::Result<()> = until_done(Patience::USUAL, || Err(errno(libc::EPERM)));
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EPERM));
    }

    #[test]
    fn a_driver_that_counts_wrongly_or_does_nothing_is_given_up() {
        assert!(in_parts(PAGE, |_, _| (2 * PAGE, Ok(()))).is_err());
        assert!(in_parts(PAGE, |_, _| (1, Ok(()))).is_err());
        assert!(in_parts(PAGE, |_, _| (0, Ok(()))).is_err());
        let mut calls = 0;
        let result = in_parts(PAGE, |_, _| {
            calls += 1;
            (0, Err(errno(libc::EINTR)))
        });
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EINTR));
        assert_eq!(calls, Patience::USUAL.attempts + 1);
    }
}
