//! A host that does with page tables and pages what it likes: unmaps, protects, takes pages away, puts fresh ones in their
//! place, and makes guards accessible, whenever the thread is outside, and in a second test while it runs.
//!
//! A program then ends as it should, or its enclave is dead or cannot go on; and no page that was taken is accepted again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use twine::abi::entry::Call;
use twine::abi::layout::{HEAP_OFFSET, PAGE_LEN, THREADS_OFFSET};
use twine::abi::sgx::{PageKind, Permissions};
use twine::backend::emulator::{Audit, AuditEvent, PageTables};
use twine::backend::{Left, PageRange};
use twine::{Input, Outcome, Runtime};
use twine_tests::hostile::{Came, Over, captured, honest_with};
use twine_tests::run::platform;
use twine_tests::stage::{DONE, Stage};

use crate::siege::{INPUT, Program, Siege, Verdict};
use crate::{proved, round};

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
        let runtime = platform(|config| {
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
    let over = Over::default();
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
