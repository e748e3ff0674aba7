//! How guests end: exit codes, traps with their backtraces, and that one end leaves nothing behind for the next guest.

use twine_abi::outcome::Kind;
use twine_runtime::{Outcome, Sink};

use crate::guest::module;
use crate::support::Launch;

/// Every way to trap, and the engine's name for it.
const TRAPS: [(&str, &str); 10] = [
    ("unreachable", "wasm `unreachable` instruction executed"),
    (
        "(drop (i32.load (i32.const 0x10000)))",
        "out of bounds memory access",
    ),
    (
        "(i32.store (i32.const -1) (i32.const 0))",
        "out of bounds memory access",
    ),
    (
        "(i64.store offset=0xfffffff0 (i32.const -1) (i64.const 0))",
        "out of bounds memory access",
    ),
    (
        "(drop (i32.div_s (i32.const 1) (i32.const 0)))",
        "integer divide by zero",
    ),
    (
        "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))",
        "integer overflow",
    ),
    (
        "(drop (i32.trunc_f32_s (f32.const nan)))",
        "invalid conversion to integer",
    ),
    (
        "(call_indirect (param i32) (i32.const 0) (i32.const 0))",
        "indirect call type mismatch",
    ),
    ("(call_indirect (i32.const 2))", "uninitialized element"),
    (
        "(call_indirect (i32.const 3))",
        "undefined element: out of bounds table access",
    ),
];

/// A guest whose entry point calls `outer`, which calls `inner`, which is `body`; indirectly, as function pointers do.
fn trapping(body: &str) -> Launch {
    Launch::new(&format!(
        r#"(module $app
            (memory (export "memory") 1)
            (table 3 funcref)
            (elem (i32.const 0) $inner $outer)
            (func $inner {body})
            (func $outer (call_indirect (i32.const 0)))
            (func $main (export "_start") (call_indirect (i32.const 1))))"#
    ))
}

#[test]
fn every_trap_is_reported_with_reason_and_backtrace() {
    for (body, reason) in TRAPS {
        let outcome = trapping(body).run();
        assert_eq!(outcome.kind, Kind::Trapped, "{body}");
        let mut lines = outcome.message.lines();
        let first = lines.next().unwrap();
        assert!(
            first.starts_with("wasm trap: ") && first.contains(reason),
            "{first}"
        );
        assert_eq!(lines.next(), Some("wasm backtrace:"));
        let frames: Vec<_> = lines
            .map(|line| line.rsplit(" - ").next().unwrap())
            .collect();
        assert_eq!(
            frames,
            ["app!inner", "app!outer", "app!main"],
            "{}",
            outcome.message
        );
    }
}

#[test]
fn a_null_function_is_reported_as_one_with_and_without_a_backtrace() {
    let trap = |backtraces| {
        let mut launch = Launch::new(
            r#"(module $app
                (import "twine" "null_call" (func $null_call))
                (memory (export "memory") 1)
                (func $main (export "_start") (call $null_call)))"#,
        );
        launch.draft.diagnostics.backtraces = backtraces;
        let outcome = launch.run();
        assert_eq!(outcome.kind, Kind::Trapped);
        outcome.message
    };
    assert_eq!(trap(false), "wasm trap: uninitialized element");
    let message = trap(true);
    let (reason, frames) = message.split_once('\n').unwrap();
    assert_eq!(reason, trap(false));
    assert_eq!(frames.lines().count(), 2, "{message}");
    assert!(frames.ends_with("app!main"), "{message}");
}

#[test]
fn a_fault_is_reported_with_its_address_unless_backtraces_are_withheld() {
    let launch = |backtraces| {
        let mut launch = trapping("(drop (i32.load (i32.const 0x12340)))");
        launch.draft.diagnostics.backtraces = backtraces;
        launch.run().message
    };
    assert_eq!(
        launch(true).lines().next(),
        Some(
            "wasm trap: out of bounds memory access (memory fault at wasm address 0x12340 in linear memory of size 0x10000)"
        )
    );
    assert_eq!(launch(false), "wasm trap: out of bounds memory access");
}

#[test]
fn a_backtrace_is_withheld_if_the_document_says_so() {
    let mut launch = trapping("unreachable");
    launch.draft.diagnostics.backtraces = false;
    assert_eq!(
        launch.run(),
        Outcome::failed(
            Kind::Trapped,
            "wasm trap: wasm `unreachable` instruction executed".into()
        )
    );
}

