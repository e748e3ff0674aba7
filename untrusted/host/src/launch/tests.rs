//! The conversation with an enclave, held with one that follows a script.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use twine_abi::entry::{Call, Entry, Event, Exit, Status};
use twine_abi::exchange::{HEADER_LEN, Header, HostCall};
use twine_abi::sgx::{PageKind, Permissions};

use super::deadline::{Deadline, StopSignal};
use super::thread::{Ended, Thread};
use crate::backend::{BackendError, Enclave, Leaf, Left, PageRange, Registers};
use crate::error::Error;
use crate::serve::Services;

/// What the host did: the instruction and RDI.
type Entered = (Leaf, u64);

/// How the enclave leaves.
#[derive(Clone, Copy)]
enum Leave {
    By(Exit, Status),
    Raw(u64, u64),
    Fault,
    /// By an interruption, once one has been asked for.
    Interrupted,
    Lost,
}

/// An enclave that leaves as its script says, and remembers how it was entered.
#[derive(Default)]
struct Script {
    leaves: Mutex<VecDeque<Leave>>,
    entered: Mutex<Vec<Entered>>,
    interrupts: Mutex<u32>,
}

impl Script {
    fn new(leaves: &[Leave]) -> Arc<Self> {
        Arc::new(Self {
            leaves: Mutex::new(leaves.iter().copied().collect()),
            ..Self::default()
        })
    }

    fn wait_for_interrupt(&self) {
        while *self.interrupts.lock().unwrap() == 0 {
            std::thread::sleep(Duration::from_micros(100));
        }
        *self.interrupts.lock().unwrap() = 0;
    }
}

impl Enclave for Script {
    fn base(&self) -> u64 {
        0
    }

    fn enter(&self, _: u64, leaf: Leaf, registers: &mut Registers) -> Result<Left, BackendError> {
        self.entered.lock().unwrap().push((leaf, registers.rdi));
        let leave = self.leaves.lock().unwrap().pop_front();
        match leave.expect("the host enters once more than the script foresees") {
            Leave::By(exit, status) => {
                (registers.rdi, registers.rsi) = (exit as u64, status as u64);
                Ok(Left::Exited)
            }
            Leave::Raw(rdi, rsi) => {
                (registers.rdi, registers.rsi) = (rdi, rsi);
                Ok(Left::Exited)
            }
            Leave::Fault => Ok(Left::Exception {
                vector: 14,
                error: 6,
                address: 0x1000,
            }),
            Leave::Interrupted => {
                self.wait_for_interrupt();
                Ok(Left::Interrupted)
            }
            Leave::Lost => Err(BackendError::Lost),
        }
    }

    fn interrupt(&self, _: u64) {
        *self.interrupts.lock().unwrap() += 1;
    }

    fn restrict(&self, _: PageRange, _: Permissions) -> Result<(), BackendError> {
        Ok(())
    }

    fn retype(&self, _: PageRange, _: PageKind) -> Result<(), BackendError> {
        Ok(())
    }

    fn remove(&self, _: PageRange) -> Result<(), BackendError> {
        Ok(())
    }
}

/// Counts host calls and answers with their number.
#[derive(Default)]
struct Count(i64);

impl Services for Count {
    fn serve(&mut self, _: &Header, payload: &mut [u8]) -> i64 {
        self.0 += 1;
        if let Some(byte) = payload.first_mut() {
            *byte = 0x42;
        }
        self.0
    }
}

const DONE: Leave = Leave::By(Exit::Done, Status::Ok);
const RESUME: Leave = Leave::By(Exit::Resume, Status::Ok);
const NOT_NOW: Leave = Leave::By(Exit::Refused, Status::NotNow);

fn begin() -> Entered {
    (Leaf::Enter, Entry::Call as u64)
}

fn handle(event: Event) -> Entered {
    (Leaf::Enter, event as u64)
}

const RESUMED: Entered = (Leaf::Resume, 0);

/// Makes one call on a scripted enclave.
fn call(leaves: &[Leave]) -> (Result<Ended, Error>, Vec<Entered>) {
    let script = Script::new(leaves);
    let mut thread = Thread::main(script.clone());
    let result = thread.call(Call::Ping, &mut Count::default(), None);
    assert!(
        script.leaves.lock().unwrap().is_empty(),
        "entered too seldom"
    );
    let entered = script.entered.lock().unwrap().clone();
    (result, entered)
}

/// The same, with a deadline that passes at once.
fn call_late(leaves: &[Leave]) -> (Result<Ended, Error>, Vec<Entered>) {
    let script = Script::new(leaves);
    let mut thread = Thread::main(script.clone());
    let signal = StopSignal::new().unwrap();
    let deadline = Deadline::start(Duration::ZERO, signal, script.clone(), thread.tcs()).unwrap();
    let result = thread.call(Call::Ping, &mut Count::default(), Some(&deadline));
    assert!(
        script.leaves.lock().unwrap().is_empty(),
        "entered too seldom"
    );
    let entered = script.entered.lock().unwrap().clone();
    (result, entered)
}

#[test]
fn a_host_call_is_served_and_returned_from() {
    let (result, entered) = call(&[
        Leave::By(Exit::HostCall, Status::Ok),
        Leave::By(Exit::HostCall, Status::Ok),
        DONE,
    ]);
    assert_eq!(result.unwrap(), Ended::Done);
    let returned = (Leaf::Enter, Entry::Return as u64);
    assert_eq!(entered, [begin(), returned, returned]);
}

