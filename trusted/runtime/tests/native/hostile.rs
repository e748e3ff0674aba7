//! A host that lies: each answer that breaks a rule ends the run with the blame on the host, and each request to stop ends
//! it as stopped.

use twine_abi::exchange::{HostErrno, interest, launch_flag};
use twine_abi::outcome::Kind;
use twine_runtime::{Fault, Outcome};

use crate::guest::module;
use crate::support::Launch;

const WRITE: &str = "(call $vector (i32.const 0) (i32.const 256) (i32.const 100))
    (call $try (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))";
const WRITE_GATHERED: &str = "(call $vector (i32.const 0) (i32.const 256) (i32.const 50))
    (call $vector (i32.const 8) (i32.const 256) (i32.const 50))
    (call $try (call $fd_write (i32.const 1) (i32.const 0) (i32.const 2) (i32.const 16)))";
const READ: &str = "(call $vector (i32.const 0) (i32.const 256) (i32.const 100))
    (call $try (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))";
const READ_SCATTERED: &str = "(call $vector (i32.const 0) (i32.const 256) (i32.const 50))
    (call $vector (i32.const 8) (i32.const 512) (i32.const 50))
    (call $try (call $fd_read (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 16)))";
const CLOCK: &str = "(call $try (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 0)))";
const POLL: &str = "(i32.store8 offset=8 (i32.const 256) (i32.const 1))
    (call $try (call $poll_oneoff (i32.const 256) (i32.const 512) (i32.const 1) (i32.const 0)))";

const ALL: [&str; 6] = [WRITE, WRITE_GATHERED, READ, READ_SCATTERED, CLOCK, POLL];

fn outcome(body: &str, lies: &[Result<u64, Fault>]) -> Outcome {
    let launch = Launch::new(&module(body));
    launch.world.0.borrow_mut().lies.extend(lies);
    launch.run()
}

#[test]
fn a_count_greater_than_what_was_offered_is_misbehaviour() {
    for (body, rule) in [
        (WRITE, "a write took more than was offered"),
        (WRITE_GATHERED, "a write took more than was offered"),
        (READ, "a read returned more than was asked for"),
        (READ_SCATTERED, "a read returned more than was asked for"),
    ] {
        for lie in [101, u64::MAX >> 1, u64::MAX] {
            assert_eq!(
                outcome(body, &[Ok(lie)]),
                Outcome::failed(
                    Kind::HostMisbehaved,
                    format!("the host broke the rules of a call: {rule}")
                )
            );
        }
        assert_eq!(outcome(body, &[Ok(100)]), Outcome::exited(0));
    }
}

#[test]
fn readiness_that_nobody_asked_for_is_misbehaviour() {
    for lie in [interest::OUTPUT, interest::ALL, 1 << 63, u64::MAX] {
        assert_eq!(outcome(POLL, &[Ok(lie)]).kind, Kind::HostMisbehaved);
    }
    assert_eq!(outcome(POLL, &[Ok(interest::INPUT)]), Outcome::exited(0));
}

#[test]
fn a_broken_rule_found_below_ends_the_run_wherever_it_is_found() {
    for body in ALL {
        assert_eq!(
            outcome(body, &[Err(Fault::Misbehaved("a rule"))]),
            Outcome::failed(
                Kind::HostMisbehaved,
                "the host broke the rules of a call: a rule".into()
            )
        );
    }
}

#[test]
fn an_interrupted_call_stops_the_guest_wherever_it_happens() {
    for body in ALL {
        assert_eq!(
            outcome(body, &[Err(Fault::Host(HostErrno::Interrupted))]).kind,
            Kind::Stopped
        );
    }
}

#[test]
fn a_write_interrupted_half_way_stops_the_guest_too() {
    let body = "(drop (memory.grow (i32.const 2)))
        (call $vector (i32.const 0) (i32.const 256) (i32.const 0x18000))
        (call $try (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))";
    let interrupted = Err(Fault::Host(HostErrno::Interrupted));
    assert_eq!(
        outcome(body, &[Ok(0x10000), interrupted]).kind,
        Kind::Stopped
    );
    let broken = Err(Fault::Host(HostErrno::BrokenPipe));
    assert_eq!(outcome(body, &[Ok(0x10000), broken]), Outcome::exited(0));
}

#[test]
fn clocks_at_their_ends_overflow_nothing() {
    for now in [0, u64::MAX] {
        for time in ["0", "1", "-1"] {
            for flags in [0, 1] {
                let body = format!(
                    "(i32.store offset=16 (i32.const 256) (i32.const 1))
                     (i64.store offset=24 (i32.const 256) (i64.const {time}))
                     (i32.store16 offset=40 (i32.const 256) (i32.const {flags}))
                     (call $try (call $poll_oneoff (i32.const 256) (i32.const 512) (i32.const 1) (i32.const 0)))"
                );
                let launch = Launch::new(&module(&body));
                launch.world.0.borrow_mut().clocks = [now, now, u64::MAX].into();
                assert_eq!(launch.run(), Outcome::exited(0));
            }
        }
    }
}

#[test]
fn flags_without_a_meaning_change_nothing() {
    let mut launch = Launch::new(&module(""));
    launch.request.flags = !launch_flag::ALL;
    assert_eq!(launch.run(), Outcome::exited(0));
}
