//! Making a thread leave the enclave: the vDSO resumes after every interrupt by itself, so a signal's handler has to lead
//! the thread elsewhere.
//!
//! A signal that arrives while the enclave's code runs is an asynchronous exit. The handler then sees the thread at the
//! vDSO's ENCLU with RAX = 3, about to resume; the enclave's state is in its SSA frame. It sends the thread to
//! [`entry::landing`](super::entry::landing) instead. The vDSO keeps no state of its own, so it can be left at any time.
//!
//! A signal that arrives a moment too early, when the thread has not reached the enclave, changes nothing; a timer repeats
//! it until the thread is inside or has come out.

use std::cell::{Cell, OnceCell};
use std::io;
use std::mem;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use super::entry::{self, Call};

/// Time between a signal that came too early and the next one, in nanoseconds: longer than the way in takes.
const REPEAT_AFTER_NS: libc::c_long = 50_000;
/// RAX at the AEP.
const RESUME: u64 = 3;

thread_local! {
    /// The entry that the thread is in.
    static CURRENT: Cell<*mut Call> = const { Cell::new(ptr::null_mut()) };
    /// The thread's timer. Made when it first enters: a handler must not.
    static TIMER: OnceCell<Timer> = const { OnceCell::new() };
    /// The same, where a handler finds it without initialising anything.
    static TIMER_ID: Cell<libc::timer_t> = const { Cell::new(ptr::null_mut()) };
}

/// Installs the handler, once for the process, before the first enclave.
///
/// # Errors
/// The operating system's, or [`io::ErrorKind::AddrInUse`] if every real-time signal has a handler already.
pub(in crate::backend::device) fn install() -> io::Result<()> {
    signal().map(|_| ())
}

/// The signal that interrupts.
fn signal() -> io::Result<libc::c_int> {
    static SIGNAL: OnceLock<Result<libc::c_int, i32>> = OnceLock::new();
    let chosen = SIGNAL
        .get_or_init(|| choose().map_err(|error| error.raw_os_error().unwrap_or(libc::EADDRINUSE)));
    (*chosen).map_err(io::Error::from_raw_os_error)
}

/// Takes the highest real-time signal that nobody uses.
fn choose() -> io::Result<libc::c_int> {
    for signal in (libc::SIGRTMIN()..libc::SIGRTMAX()).rev() {
        // SAFETY: all bytes zero is a valid value of this plain structure.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        // SAFETY: only asks; the result is written to a variable of our own.
        let asked = unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) };
        if asked != 0 || action.sa_sigaction != libc::SIG_DFL {
            continue;
        }
        let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
            on_signal;
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        // SAFETY: the handler is a function that keeps the rules for handlers.
        if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } == 0 {
            return Ok(signal);
        }
    }
    Err(io::Error::from_raw_os_error(libc::EADDRINUSE))
}

/// A host thread, to be interrupted while it is in an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostThread(libc::pthread_t);

impl HostThread {
    /// The calling thread, made ready for being interrupted.
    ///
    /// # Errors
    /// The operating system's, if there is no signal or no timer.
    pub(super) fn current() -> io::Result<Self> {
        let signal = signal()?;
        TIMER.with(|timer| {
            if timer.get().is_none() {
                let new = Timer::new(signal)?;
                TIMER_ID.set(new.0);
                assert!(timer.set(new).is_ok(), "the cell was empty a moment ago");
            }
            Ok::<_, io::Error>(())
        })?;
        // SAFETY: no preconditions.
        Ok(Self(unsafe { libc::pthread_self() }))
    }

    /// Interrupts the thread.
    ///
    /// # Safety
    /// The thread is alive.
    pub(super) unsafe fn interrupt(self) {
        if let Ok(signal) = signal() {
            // SAFETY: the thread is alive, as the caller says.
            unsafe { libc::pthread_kill(self.0, signal) };
        }
    }
}

