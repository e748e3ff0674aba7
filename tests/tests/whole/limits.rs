//! Limits: a guest gets what its launch document allows, and no more; its time is up when it is up.

use std::time::{Duration, Instant};

use twine::document::Limits;
use twine::error::Refusal;
use twine::{Error, Input, Outcome};
use twine_tests::run::{Given, Ran, launch, module, run, text};

const MIB: u64 = 1 << 20;

fn run_with(name: &str, limits: Limits) -> Ran {
    run(&module(name), |launch| {
        launch
            .limits(limits)
            .expect("a generated document takes limits")
    })
}

fn memory(memory_bytes: u64) -> Limits {
    Limits {
        memory_bytes,
        ..Limits::default()
    }
}

#[test]
pub(crate) fn c_allocates_until_refused() {
    let ran = run_with("c_allocates_until_refused", memory(64 * MIB));
    assert_eq!(ran.outcome.unwrap(), Outcome::Exited { code: 0 });
    let output = text(&ran.output);
    let count: u64 = output
        .split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .expect("a number comes first");
    assert!((16..64).contains(&count), "{output}");
    assert!(output.ends_with("one more MiB now: yes\n"), "{output}");
}

#[test]
pub(crate) fn wat_grows_its_memory_until_refused() {
    for limit in [64 << 10, MIB, 100 * MIB] {
        let ran = run_with("wat_grows_its_memory_until_refused", memory(limit));
        assert_eq!(ran.outcome.unwrap(), Outcome::Exited { code: 0 }, "{limit}");
    }
}

#[test]
pub(crate) fn wat_grows_its_table_until_refused() {
    let ran = launch(
        &module("wat_grows_its_table_until_refused"),
        Given::default(),
    );
    assert_eq!(ran.outcome.unwrap(), Outcome::Exited { code: 0 });
}

fn refused_for_a_limit(ran: Ran) {
    let Err(Error::Refused { refusal, .. }) = ran.outcome else {
        panic!("{ran:?}")
    };
    assert_eq!(refusal, Refusal::Limit);
}

#[test]
pub(crate) fn wat_declares_a_huge_memory() {
    refused_for_a_limit(run_with("wat_declares_a_huge_memory", memory(64 * MIB)));
}

#[test]
pub(crate) fn wat_declares_a_huge_table() {
    refused_for_a_limit(launch(
        &module("wat_declares_a_huge_table"),
        Given::default(),
    ));
}

#[test]
fn a_smaller_stack_is_exhausted_sooner_and_a_larger_one_later() {
    let depth = |stack_bytes| {
        let limits = Limits {
            stack_bytes,
            ..Limits::default()
        };
        let ran = run_with("wat_exhausts_the_stack", limits);
        assert!(
            matches!(ran.outcome, Ok(Outcome::Trapped { .. })),
            "{stack_bytes}: {ran:?}"
        );
    };
    [16 << 10, 256 << 10, MIB, 14 * MIB]
        .into_iter()
        .for_each(depth);
}

/// Runs a guest that does not end by itself, and expects it to be stopped soon after its time.
fn stopped(name: &str) {
    stopped_within(name, Duration::from_secs(4));
}

fn stopped_within(name: &str, limit: Duration) {
    let timeout = Duration::from_millis(200);
    let began = Instant::now();
    let (reader, _writer) = std::io::pipe().unwrap();
    let ran = run(&module(name), |launch| {
        launch
            .timeout(timeout)
            .stdin(Input::Descriptor(reader.into()))
    });
    assert_eq!(ran.outcome.unwrap(), Outcome::Stopped, "{name}");
    let took = began.elapsed();
    assert!(
        took >= timeout,
        "{name} was stopped before its time: {took:?}"
    );
    assert!(took < limit, "{name} was stopped late: {took:?}");
}

#[test]
pub(crate) fn wat_loops_forever() {
    stopped("wat_loops_forever");
}

#[test]
pub(crate) fn wat_loops_forever_in_calls() {
    stopped("wat_loops_forever_in_calls");
}

#[test]
pub(crate) fn wat_sleeps_forever() {
    stopped("wat_sleeps_forever");
}

#[test]
pub(crate) fn wat_copies_forever() {
    // The guest is hardly ever in its own code, the only place where the enclave stops it. After five seconds the host
    // gives it up.
    stopped_within("wat_copies_forever", Duration::from_secs(12));
}

#[test]
fn a_guest_that_waits_for_input_is_stopped() {
    stopped("c_echoes_its_input");
}

#[test]
fn stopping_a_guest_harms_neither_the_process_nor_the_next_guest() {
    for _ in 0..10 {
        let ran = run(&module("wat_loops_forever"), |launch| {
            launch.timeout(Duration::from_millis(20))
        });
        assert_eq!(ran.outcome.unwrap(), Outcome::Stopped);
        let ran = launch(&module("wat_says_hello"), Given::default());
        assert_eq!(text(&ran.output), "Hello from WebAssembly");
    }
}

#[test]
fn a_guest_that_ends_in_time_is_not_stopped() {
    let ran = run(&module("c_says_hello"), |launch| {
        launch.timeout(Duration::from_secs(60))
    });
    assert_eq!(ran.outcome.unwrap(), Outcome::Exited { code: 0 });
}

#[test]
fn limits_that_no_document_may_hold_are_the_callers_mistake() {
    let ran = run_with("wat_says_hello", memory(1));
    assert!(matches!(ran.outcome, Err(Error::BadDocument(_))), "{ran:?}");
}
