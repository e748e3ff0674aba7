//! One thread of an enclave, and the conversation that a call on it is.
//!
//! ```text
//!            ┌── Exit::HostCall: serve it ──┐      ┌── an exception, or time is up ──┐
//!            ▼                              │      ▼                                 │
//!  Begin ─► Return ───────────────────► (inside) ◄─Resume◄─ Exit::Resume ◄──── Handle (CSSA = 1)
//!                                           │
//!                                           └─► Exit::Done, Exit::Dead
//! ```
//!
//! What the enclave says is taken at its word only as far as the drawing goes: anything else ends the call with
//! [`Error::EnclaveMisbehaved`].

use std::sync::Arc;

use twine_abi::entry::{Call, Entry, Event, Exit, Status};
use twine_abi::layout;

use super::deadline::Deadline;
use super::exchange::ExchangeArea;
use super::profile::Recorder;
use crate::backend::{Enclave, Leaf, Left, Registers};
use crate::error::Error;
use crate::serve::Services;

/// A thread of an enclave, with the exchange area that its calls travel through.
pub struct Thread {
    enclave: Arc<dyn Enclave>,
    tcs: u64,
    exchange: ExchangeArea,
    recorder: Option<Recorder>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// The enclave is done with it.
    Done,
    /// The enclave did not consent to stopping in time. Its thread is still in the middle of the call: the enclave
    /// must not be entered again.
    Abandoned,
}

impl Thread {
    /// The thread of `enclave` whose TCS lies at this offset from the base.
    #[must_use]
    pub fn new(enclave: Arc<dyn Enclave>, tcs: u64) -> Self {
        Self {
            enclave,
            tcs,
            exchange: ExchangeArea::new(),
            recorder: None,
        }
    }

    /// Has somebody look where the thread is whenever it is interrupted.
    pub(crate) fn record(&mut self, recorder: Recorder) {
        self.recorder = Some(recorder);
    }

    /// The thread that can launch a guest.
    #[must_use]
    pub fn main(enclave: Arc<dyn Enclave>) -> Self {
        Self::new(enclave, layout::THREADS_OFFSET + layout::TCS_OFFSET)
    }

    /// The offset of its TCS from the enclave's base.
    #[must_use]
    pub const fn tcs(&self) -> u64 {
        self.tcs
    }

    /// Its exchange area: the arguments before a call, the results after it.
    pub const fn exchange(&mut self) -> &mut ExchangeArea {
        &mut self.exchange
    }

    /// Makes a call and serves the enclave until the call is done.
    ///
    /// # Errors
    /// [`Error::CallRefused`], [`Error::EnclaveKilled`], [`Error::EnclaveLost`], [`Error::EnclaveMisbehaved`] and
    /// [`Error::Backend`].
    pub fn call(
        &mut self,
        call: Call,
        services: &mut dyn Services,
        deadline: Option<&Deadline>,
    ) -> Result<Ended, Error> {
        let mut step = Step::Begin(call);
        loop {
            let (leaf, mut registers) = self.entry(step);
            let left = self.enclave.enter(self.tcs, leaf, &mut registers)?;
            let next = match step.handles() {
                None => self.after_guest(left, registers, services, deadline)?,
                Some(event) => after_handler(event, left, registers, deadline)?,
            };
            step = match next {
                Next::Enter(step) => step,
                Next::End(ended) => return Ok(ended),
            };
        }
    }

    fn entry(&mut self, step: Step) -> (Leaf, Registers) {
        let mut registers = Registers::default();
        let leaf = match step {
            Step::Begin(call) => {
                registers.rdi = Entry::Call as u64;
                registers.rdx = call as u64;
                Leaf::Enter
            }
            Step::Return => {
                registers.rdi = Entry::Return as u64;
                Leaf::Enter
            }
            Step::Handle(event) => {
                registers.rdi = event as u64;
                Leaf::Enter
            }
            Step::Resume | Step::ResumeHandler(_) => Leaf::Resume,
        };
        // Also where the enclave does not read it: the address must be taken anew after every use of the area here.
        let exchange = self.exchange.address();
        if matches!(step, Step::Begin(_)) {
            registers.rsi = exchange;
        }
        (leaf, registers)
    }

