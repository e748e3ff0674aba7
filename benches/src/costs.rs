//! What costs once, or takes room: the image, compiling, memory, and transitions for each operation.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, anyhow};
use twine::backend::emulator::{Audit, Costs};
use twine::{Compiler, Launch};
use twine_guests::sqlite::Program;
use twine_guests::{Guest, third_party};

use crate::contest::{Effort, Row};
use crate::enclave::{self, Watch};
use crate::processes::peak;
use crate::records;

/// The least and the most records: what a record costs in calls is the difference.
const FEW: u32 = 1_000;
const MANY: u32 = 175_000;

/// Bytes of a page.
const PAGE: f64 = 4096.0;

/// Measures costs.
pub(crate) fn rows(twine: &Path, effort: Effort) -> Result<Vec<Row>> {
    let mut rows = image()?;
    rows.extend(compiling(effort)?);
    rows.extend(memory(twine, MANY)?);
    rows.extend(transitions(MANY)?);
    Ok(rows)
}

/// The image: what is added to every enclave before it starts.
fn image() -> Result<Vec<Row>> {
    let runtime = enclave::runtime()?;
    let mut file = Vec::new();
    runtime.image().write_sgxs(&mut file)?;
    Ok(vec![Row::single(
        "costs/image",
        "SGXS file",
        "MiB",
        file.len() as f64 / f64::from(1 << 20),
    )])
}

/// How long programs are compiled, and how large they become.
fn compiling(effort: Effort) -> Result<Vec<Row>> {
    let mut programs = vec![
        ("hello", Guest::named("c_says_hello")?.module()?),
        ("SQLite's shell", Program::Shell.module()?),
        ("SQLite's speed test", Program::Speedtest1.module()?),
    ];
    if effort == Effort::Full {
        programs.push(("CPython", third_party::PYTHON.path()?));
        programs.push(("esbuild", third_party::ESBUILD.path()?));
    }
    let compiler = Compiler::new().map_err(|error| anyhow!("{error:#}"))?;
    let mut rows = Vec::new();
    for (name, path) in programs {
        let wasm = fs::read(path)?;
        let start = Instant::now();
        let code = compiler
            .machine_code(&wasm)
            .map_err(|error| anyhow!(error))?;
        let time = start.elapsed().as_secs_f64() * 1e3;
        rows.push(Row::single("costs/compiling", name, "ms", time));
        for (subject, len) in [("costs/wasm", wasm.len()), ("costs/code", code.len())] {
            rows.push(Row::single(subject, name, "KiB", len as f64 / 1024.0));
        }
    }
    Ok(rows)
}

/// Pages of the enclave and memory of the process for a run of the micro-benchmark.
fn memory(twine: &Path, count: u32) -> Result<Vec<Row>> {
    let audit = Arc::new(Audit::default());
    let runtime = enclave::runtime_with(Costs::default(), Some(Arc::clone(&audit)))?;
    let module = runtime.load(Program::Records.module()?)?;
    records::on_volume(&runtime, &module, count)?;
    let pages = enclave::most_pages(&audit) as f64 * PAGE / f64::from(1 << 20);
    let subject = format!("costs/memory/records-{count}");
    let folder = tempfile::tempdir()?;
    let count = count.to_string();
    let arguments = ["test.db", "unix", &count];
    let mut natively = Command::new(Program::Records.native()?);
    natively.args(arguments).current_dir(folder.path());
    let mut rows = vec![
        Row::single(&subject, "pages of the enclave", "MiB", pages),
        Row::single(&subject, "process, native", "MiB", peak(&natively)?),
    ];
    if twine.exists() {
        let mut enclosed = Command::new(twine.canonicalize()?);
        let volume = format!("{}::/", folder.path().join("test.tv").display());
        enclosed.env("TWINE_HOME", folder.path()).arg("run");
        enclosed.args(["--create", "--volume", &volume]);
        enclosed.arg(Program::Records.module()?);
        enclosed.args(["--", "test.db", "volume", &count]);
        // The first run compiles, which takes memory of its own.
        peak(&enclosed)?;
        fs::remove_file(folder.path().join("test.tv"))?;
        rows.push(Row::single(
            &subject,
            "process, twine",
            "MiB",
            peak(&enclosed)?,
        ));
    }
    Ok(rows)
}

/// Calls of the host for each record that is inserted and read twice.
fn transitions(count: u32) -> Result<Vec<Row>> {
    let runtime = enclave::runtime()?;
    let module = runtime.load(Program::Records.module()?)?;
    let mut rows = Vec::new();
    for (variant, volume) in [("volume", true), ("host directory", false)] {
        let mut calls = Vec::new();
        for count in [FEW, count] {
            let folder = tempfile::tempdir()?;
            let launch = Launch::new(&runtime, &module);
            let launch = if volume {
                launch
                    .volume("/", folder.path().join("test.tv"))
                    .create_volumes()?
            } else {
                launch.host_directory("/", folder.path())
            };
            let vfs = if volume { "volume" } else { "unix" };
            let watch = Watch::default();
            enclave::finish(watch.on(launch.args(["test.db", vfs, &count.to_string()])))?;
            calls.push(watch.calls().all() as f64);
        }
        let (few, many) = (calls.first().copied(), calls.last().copied());
        let more = many.unwrap_or_default() - few.unwrap_or_default();
        let each = more / f64::from(count.saturating_sub(FEW).max(1));
        rows.push(Row::single(
            "costs/transitions/record",
            variant,
            "count",
            each,
        ));
    }
    Ok(rows)
}
