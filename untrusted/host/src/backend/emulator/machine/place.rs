//! Where a signal found the thread: in the host's code, on its way in, or in the enclave's code.

use super::context::Context;
use super::frame::Frame;
use super::switch;

/// Where a signal found the thread.
pub(super) enum Place {
    /// In the host's code.
    Outside,
    /// Between the test of the request to leave and the enclave's first instruction.
    GoingIn(*mut Context),
    /// In the enclave's code.
    Inside(*mut Context),
}

/// Finds out where a signal found the thread. `wild` tells whether code outside the enclave's range that runs while the
/// thread is inside counts as the enclave's: yes for a fault, which only the enclave's own jump can have led to.
pub(super) fn find(frame: &Frame<'_>, wild: Wild) -> Place {
    let context = switch::current();
    if context.is_null() {
        return Place::Outside;
    }
    let rip = frame.rip();
    if switch::window().contains(&rip) {
        return Place::GoingIn(context);
    }
    // SAFETY: a current context is alive.
    let word = unsafe { &raw const (*context).inside };
    // SAFETY: the word is read as such, whatever the interrupted code was doing.
    let inside = unsafe { word.read_volatile() } == 1;
    if !inside || switch::border().contains(&rip) {
        return Place::Outside;
    }
    // SAFETY: the thread is inside, so nobody changes its context.
    let instance = unsafe { &*context }.instance();
    let in_range = instance.contains(rip);
    let in_trampoline = instance.range.is_trampoline(rip);
    if in_range || (wild == Wild::Counts && !in_trampoline) {
        Place::Inside(context)
    } else {
        Place::Outside
    }
}

/// Whether code outside the enclave's range counts as the enclave's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wild {
    Counts,
    DoesNotCount,
}
