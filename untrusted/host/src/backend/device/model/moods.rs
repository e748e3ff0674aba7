//! What is injected: signals that come first, pages that are being swapped out, requests that end early.

/// How the kernel feels today.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mood {
    /// Nothing comes in between.
    #[default]
    Calm,
    /// About one request in two is interrupted, refused for the moment, or done in part; which, the number decides.
    Restless(u64),
}

/// Where something may come in between.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Moment {
    /// Opening the device.
    Open,
    /// Before a request does anything.
    Request,
    /// Between two pages that are added: a signal ends the request, without an error if it has done something.
    BetweenAdded,
    /// Between two pages that are changed: the next one is being swapped out.
    BetweenChanged,
    /// Between two pages that are looked at from outside: the next one is not to be had this time.
    BetweenTouched,
    /// During EINIT.
    Initialise,
}

/// Decides, and counts.
#[derive(Debug, Default)]
pub(super) struct Dice {
    /// Zero: nothing is injected.
    state: u64,
    injected: u64,
}

impl Dice {
    pub(super) const fn new(mood: Mood) -> Self {
        let state = match mood {
            Mood::Calm => 0,
            Mood::Restless(number) => number | 1 << 63,
        };
        Self { state, injected: 0 }
    }

    pub(super) const fn injected(&self) -> u64 {
        self.injected
    }

    /// The error number to fail with, if something comes in between.
    pub(super) fn roll(&mut self, moment: Moment) -> Option<i32> {
        if self.state == 0 {
            return None;
        }
        // Xorshift (Marsaglia 2003): reproducible, and nothing here is a secret.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let throw = self.state >> 32;
        let (one_in, numbers): (u64, &[i32]) = match moment {
            Moment::Open => (2, &[libc::EAGAIN, libc::EINTR]),
            Moment::Request => (4, &[libc::EINTR, libc::EBUSY]),
            Moment::BetweenAdded => (16, &[libc::EINTR]),
            Moment::BetweenChanged => (8, &[libc::EAGAIN]),
            Moment::BetweenTouched => (64, &[libc::EFAULT]),
            Moment::Initialise => (2, &[libc::EINTR]),
        };
        if !throw.is_multiple_of(one_in) {
            return None;
        }
        self.injected += 1;
        let choice = usize::try_from(throw / one_in).unwrap_or(0) % numbers.len();
        numbers.get(choice).copied()
    }
}
