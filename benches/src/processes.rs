//! The program `twine` from process start to exit, beside the same programs compiled natively: time, with the module cached and
//! not, and peak memory.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use twine_guests::Guest;
use twine_guests::sqlite::Program;

use crate::contest::{Contest, Row};

/// Runs the shell, which is refused its only argument at once.
const NOTHING: [&str; 2] = ["-batch", "-version"];

pub(crate) fn rows(twine: &Path, rounds: usize) -> Result<Vec<Row>> {
    ensure!(
        twine.exists(),
        "{} is not there: `cargo build --release -p twine-cli` makes it",
        twine.display()
    );
    let twine = twine.canonicalize()?;
    let hello = Guest::named("c_says_hello")?;
    let mut rows = Vec::new();
    for (name, module, native, arguments) in [
        ("hello", hello.module()?, hello.native()?, &[][..]),
        (
            "sqlite",
            Program::Shell.module()?,
            Program::Shell.native()?,
            &NOTHING,
        ),
    ] {
        let mut natively = Command::new(native);
        natively.args(arguments);
        let home = tempfile::tempdir()?;
        let mut cached = Command::new(&twine);
        cached
            .env("TWINE_HOME", home.path())
            .arg("run")
            .arg(&module);
        cached.arg("--").args(arguments);
        let peaks = [
            ("native", peak(&natively)?),
            ("twine, cold", peak(&cached)?),
        ];
        rows.extend(
            Contest::new(format!("process/{name}"), "ms")
                .timed("native", 1, || run(&mut natively))
                .timed("twine, cached", 1, || run(&mut cached))
                .run(rounds)?,
        );
        rows.extend(
            Contest::new(format!("process/{name}/cold"), "ms")
                .timed("twine, cold", 1, || {
                    let home = tempfile::tempdir()?;
                    let mut cold = Command::new(&twine);
                    cold.env("TWINE_HOME", home.path()).arg("run").arg(&module);
                    run(cold.arg("--").args(arguments))
                })
                .run((rounds / 10).max(3))?,
        );
        let warm = ("twine, cached", peak(&cached)?);
        for (variant, memory) in peaks.into_iter().chain([warm]) {
            let subject = format!("process/{name}/memory");
            rows.push(Row::single(&subject, variant, "MiB", memory));
        }
    }
    Ok(rows)
}

fn run(command: &mut Command) -> Result<()> {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let status = command
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// The most memory that a process held (VmHWM), in MiB, by GNU time: it starts the program from a process of its own, so
/// that what this one holds does not count.
pub(crate) fn peak(command: &Command) -> Result<f64> {
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "%M"]).arg(command.get_program());
    timed.args(command.get_args()).stdout(Stdio::null());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            timed.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        timed.current_dir(folder);
    }
    let output = match timed.output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(f64::NAN),
        output => output.context("cannot start /usr/bin/time")?,
    };
    ensure!(output.status.success(), "{timed:?}: {output:?}");
    let text = String::from_utf8(output.stderr)?;
    let kibibytes: f64 = text.lines().last().unwrap_or_default().trim().parse()?;
    Ok(kibibytes / 1024.0)
}
