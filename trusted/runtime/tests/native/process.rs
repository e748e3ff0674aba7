//! WASI beside descriptors: arguments, environment, clocks, polling, randomness, signals and the end.

use twine_abi::exchange::{WAIT_FOREVER, interest};
use twine_launch::Arguments;
use twine_runtime::limits::IO_LEN_BYTES_MAX;
use twine_runtime::{Fault, Outcome};

use crate::guest::{errnos, module, report};
use crate::support::Launch;

const OK: u32 = 0;
const BADF: u32 = 8;
const FAULT: u32 = 21;
const INVAL: u32 = 28;
const NOTSUP: u32 = 58;
const NOTCAPABLE: u32 = 76;

const SECOND: u64 = 1_000_000_000;

#[test]
fn arguments_arrive_with_their_pointers_and_zero_bytes() {
    let body = "
        (call $try (call $args_sizes_get (i32.const 0) (i32.const 4)))
        (call $try (call $args_get (i32.const 16) (i32.const 64)))
        (call $show (i32.const 0) (i32.const 8))
        (call $show (i32.const 16) (i32.const 12))
        (call $show (i32.const 64) (i32.const 12))";
    let report = report(body, |launch| {
        launch.draft.arguments = Arguments::Fixed(vec!["a".into(), "".into(), "bcdé".into()]);
    });
    assert_eq!(report.errnos, [OK, OK]);
    let (numbers, text) = report.shown.split_at(20);
    let numbers: Vec<u32> = numbers
        .as_chunks()
        .0
        .iter()
        .copied()
        .map(u32::from_le_bytes)
        .collect();
    assert_eq!(numbers, [3, 9, 64, 66, 67]);
    assert_eq!(text, b"a\0\0bcd\xc3\xa9\0\0\0\0");
}

#[test]
fn the_environment_arrives_fixed_variables_first() {
    let body = "
        (call $try (call $environ_sizes_get (i32.const 0) (i32.const 4)))
        (call $try (call $environ_get (i32.const 16) (i32.const 64)))
        (call $show (i32.const 0) (i32.const 8))
        (call $show (i32.const 64) (i32.const 16))";
    let report = report(body, |launch| {
        let environment = &mut launch.draft.environment;
        environment.fixed = [("Z".into(), "1".into()), ("Y".into(), "".into())].into();
        environment.from_caller = ["A".into(), "B".into()].into();
        launch.request.environment = b"B=x=y\0A=\0".to_vec();
    });
    assert_eq!(report.errnos, [OK, OK]);
    assert_eq!(report.shown, b"\x04\0\0\0\x10\0\0\0Y=\0Z=1\0B=x=y\0A=\0");
}

#[test]
fn strings_that_do_not_fit_into_memory_are_efault() {
    let body = "
        (call $try (call $args_get (i32.const 0xfffd) (i32.const 0)))
        (call $try (call $args_get (i32.const 0) (i32.const 0xfffb)))
        (call $try (call $args_get (i32.const 0) (i32.const 0xfffa)))
        (call $try (call $args_get (i32.const -1) (i32.const -1)))
        (call $try (call $args_sizes_get (i32.const 0x10000) (i32.const 0)))
        (call $try (call $args_sizes_get (i32.const 0) (i32.const 0xfffd)))";
    assert_eq!(errnos(body), [FAULT, FAULT, OK, FAULT, FAULT, FAULT]);
}

/// Reads a clock and shows it.
fn time(id: u32) -> String {
    format!(
        "(call $try (call $clock_time_get (i32.const {id}) (i64.const 0) (i32.const 0)))
         (call $show (i32.const 0) (i32.const 8))"
    )
}

#[test]
fn the_monotonic_clock_never_goes_backwards_whatever_the_host_says() {
    let body = time(1).repeat(5);
    let report = report(&body, |launch| {
        launch.world.0.borrow_mut().clocks = [50, 70, 20, 0, 90].into();
    });
    assert_eq!(report.errnos, [OK; 5]);
    assert_eq!(report.u64s(), [50, 70, 70, 70, 90]);
}

#[test]
fn processor_time_counts_from_the_first_look_at_a_clock() {
    let body = [time(2), time(3), time(1), time(2)].concat();
    let report = report(&body, |launch| {
        launch.world.0.borrow_mut().clocks = [50, 70, 20, 60].into();
    });
    assert_eq!(report.errnos, [OK; 4]);
    assert_eq!(report.u64s(), [0, 20, 70, 20]);
}

#[test]
fn the_time_of_day_is_the_hosts() {
    let report = report(&time(0), |_| ());
    assert_eq!(report.u64s(), [1_700_000_000 * SECOND]);
}

