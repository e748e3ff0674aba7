//! Whole launches in one process: enclave created, guest run, enclave destroyed.

use std::process::Command;

use anyhow::{Result, ensure};
use twine::{Capture, Launch, Module, Outcome, Runtime};
use twine_guests::Guest;

use crate::contest::{Contest, Row};
use crate::enclave;

/// Traps at its first instruction, five calls deep.
const TRAPS: &str = r#"(module (memory (export "memory") 1)
    (func $d unreachable) (func $c call $d) (func $b call $c) (func $a call $b)
    (func (export "_start") call $a))"#;

/// Ends at its first instruction.
const ENDS: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

pub(crate) fn rows(rounds: usize) -> Result<Vec<Row>> {
    let runtime = enclave::runtime()?;
    let hello = runtime.load(Guest::named("c_says_hello")?.module()?)?;
    let traps = runtime.load_bytes("traps", TRAPS.as_bytes())?;
    let ends = runtime.load_bytes("ends", ENDS.as_bytes())?;
    Contest::new("launch", "ms")
        .timed("true(1), a process", 1, process)
        .timed("hello", 1, || launch(&runtime, &hello, Expected::Exit))
        .timed("ends at once", 1, || {
            launch(&runtime, &ends, Expected::Exit)
        })
        .timed("traps", 1, || launch(&runtime, &traps, Expected::Trap))
        .run(rounds)
}

fn process() -> Result<()> {
    ensure!(Command::new("true").status()?.success());
    Ok(())
}

#[derive(Clone, Copy)]
enum Expected {
    Exit,
    Trap,
}

fn launch(runtime: &Runtime, module: &Module, expected: Expected) -> Result<()> {
    let output = Capture::default();
    let outcome = Launch::new(runtime, module).stdout(&output).run()?;
    ensure!(match expected {
        Expected::Exit => outcome == Outcome::Exited { code: 0 },
        Expected::Trap => matches!(outcome, Outcome::Trapped { .. }),
    });
    Ok(())
}
