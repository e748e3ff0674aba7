//! The document's limits: where they lie exactly, and what a guest or its author is told at them.

use twine_abi::outcome::Kind;
use twine_runtime::Outcome;

use crate::guest::report;
use crate::support::Launch;

const PAGE: u64 = 65536;

fn with_memory(bytes: u64, wat: &str) -> Outcome {
    let mut launch = Launch::new(wat);
    launch.draft.limits.memory_bytes = bytes;
    launch.run()
}

fn with_tables(elements: u64, wat: &str) -> Outcome {
    let mut launch = Launch::new(wat);
    launch.draft.limits.table_elements = elements;
    launch.run()
}

#[test]
fn a_module_that_starts_with_more_memory_than_allowed_is_refused_with_both_numbers() {
    let wat = r#"(module (memory 3) (func (export "_start")))"#;
    assert_eq!(with_memory(3 * PAGE, wat), Outcome::exited(0));
    assert_eq!(
        with_memory(3 * PAGE - 1, wat),
        Outcome::failed(
            Kind::LimitReached,
            "the module needs more than it may have to start: 196608 bytes of linear memory, 196607 are allowed".into()
        )
    );
}

#[test]
fn memory_grows_to_the_limit_and_then_fails_as_specified() {
    let body = "
        (call $try (memory.grow (i32.const 3)))
        (call $try (memory.grow (i32.const 2)))
        (call $try (memory.grow (i32.const 1)))
        (call $try (memory.grow (i32.const 1)))
        (call $try (memory.grow (i32.const 0)))
        (i32.store (i32.const 0x4fffc) (i32.const 1))";
    let report = report(body, |launch| launch.draft.limits.memory_bytes = 5 * PAGE);
    assert_eq!(report.errnos, [1, u32::MAX, 4, u32::MAX, 5]);
}

#[test]
fn growth_beyond_the_modules_own_maximum_costs_nothing() {
    let wat = r#"(module (memory 1 3) (func (export "_start")
        (if (i32.ne (memory.grow (i32.const 9)) (i32.const -1)) (then unreachable))
        (if (i32.ne (memory.grow (i32.const 2)) (i32.const 1)) (then unreachable))))"#;
    assert_eq!(with_memory(3 * PAGE, wat), Outcome::exited(0));
}

#[test]
fn all_of_a_32_bit_memory_can_be_had() {
    let body = "(call $try (memory.grow (i32.const 65535)))
        (i32.store (i32.const -4) (i32.const 1))
        (call $try (memory.grow (i32.const 1)))";
    assert_eq!(report(body, |_| ()).errnos, [1, u32::MAX]);
}

#[test]
fn tables_share_one_limit() {
    let wat = r#"(module (table 6 funcref) (table 4 externref) (func (export "_start")))"#;
    assert_eq!(with_tables(10, wat), Outcome::exited(0));
    assert_eq!(
        with_tables(9, wat),
        Outcome::failed(
            Kind::LimitReached,
            "the module needs more than it may have to start: a table of 4 elements, 9 are allowed in all".into()
        )
    );
}

#[test]
fn a_table_grows_to_the_limit_and_then_fails_as_specified() {
    let wat = r#"(module (table $t 1 funcref) (func (export "_start")
        (if (i32.ne (table.grow $t (ref.null func) (i32.const 4)) (i32.const 1)) (then unreachable))
        (if (i32.ne (table.grow $t (ref.null func) (i32.const 1)) (i32.const -1)) (then unreachable))
        (if (i32.ne (table.size $t) (i32.const 5)) (then unreachable))))"#;
    assert_eq!(with_tables(5, wat), Outcome::exited(0));
}

#[test]
fn a_huge_table_is_refused_and_not_attempted() {
    let wat = r#"(module (table 0xffffffff funcref) (func (export "_start")))"#;
    assert_eq!(Launch::new(wat).run().kind, Kind::LimitReached);
}

#[test]
fn more_stack_allows_deeper_recursion_and_the_depth_is_the_limits() {
    let depth = |stack_bytes: u64| {
        let mut launch = Launch::new(
            r#"(module
                (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
                (func $down (param i32) (result i32)
                    (if (result i32) (local.get 0)
                        (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
                        (else (i32.const 0))))
                (func (export "_start") (call $proc_exit (call $down (i32.const 5000)))))"#,
        );
        launch.draft.limits.stack_bytes = stack_bytes;
        launch.run()
    };
    let shallow = depth(16 << 10);
    assert_eq!(shallow.kind, Kind::Trapped);
    assert!(
        shallow
            .message
            .starts_with("wasm trap: call stack exhausted"),
        "{}",
        shallow.message
    );
    assert_eq!(depth(1 << 20), Outcome::exited(5000));
}

#[test]
fn the_longest_stack_the_document_allows_really_works() {
    let run = || {
        let mut launch = Launch::new(
            r#"(module (func $f (call $f) (call $f)) (func (export "_start") (call $f)))"#,
        );
        launch.draft.limits.stack_bytes = 14 << 20;
        launch.run().kind
    };
    let thread = std::thread::Builder::new().stack_size(16 << 20);
    let kind = thread.spawn(run).unwrap().join().unwrap();
    assert_eq!(kind, Kind::Trapped);
}
