//! An asynchronous exit before every instruction of the entry, exit, host-call and exception paths, with attempts to enter in
//! between, and all rules of hygiene checked on the way. The programs end as they do undisturbed.
//!
//! Watched are the pages of `entry.s` and of the Rust functions that it calls or that touch the host's memory; in a long run
//! all of the image.

use std::ops::Range;
use std::sync::Arc;

use twine::abi::entry::{Call, Entry, Event, Exit, Status};
use twine::abi::exchange::HostCall;
use twine::backend::Left;
use twine::serve::Services as _;
use twine::{Input, Outcome, Runtime};
use twine_tests::border::pages;
use twine_tests::hostile::{Came, Door, captured, honest, honest_with};
use twine_tests::run::{emulated, text};
use twine_tests::stage::{DONE, Stage};
use twine_tests::stepping::{Attacker, Patience, Steps};

use crate::{proved, round};

/// Functions on the paths, by what their symbols contain.
const PATHS: [&str; 5] = [
    "4call10enter_call",
    "4host8call_for",
    "4host8exchange",
    "9exception16handle_exception",
    "6engine12deliver_trap",
];

fn watched(steps: &Steps) -> Vec<Range<u64>> {
    let code = steps.code();
    if round() > 0 {
        return pages(&[code.text()]);
    }
    let mut ranges = vec![code.border()];
    // What has become part of its caller is watched there.
    ranges.extend(PATHS.iter().filter_map(|name| code.find(name)));
    pages(&ranges)
}

fn platform(steps: &Arc<Steps>) -> Runtime {
    let stepper = steps.stepper(watched(steps));
    emulated(|config| config.stepper = Some(stepper))
}

fn attacker(stage: &Stage) -> Attacker {
    Attacker::new(Event::Exception as u64, Some(Door::new(&stage.enclave, 1)))
}

fn initialised(runtime: &Runtime, guest: &str) -> Stage {
    let mut stage = Stage::new(runtime, guest);
    let mut host = honest(&stage.enclave);
    let mut attacker = Attacker::new(Event::Exception as u64, None);
    let came = attacker.complete(&mut stage.main, Call::Initialise, &mut host);
    assert_eq!(came, DONE);
    stage
}

fn echoes(runtime: &Runtime) {
    let mut stage = initialised(runtime, "c_echoes_its_input");
    let (capture, output) = captured();
    let mut host = honest_with(&stage.enclave, Input::bytes(*b"there and back"), output);
    let mut attacker = attacker(&stage);
    let came = stage.begin();
    let came = attacker.serve_on(&mut stage.main, came, &mut host);
    assert_eq!(came, DONE);
    assert_eq!(stage.outcome(), Outcome::Exited { code: 0 });
    assert_eq!(text(&capture.take()), "there and back");
}

fn traps(runtime: &Runtime) {
    let mut stage = initialised(runtime, "wat_reads_out_of_bounds");
    let mut host = honest(&stage.enclave);
    let mut attacker = attacker(&stage);
    let came = stage.begin();
    let came = attacker.serve_on(&mut stage.main, came, &mut host);
    assert!(
        matches!(came, Came::Away(Left::Exception { vector: 14, .. })),
        "{came:?}"
    );
    let came = attacker.handle(&mut stage.main, Event::Exception as u64);
    assert_eq!(came, Came::Out(Exit::Resume, Status::Ok));
    let came = stage.main.resume().unwrap();
    assert_eq!(attacker.serve_on(&mut stage.main, came, &mut host), DONE);
    assert!(matches!(stage.outcome(), Outcome::Trapped { .. }));
}

/// The stop is asked for at every interruption and granted when the guest's own code runs.
fn stops(runtime: &Runtime) {
    let mut stage = initialised(runtime, "wat_loops_forever");
    let mut host = honest(&stage.enclave);
    let (enclave, tcs) = (Arc::clone(&stage.enclave), stage.main.tcs());
    let is_over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let clock = std::thread::spawn(move || {
        while !over.load(std::sync::atomic::Ordering::Relaxed) {
            std::thread::sleep(std::time::Duration::from_millis(20));
            enclave.interrupt(tcs);
        }
    });
    let came = stage.begin();
    let came = Attacker::stopping().serve_on(&mut stage.main, came, &mut host);
    is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    clock.join().unwrap();
    assert_eq!(came, DONE);
    assert_eq!(stage.outcome(), Outcome::Stopped);
}

