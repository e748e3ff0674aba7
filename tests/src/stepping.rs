//! An attacker who interrupts a thread before every instruction of the border, and tries to enter it there.
//!
//! ```text
//!   EENTER ──► one instruction ──► asynchronous exit ──► EENTER (CSSA = 1) ──► refused ──► ERESUME ──► the next one
//!                                                          │   ▲
//!                          and again at every instruction of that ──► asynchronous exit ──► EENTER: none left ──► ERESUME
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iced_x86::{FlowControl, Mnemonic};
use twine::abi::entry::{Call, Event, Exit, Status};
use twine::backend::emulator::{Moment, Next, Stepper};
use twine::backend::{BackendError, Left};
use twine::serve::Services;

use crate::border::Code;
use crate::hostile::{Came, Door};
use crate::hygiene::Hygiene;
use crate::stage::{DONE, HOST_CALL};

/// Where threads have been interrupted, and what was seen on the way.
pub struct Steps {
    code: Arc<Code>,
    /// How often each instruction is interrupted, in each of the two SSA frames.
    rounds: u32,
    patience: Patience,
    seen: Mutex<Seen>,
}

/// What becomes of loops.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Patience {
    /// Each round of each is looked at.
    Endless,
    /// What has gone round often enough runs on unwatched until it is entered again; copies get more rounds.
    Short,
}

/// Rounds of a loop that are looked at, and of a copy.
const ROUNDS_MAX: u32 = 64;
const WORDS_MAX: u32 = 4096;

/// What has been seen.
pub struct Seen {
    /// How often each instruction (SSA frame, offset) was about to be executed.
    visits: BTreeMap<(u32, u64), u32>,
    /// The same since somebody was last entered.
    rounds: BTreeMap<u64, u32>,
    /// Instructions that a thread has been interrupted before.
    pub interrupted: BTreeSet<(u32, u64)>,
    /// Asynchronous exits.
    pub exits: u64,
    /// Instructions looked at.
    pub steps: u64,
    /// Rules that hold at every instruction.
    pub hygiene: Hygiene,
}

impl Steps {
    /// An attacker who interrupts each instruction of the image so many times.
    #[must_use]
    pub fn new(rounds: u32, patience: Patience) -> Arc<Self> {
        let code = Arc::new(Code::bundled());
        let seen = Seen {
            visits: BTreeMap::new(),
            rounds: BTreeMap::new(),
            interrupted: BTreeSet::new(),
            exits: 0,
            steps: 0,
            hygiene: Hygiene::new(Arc::clone(&code)),
        };
        Arc::new(Self {
            code,
            rounds,
            patience,
            seen: Mutex::new(seen),
        })
    }

    /// The image's code.
    #[must_use]
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// What has been seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches these pages.
    #[must_use]
    pub fn stepper(self: &Arc<Self>, pages: Vec<Range<u64>>) -> Arc<Stepper> {
        let steps = Arc::clone(self);
        Arc::new(Stepper::new(pages, move |moment| steps.look(moment)))
    }

    /// Instructions of the border that no thread has been interrupted before, in none of the frames. Not counted are those
    /// that are never executed: what lies behind a jump to keep the processor from guessing, padding, and the jump for a
    /// thread that is inside already, which the processor does not let anybody into.
    #[must_use]
    pub fn missed(&self) -> Vec<u64> {
        let seen = self.seen();
        let busy = self
            .code
            .instructions(self.code.border())
            .find(|instruction| instruction.flow_control() == FlowControl::UnconditionalBranch);
        self.code
            .instructions(self.code.border())
            .filter(|instruction| Some(instruction) != busy.as_ref())
            .filter(|instruction| {
                !matches!(
                    instruction.mnemonic(),
                    Mnemonic::Ud2 | Mnemonic::Int3 | Mnemonic::Nop
                )
            })
            .map(|instruction| instruction.ip())
            .filter(|offset| (0..2).all(|frame| !seen.interrupted.contains(&(frame, *offset))))
            .collect()
    }

    fn look(&self, moment: &mut Moment<'_>) -> Next {
        let mut seen = self.seen();
        seen.steps += 1;
        let place = (moment.frame, moment.offset);
        let visits = seen.visits.entry(place).or_default();
        // The visit that follows an interruption is the resumption, which goes on.
        let leaves = visits.is_multiple_of(2) && *visits < 2 * self.rounds;
        *visits += 1;
        let visits = *visits;
        if moment.offset == self.code.border().start {
            seen.rounds.clear();
        }
        let rounds = seen.rounds.entry(moment.offset).or_default();
        *rounds += 1;
        let rounds = *rounds;
        let next = if leaves {
            seen.interrupted.insert(place);
            seen.exits += 1;
            Next::Leave
        } else if self.is_enough(moment, visits, rounds) {
            Next::Run
        } else {
            Next::Step
        };
        seen.hygiene.look(moment, next);
        next
    }

