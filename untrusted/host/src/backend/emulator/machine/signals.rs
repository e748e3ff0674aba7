//! The emulator's signal handlers: faults inside become asynchronous exits, ENCLU becomes the leaf it stands for.
//!
//! ```text
//!  signal ──► where was the thread? ──┬── inside an enclave ──► leaf, page to be granted, or asynchronous exit
//!                                     ├── on its way in     ──► (interrupting signal only) turns back
//!                                     └── outside           ──► whoever had the handler before, as if we were not there
//! ```
//!
//! Handlers are installed once for the process and stay. While a thread is inside it holds no lock and is in no
//! allocator, so a handler that finds it there may do anything that ordinary code may do.

use std::io;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{FaultCode, Permissions, vector};

use super::chain::{self, Handler, Origin, is_handler, origin};
use super::context::Context;
use super::exits::{self, Cause, Exception};
use super::frame::Frame;
use super::host_signals;
use super::instance::Instance;
use super::leaves::{self, Step};
use super::mirror::{self, Reach};
use super::place::{self, Place, Wild};
use super::rebind::ENCLU;
use super::stepping;
use super::switch::{LEFT_BY_EXIT, LEFT_OTHERWISE};

/// Signals that the kernel makes of exceptions.
const FAULTS: [libc::c_int; 5] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGTRAP,
];

/// The real-time signal that interrupts a thread; zero until it has been chosen.
static INTERRUPT: AtomicI32 = AtomicI32::new(0);

/// Installs the handlers, or puts them back if somebody has replaced them, and wraps the host's own.
///
/// # Errors
/// The operating system's, or [`io::ErrorKind::AddrInUse`] if every real-time signal has a handler already.
pub(super) fn install() -> io::Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if INTERRUPT.load(Ordering::SeqCst) == 0 {
        let signal = free_signal()?;
        set_action(signal, on_interrupt, 0, None)?;
        INTERRUPT.store(signal, Ordering::SeqCst);
    }
    for signal in FAULTS {
        wrap(signal, on_fault)?;
    }
    let others = (1..=libc::SIGRTMAX())
        .filter(|signal| !FAULTS.contains(signal) && *signal != INTERRUPT.load(Ordering::SeqCst));
    for signal in others {
        // Signals that cannot be asked about (the C library keeps two for itself) are left alone.
        if action(signal).is_ok_and(|action| is_handler(action.sa_sigaction)) {
            wrap(signal, host_signals::on_host_signal)?;
        }
    }
    Ok(())
}

/// Makes a thread leave the enclave it is in.
pub(super) fn interrupt(thread: libc::pthread_t) {
    // SAFETY: the caller holds the lock under which the thread leaves `Instance::enter`, so it is alive.
    unsafe { libc::pthread_kill(thread, INTERRUPT.load(Ordering::SeqCst)) };
}

fn free_signal() -> io::Result<libc::c_int> {
    (libc::SIGRTMIN()..libc::SIGRTMAX())
        .rev()
        .find(|&signal| action(signal).is_ok_and(|action| action.sa_sigaction == libc::SIG_DFL))
        .ok_or_else(|| io::Error::new(io::ErrorKind::AddrInUse, "no real-time signal is free"))
}

/// Puts `handler` before what is installed for the signal, unless it is there already.
fn wrap(signal: libc::c_int, handler: Handler) -> io::Result<()> {
    let old = action(signal)?;
    if old.sa_sigaction == handler as libc::sighandler_t {
        return Ok(());
    }
    chain::remember(signal, &old);
    let kept = libc::SA_RESTART | libc::SA_NODEFER | libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT;
    set_action(signal, handler, old.sa_flags & kept, Some(old.sa_mask))
}