#[test]
fn every_clock_states_its_resolution_and_no_other_clock_exists() {
    let body = "
        (call $try (call $clock_res_get (i32.const 0) (i32.const 0)))
        (call $try (call $clock_res_get (i32.const 3) (i32.const 8)))
        (call $show (i32.const 0) (i32.const 16))
        (call $try (call $clock_res_get (i32.const 4) (i32.const 0)))
        (call $try (call $clock_time_get (i32.const 4) (i64.const 0) (i32.const 0)))
        (call $try (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 0xfff9)))
        (call $try (call $clock_res_get (i32.const 0) (i32.const -4)))";
    let report = report(body, |_| ());
    assert_eq!(report.errnos, [OK, OK, INVAL, INVAL, FAULT, FAULT]);
    assert_eq!(report.u64s(), [1, 1]);
}

#[test]
fn randomness_fills_exactly_what_was_asked_for_in_pieces() {
    let len = IO_LEN_BYTES_MAX + 1;
    let body = format!(
        "(drop (memory.grow (i32.const 1)))
         (call $try (call $random_get (i32.const 0x10000) (i32.const 2)))
         (call $show (i32.const 0xffff) (i32.const 4))
         (call $try (call $random_get (i32.const 0x1fffe) (i32.const 3)))
         (call $try (call $random_get (i32.const 0) (i32.const 0)))
         (drop (memory.grow (i32.const 1)))
         (call $try (call $random_get (i32.const 0x10000) (i32.const {len})))"
    );
    let report = report(&body, |_| ());
    assert_eq!(report.errnos, [OK, FAULT, OK, OK]);
    assert_eq!(report.shown, [0, 0xa5, 0xa5, 0]);
    assert_eq!(report.world.random, [2, IO_LEN_BYTES_MAX, 1]);
}

#[test]
fn yielding_gives_the_turn_away() {
    let report = report("(call $try (call $sched_yield))", |_| ());
    assert_eq!((report.errnos, report.world.yields), (vec![OK], 1));
}

#[test]
fn a_guest_ends_with_the_code_it_gives() {
    for code in [0, 1, 255, 256, u32::MAX] {
        let body = format!("(call $proc_exit (i32.const {code}))");
        assert_eq!(Launch::new(&module(&body)).run(), Outcome::exited(code));
    }
}

#[test]
fn a_signal_ends_the_guest_if_it_would_end_a_process() {
    for (signal, code) in [(1, 129), (6, 134), (15, 143), (30, 158)] {
        let body = format!("(call $try (call $proc_raise (i32.const {signal})))");
        assert_eq!(Launch::new(&module(&body)).run(), Outcome::exited(code));
    }
    let body = [0, 16, 17, 22, 27, 18, 19, 20, 21, 31, u32::MAX]
        .map(|signal| format!("(call $try (call $proc_raise (i32.const {signal})))"))
        .concat();
    let expected = [[OK; 5].as_slice(), &[NOTSUP; 4], &[INVAL; 2]].concat();
    assert_eq!(errnos(&body), expected);
}

/// A subscription at `0x100 + 48 * index` with `index` as its userdata.
fn subscribe(index: usize, kind: u8, id: u32, time: u64, flags: u16) -> String {
    let at = 0x100 + 48 * index;
    format!(
        "(i64.store (i32.const {at}) (i64.const {index}))
         (i32.store8 offset=8 (i32.const {at}) (i32.const {kind}))
         (i32.store offset=16 (i32.const {at}) (i32.const {id}))
         (i64.store offset=24 (i32.const {at}) (i64.const {time}))
         (i32.store16 offset=40 (i32.const {at}) (i32.const {flags}))"
    )
}

/// Polls the first `count` subscriptions and shows the number of events and `shown` of them.
fn poll(count: usize, shown: usize) -> String {
    format!(
        "(call $try (call $poll_oneoff (i32.const 0x100) (i32.const 0x1000) (i32.const {count}) (i32.const 0)))
         (call $show (i32.const 0) (i32.const 8))
         (call $show (i32.const 0x1000) (i32.const {}))",
        32 * shown
    )
}

/// An event as the guest sees it.
fn event(userdata: u64, errno: u32, kind: u8, bytes: u64) -> [u64; 4] {
    [userdata, u64::from(errno) | u64::from(kind) << 16, bytes, 0]
}

const CLOCK: u8 = 0;
const READ: u8 = 1;
const WRITE: u8 = 2;

#[test]
fn sleeping_waits_until_the_clock_has_really_reached_the_time() {
    let body = subscribe(0, CLOCK, 1, 10, 0) + &poll(1, 1);
    let report = report(&body, |launch| {
        // Read for the deadline, then after each wait; the host wakes twice too early.
        launch.world.0.borrow_mut().clocks = [100, 100, 104, 109, 110].into();
    });
    assert_eq!(report.errnos, [OK]);
    assert_eq!(
        report.u64s(),
        [[1].as_slice(), &event(0, OK, CLOCK, 0)].concat()
    );
    assert_eq!(report.world.waits, [(10, 0), (6, 0), (1, 0)]);
}

