//! A signal handler such as a host program has one, for SIGUSR2: it counts, and writes down the registers it is shown.

#![expect(unsafe_code, reason = "signal handlers are installed and called so")]

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);
static RAX: AtomicU64 = AtomicU64::new(0);
static RBX: AtomicU64 = AtomicU64::new(0);
static RIP: AtomicU64 = AtomicU64::new(0);
static R15: AtomicU64 = AtomicU64::new(0);
static THREAD: AtomicU64 = AtomicU64::new(0);

/// What the handler has seen.
pub(super) struct Seen;

impl Seen {
    pub(super) fn count(&self) -> u64 {
        COUNT.load(Ordering::SeqCst)
    }

    pub(super) fn rax(&self) -> u64 {
        RAX.load(Ordering::SeqCst)
    }

    pub(super) fn rbx(&self) -> u64 {
        RBX.load(Ordering::SeqCst)
    }

    pub(super) fn rip(&self) -> u64 {
        RIP.load(Ordering::SeqCst)
    }

    pub(super) fn r15(&self) -> u64 {
        R15.load(Ordering::SeqCst)
    }
}

extern "C" fn handler(_: libc::c_int, _: *mut libc::siginfo_t, ucontext: *mut libc::c_void) {
    // SAFETY: the third argument of a handler installed with SA_SIGINFO.
    let registers = unsafe { (*ucontext.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let register = |index: libc::c_int| registers[usize::try_from(index).unwrap()].cast_unsigned();
    RAX.store(register(libc::REG_RAX), Ordering::SeqCst);
    RBX.store(register(libc::REG_RBX), Ordering::SeqCst);
    RIP.store(register(libc::REG_RIP), Ordering::SeqCst);
    R15.store(register(libc::REG_R15), Ordering::SeqCst);
    COUNT.fetch_add(1, Ordering::SeqCst);
}

/// Installs the handler, without an alternate stack, as most programs do.
pub(super) fn install() -> Seen {
    // SAFETY: all bytes zero is a valid value of this plain structure.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let function: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = handler;
    action.sa_sigaction = function as libc::sighandler_t;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: the handler only stores to atomics.
    let result = unsafe { libc::sigaction(libc::SIGUSR2, &raw const action, ptr::null_mut()) };
    assert_eq!(result, 0);
    Seen
}

/// Later signals go to the calling thread.
pub(super) fn remember_this_thread() {
    // SAFETY: no preconditions.
    THREAD.store(unsafe { libc::pthread_self() }, Ordering::SeqCst);
}

/// Sends the signal. The thread must be alive.
pub(super) fn signal() {
    // SAFETY: the callers keep the thread alive.
    unsafe { libc::pthread_kill(THREAD.load(Ordering::SeqCst), libc::SIGUSR2) };
}