#[test]
fn functions_without_names_appear_by_their_number() {
    let outcome = Launch::new(r#"(module (func (export "_start") unreachable))"#).run();
    assert!(
        outcome.message.contains("<unknown>!<wasm function 0>"),
        "{}",
        outcome.message
    );
}

#[test]
fn an_endless_recursion_is_a_trap_with_a_bounded_backtrace() {
    let outcome = trapping("(call_indirect (i32.const 0))").run();
    assert_eq!(outcome.kind, Kind::Trapped);
    assert!(
        outcome
            .message
            .starts_with("wasm trap: call stack exhausted"),
        "{}",
        outcome.message
    );
    assert_eq!(outcome.message.lines().count(), 2 + 64 + 1);
    assert!(
        outcome
            .message
            .ends_with("(no more than 64 frames are kept)")
    );
}

#[test]
fn a_hundred_traps_in_a_row_leave_the_next_guest_unharmed() {
    for (body, _) in TRAPS.iter().cycle().take(100) {
        assert_eq!(trapping(body).run().kind, Kind::Trapped);
    }
    assert_eq!(trapping("").run(), Outcome::exited(0));
}

#[test]
fn a_start_function_can_call_and_trap_and_exit_before_there_is_an_instance() {
    let start = |body: &str| {
        Launch::new(&module("").replace(
            "(func $body ",
            &format!("(start $begin) (func $begin {body}) (func $body "),
        ))
    };
    let says_hello = start(
        "(call $vector (i32.const 0) (i32.const 64) (i32.const 1))
         (call $try (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))",
    );
    let world = says_hello.world.clone();
    assert_eq!(says_hello.run(), Outcome::exited(0));
    assert_eq!(world.0.borrow().written[0], (Sink::Output, vec![0]));
    assert_eq!(
        start("(call $proc_exit (i32.const 7))").run(),
        Outcome::exited(7)
    );
    assert_eq!(start("unreachable").run().kind, Kind::Trapped);
}

#[test]
fn an_active_segment_out_of_bounds_is_a_trap() {
    for wat in [
        r#"(module (memory 1) (data (i32.const 0xffff) "ab") (func (export "_start")))"#,
        r#"(module (table 1 funcref) (func $f (export "_start")) (elem (i32.const 1) $f))"#,
    ] {
        assert_eq!(Launch::new(wat).run().kind, Kind::Trapped);
    }
}

#[test]
fn a_guest_without_memory_can_end_but_not_call() {
    let guest = |body: &str| {
        Launch::new(&format!(
            r#"(module
                (import "wasi_snapshot_preview1" "sched_yield" (func $sched_yield (result i32)))
                (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
                (func (export "_start") {body}))"#
        ))
    };
    assert_eq!(
        guest("(call $proc_exit (i32.const 5))").run(),
        Outcome::exited(5)
    );
    let outcome = guest("(drop (call $sched_yield))").run();
    assert_eq!(outcome.kind, Kind::Trapped);
    assert!(
        outcome
            .message
            .starts_with("the guest exports no memory named `memory`"),
        "{}",
        outcome.message
    );
}

#[test]
fn the_features_that_toolchains_use_are_all_there() {
    let outcome = Launch::new(
        r#"(module
            (memory 1)
            (table $t 1 10 externref)
            (global $g i32 (i32.add (i32.const 40) (i32.const 2)))
            (func $pair (result i32 i64) (i32.const 1) (i64.const 2))
            (func $tail (param i32) (result i32)
                (if (result i32) (local.get 0)
                    (then (return_call $tail (i32.sub (local.get 0) (i32.const 1))))
                    (else (global.get $g))))
            (func (export "_start")
                (call $pair) (drop) (drop)
                (if (i32.ne (call $tail (i32.const 1000000)) (i32.const 42)) (then unreachable))
                (if (i32.ne (i32.extend8_s (i32.const 0x80)) (i32.const -128)) (then unreachable))
                (if (i32.ne (i32.trunc_sat_f32_s (f32.const nan)) (i32.const 0)) (then unreachable))
                (memory.fill (i32.const 0) (i32.const 7) (i32.const 16))
                (if (i32.ne (i8x16.extract_lane_u 3 (v128.load (i32.const 0))) (i32.const 7)) (then unreachable))
                (drop (i32x4.relaxed_trunc_f32x4_s (v128.const i32x4 0 0 0 0)))
                (if (i32.ne (table.grow $t (ref.null extern) (i32.const 3)) (i32.const 1)) (then unreachable))
                (if (i32.eqz (ref.is_null (table.get $t (i32.const 2)))) (then unreachable))))"#,
    )
    .run();
    assert_eq!(outcome, Outcome::exited(0));
}
