//! The host's own handlers, wrapped: a signal for the host that arrives while a thread is inside is an asynchronous exit.
//!
//! The thread's state goes to its SSA frame, the host's handler runs and sees the state that an asynchronous exit leaves,
//! and then the thread resumes, from the frame, as ERESUME does. A signal that arrives outside goes to the handler as it
//! is, only on the alternate stack.
//!
//! Under the model of the driver a handler may also lead the thread elsewhere, as one on silicon may: it is then not
//! resumed, and its state stays in the SSA frame.
//!
//! Wrapped is what has a handler when an enclave is created; limits are in `docs/emulator.md`.

use super::chain;
use super::context::Context;
use super::cpu;
use super::exits::{self, Cause};
use super::frame::{Decoy, Diversion, Frame};
use super::instance::Instance;
use super::place::{self, Place, Wild};
use super::switch::{self, LEFT_OTHERWISE};
use crate::backend::Left;

/// Handler of signals that have a handler of the host's.
pub(super) extern "C" fn on_host_signal(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    ucontext: *mut libc::c_void,
) {
    // SAFETY: the kernel's argument; used here only until the handler returns or passes it on.
    let mut frame = unsafe { Frame::new(ucontext) };
    let Place::Inside(context) = place::find(&frame, Wild::DoesNotCount) else {
        return chain::pass_on(signal, info, ucontext);
    };
    // SAFETY: the thread is inside, so nobody uses its context.
    let context = unsafe { &mut *context };
    context.inside = 0;
    let instance: *const Instance = context.instance();
    // SAFETY: the instance outlives the thread's stay inside; the detour frees the borrow of the context.
    let instance = unsafe { &*instance };

    frame.capture(context);
    if let Err(error) = exits::save(instance, context, Cause::Interrupt) {
        context.outcome = Some(Err(error));
        return frame.leave(context, LEFT_OTHERWISE);
    }
    if let Some(diversion) = run_outside(signal, info, &frame, context) {
        context.diversion = Some(diversion);
        context.outcome = Some(Ok(Left::Interrupted));
        return frame.leave(context, LEFT_OTHERWISE);
    }
    match instance.resume(context) {
        Ok(()) => {
            cpu::set_gs_base(context.gs_base);
            frame.restore(context);
            context.inside = 1;
        }
        Err(error) => {
            context.outcome = Some(Err(error));
            frame.leave(context, LEFT_OTHERWISE);
        }
    }
}

/// Runs the host's handler on what it may see. Returns where it led the thread, if it did and there is a place for it.
fn run_outside(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    frame: &Frame<'_>,
    context: &Context,
) -> Option<Diversion> {
    let inside = cpu::gs_base();
    cpu::set_gs_base(context.host_gs_base);
    let mut decoy = Decoy::new(frame, context);
    chain::pass_on(signal, info, decoy.as_ptr());
    cpu::set_gs_base(inside);
    let can_be_led = context.aep != switch::leave();
    can_be_led.then(|| decoy.diversion(context)).flatten()
}
