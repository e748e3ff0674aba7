//! Waiting for one another: a value behind a lock, and a condition to wait for.
//!
//! With `std` both are the standard library's. Without, the lock spins, and so does waiting: the enclave runs its guest on
//! one thread, so nobody is ever waited for there, and a spinning lock is all the machinery that needs. It comes from a
//! crate, because a lock cannot be written without `unsafe`.

#[cfg(feature = "std")]
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[cfg(not(feature = "std"))]
use spin::mutex::{SpinMutex as Mutex, SpinMutexGuard as MutexGuard};

/// The value, while it is locked.
pub(crate) type Guard<'a, T> = MutexGuard<'a, T>;

/// A value that one thread at a time may use, and a bell that tells others that it changed.
pub(crate) struct Monitor<T> {
    value: Mutex<T>,
    #[cfg(feature = "std")]
    bell: Condvar,
}

impl<T> Monitor<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            #[cfg(feature = "std")]
            bell: Condvar::new(),
        }
    }

    #[cfg(feature = "std")]
    pub(crate) fn into_inner(self) -> T {
        self.value
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(not(feature = "std"))]
    pub(crate) fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// Locks the value.
    #[cfg(feature = "std")]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(not(feature = "std"))]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.value.lock()
    }

    /// Unlocks the value until the bell rings, or for no reason at all: the caller asks again what it waits for.
    #[cfg(feature = "std")]
    pub(crate) fn wait<'a>(&'a self, guard: Guard<'a, T>) -> Guard<'a, T> {
        self.bell
            .wait(guard)
            .unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(not(feature = "std"))]
    pub(crate) fn wait<'a>(&'a self, guard: Guard<'a, T>) -> Guard<'a, T> {
        drop(guard);
        core::hint::spin_loop();
        self.lock()
    }

    /// Wakes everybody who waits.
    pub(crate) fn ring(&self) {
        #[cfg(feature = "std")]
        self.bell.notify_all();
    }

    /// Whether a thread panicked while it held the lock: the value may be half changed.
    pub(crate) fn is_poisoned(&self) -> bool {
        #[cfg(feature = "std")]
        return self.value.is_poisoned();
        #[cfg(not(feature = "std"))]
        false
    }
}