    /// Whether what follows has been looked at often enough.
    fn is_enough(&self, moment: &Moment<'_>, visits: u32, rounds: u32) -> bool {
        match self.patience {
            Patience::Endless => false,
            // The handler's path is the same wherever the thread was interrupted.
            Patience::Short if moment.frame > 0 => visits > 2 * self.rounds,
            Patience::Short if self.code.border().contains(&moment.offset) => false,
            Patience::Short if self.code.at(moment.offset).is_string_instruction() => {
                rounds > WORDS_MAX
            }
            Patience::Short => rounds > ROUNDS_MAX,
        }
    }
}

/// What the host does whenever a thread has been interrupted.
pub struct Attacker {
    /// The entry that it tries.
    event: u64,
    /// A thread that has nothing to do with it, entered now and then.
    other: Option<Door>,
    interruptions: u64,
}

/// How often the other thread is entered: at one interruption in so many.
const OTHER_EVERY: u64 = 32;

impl Attacker {
    /// Tries to enter as for an exception, or by another number, and enters another thread in between.
    #[must_use]
    pub const fn new(event: u64, other: Option<Door>) -> Self {
        Self {
            event,
            other,
            interruptions: 0,
        }
    }

    /// Asks for a stop at every interruption.
    #[must_use]
    pub const fn stopping() -> Self {
        Self::new(Event::Stop as u64, None)
    }

    /// Begins a call and serves until it leaves for anything else than a host call.
    pub fn complete(&mut self, door: &mut Door, call: Call, services: &mut dyn Services) -> Came {
        let came = door.call(call).expect("the thread is idle");
        self.serve_on(door, came, services)
    }

    /// Attacks and serves until the thread leaves for anything else than a host call.
    ///
    /// # Panics
    /// If the platform refuses an honest entry.
    pub fn serve_on(
        &mut self,
        door: &mut Door,
        mut came: Came,
        services: &mut dyn Services,
    ) -> Came {
        loop {
            came = self.until_out(door, came);
            if came != HOST_CALL {
                return came;
            }
            let header = door.exchange.header();
            let ret = services.serve(&header, door.exchange.payload_mut());
            came = door.answer(ret).expect("the thread waits for its answer");
        }
    }

    /// Attacks at every interruption until the thread leaves otherwise.
    ///
    /// # Panics
    /// If an attack does anything, or the platform refuses to resume.
    pub fn until_out(&mut self, door: &mut Door, mut came: Came) -> Came {
        while came == Came::Away(Left::Interrupted) {
            self.interruptions += 1;
            self.attack(door);
            if self.interruptions.is_multiple_of(OTHER_EVERY)
                && let Some(mut other) = self.other.take()
            {
                let came = other.call(Call::Ping).expect("an idle thread");
                let came = Self::new(self.event, None).until_out(&mut other, came);
                assert!(
                    matches!(
                        came,
                        DONE | Came::Out(Exit::Dead, _) | Came::Out(Exit::Done, Status::WrongState)
                    ),
                    "another thread: {came:?}"
                );
                self.other = Some(other);
            }
            came = door.resume().expect("the thread was interrupted");
        }
        came
    }

    /// Enters the exception handler by this event, interrupts it wherever the stepper wants, and returns how it leaves.
    ///
    /// # Panics
    /// If the processor lets anybody in while the handler is interrupted.
    pub fn handle(&self, door: &mut Door, event: u64) -> Came {
        let mut came = door.enter(event).expect("a second frame is left");
        while came == Came::Away(Left::Interrupted) {
            let third = door.enter(event);
            assert!(
                matches!(third, Err(BackendError::Refused { .. })),
                "{third:?}"
            );
            came = door.resume().expect("the handler was interrupted");
        }
        came
    }

    fn attack(&self, door: &mut Door) {
        let came = self.handle(door, self.event);
        let stops = self.event == Event::Stop as u64;
        let changes_nothing = match came {
            Came::Out(Exit::Refused, Status::WrongState | Status::NotNow) => true,
            Came::Out(Exit::Resume, Status::Ok) => stops,
            // The thread was dying already.
            Came::Out(Exit::Dead, _) => true,
            _ => false,
        };
        assert!(changes_nothing, "{came:?}");
    }
}