    fn after_guest(
        &mut self,
        left: Left,
        registers: Registers,
        services: &mut dyn Services,
        deadline: Option<&Deadline>,
    ) -> Result<Next, Error> {
        match left {
            Left::Exited => self.after_exit(registers, services),
            Left::Exception {
                vector, address, ..
            } => {
                log::trace!("exception {vector} at {address:#x}");
                Ok(Next::Enter(Step::Handle(Event::Exception)))
            }
            Left::Interrupted => {
                if let Some(recorder) = &self.recorder {
                    recorder.sample(&*self.enclave, self.tcs);
                }
                Ok(match deadline {
                    Some(deadline) if deadline.is_hopeless() => Next::End(Ended::Abandoned),
                    Some(deadline) if deadline.has_passed() => {
                        Next::Enter(Step::Handle(Event::Stop))
                    }
                    _ => Next::Enter(Step::Resume),
                })
            }
        }
    }

    fn after_exit(
        &mut self,
        registers: Registers,
        services: &mut dyn Services,
    ) -> Result<Next, Error> {
        match exit(registers)? {
            Exit::HostCall => {
                let header = self.exchange.header();
                let answer = services.serve(&header, self.exchange.payload_mut());
                self.exchange.answer(answer);
                if let Some(recorder) = &self.recorder {
                    recorder.served(&*self.enclave, self.tcs, &header);
                }
                Ok(Next::Enter(Step::Return))
            }
            Exit::Done => match status(registers)? {
                Status::Ok => Ok(Next::End(Ended::Done)),
                status => Err(Error::CallRefused(status)),
            },
            Exit::Refused => Err(Error::CallRefused(status(registers)?)),
            Exit::Dead => Err(Error::EnclaveKilled { message: None }),
            Exit::Resume => Err(Error::EnclaveMisbehaved(
                "it asks to be resumed without an exception",
            )),
        }
    }
}

/// What comes after the exception entry has been left.
fn after_handler(
    event: Event,
    left: Left,
    registers: Registers,
    deadline: Option<&Deadline>,
) -> Result<Next, Error> {
    // Before the time is up somebody else interrupts, who asks for nothing.
    let ask_again = || {
        if let Some(deadline) = deadline.filter(|deadline| deadline.has_passed()) {
            deadline.again();
        }
    };
    match left {
        Left::Exited => match exit(registers)? {
            Exit::Resume => Ok(Next::Enter(Step::Resume)),
            Exit::Refused if event == Event::Stop && status(registers)? == Status::NotNow => {
                ask_again();
                Ok(Next::Enter(Step::Resume))
            }
            Exit::Dead => Err(Error::EnclaveKilled { message: None }),
            _ => Err(Error::EnclaveMisbehaved(
                "its exception entry left in a way that does not exist",
            )),
        },
        // The request to stop came while the handler was busy with something else, and is spent.
        Left::Interrupted => {
            ask_again();
            Ok(Next::Enter(Step::ResumeHandler(event)))
        }
        Left::Exception { .. } => Err(Error::EnclaveMisbehaved("its exception handler faulted")),
    }
}

fn exit(registers: Registers) -> Result<Exit, Error> {
    Exit::try_from(registers.rdi).map_err(|_| Error::EnclaveMisbehaved("an unknown exit code"))
}

fn status(registers: Registers) -> Result<Status, Error> {
    Status::try_from(registers.rsi).map_err(|_| Error::EnclaveMisbehaved("an unknown status"))
}

/// How to enter next.
#[derive(Clone, Copy)]
enum Step {
    Begin(Call),
    Return,
    /// Enter the exception entry.
    Handle(Event),
    /// Continue after the exception entry, or after an interruption that asks for nothing.
    Resume,
    /// Continue in the exception entry, which was interrupted itself.
    ResumeHandler(Event),
}

impl Step {
    const fn handles(self) -> Option<Event> {
        match self {
            Self::Handle(event) | Self::ResumeHandler(event) => Some(event),
            Self::Begin(_) | Self::Return | Self::Resume => None,
        }
    }
}

enum Next {
    Enter(Step),
    End(Ended),
}
