//! Whole launches in one process: enclave created, guest run, enclave destroyed.

use std::process::Command;

use anyhow::{Result, ensure};
use twine::{BackendChoice, Capture, Launch, Module, Outcome, Runtime};
use twine_guests::Guest;

use crate::measure::{Row, Title, Unit, compare};

/// Traps at its first instruction, five calls deep.
const TRAPS: &str = r#"(module (memory (export "memory") 1)
    (func $d unreachable) (func $c call $d) (func $b call $c) (func $a call $b)
    (func (export "_start") call $a))"#;

/// Ends at its first instruction.
const ENDS: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

pub(crate) fn rows(rounds: usize) -> Result<Vec<Row>> {
    let runtime = Runtime::builder()
        .backend(BackendChoice::Emulator)
        .build()?;
    let hello = runtime.load(Guest::named("c_says_hello")?.module()?)?;
    let traps = runtime.load_bytes("traps", TRAPS.as_bytes())?;
    let ends = runtime.load_bytes("ends", ENDS.as_bytes())?;
    let title = |name, against| Title {
        name,
        against,
        unit: Unit::Milliseconds,
    };
    Ok(vec![
        compare(
            title("launch/hello", "a process: true(1)"),
            rounds,
            1,
            || launch(&runtime, &hello, Expected::Exit),
            process,
        )?,
        compare(
            title("launch/trap", "a guest that ends at once"),
            rounds,
            1,
            || launch(&runtime, &traps, Expected::Trap),
            || launch(&runtime, &ends, Expected::Exit),
        )?,
    ])
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
