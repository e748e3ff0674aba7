//! A host that lies in its answers: wrong lengths, impossible numbers, time that runs backwards, things not done. Each
//! lie ends in a clean refusal or in an error that the guest can handle, never in memory corruption.

use std::cell::RefCell;
use std::time::Duration;

use twine::abi::exchange::{Clock, Header, HostCall, PAYLOAD_LEN, interest};
use twine::abi::layout::PAGE_LEN;
use twine::error::Refusal;
use twine::launch::run::Wrap;
use twine::{Error, Input, Outcome};
use twine_tests::fuzzing::host_answers;
use twine_tests::hostile::liar;
use twine_tests::run::{Given, Ran, launch, module, run, text};

/// The longest payload, as an answer.
const PAYLOAD: i64 = 64 << 10;

const _: () = assert!(PAYLOAD.unsigned_abs() == PAYLOAD_LEN as u64);

/// Runs a guest whose host answers every call `op` by `lie`, and everything else honestly.
fn lied_to(guest: &str, op: HostCall, lie: impl FnMut(&Header, &mut [u8]) -> i64 + 'static) -> Ran {
    served_by(guest, {
        let mut lie = lie;
        liar(move |header, payload, honest| {
            if header.op == op as u32 {
                lie(header, payload)
            } else {
                honest.serve(header, payload)
            }
        })
    })
}

fn served_by(guest: &str, services: Wrap) -> Ran {
    run(&module(guest), |launch| {
        launch.stdin(Input::bytes(*b"input")).services(services)
    })
}

fn misbehaved(ran: &Ran) {
    let found = matches!(
        ran.outcome,
        Err(Error::Refused {
            refusal: Refusal::Host,
            ..
        })
    );
    assert!(
        found,
        "the enclave must say that its host misbehaved: {ran:?}"
    );
}

/// Numbers that are no answer to a call that asked for at most `most`.
fn impossible(most: u64) -> impl Iterator<Item = i64> {
    let most = most.cast_signed();
    [
        most + 1,
        most + 8,
        PAYLOAD + 1,
        1 << 31,
        1 << 32,
        i64::MAX - 7,
        i64::MAX,
    ]
    .into_iter()
}

#[test]
fn a_write_that_took_more_than_was_offered_ends_the_run() {
    for answer in impossible("Hello from WebAssembly".len() as u64) {
        misbehaved(&lied_to(
            "wat_says_hello",
            HostCall::ConsoleWrite,
            move |_, _| answer,
        ));
    }
}

#[test]
fn a_read_that_returned_more_than_was_asked_for_ends_the_run() {
    for excess in [1, 8, 1 << 20, 1 << 40, i64::MAX - PAYLOAD] {
        let lie = move |header: &Header, _: &mut [u8]| header.args[0].cast_signed() + excess;
        misbehaved(&lied_to("c_echoes_its_input", HostCall::ConsoleRead, lie));
    }
}

#[test]
fn a_wait_that_reports_what_nobody_waited_for_ends_the_run() {
    for answer in [
        interest::OUTPUT,
        interest::INPUT | interest::ERROR,
        interest::ALL + 1,
        i64::MAX.cast_unsigned(),
    ] {
        misbehaved(&lied_to(
            "c_polls_its_input",
            HostCall::Wait,
            move |_, _| answer.cast_signed(),
        ));
    }
}

#[test]
fn a_yield_that_returns_a_result_ends_the_run_or_is_ignored() {
    let ran = lied_to("rust_uses_the_library", HostCall::Yield, |_, _| 1);
    assert!(matches!(
        ran.outcome,
        Ok(Outcome::Exited { code: 0 })
            | Err(Error::Refused {
                refusal: Refusal::Host,
                ..
            })
    ));
}

#[test]
fn unknown_errors_reach_the_guest_as_input_output_errors() {
    for answer in [-5, -22, -4095, -4096, -1_000_000, i64::MIN + 1, i64::MIN] {
        let ran = lied_to("c_echoes_its_input", HostCall::ConsoleRead, move |_, _| {
            answer
        });
        assert_eq!(
            ran.outcome.as_ref().ok(),
            Some(&Outcome::Exited { code: 1 }),
            "{answer}: {ran:?}"
        );
        assert_eq!(text(&ran.errors), "0 bytes\n");
    }
}

#[test]
fn a_write_that_never_takes_anything_does_not_make_the_guest_loop() {
    let ran = lied_to("c_says_hello", HostCall::ConsoleWrite, |_, _| 0);
    assert!(matches!(ran.outcome, Ok(Outcome::Exited { .. })), "{ran:?}");
}

#[test]
fn time_that_runs_backwards_outside_stands_still_inside() {
    let now = RefCell::new(1 << 60);
    let services = liar(move |header, payload, honest| {
        let monotonic =
            header.op == HostCall::ClockRead as u32 && header.args[0] == Clock::Monotonic as u64;
        if !monotonic {
            return honest.serve(header, payload);
        }
        *now.borrow_mut() -= 1_000_000;
        *now.borrow()
    });
    let ran = served_by("c_reads_the_clocks", services);
    assert_eq!(
        ran.outcome.as_ref().ok(),
        Some(&Outcome::Exited { code: 0 }),
        "{ran:?}"
    );
    assert_eq!(text(&ran.output), "after 2025: yes\n");
}

