//! From a request to an outcome: what has to fit before a guest runs, and what is reported when it has ended.
//!
//! Each refusal is made by changing one thing in a launch that succeeds.

mod support;

use support::Launch;
use twine_runtime::{Outcome, Sink};

const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 8) "Hello from inside\n")
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 8))
        (i32.store (i32.const 4) (i32.const 18))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))))"#;

#[test]
fn a_program_runs_and_its_output_comes_out() {
    let launch = Launch::new(HELLO);
    let world = launch.world.clone();
    assert_eq!(launch.run(), Outcome::exited(0));
    assert_eq!(world.0.borrow().text(Sink::Output), "Hello from inside\n");
}
