//! Locks without an operating system.
//!
//! The enclave runs one guest on one thread, so contention is rare; a thread that finds a lock taken spins for a while and
//! then asks the host to let others run. A host that never does only denies service.

use core::cell::UnsafeCell;
use core::hint;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicUsize, Ordering};

use twine_abi::exchange::HostCall;

use crate::host;

/// Attempts before the host is asked to let other threads run: some microseconds, less than a transition costs.
const SPINS: u32 = 1000;

/// The state of a free lock. A positive state counts readers.
const FREE: usize = 0;
/// The state of a lock that is held exclusively.
const HELD: usize = usize::MAX;

/// Takes the lock exclusively.
pub(crate) fn acquire(lock: &AtomicUsize) {
    until(|| try_acquire(lock));
}

fn try_acquire(lock: &AtomicUsize) -> bool {
    lock.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
        .is_ok()
}

/// Takes the lock as one of several readers.
pub(crate) fn acquire_shared(lock: &AtomicUsize) {
    until(|| {
        let readers = lock.load(Ordering::Relaxed);
        readers < HELD - 1
            && lock
                .compare_exchange_weak(readers, readers + 1, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    });
}

/// Gives an exclusively held lock back.
pub(crate) fn release(lock: &AtomicUsize) {
    lock.store(FREE, Ordering::Release);
}

/// Gives a reader's share of a lock back.
pub(crate) fn release_shared(lock: &AtomicUsize) {
    lock.fetch_sub(1, Ordering::Release);
}

fn until(mut attempt: impl FnMut() -> bool) {
    let mut spins = 0;
    while !attempt() {
        spins += 1;
        if spins % SPINS == 0 {
            // Whatever the host answers, the next step is the same.
            let _ = host::call(HostCall::Yield, [0; 6], 0..=0);
        }
        hint::spin_loop();
    }
}

/// A value that one thread at a time may use.
pub(crate) struct Mutex<T> {
    lock: AtomicUsize,
    value: UnsafeCell<T>,
}

// SAFETY: `lock` hands the value to one thread at a time, which is all that `Sync` asks for if the value may move
// between threads.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self {
            lock: AtomicUsize::new(FREE),
            value: UnsafeCell::new(value),
        }
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        acquire(&self.lock);
        Guard(self)
    }

    /// The value, unless somebody uses it right now. For the exception handler, which must not wait: whoever holds the
    /// lock may be a thread that the host keeps out.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        try_acquire(&self.lock).then_some(Guard(self))
    }
}

/// The right to use a [`Mutex`]'s value, until dropped.
pub(crate) struct Guard<'a, T>(&'a Mutex<T>);

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this guard holds the lock, so nobody else has a reference.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard holds the lock, and is borrowed mutably.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        release(&self.0.lock);
    }
}
