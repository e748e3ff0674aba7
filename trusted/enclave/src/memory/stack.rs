//! Stacks: how much of one exists, and how it becomes longer.
//!
//! The image brings the top of every stack. A launch that allows the guest more has the rest accepted before the guest
//! runs; below it the guard begins.

use core::sync::atomic::{AtomicU64, Ordering};

use twine_abi::layout::{PAGE_LEN, STACK_INITIAL_LEN, STACK_LEN_MAX, STACK_TOP};

use crate::{image, pages, thread};

/// Bytes of the first thread's stack that exist. The other threads' stacks do not grow.
static LEN: AtomicU64 = AtomicU64::new(STACK_INITIAL_LEN);

/// Makes the main thread's stack at least `len` bytes long. Returns whether it can be; called by that thread only.
pub(crate) fn grow(len: u64) -> bool {
    let Some(len) = len
        .checked_next_multiple_of(PAGE_LEN)
        .filter(|len| *len <= STACK_LEN_MAX)
    else {
        return false;
    };
    let now = LEN.load(Ordering::Relaxed);
    if len > now {
        assert!(
            thread::is_main(),
            "only the guest's thread has a stack that grows"
        );
        let top = thread::area() - image::base() + STACK_TOP;
        pages::accept(top - len, len - now);
        LEN.store(len, Ordering::Relaxed);
    }
    true
}