#[test]
fn a_host_calls_answer_stands_in_the_exchange_area() {
    let script = Script::new(&[Leave::By(Exit::HostCall, Status::Ok), DONE]);
    let mut thread = Thread::main(script);
    thread.exchange().set_first_argument(77);
    thread.call(Call::Ping, &mut Count(8), None).unwrap();
    let header = thread.exchange().header();
    assert_eq!((header.args[0], header.ret), (77, 9));
    assert_eq!(thread.exchange().payload()[0], 0x42);
    assert_eq!(thread.exchange().address() % 8, 0);
    assert_eq!(HEADER_LEN % 8, 0);
    assert_eq!(header.op, 0, "no {:?} was made", HostCall::Log);
}

#[test]
fn an_exception_is_handled_on_the_same_thread_and_resumed() {
    let (result, entered) = call(&[Leave::Fault, RESUME, DONE]);
    assert_eq!(result.unwrap(), Ended::Done);
    assert_eq!(entered, [begin(), handle(Event::Exception), RESUMED]);
}

#[test]
fn a_guest_is_stopped_after_its_deadline() {
    let (result, entered) = call_late(&[Leave::Interrupted, RESUME, DONE]);
    assert_eq!(result.unwrap(), Ended::Done);
    assert_eq!(entered, [begin(), handle(Event::Stop), RESUMED]);
}

#[test]
fn a_stop_that_is_not_granted_now_is_asked_for_again() {
    let start = Instant::now();
    let (result, entered) = call_late(&[
        Leave::Interrupted,
        NOT_NOW,
        Leave::Interrupted,
        NOT_NOW,
        Leave::Interrupted,
        RESUME,
        DONE,
    ]);
    assert_eq!(result.unwrap(), Ended::Done);
    let stop = handle(Event::Stop);
    assert_eq!(
        entered,
        [begin(), stop, RESUMED, stop, RESUMED, stop, RESUMED]
    );
    assert!(
        start.elapsed() >= Duration::from_millis(2),
        "not in a busy loop"
    );
}

#[test]
fn an_interruption_of_the_exception_entry_resumes_it_and_stops_later() {
    let (result, entered) = call_late(&[
        Leave::Fault,
        Leave::Interrupted,
        RESUME,
        Leave::Interrupted,
        RESUME,
        DONE,
    ]);
    assert_eq!(result.unwrap(), Ended::Done);
    let (exception, stop) = (handle(Event::Exception), handle(Event::Stop));
    assert_eq!(
        entered,
        [begin(), exception, RESUMED, RESUMED, stop, RESUMED]
    );
}

#[test]
fn an_interruption_without_a_deadline_is_just_resumed() {
    let script = Script::new(&[Leave::Interrupted, DONE]);
    script.interrupt(0);
    let mut thread = Thread::main(script.clone());
    let result = thread.call(Call::Ping, &mut Count::default(), None);
    assert_eq!(result.unwrap(), Ended::Done);
    assert_eq!(*script.entered.lock().unwrap(), [begin(), RESUMED]);
}

#[test]
fn a_refused_call_says_why() {
    for leave in [
        Leave::By(Exit::Refused, Status::WrongState),
        Leave::By(Exit::Done, Status::WrongState),
    ] {
        let (result, _) = call(&[leave]);
        assert!(matches!(
            result,
            Err(Error::CallRefused(Status::WrongState))
        ));
    }
}

#[test]
fn a_dead_enclave_and_a_lost_one_are_told_apart() {
    let dead = Leave::By(Exit::Dead, Status::Ok);
    for leaves in [&[dead][..], &[Leave::Fault, dead]] {
        let (result, _) = call(leaves);
        assert!(matches!(result, Err(Error::EnclaveKilled { .. })));
    }
    let (result, _) = call(&[Leave::Lost]);
    assert!(matches!(result, Err(Error::EnclaveLost)));
}

#[test]
fn an_enclave_that_breaks_the_protocol_is_reported_and_not_entered_again() {
    for leaves in [
        &[Leave::Raw(5, 0)][..],
        &[Leave::Raw(u64::MAX, 0)],
        &[Leave::Raw(Exit::Done as u64, 99)],
        &[RESUME],
        &[Leave::Fault, Leave::Fault],
        &[Leave::Fault, DONE],
        &[Leave::Fault, NOT_NOW],
        &[Leave::Fault, Leave::By(Exit::HostCall, Status::Ok)],
    ] {
        let (result, _) = call(leaves);
        assert!(
            matches!(result, Err(Error::EnclaveMisbehaved(_))),
            "{result:?}"
        );
    }
}

#[test]
fn a_deadline_that_is_cancelled_never_interrupts() {
    let script = Script::new(&[]);
    let signal = StopSignal::new().unwrap();
    let deadline = Deadline::start(Duration::from_millis(20), signal.clone(), script.clone(), 0);
    drop(deadline.unwrap());
    std::thread::sleep(Duration::from_millis(40));
    assert!(!signal.is_raised());
    assert_eq!(*script.interrupts.lock().unwrap(), 0);
}

#[test]
fn a_deadline_too_far_away_for_the_clock_never_comes() {
    let script = Script::new(&[DONE]);
    let signal = StopSignal::new().unwrap();
    let deadline = Deadline::start(Duration::MAX, signal, script.clone(), 0).unwrap();
    assert!(!deadline.has_passed() && !deadline.is_hopeless());
}
