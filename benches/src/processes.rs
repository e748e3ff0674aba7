//! The program `twine` from process start to exit, beside the same program compiled natively: time, and peak memory.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use twine_guests::Guest;

use crate::measure::{Row, Title, Unit, compare};

pub(crate) fn rows(twine: &Path, rounds: usize) -> Result<Vec<Row>> {
    ensure!(
        twine.exists(),
        "{} is not there: `cargo build --release -p twine-cli` makes it",
        twine.display()
    );
    let guest = Guest::named("c_says_hello")?;
    let (module, native) = (guest.module()?, guest.native()?);
    let mut in_enclave = Command::new(twine);
    in_enclave.arg("run").arg(module);
    let mut natively = Command::new(native);
    let time = Title {
        name: "process/hello/time",
        against: "the same, native",
        unit: Unit::Milliseconds,
    };
    let time = compare(
        time,
        rounds,
        1,
        || run(&mut in_enclave),
        || run(&mut natively),
    )?;
    let memory = Title {
        name: "process/hello/memory",
        against: "the same, native",
        unit: Unit::Mebibytes,
    };
    let pair = (peak(&in_enclave)?, peak(&natively)?);
    Ok(vec![time, Row::new(memory, &[pair])])
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
fn peak(command: &Command) -> Result<f64> {
    let output = Command::new("/usr/bin/time")
        .args(["-f", "%M"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdout(Stdio::null())
        .output();
    let output = match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(f64::NAN),
        output => output.context("cannot start /usr/bin/time")?,
    };
    let text = String::from_utf8(output.stderr)?;
    let kibibytes: f64 = text.lines().last().unwrap_or_default().trim().parse()?;
    Ok(kibibytes / 1024.0)
}
