//! A host that does with page tables and pages what it likes: unmaps, protects, takes pages away, puts fresh ones in their
//! place, and makes guards accessible, whenever the thread is outside, and in a second test while it runs.
//!
//! A program then ends as it should, or its enclave is dead or cannot go on; and no page that was taken is accepted again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use twine::abi::entry::{Call, Event, Exit, Status};
use twine::abi::layout::{
    ARENA_OFFSET, EXCEPTION_OFFSET, HEAP_OFFSET, PAGE_LEN, STACK_TOP, TCS_OFFSET, THREADS_OFFSET,
};
use twine::abi::sgx::{PageKind, Permissions};
use twine::backend::emulator::{Audit, AuditEvent, PageTable, PageTables};
use twine::backend::{BackendError, Left, PageRange};
use twine::serve::Services as _;
use twine::{Input, Outcome, Runtime};
use twine_tests::hostile::{Came, captured, honest_with};
use twine_tests::run::emulated;
use twine_tests::stage::{DONE, HOST_CALL, Stage};

use crate::{proved, round};

/// A program and how it ends.
struct Program {
    guest: &'static str,
    output: &'static str,
    traps: bool,
}

const INPUT: &str = "to be echoed";
const PROGRAMS: [Program; 4] = [
    Program {
        guest: "c_echoes_its_input",
        output: INPUT,
        traps: false,
    },
    Program {
        guest: "wat_finds_grown_memory_empty",
        output: "",
        traps: false,
    },
    Program {
        guest: "wat_reads_out_of_bounds",
        output: "",
        traps: true,
    },
    Program {
        guest: "c_computes",
        output: "median 9235934689393200898, hash 82d8362ded8b24b2",
        traps: false,
    },
];

/// How a run under siege ended.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Verdict {
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
struct Siege {
    table: PageTable,
    base: u64,
    dice: Dice,
    /// Pages that there are, as far as is known.
    known: Vec<u64>,
    /// Pages that were taken away.
    taken: BTreeSet<u64>,
    /// One intervention in so many takes a page away for good; none does if this is zero.
    cruelty: u64,
    interventions: u64,
}

/// Where pages are looked for: the image, the first thread, the heap, the arena.
const PLACES: [(u64, u64); 4] = [
    (0, 1024),
    (THREADS_OFFSET + STACK_TOP - 256 * PAGE_LEN, 512),
    (HEAP_OFFSET, 1024),
    (ARENA_OFFSET, 8192),
];