/// Entries that are refused are interrupted as well.
fn refuses(runtime: &Runtime) {
    let mut stage = initialised(runtime, "wat_does_nothing");
    let mut attacker = attacker(&stage);
    let refused = Came::Out(Exit::Refused, Status::WrongState);
    for rdi in [Entry::Return as u64, 7] {
        let came = stage.main.enter(rdi).unwrap();
        assert_eq!(attacker.until_out(&mut stage.main, came), refused);
    }
    let came = stage.begin();
    let came = attacker.until_out(&mut stage.main, came);
    assert_eq!(came, Came::Out(Exit::HostCall, Status::Ok));
    for _ in 0..2 {
        let came = stage.main.call(Call::Launch).unwrap();
        assert_eq!(attacker.until_out(&mut stage.main, came), refused);
    }
    let header = stage.main.exchange.header();
    let ret = honest(&stage.enclave).serve(&header, stage.main.exchange.payload_mut());
    let came = stage.main.answer(ret).unwrap();
    let mut host = honest(&stage.enclave);
    assert_eq!(attacker.serve_on(&mut stage.main, came, &mut host), DONE);
}

/// An enclave that kills itself in a call: the host does not do what it is asked to do with pages.
fn dies_in_a_call(runtime: &Runtime) {
    let mut stage = initialised(runtime, "wat_does_nothing");
    let mut host = honest(&stage.enclave);
    let mut attacker = attacker(&stage);
    let mut came = stage.begin();
    loop {
        came = attacker.until_out(&mut stage.main, came);
        let Came::Out(Exit::HostCall, Status::Ok) = came else {
            break;
        };
        let header = stage.main.exchange.header();
        let ret = if header.op == HostCall::PageRestrict as u32 {
            0
        } else {
            host.serve(&header, stage.main.exchange.payload_mut())
        };
        came = stage.main.answer(ret).unwrap();
    }
    assert!(matches!(came, Came::Out(Exit::Dead, _)), "{came:?}");
    let came = stage.main.call(Call::Ping).unwrap();
    let came = attacker.until_out(&mut stage.main, came);
    assert!(matches!(came, Came::Out(Exit::Dead, _)), "{came:?}");
}

/// An enclave that kills itself in the exception handler: trusted code has faulted.
fn dies_of_a_fault(runtime: &Runtime) {
    let mut stage = initialised(runtime, "wat_does_nothing");
    let mut attacker = attacker(&stage);
    let unmapped = 0x10_0000;
    let echo = Call::Echo as u64;
    let came = stage
        .main
        .enter_with(Entry::Call as u64, unmapped, echo)
        .unwrap();
    let came = attacker.until_out(&mut stage.main, came);
    assert!(
        matches!(came, Came::Away(Left::Exception { vector: 14, .. })),
        "{came:?}"
    );
    for _ in 0..2 {
        let came = attacker.handle(&mut stage.main, Event::Exception as u64);
        assert!(matches!(came, Came::Out(Exit::Dead, _)), "{came:?}");
    }
}

#[test]
fn an_exit_before_every_instruction_of_the_border_changes_nothing() {
    let rounds = 1 + u32::try_from(round()).unwrap();
    let patience = if round() > 0 {
        Patience::Endless
    } else {
        Patience::Short
    };
    let steps = Steps::new(rounds, patience);
    let runtime = platform(&steps);
    let scenarios: [fn(&Runtime); 6] = [
        echoes,
        traps,
        stops,
        refuses,
        dies_in_a_call,
        dies_of_a_fault,
    ];
    for scenario in scenarios {
        scenario(&runtime);
    }
    let missed = steps.missed();
    assert!(missed.is_empty(), "never interrupted: {missed:x?}");
    let seen = steps.seen();
    assert_eq!(seen.hygiene.complaints, Vec::<String>::new());
    let border = steps.code().border();
    let all: std::collections::BTreeSet<u64> =
        seen.interrupted.iter().map(|(_, offset)| *offset).collect();
    let of_border = all.iter().filter(|offset| border.contains(offset)).count();
    proved(of_border as u64, "instructions of entry.s interrupted");
    proved(all.len() as u64, "instructions of the image interrupted");
    proved(seen.exits, "asynchronous exits injected");
    proved(seen.steps, "instructions looked at");
    proved(seen.hygiene.exits, "EEXITs whose registers were looked at");
    proved(
        seen.hygiene.poisoned_exits,
        "of them with poisoned registers",
    );
    proved(seen.hygiene.reads, "words of host memory read");
    proved(seen.hygiene.writes, "words of host memory written");
    assert!(seen.hygiene.poisoned_exits > 10);
    assert!(seen.hygiene.reads > 1000 && seen.hygiene.writes > 10);
}