#[test]
fn a_clock_beyond_all_time_does_no_harm() {
    for answer in [0, 1, i64::MAX - 1, i64::MAX] {
        let ran = lied_to("c_reads_the_clocks", HostCall::ClockRead, move |_, _| {
            answer
        });
        assert!(
            matches!(ran.outcome, Ok(Outcome::Exited { .. })),
            "{answer}: {ran:?}"
        );
    }
}

/// A host that wakes the guest at once, again and again, cannot make it believe that time has passed.
#[test]
fn a_sleep_that_is_cut_short_is_slept_to_its_end() {
    let ran = lied_to("c_sleeps", HostCall::Wait, |_, _| 0);
    assert_eq!(text(&ran.output), "slept long enough: yes\n", "{ran:?}");
}

/// The calls by which the enclave has its pages changed.
const PAGE_CALLS: [HostCall; 3] = [
    HostCall::PageRestrict,
    HostCall::PageTrim,
    HostCall::PageRemove,
];

/// Pages that are announced and do not come, come when they are accepted; the answer is nobody's business.
#[test]
fn pages_that_are_not_added_ahead_come_one_by_one() {
    for answer in [0, -5, 1, i64::MIN, i64::MAX] {
        let ran = lied_to(
            "wat_finds_grown_memory_empty",
            HostCall::PageAdd,
            move |_, _| answer,
        );
        assert_eq!(
            ran.outcome.ok(),
            Some(Outcome::Exited { code: 0 }),
            "{answer}"
        );
    }
}

#[test]
fn pages_that_were_not_changed_as_asked_are_noticed() {
    // The enclave restricts pages whenever it has written code or constants; it trusts EACCEPT, not the answer.
    for answer in [0, 1, i64::MAX] {
        let ran = lied_to("wat_says_hello", HostCall::PageRestrict, move |_, _| answer);
        assert!(ran.outcome.is_err(), "{answer}: {ran:?}");
        assert!(
            ran.output.is_empty(),
            "the guest ran although its code was not protected"
        );
    }
}

#[test]
fn a_host_that_cannot_change_pages_gets_no_guest() {
    let ran = lied_to("wat_says_hello", HostCall::PageRestrict, |_, _| -12);
    assert!(ran.outcome.is_err() && ran.output.is_empty(), "{ran:?}");
}

#[test]
fn pages_changed_elsewhere_or_otherwise_than_asked_are_noticed() {
    let shifts: [fn(&mut Header); 5] = [
        |header| header.args[0] += PAGE_LEN,
        |header| header.args[0] -= PAGE_LEN,
        |header| header.args[1] -= PAGE_LEN,
        |header| header.args[2] = 0,
        |header| header.args[2] |= 2,
    ];
    for (index, shift) in shifts.into_iter().enumerate() {
        let services = liar(move |header, payload, honest| {
            let mut header = *header;
            if header.op == HostCall::PageRestrict as u32 {
                shift(&mut header);
                // Whatever the honest host says of it, the lie is that it went well.
                honest.serve(&header, payload);
                return 0;
            }
            honest.serve(&header, payload)
        });
        let ran = served_by("wat_says_hello", services);
        assert!(
            ran.outcome.is_err() && ran.output.is_empty(),
            "lie {index}: {ran:?}"
        );
    }
}

/// Every call is answered with what the call before was answered.
#[test]
fn replayed_answers_never_corrupt_anything() {
    for guest in [
        "c_echoes_its_input",
        "c_polls_its_input",
        "c_sleeps",
        "c_says_hello",
    ] {
        let (mut last, mut last_payload) = (0, Vec::new());
        let services = liar(move |header, payload, honest| {
            let page_call = PAGE_CALLS.iter().any(|call| *call as u32 == header.op);
            let answer = honest.serve(header, payload);
            if page_call {
                return answer;
            }
            let replayed = std::mem::replace(&mut last, answer);
            let old = std::mem::replace(&mut last_payload, payload.to_vec());
            if let Some(start) = payload.get_mut(..old.len()) {
                start.copy_from_slice(&old);
            }
            replayed
        });
        let ran = run(&module(guest), |launch| {
            launch
                .stdin(Input::bytes(*b"input"))
                .timeout(Duration::from_secs(2))
                .services(services)
        });
        let clean = matches!(
            ran.outcome,
            Ok(Outcome::Exited { .. } | Outcome::Stopped)
                | Err(Error::Refused {
                    refusal: Refusal::Host,
                    ..
                })
        );
        assert!(clean, "{guest}: {ran:?}");
    }
}

/// The bytes of a write can be changed by whoever receives them; what the guest keeps cannot.
#[test]
fn a_payload_that_is_overwritten_does_not_reach_the_guests_memory() {
    let services = liar(|header, payload, honest| {
        let answer = honest.serve(header, payload);
        if header.op != HostCall::ConsoleRead as u32 {
            payload.fill(0xa5);
        }
        answer
    });
    let ran = served_by("c_echoes_its_input", services);
    assert_eq!(text(&ran.output), "input");
    assert_eq!(ran.outcome.unwrap(), Outcome::Exited { code: 0 });
}

/// The fuzz target's body on bytes from a fixed generator: what it finds is found again.
#[test]
fn lies_without_rhyme_or_reason_never_corrupt_anything() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    for _ in 0..300 {
        let script: Vec<u8> = (0..24).flat_map(|_| next()).collect();
        host_answers(&script);
    }
    let ran = launch(&module("c_says_hello"), Given::default());
    assert_eq!(text(&ran.output), "Hello from C.\n");
}