impl Siege {
    fn new(table: PageTable, base: u64, seed: u64, cruelty: u64) -> Self {
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

    fn map(&mut self, offset: u64, permissions: Permissions) {
        let page = PageRange { offset, count: 1 };
        self.table.map(page, permissions).unwrap();
        self.interventions += 1;
    }

    fn any_page(&mut self) -> u64 {
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
    fn run(&mut self, stage: &mut Stage, program: &Program) -> Verdict {
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
            Err(BackendError::Refused { .. }) => {
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

/// The pages that were taken from an enclave while it held them, and accepted again nevertheless.
fn accepted_again(events: &[AuditEvent]) -> Vec<&AuditEvent> {
    /// What the enclave thinks of a page.
    #[derive(Clone, Copy, Eq, PartialEq)]
    enum Held {
        Yes,
        Taken,
    }
    let mut pages: BTreeMap<u64, (Option<Held>, Option<PageKind>)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for event in events {
        let (held, kind) = pages.entry(event.offset).or_insert((None, None));
        match event.leaf {
            "EADD" => *held = Some(Held::Yes),
            "EACCEPT" | "EACCEPTCOPY" => {
                let is_trimmed = event.page.is_some_and(|page| page.kind == PageKind::Trim);
                if *held == Some(Held::Taken) {
                    wrong.push(event);
                }
                *held = (!is_trimmed).then_some(Held::Yes);
            }
            "EREMOVE" if *held == Some(Held::Yes) => *held = Some(Held::Taken),
            _ => {}
        }
        *kind = event.page.map(|page| page.kind);
    }
    wrong
}

struct Platform {
    runtime: Runtime,
    tables: Arc<PageTables>,
    audit: Arc<Audit>,
}

impl Platform {
    fn new() -> Self {
        let (tables, audit) = (Arc::new(PageTables::default()), Arc::new(Audit::default()));
        let runtime = emulated(|config| {
            config.page_tables = Some(Arc::clone(&tables));
            config.audit = Some(Arc::clone(&audit));
        });
        Self {
            runtime,
            tables,
            audit,
        }
    }

    fn besiege(&self, program: &Program, seed: u64, cruelty: u64) -> (Verdict, u64) {
        let mut stage = Stage::new(&self.runtime, program.guest);
        let base = stage.enclave.base();
        let table = self.tables.of(base).unwrap();
        let mut siege = Siege::new(table, base, seed, cruelty);
        let verdict = siege.run(&mut stage, program);
        let events = self.audit.take();
        assert_eq!(
            accepted_again(&events),
            Vec::<&AuditEvent>::new(),
            "seed {seed}"
        );
        assert!(
            cruelty > 0 || verdict == Verdict::Right,
            "{}, seed {seed}: {verdict:?}",
            program.guest
        );
        (verdict, siege.interventions)
    }
}

/// Interventions in a run that `cargo test` makes; each round beyond the first has as many as are wanted of all.
const SHORT: u64 = 10_000;
const LONG: u64 = 100_000;

#[test]
fn whatever_the_host_does_to_pages_the_result_is_right_or_there_is_none() {
    let platform = Platform::new();
    let wanted = if round() == 0 { SHORT } else { LONG };
    let mut interventions = 0;
    let mut verdicts: BTreeMap<Verdict, u64> = BTreeMap::new();
    let first = round() << 32;
    for seed in first.. {
        let program = &PROGRAMS[usize::try_from(seed % 4).unwrap()];
        // Every second run loses nothing for good, and has to end as it should.
        let cruelty = if seed / 4 % 2 == 0 {
            0
        } else {
            16 << (seed / 8 % 6)
        };
        let (verdict, count) = platform.besiege(program, seed, cruelty);
        *verdicts.entry(verdict).or_default() += 1;
        interventions += count;
        if interventions >= wanted {
            break;
        }
    }
    proved(interventions, "interventions in page tables");
    for (verdict, count) in &verdicts {
        proved(*count, &format!("runs under siege: {verdict:?}"));
    }
    assert!(verdicts.contains_key(&Verdict::Right), "{verdicts:?}");
    assert!(verdicts.len() > 1, "nothing was ever taken: {verdicts:?}");
}

/// Pages disappear and come back while the thread is inside.
#[test]
fn pages_that_come_and_go_while_the_program_runs_change_nothing() {
    let platform = Platform::new();
    let program = &PROGRAMS[3];
    let mut stage = Stage::new(&platform.runtime, program.guest);
    let base = stage.enclave.base();
    let besieger = platform.tables.of(base).unwrap();
    let table = platform.tables.of(base).unwrap();
    let interventions = AtomicU64::new(0);
    let over = twine_tests::hostile::Over::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut siege = Siege::new(besieger, base, 7, 0);
            // The frame that an asynchronous exit writes is found at EENTER on silicon, and does not disappear.
            siege
                .known
                .retain(|page| !(THREADS_OFFSET..HEAP_OFFSET).contains(page));
            while !over.is_over() {
                let page = siege.any_page();
                siege.map(page, Permissions::EMPTY);
                let page = siege.any_page();
                siege.map(page, Permissions::RX);
            }
            interventions.store(siege.interventions, Ordering::Relaxed);
        });
        let _guard = over.guard();
        let (capture, output) = captured();
        let mut host = honest_with(&stage.enclave, Input::Empty, output);
        for call in [Call::Initialise, Call::Launch] {
            let mut came = match call {
                Call::Launch => stage.begin(),
                _ => stage.main.call(call).unwrap(),
            };
            while came != DONE {
                came = stage.main.serve_on(came, &mut host);
                if let Came::Away(Left::Exception { address, .. }) = came {
                    let offset = (address - base) / PAGE_LEN * PAGE_LEN;
                    table
                        .map(PageRange { offset, count: 1 }, Permissions::RWX)
                        .unwrap();
                    came = stage.main.resume().unwrap();
                }
            }
        }
        assert_eq!(stage.outcome(), Outcome::Exited { code: 0 });
        let written = String::from_utf8(capture.take()).unwrap();
        assert!(written.starts_with(program.output), "{written}");
    });
    let interventions = interventions.load(Ordering::Relaxed);
    proved(interventions, "interventions while a program ran");
    assert!(interventions > 10, "{interventions}");
}
