//! `bench`: measures what Twine costs, and writes figures and tables of `docs/benchmarks.md`.
//!
//! Everything is built first, so that nothing is compiled beside a measurement. The results stay beside the figures, so that
//! whoever doubts one finds its numbers, the command and the machine.

use std::fs;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::command;
use crate::project::{Project, Workspace};

/// Where results and figures are, from the root.
pub(crate) const FOLDER: &str = "docs/benchmarks";

/// The document that tells them, from the root.
const DOCUMENT: &str = "docs/benchmarks.md";

#[derive(Args)]
pub(crate) struct Options {
    /// What to measure: border, launch, process, polybench, speedtest1, records, costs [default: all].
    groups: Vec<String>,
    /// Minutes instead of hours, for a first look.
    #[arg(long)]
    quick: bool,
    /// Measure runtimes of others as well: wasmtime from PyPI, and WAMR if it is on the path.
    #[arg(long)]
    peers: bool,
    /// Measure nothing, only draw what was measured before.
    #[arg(long)]
    draw: bool,
    /// More for twine-bench, for example `-- --rounds 2`.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Measures, and writes figures and tables.
///
/// # Errors
/// If a benchmark fails, or a figure cannot be written.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    if !options.draw {
        measure(project, options)?;
    }
    draw(project)
}

fn measure(project: &Project, options: &Options) -> Result<()> {
    let folder = project.path(FOLDER);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let packages = ["--package", "twine-cli", "--package", "twine-benches"];
    let mut build = project.cargo(Workspace::Main);
    command::run(
        build
            .args(["build", "--release", "--locked"])
            .args(packages),
    )?;
    let mut bench = std::process::Command::new(project.target("release/twine-bench"));
    bench.args(&options.groups).arg("--results").arg(FOLDER);
    bench.arg("--twine").arg(project.target("release/twine"));
    if options.quick {
        bench.arg("--quick");
    }
    if options.peers {
        bench.arg("--peers");
    }
    bench.args(&options.rest);
    command::run(bench.current_dir(project.path("")))?;
    if options.groups.is_empty() || options.groups.iter().any(|group| group == "costs") {
        let mut count = project.cargo(Workspace::Main);
        count.args([
            "run",
            "--quiet",
            "--locked",
            "--package",
            "xtask",
            "--",
            "tcb",
            "--json",
        ]);
        let counted = command::output(&mut count)?;
        let path = folder.join("trusted.json");
        fs::write(&path, counted).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Draws everything that has been measured, and writes the tables.
///
/// # Errors
/// If a figure cannot be written.
pub(crate) fn draw(project: &Project) -> Result<()> {
    command::run(
        project
            .cargo(Workspace::Main)
            .args(["run", "--quiet", "--locked", "--package", "twine-plots"])
            .arg("--")
            .args([project.path(FOLDER), project.path(DOCUMENT)]),
    )
}
