//! Stopping a guest whose time is up, wherever its thread is.
//!
//! ```text
//!   timer thread                         launching thread
//!   sleeps until the deadline            in the enclave ─────────────► leaves: Left::Interrupted, enters with Event::Stop
//!     raises the stop signal ──────────► or in poll(2) for a host call: answers HostErrno::Interrupted
//!     Enclave::interrupt ──────────────►
//!   sleeps until asked again   ◄──────── the enclave answered "not now": `Deadline::again`
//! ```
//!
//! Only the enclave can end its guest in an orderly way, and it does so only while the thread runs the guest's own
//! code, or when a host call is answered so. Until then the request is repeated every millisecond; an enclave that has not
//! granted it after five seconds is abandoned.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use crate::backend::Enclave;
use crate::error::Error;

/// The fact that a guest's time is up: a flag to look at and a descriptor that becomes readable, for `poll(2)`.
#[derive(Debug)]
pub struct StopSignal {
    raised: AtomicBool,
    event: OwnedFd,
}

impl StopSignal {
    /// Returns a signal that is not raised.
    ///
    /// # Errors
    /// [`Error::Os`] if the process has too many descriptors.
    pub fn new() -> Result<Arc<Self>, Error> {
        let event =
            eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|errno| {
                Error::Os {
                    what: "creating an event descriptor",
                    source: errno.into(),
                }
            })?;
        Ok(Arc::new(Self {
            raised: AtomicBool::new(false),
            event,
        }))
    }

    /// Whether the time is up.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }

    /// Says that the time is up. Cannot be taken back.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        // Cannot fail: the counter starts at zero and is never read, so it never overflows in a process's lifetime;
        // and a waiter that missed it would still see the flag.
        let _ = rustix::io::write(&self.event, &1_u64.to_le_bytes());
    }
}

impl AsFd for StopSignal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// A running timer for one thread of one enclave. Dropping it cancels it.
pub struct Deadline {
    shared: Arc<Shared>,
    timer: Option<JoinHandle<()>>,
}

impl Deadline {
    /// Starts the timer.
    ///
    /// # Errors
    /// [`Error::Os`] if no thread can be started.
    pub fn start(
        timeout: Duration,
        signal: Arc<StopSignal>,
        enclave: Arc<dyn Enclave>,
        tcs: u64,
    ) -> Result<Self, Error> {
        // A time too far away for the clock to express is one that never comes.
        let at = Instant::now().checked_add(timeout);
        let shared = Arc::new(Shared {
            signal,
            state: Mutex::new(State {
                first: at,
                next: at,
                cancelled: false,
            }),
            changed: Condvar::new(),
        });
        let watched = Arc::clone(&shared);
        let timer = thread::Builder::new()
            .name("twine-deadline".into())
            .spawn(move || watched.watch(&*enclave, tcs))
            .map_err(|source| Error::Os {
                what: "starting the deadline's thread",
                source,
            })?;
        Ok(Self {
            shared,
            timer: Some(timer),
        })
    }

    /// Whether the time is up.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.shared.signal.is_raised()
    }

    /// Whether the time has been up for so long that waiting for the enclave's consent makes no sense any more.
    #[must_use]
    pub fn is_hopeless(&self) -> bool {
        let first = self.shared.lock().first;
        self.has_passed() && first.is_some_and(|at| at.elapsed() > GIVE_UP_AFTER)
    }

    /// Interrupts the thread once more, a millisecond from now.
    pub fn again(&self) {
        self.shared.lock().next = Some(Instant::now() + RETRY_AFTER);
        self.shared.changed.notify_one();
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.shared.lock().cancelled = true;
        self.shared.changed.notify_one();
        if let Some(timer) = self.timer.take() {
            // The timer's only possible panic is its own; the guest's outcome does not depend on it any more.
            let _ = timer.join();
        }
    }
}

struct Shared {
    signal: Arc<StopSignal>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// When the time is up.
    first: Option<Instant>,
    /// When to interrupt next.
    next: Option<Instant>,
    cancelled: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, enclave: &dyn Enclave, tcs: u64) {
        let mut state = self.lock();
        while !state.cancelled {
            let wait = state
                .next
                .map(|at| at.saturating_duration_since(Instant::now()));
            state = match wait {
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => {
                    state.next = None;
                    self.signal.raise();
                    enclave.interrupt(tcs);
                    state
                }
                Some(wait) => {
                    let woken = self.changed.wait_timeout(state, wait);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

/// Time between two requests to stop: short against what a person notices, long against a transition.
const RETRY_AFTER: Duration = Duration::from_millis(1);

/// How long an enclave may keep refusing to stop. The longest stretch of its own work, instantiating a module of the
/// largest size, takes a fraction of it.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);
