//! The calls an idle thread can be asked for, and in which order.
//!
//! ```text
//!  New ──Initialise──► Initialising ──► Ready ──Launch──► Launched ──► Finished
//! ```
//!
//! Every step is taken once, by one thread. A call that does not fit the phase is refused and changes nothing.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use twine_abi::entry::{Call, ECHO_MAX, Status};
use twine_abi::exchange::{EXCHANGE_LEN, HostCall, Span};

use crate::host::{self, HostRange};
use crate::{guest, identity, relocate, thread};

/// How far the enclave has come.
#[derive(Clone, Copy, Eq, PartialEq)]
#[repr(u32)]
enum Phase {
    /// Nothing has run. Constants that hold addresses are not right yet.
    New,
    /// A thread relocates the image.
    Initialising,
    /// Waiting for the launch.
    Ready,
    /// The guest runs, or has run.
    Launched,
}

static PHASE: AtomicU32 = AtomicU32::new(Phase::New as u32);

/// Whether the guest was stopped.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Serves [`Call`]s; `entry.s` comes here on the thread's own stack. Returns a [`Status`].
///
/// Before the image has been relocated this path must not use a constant that holds an address; matching on integers and
/// calling functions of this crate does not.
pub(crate) extern "sysv64" fn enter_call(exchange: u64, call: u64) -> u64 {
    if HostRange::new(Span {
        address: exchange,
        len: EXCHANGE_LEN as u64,
    })
    .is_none()
    {
        return Status::BadExchange as u64;
    }
    thread::set_exchange(exchange);
    let status = match Call::try_from(call) {
        Ok(Call::Initialise) => initialise(),
        Ok(Call::Launch) => launch(),
        Ok(Call::Ping) => ping(),
        Ok(Call::Echo) => echo(host::read_argument(0)),
        Err(_) => Status::UnknownCall,
    };
    status as u64
}

/// Ends a call whose guest was stopped; `entry.s` comes here from `stop_landing`, on an empty stack.
pub(crate) extern "sysv64" fn finish_stopped() -> u64 {
    guest::report_stopped();
    Status::Ok as u64
}

/// Remembers that the guest is being stopped: nothing of it runs again.
pub(crate) fn set_stopped() {
    STOPPED.store(true, Ordering::Relaxed);
}

fn initialise() -> Status {
    if !advance(Phase::New, Phase::Initialising) {
        return Status::WrongState;
    }
    relocate::apply();
    relocate::seal();
    identity::establish();
    PHASE.store(Phase::Ready as u32, Ordering::Release);
    Status::Ok
}

fn launch() -> Status {
    if !thread::is_main() || !advance(Phase::Ready, Phase::Launched) {
        return Status::WrongState;
    }
    guest::launch();
    Status::Ok
}

fn ping() -> Status {
    if is_ready() {
        Status::Ok
    } else {
        Status::WrongState
    }
}

fn echo(times: u64) -> Status {
    if !is_ready() {
        return Status::WrongState;
    }
    for _ in 0..times.min(ECHO_MAX) {
        // The answer does not matter: what is measured is the way.
        let _ = host::call(HostCall::Yield, [0; 6], 0..=0);
    }
    Status::Ok
}

fn is_ready() -> bool {
    let phase = PHASE.load(Ordering::Acquire);
    phase >= Phase::Ready as u32 && !STOPPED.load(Ordering::Relaxed)
}

/// Takes the step from one phase to the next, if this is the phase and no other thread is quicker.
fn advance(from: Phase, to: Phase) -> bool {
    PHASE
        .compare_exchange(from as u32, to as u32, Ordering::AcqRel, Ordering::Relaxed)
        .is_ok()
}
