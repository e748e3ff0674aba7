//! An asynchronous exit before every instruction of the entry, exit, host-call and exception paths, with attempts to enter in
//! between, and all rules of hygiene checked on the way. The programs end as they do undisturbed.
//!
//! Watched are the pages of `entry.s` and of the Rust functions that it calls or that touch the host's memory; in a long run
//! those of `entry.s` and a share of the image, which the number of the run chooses.

use std::ops::Range;
use std::sync::Arc;

use iced_x86::{EncodingKind, Instruction};
use twine::abi::entry::{Call, Entry, Event, Exit, Status};
use twine::abi::exchange::HostCall;
use twine::abi::layout::PAGE_LEN;
use twine::backend::Left;
use twine::serve::Services as _;
use twine::{Input, Outcome, Runtime};
use twine_tests::border::{Code, pages};
use twine_tests::hostile::{Came, Door, captured, honest, honest_with};
use twine_tests::run::{platform, text};
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

/// Shares of the image: the runs 1 to this look at all of it, and the following ones again, with one more interruption of each
/// instruction.
const SHARES: u64 = 32;

fn watched(steps: &Steps) -> Vec<Range<u64>> {
    let code = steps.code();
    let mut ranges = vec![code.border()];
    match round().checked_sub(1) {
        // What has become part of its caller is watched there.
        None => ranges.extend(PATHS.iter().filter_map(|name| code.find(name))),
        Some(run) => {
            let Range { start, end } = code.text();
            let pages = (end - start).div_ceil(PAGE_LEN);
            let page = |share: u64| start + share * pages / SHARES * PAGE_LEN;
            ranges.push(page(run % SHARES)..page(run % SHARES + 1));
        }
    }
    pages(&ranges)
}

fn watched_platform(steps: &Arc<Steps>) -> Runtime {
    let stepper = steps.stepper(watched(steps));
    platform(|config| config.stepper = Some(stepper))
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
    let rounds = 1 + u32::try_from(round().saturating_sub(1) / SHARES).unwrap();
    let patience = if round() > 0 {
        Patience::Endless
    } else {
        Patience::Short
    };
    let steps = Steps::new(rounds, patience);
    let runtime = watched_platform(&steps);
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
    // A share of the image need not have what touches the host's memory in it.
    assert!(round() > 0 || seen.hygiene.reads > 1000 && seen.hygiene.writes > 10);
}

/// What hygiene does not compare: opmask registers, ZMM16 to ZMM31 and upper halves of the others. They are not in an enclave's
/// XFRM, so no instruction that writes them works inside; of what does, instructions of AVX clear upper halves. A guest that was
/// compiled to use them is refused (`trusted/runtime`).
#[test]
fn no_instruction_of_the_image_knows_the_state_of_avx512() {
    let code = Code::bundled();
    let knows = |instruction: &Instruction| {
        let mut operands = (0..instruction.op_count()).map(|n| instruction.op_register(n));
        instruction.encoding() == EncodingKind::EVEX || operands.any(|register| register.is_k())
    };
    let (mut count, mut bytes) = (0, 0);
    for instruction in code.all() {
        assert!(!knows(&instruction), "at {:#x}", instruction.ip());
        count += 1;
        bytes += instruction.len() as u64;
    }
    let text = code.text();
    let share = bytes * 100 / (text.end - text.start);
    proved(count, "instructions of the image without AVX-512");
    assert!(share > 90, "only {share} % of the code is in functions");
}
