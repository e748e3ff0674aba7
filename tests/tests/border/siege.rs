//! The host of `pages.rs`, and what it does.

use std::collections::BTreeSet;

use twine::abi::entry::{Call, Event, Exit, Status};
use twine::abi::layout::{
    ARENA_OFFSET, EXCEPTION_OFFSET, HEAP_OFFSET, PAGE_LEN, STACK_TOP, TCS_OFFSET, THREADS_OFFSET,
};
use twine::abi::sgx::Permissions;
use twine::backend::emulator::PageTable;
use twine::backend::{BackendError, Left, PageRange};
use twine::serve::Services as _;
use twine::{Input, Outcome};
use twine_tests::hostile::{Came, captured, honest_with};
use twine_tests::stage::{DONE, HOST_CALL, Stage};

/// A program and how it ends.
pub(crate) struct Program {
    pub(crate) guest: &'static str,
    pub(crate) output: &'static str,
    pub(crate) traps: bool,
}

/// What each program is given to read.
pub(crate) const INPUT: &str = "to be echoed";

/// How a run under siege ended.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Verdict {
    /// As it does undisturbed.
    Right,
    /// The enclave has killed itself.
    Dead,
    /// The enclave or the processor lets nobody in any more, or faults for ever: what was taken does not come back.
    Stuck,
}

/// Numbers without a pattern, the same for the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in so many times.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// The host.
pub(crate) struct Siege {
    table: PageTable,
    base: u64,
    dice: Dice,
    /// Pages that there are, as far as is known.
    pub(crate) known: Vec<u64>,
    /// Pages that were taken away.
    taken: BTreeSet<u64>,
    /// One intervention in so many takes a page away for good; none does if this is zero.
    cruelty: u64,
    pub(crate) interventions: u64,
}

/// Where pages are looked for: the image, the first thread, the heap, the arena.
const PLACES: [(u64, u64); 4] = [
    (0, 1024),
    (THREADS_OFFSET + STACK_TOP - 256 * PAGE_LEN, 512),
    (HEAP_OFFSET, 1024),
    (ARENA_OFFSET, 8192),
];

impl Siege {
    pub(crate) fn new(table: PageTable, base: u64, seed: u64, cruelty: u64) -> Self {
        let mut siege = Self {
            table,
            base,
            dice: Dice(seed),
            known: Vec::new(),
            taken: BTreeSet::new(),
            cruelty,
            interventions: 0,
        };
        siege.look_around();
        siege
    }

    fn look_around(&mut self) {
        let pages = PLACES.map(|(offset, count)| self.table.pages(PageRange { offset, count }));
        self.known = pages.iter().flatten().map(|(offset, _)| *offset).collect();
    }

    pub(crate) fn map(&mut self, offset: u64, permissions: Permissions) {
        let page = PageRange { offset, count: 1 };
        self.table.map(page, permissions).unwrap();
        self.interventions += 1;
    }

    pub(crate) fn any_page(&mut self) -> u64 {
        let index = self.dice.below(self.known.len() as u64);
        self.known[usize::try_from(index).unwrap()]
    }

    /// Does a few things to any pages.
    fn intervene(&mut self) {
        if self.dice.once_in(64) {
            self.look_around();
        }
        for _ in 0..=self.dice.below(8) {
            let page = self.any_page();
            match self.dice.below(6) {
                0 | 1 => self.map(page, Permissions::EMPTY),
                2 => self.map(page, Permissions::RX),
                3 => self.map(page, Permissions::RW),
                4 => self.map(page, Permissions::RWX),
                _ => self.give_a_guard(page),
            }
        }
        if self.cruelty > 0 && self.dice.once_in(self.cruelty) {
            self.take();
        }
    }

    /// Adds and maps a page that nobody has asked for, near one that there is.
    fn give_a_guard(&mut self, page: u64) {
        let offset = page + (1 + self.dice.below(16)) * PAGE_LEN;
        // Refused where there is a page already.
        _ = self.table.add(offset);
        self.map(offset, Permissions::RWX);
    }

    /// Takes a page away; three times in four puts a fresh one there.
    fn take(&mut self) {
        let page = self.any_page();
        if self.table.remove(page).is_ok() {
            self.interventions += 1;
            self.taken.insert(page);
            if !self.dice.once_in(4) {
                self.table.add(page).unwrap();
                self.interventions += 1;
            }
        }
    }

    /// What is needed to enter and to handle exceptions.
    fn heal_the_thread(&mut self) {
        let first = THREADS_OFFSET + EXCEPTION_OFFSET;
        let count = (TCS_OFFSET - EXCEPTION_OFFSET) / PAGE_LEN + 1;
        let pages = PageRange {
            offset: first,
            count,
        };
        self.table.map(pages, Permissions::RWX).unwrap();
        self.interventions += 1;
    }