fn action(signal: libc::c_int) -> io::Result<libc::sigaction> {
    // SAFETY: all bytes zero is a valid value of this plain structure.
    let mut action = unsafe { mem::zeroed() };
    // SAFETY: only asks; the result is written to a variable of our own.
    if unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) } == 0 {
        Ok(action)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Installs a handler on the alternate stack. Besides what `mask` blocks, the interrupting signal is held back while it
/// runs: it must find the thread inside, or be seen before the thread goes in.
fn set_action(
    signal: libc::c_int,
    handler: Handler,
    flags: libc::c_int,
    mask: Option<libc::sigset_t>,
) -> io::Result<()> {
    let mut new = action(signal)?;
    new.sa_sigaction = handler as libc::sighandler_t;
    new.sa_flags = flags | libc::SA_SIGINFO | libc::SA_ONSTACK;
    match mask {
        Some(mask) => new.sa_mask = mask,
        // SAFETY: initialises a variable of our own.
        None => _ = unsafe { libc::sigemptyset(&raw mut new.sa_mask) },
    }
    let interrupt = INTERRUPT.load(Ordering::SeqCst);
    if interrupt != 0 {
        // SAFETY: changes a variable of our own, initialised above.
        unsafe { libc::sigaddset(&raw mut new.sa_mask, interrupt) };
    }
    // SAFETY: the handler is a function that keeps the rules for handlers.
    if unsafe { libc::sigaction(signal, &raw const new, ptr::null_mut()) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Handler of the signals in [`FAULTS`].
extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    ucontext: *mut libc::c_void,
) {
    if origin(info) == Origin::Sent {
        // No fault at all.
        host_signals::on_host_signal(signal, info, ucontext);
        return;
    }
    // SAFETY: the kernel's argument; used here only until the handler returns or passes it on.
    let mut frame = unsafe { Frame::new(ucontext) };
    match place::find(&frame, Wild::Counts) {
        Place::Inside(context) => {
            // SAFETY: the thread is inside, so nobody uses its context.
            let context = unsafe { &mut *context };
            context.inside = 0;
            fault_inside(&mut frame, context);
        }
        Place::GoingIn(_) | Place::Outside => {
            if !stepping::stepped_out(&mut frame) {
                chain::pass_on(signal, info, ucontext);
            }
        }
    }
}

/// A fault of the enclave's own.
fn fault_inside(frame: &mut Frame<'_>, context: &mut Context) {
    let instance: *const Instance = context.instance();
    // SAFETY: the instance outlives the thread's stay inside; the detour frees the borrow of the context.
    let instance = unsafe { &*instance };
    if let Some(stepping) = &instance.stepping
        && stepping.on_fault(instance, frame, context)
    {
        return;
    }
    // On a processor with SGX an ENCLU outside a real enclave is #GP, on others it is #UD.
    let may_be_enclu = matches!(frame.vector(), vector::UD | vector::GP);
    if may_be_enclu && is_enclu(instance, frame.rip()) {
        return leaf(frame, context);
    }
    let exception = match page_fault(instance, frame) {
        Ok(PageFault::Granted) => {
            context.inside = 1;
            return;
        }
        Ok(PageFault::Exception(exception)) => exception,
        Err(error) => {
            context.outcome = Some(Err(exits::os(error)));
            return frame.leave(context, LEFT_OTHERWISE);
        }
    };
    frame.capture(context);
    exits::leave(instance, context, Cause::Exception(exception));
    frame.leave(context, LEFT_OTHERWISE);
}

/// An ENCLU that trapped.
fn leaf(frame: &mut Frame<'_>, context: &mut Context) {
    frame.capture(context);
    let after = frame.rip() + ENCLU.len() as u64;
    match leaves::step(context, after) {
        Step::Inside => {
            frame.restore_registers(context);
            context.inside = 1;
        }
        Step::Exit => frame.leave(context, LEFT_BY_EXIT),
        Step::Left => frame.leave(context, LEFT_OTHERWISE),
    }
}

/// Whether the instruction at the address is ENCLU. Only bytes that the processor has fetched too are looked at.
fn is_enclu(instance: &Instance, rip: u64) -> bool {
    let state = instance.lock();
    let byte = |address: u64| {
        let offset = state.model.offset_of(address)?;
        let readable = state
            .model
            .page(offset)
            .is_some_and(|page| page.granted.intersects(Permissions::RX));
        // SAFETY: the page tables grant reading, and the lock keeps it so.
        readable.then(|| unsafe { instance.range.byte(offset) })
    };
    (rip..)
        .zip(ENCLU)
        .all(|(address, expected)| byte(address) == Some(expected))
}

/// What came of a fault that is not an ENCLU.
enum PageFault {
    /// The EPCM allows the access: the page tables have caught up, and the instruction can be executed again.
    Granted,
    /// The enclave has to be told.
    Exception(Exception),
}

fn page_fault(instance: &Instance, frame: &Frame<'_>) -> io::Result<PageFault> {
    if frame.vector() != vector::PF {
        return Ok(PageFault::Exception(Exception {
            vector: frame.vector(),
            error: frame.error_code(),
            address: 0,
        }));
    }
    let address = frame.fault_address();
    let mut error = FaultCode::from_bits(frame.error_code());
    let mut state = instance.lock();
    if let Some(offset) = state.model.offset_of(address) {
        let needed = if error.contains(FaultCode::WRITE) {
            Permissions::W
        } else if error.contains(FaultCode::FETCH) {
            Permissions::X
        } else {
            Permissions::R
        };
        if mirror::reach(&instance.range, &mut state.model, offset, needed)? == Reach::Granted {
            return Ok(PageFault::Granted);
        }
        let first = offset - offset % PAGE_LEN;
        let comes = instance.range.mappings().is_some()
            && state.model.page(first).is_none()
            && instance.range.mapped(first).contains(needed);
        // As the driver does where something is mapped and no page is: the enclave has not accepted the new page, so the
        // access faults all the same.
        if comes && state.model.augment(first).is_ok() {
            instance.note(&state.model, first, "EAUG");
            instance.tally.augmented.add(1);
            instance.tally.faulted.add(1);
        }
        // The page tables here are ours: where there is an EPC page that is mapped, silicon would have found it and the
        // EPCM refused.
        let from_epcm = FaultCode::PRESENT.union(FaultCode::SGX);
        error = error.without(from_epcm);
        if state.model.page(first).is_some() && instance.range.mapped(first).contains(needed) {
            error = error.union(from_epcm);
        }
    }
    Ok(PageFault::Exception(Exception {
        vector: vector::PF,
        error: error.bits(),
        address,
    }))
}

/// Handler of the interrupting signal.
extern "C" fn on_interrupt(
    _signal: libc::c_int,
    _info: *mut libc::siginfo_t,
    ucontext: *mut libc::c_void,
) {
    // SAFETY: the kernel's argument; used only until the handler returns.
    let mut frame = unsafe { Frame::new(ucontext) };
    match place::find(&frame, Wild::DoesNotCount) {
        // The request stays on record until the thread's next entry.
        Place::Outside => {}
        Place::GoingIn(context) => {
            // SAFETY: a current context is alive.
            let word = unsafe { &raw mut (*context).inside };
            // SAFETY: the thread is on its way in; only this word of its context is touched.
            unsafe { word.write_volatile(0) };
            frame.turn_back(context);
        }
        Place::Inside(context) => {
            // SAFETY: the thread is inside, so nobody uses its context.
            let context = unsafe { &mut *context };
            if !context.take_interrupt() {
                return;
            }
            context.inside = 0;
            let instance: *const Instance = context.instance();
            // SAFETY: the instance outlives the thread's stay inside; the detour frees the borrow of the context.
            let instance = unsafe { &*instance };
            frame.capture(context);
            exits::leave(instance, context, Cause::Interrupt);
            frame.leave(context, LEFT_OTHERWISE);
        }
    }
}