#[test]
fn an_absolute_time_that_has_passed_is_reported_at_once() {
    let body = subscribe(0, CLOCK, 1, 99, 1) + &poll(1, 1);
    let report = report(&body, |launch| {
        launch.world.0.borrow_mut().clocks = [100].into();
    });
    assert_eq!(
        report.u64s(),
        [[1].as_slice(), &event(0, OK, CLOCK, 0)].concat()
    );
    assert_eq!(report.world.waits, []);
}

#[test]
fn a_time_beyond_all_time_waits_forever_without_overflow() {
    let body = subscribe(0, CLOCK, 1, u64::MAX, 0) + &subscribe(1, READ, 0, 0, 0) + &poll(2, 1);
    let report = report(&body, |launch| {
        let mut world = launch.world.0.borrow_mut();
        world.ready = interest::INPUT;
        world.clocks = [100].into();
    });
    assert_eq!(
        report.u64s(),
        [[1].as_slice(), &event(1, OK, READ, 1)].concat()
    );
    assert_eq!(report.world.waits, [(u64::MAX - 100, interest::INPUT)]);
}

#[test]
fn streams_are_reported_as_the_host_says_and_with_what_else_has_happened() {
    let body = [
        subscribe(0, READ, 0, 0, 0),
        subscribe(1, WRITE, 1, 0, 0),
        subscribe(2, WRITE, 2, 0, 0),
        subscribe(3, CLOCK, 1, 0, 0),
        poll(4, 3),
    ]
    .concat();
    let report = report(&body, |launch| {
        launch.world.0.borrow_mut().ready = interest::INPUT | interest::ERROR
    });
    let events = [
        event(0, OK, READ, 1),
        event(2, OK, WRITE, 1),
        event(3, OK, CLOCK, 0),
    ];
    assert_eq!(
        report.u64s(),
        [[3].as_slice(), events.as_flattened()].concat()
    );
    assert_eq!(report.world.waits, [(0, interest::ALL)]);
}

#[test]
fn without_a_clock_the_wait_has_no_end() {
    let body = subscribe(0, WRITE, 1, 0, 0) + &poll(1, 1);
    let report = report(&body, |launch| {
        launch.world.0.borrow_mut().ready = interest::ALL
    });
    assert_eq!(report.world.waits, [(WAIT_FOREVER, interest::OUTPUT)]);
}

#[test]
fn what_cannot_be_waited_for_is_an_event_with_its_own_errno() {
    let body = [
        "(call $try (call $fd_fdstat_set_rights (i32.const 1) (i64.const 0x40) (i64.const 0)))"
            .into(),
        subscribe(0, CLOCK, 4, 0, 0),
        subscribe(1, CLOCK, 1, 0, 2),
        subscribe(2, READ, 9, 0, 0),
        subscribe(3, READ, 2, 0, 0),
        subscribe(4, WRITE, 1, 0, 0),
        subscribe(5, 3, 0, 0, 0),
        poll(6, 6),
    ]
    .concat();
    let report = report(&body, |_| ());
    assert_eq!(report.errnos, [OK, OK]);
    let events = [
        event(0, INVAL, CLOCK, 0),
        event(1, INVAL, CLOCK, 0),
        event(2, BADF, READ, 0),
        event(3, BADF, READ, 0),
        event(4, NOTCAPABLE, WRITE, 0),
        event(5, INVAL, 3, 0),
    ];
    assert_eq!(
        report.u64s(),
        [[6].as_slice(), events.as_flattened()].concat()
    );
    assert_eq!(report.world.waits, []);
}

#[test]
fn a_poll_that_makes_no_sense_fails_as_a_whole() {
    let call = |subscriptions: u32, events: u32, count: u32, occurred: u32| {
        format!(
            "(call $try (call $poll_oneoff (i32.const {subscriptions}) (i32.const {events}) (i32.const {count}) (i32.const {occurred})))"
        )
    };
    let body = [
        call(0, 0, 0, 0),
        call(0, 0, u32::MAX, 0),
        call(0, 0, 131_073, 0),
        call(0x10000 - 47, 0, 1, 0),
        call(0, 0x10000 - 31, 1, 0),
        call(0, 0, 1, 0xfffd),
        call(u32::MAX, u32::MAX, 131_072, 0),
    ]
    .concat();
    let report = report(&body, |_| ());
    assert_eq!(
        report.errnos,
        [INVAL, INVAL, INVAL, FAULT, FAULT, FAULT, FAULT]
    );
    assert_eq!(report.world.waits, []);
}

#[test]
fn a_failing_wait_is_the_polls_own_failure() {
    let body = subscribe(0, READ, 0, 0, 0) + &poll(1, 0);
    let report = report(&body, |launch| {
        let io = Fault::Host(twine_abi::exchange::HostErrno::Io);
        launch.world.0.borrow_mut().lies.push_back(Err(io));
    });
    assert_eq!(report.errnos, [29]);
}