    /// Runs the program to its end.
    pub(crate) fn run(&mut self, stage: &mut Stage, program: &Program) -> Verdict {
        let (capture, output) = captured();
        let mut host = honest_with(&stage.enclave, Input::bytes(INPUT.as_bytes()), output);
        let mut verdict = None;
        for call in [Call::Initialise, Call::Launch] {
            self.intervene();
            let begun = self.enter(|| match call {
                Call::Launch => stage.try_begin(),
                _ => stage.main.call(call),
            });
            let mut came = match begun {
                Ok(came) => came,
                Err(ended) => return ended,
            };
            loop {
                came = match self.until_out(stage, came) {
                    Ok(came) => came,
                    Err(ended) => {
                        verdict = Some(ended);
                        break;
                    }
                };
                if came != HOST_CALL {
                    break;
                }
                self.intervene();
                let header = stage.main.exchange.header();
                let ret = host.serve(&header, stage.main.exchange.payload_mut());
                came = match self.enter(|| stage.main.answer(ret)) {
                    Ok(came) => came,
                    Err(ended) => {
                        verdict = Some(ended);
                        break;
                    }
                };
            }
            if verdict.is_none() && came != DONE {
                assert!(matches!(came, Came::Out(Exit::Dead, _)), "{came:?}");
                verdict = Some(Verdict::Dead);
            }
            if verdict.is_some() {
                break;
            }
        }
        let written = String::from_utf8(capture.take()).unwrap();
        let Some(verdict) = verdict else {
            let outcome = stage.outcome();
            let is_right = match &outcome {
                Outcome::Trapped { .. } => program.traps,
                outcome => !program.traps && *outcome == Outcome::Exited { code: 0 },
            };
            assert!(is_right, "{}: {outcome:?}", program.guest);
            assert!(
                written.starts_with(program.output),
                "{}: {written}",
                program.guest
            );
            return Verdict::Right;
        };
        let is_beginning =
            program.output.starts_with(&written) || written.starts_with(program.output);
        assert!(is_beginning, "{}: {written}", program.guest);
        verdict
    }

    /// Enters; if the processor refuses, once more after what is needed for it has been mapped.
    fn enter(
        &mut self,
        mut enter: impl FnMut() -> Result<Came, BackendError>,
    ) -> Result<Came, Verdict> {
        let first = enter();
        let came = match first {
            Ok(came) => return Ok(came),
            // The driver cannot tell a TCS that is not mapped from one that has gone with all of protected memory.
            Err(BackendError::Refused { .. } | BackendError::Lost) => {
                self.heal_the_thread();
                enter()
            }
            Err(other) => Err(other),
        };
        came.map_err(|error| match error {
            BackendError::Refused { .. } | BackendError::Lost => Verdict::Stuck,
            other => panic!("{other}"),
        })
    }

    /// Deals with faults until the thread leaves by EEXIT.
    fn until_out(&mut self, stage: &mut Stage, mut came: Came) -> Result<Came, Verdict> {
        /// Faults on one page, one after the other, after which the host gives up.
        const PATIENCE: u32 = 8;
        let mut last = (u64::MAX, 0);
        while let Came::Away(left) = came {
            if let Left::Exception { address, .. } = left {
                let Some(offset) = address.checked_sub(self.base) else {
                    // No page is to blame; the enclave has stumbled over what it found, or did not find.
                    return Err(self.give_up(stage));
                };
                let page = offset / PAGE_LEN * PAGE_LEN;
                last = if last.0 == page {
                    (page, last.1 + 1)
                } else {
                    (page, 1)
                };
                if last.1 > PATIENCE {
                    return Err(self.give_up(stage));
                }
                self.intervene();
                let is_guard = self.is_guard(page);
                if is_guard {
                    // Made accessible, it faults all the same.
                    _ = self.table.add(page);
                }
                if !self.dice.once_in(8) {
                    self.map(page, Permissions::RWX);
                }
                // A fault of trusted code that is reported costs the enclave.
                let is_reported = match is_guard {
                    true => last.1 > 1,
                    false => self.cruelty > 0 && self.dice.once_in(64),
                };
                if is_reported {
                    match self.report(stage)? {
                        Came::Out(Exit::Refused | Exit::Resume, _) => {}
                        dead => return Ok(dead),
                    }
                }
            }
            came = self.enter(|| stage.main.resume())?;
        }
        Ok(came)
    }

    /// Whether the enclave holds no page there: none is there, or one that it has not accepted.
    fn is_guard(&self, offset: u64) -> bool {
        let pages = self.table.pages(PageRange { offset, count: 1 });
        let is_held = pages
            .iter()
            .any(|(_, page)| page.reachable != Permissions::EMPTY);
        !is_held && !self.taken.contains(&offset)
    }

    /// Has the enclave handle the exception.
    fn report(&mut self, stage: &mut Stage) -> Result<Came, Verdict> {
        /// Faults in the handler, each of which is healed, after which the host gives up.
        const FAULTS_MAX: u32 = 64;
        let mut came = self.enter(|| stage.main.tell(Event::Exception))?;
        let mut faults = 0;
        while let Came::Away(left) = came {
            faults += 1;
            let offset = match left {
                Left::Exception { address, .. } => address.checked_sub(self.base),
                _ => None,
            };
            let Some(offset) = offset.filter(|_| faults < FAULTS_MAX) else {
                return Err(Verdict::Stuck);
            };
            self.map(offset / PAGE_LEN * PAGE_LEN, Permissions::RWX);
            came = self.enter(|| stage.main.resume())?;
        }
        let is_known = matches!(
            came,
            Came::Out(Exit::Refused, Status::WrongState | Status::NotNow)
                | Came::Out(Exit::Resume, Status::Ok)
                | Came::Out(Exit::Dead, _)
        );
        assert!(is_known, "{came:?}");
        Ok(came)
    }

    /// The fault does not go away. What the enclave says to it is the last word.
    fn give_up(&mut self, stage: &mut Stage) -> Verdict {
        match self.report(stage) {
            Ok(Came::Out(Exit::Dead, _)) => Verdict::Dead,
            _ => Verdict::Stuck,
        }
    }
}
