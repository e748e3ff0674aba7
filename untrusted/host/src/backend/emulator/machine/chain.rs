//! Whoever had a signal's handler before the emulator is remembered here, and gets what is not the emulator's.

use std::mem;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

/// A signal handler with all three arguments.
pub(super) type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// Highest signal number.
const SIGNALS: usize = 65;

/// What was installed for each signal before us: handler (zero: the default, one: ignore) and flags.
struct Previous {
    handler: AtomicUsize,
    flags: AtomicI32,
}

static PREVIOUS: [Previous; SIGNALS] = [const {
    Previous {
        handler: AtomicUsize::new(libc::SIG_DFL),
        flags: AtomicI32::new(0),
    }
}; SIGNALS];

/// Remembers what was installed.
pub(super) fn remember(signal: libc::c_int, old: &libc::sigaction) {
    if let Some(previous) = previous(signal) {
        previous.handler.store(old.sa_sigaction, Ordering::SeqCst);
        previous.flags.store(old.sa_flags, Ordering::SeqCst);
    }
}

fn previous(signal: libc::c_int) -> Option<&'static Previous> {
    usize::try_from(signal)
        .ok()
        .and_then(|signal| PREVIOUS.get(signal))
}

/// Whether this is a function and not a way of saying that there is none.
pub(super) fn is_handler(action: libc::sighandler_t) -> bool {
    action != libc::SIG_DFL && action != libc::SIG_IGN
}

/// Where a signal comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// From the instruction that the thread was executing.
    Fault,
    /// From another thread or process, or a timer.
    Sent,
}

pub(super) fn origin(info: *mut libc::siginfo_t) -> Origin {
    // SAFETY: the kernel passes a valid pointer to every handler.
    let info = unsafe { &*info };
    if info.si_code <= 0 {
        Origin::Sent
    } else {
        Origin::Fault
    }
}

/// Does what would have been done without us.
pub(super) fn pass_on(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    ucontext: *mut libc::c_void,
) {
    let Some(previous) = previous(signal) else {
        return;
    };
    let handler = previous.handler.load(Ordering::SeqCst);
    let flags = previous.flags.load(Ordering::SeqCst);
    let origin = origin(info);
    if handler == libc::SIG_IGN && origin == Origin::Sent {
        return;
    }
    if !is_handler(handler) {
        return die(signal, origin);
    }
    if flags & libc::SA_RESETHAND != 0 {
        previous.handler.store(libc::SIG_DFL, Ordering::SeqCst);
    }
    if flags & libc::SA_SIGINFO != 0 {
        // SAFETY: installed as a handler with three arguments, as its flags say.
        let handler: Handler = unsafe { mem::transmute(handler) };
        handler(signal, info, ucontext);
    } else {
        // SAFETY: installed as a handler with one argument, as its flags say.
        let handler: extern "C" fn(libc::c_int) = unsafe { mem::transmute(handler) };
        handler(signal);
    }
}

/// The default action of a fault: restores it, so that the instruction faults again without us in the way, or the signal
/// comes again if it was sent. (A fault that is ignored kills all the same.)
fn die(signal: libc::c_int, origin: Origin) {
    // SAFETY: restores the default, which is no function.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    if origin == Origin::Sent {
        // SAFETY: no preconditions. Delivered when the handler returns.
        unsafe { libc::raise(signal) };
    }
}