/// Runs `action`, an entry of `call`, so that signals find it.
pub(super) fn listening<T>(call: *mut Call, action: impl FnOnce() -> T) -> T {
    // A host handler that enters another enclave on top of this one gives the thread back to this one.
    let before = CURRENT.replace(call);
    // SAFETY: the caller's call is alive; the field is atomic.
    let pending = unsafe { &(*call).pending };
    if pending.load(Ordering::SeqCst) != 0 {
        repeat();
    }
    let result = action();
    CURRENT.set(before);
    result
}

/// Handler of the signal.
extern "C" fn on_signal(
    _signal: libc::c_int,
    _info: *mut libc::siginfo_t,
    ucontext: *mut libc::c_void,
) {
    let call = CURRENT.get();
    if call.is_null() {
        return;
    }
    // SAFETY: a current call is alive, and the field is atomic.
    let pending = unsafe { &(*call).pending };
    // SAFETY: a current call is alive, and the field never changes.
    let enclu = unsafe { (*call).enclu };
    if pending.load(Ordering::SeqCst) == 0 {
        return;
    }
    // SAFETY: the kernel's argument, which nobody else uses until the handler returns.
    let context = unsafe { &mut *ucontext.cast::<libc::ucontext_t>() };
    let registers = &mut context.uc_mcontext.gregs;
    let is = |index: libc::c_int, value: u64| {
        usize::try_from(index)
            .ok()
            .and_then(|index| registers.get(index))
            .is_some_and(|register| register.cast_unsigned() == value)
    };
    if !is(libc::REG_RIP, enclu) || !is(libc::REG_RAX, RESUME) {
        return repeat();
    }
    pending.store(0, Ordering::SeqCst);
    let [rip, rax, rbx] = elsewhere(call);
    for (index, value) in [
        (libc::REG_RIP, rip),
        (libc::REG_RAX, rax),
        (libc::REG_RBX, rbx),
    ] {
        let register = usize::try_from(index).ok();
        if let Some(register) = register.and_then(|index| registers.get_mut(index)) {
            *register = value.cast_signed();
        }
    }
}

/// Where a thread at the AEP is led: RIP, RAX and RBX there.
fn elsewhere(call: *mut Call) -> [u64; 3] {
    let call = call.expose_provenance() as u64;
    [entry::landing(), entry::interrupted(), call]
}

/// The same for the calling thread, if it is in an entry: a test's interrupt, which the model of the driver brings about, finds
/// the thread at the AEP, always.
pub(in crate::backend::device) fn found_at_the_aep() -> Option<[u64; 3]> {
    let call = CURRENT.get();
    (!call.is_null()).then(|| elsewhere(call))
}

/// Has the signal come again soon. Async-signal-safe.
fn repeat() {
    // SAFETY: the address of the thread's own variable.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: valid as long as the thread.
    let before = unsafe { errno.read() };
    let timer = TIMER_ID.get();
    let time = libc::itimerspec {
        it_interval: libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        },
        it_value: libc::timespec {
            tv_sec: 0,
            tv_nsec: REPEAT_AFTER_NS,
        },
    };
    // SAFETY: the thread's own timer: it was made before the thread could enter.
    unsafe { libc::timer_settime(timer, 0, &raw const time, ptr::null_mut()) };
    // SAFETY: as above. Whoever was interrupted must find its error number again.
    unsafe { errno.write(before) };
}

/// A timer that signals the thread that made it.
struct Timer(libc::timer_t);

impl Timer {
    fn new(signal: libc::c_int) -> io::Result<Self> {
        // SAFETY: all bytes zero is a valid value of this plain structure.
        let mut event: libc::sigevent = unsafe { mem::zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        // SAFETY: no preconditions.
        event.sigev_notify_thread_id = unsafe { libc::gettid() };
        let mut timer = ptr::null_mut();
        // SAFETY: both pointers are to variables of our own.
        let made =
            unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) };
        if made == 0 {
            Ok(Self(timer))
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        TIMER_ID.set(ptr::null_mut());
        // SAFETY: made by `new`, deleted once.
        unsafe { libc::timer_delete(self.0) };
    }
}
