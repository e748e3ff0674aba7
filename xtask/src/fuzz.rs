//! `fuzz`: runs every fuzz target for a while, with the pinned stable toolchain.
//!
//! The targets are ordinary programs around libFuzzer, one `[[bin]]` each in `fuzz/`, as cargo-fuzz expects them. What
//! cargo-fuzz adds for a run without sanitizers is a handful of stable compiler flags, so it need not be installed; for
//! sanitizers, minimising and coverage it is the better tool, and works on the same folder.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::command;
use crate::project::{IMAGE_FEATURES, Project, Workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// Seconds for each target.
    #[arg(long, default_value_t = SMOKE_SECONDS)]
    pub seconds: u32,
    /// Only the targets with these names; all if none is given.
    targets: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seconds: SMOKE_SECONDS,
            targets: Vec::new(),
        }
    }
}

/// Long enough to leave the seeds' neighbourhood, short enough for every change: two minutes for all targets.
const SMOKE_SECONDS: u32 = 7;

/// Seconds after which one input counts as a hang. The longest legitimate one takes milliseconds.
const HANG_SECONDS: u32 = 10;

/// The target is named so that build scripts and macros are not instrumented.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Coverage feedback for libFuzzer, and checks that a release build leaves out.
const FLAGS: [&str; 8] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions=on",
    "-Ccodegen-units=1",
];

/// Builds the targets and runs one after the other.
///
/// # Errors
/// If a target finds something. libFuzzer says what, and leaves the input in `fuzz/artifacts`.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    command::run(
        project
            .cargo(Workspace::Fuzz)
            .args([
                "build",
                "--release",
                "--locked",
                "--bins",
                "--target",
                TARGET,
            ])
            .env(
                "CARGO_ENCODED_RUSTFLAGS",
                [&FLAGS[..], &IMAGE_FEATURES].concat().join("\u{1f}"),
            ),
    )?;
    let targets = targets(project)?;
    for wanted in &options.targets {
        ensure!(
            targets.contains(wanted),
            "there is no fuzz target {wanted}; there are {}",
            targets.join(", ")
        );
    }
    for target in targets {
        if options.targets.is_empty() || options.targets.contains(&target) {
            println!("fuzz: {target} for {} s", options.seconds);
            command::run(&mut call(project, &target, options.seconds)?)?;
        }
    }
    Ok(())
}

/// The programs of the fuzz workspace.
fn targets(project: &Project) -> Result<Vec<String>> {
    let metadata = project.metadata(Workspace::Fuzz)?;
    let targets = metadata
        .workspace_packages()
        .into_iter()
        .flat_map(|package| &package.targets);
    let programs = targets.filter(|target| target.is_bin());
    Ok(programs.map(|target| target.name.clone()).collect())
}

/// libFuzzer's command line for a target. New inputs go to the corpus, which Git ignores; seeds are only read.
fn call(project: &Project, target: &str, seconds: u32) -> Result<Command> {
    let fuzz = project.path(Workspace::Fuzz.folder());
    let [corpus, artifacts] = ["corpus", "artifacts"].map(|folder| fuzz.join(folder).join(target));
    for folder in [&corpus, &artifacts] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let mut command = Command::new(project.target(format!("fuzz/{TARGET}/release/{target}")));
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={HANG_SECONDS}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-verbosity=0", "-print_final_stats=1"])
        .arg(corpus);
    let seeds = fuzz.join("seeds").join(target);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    Ok(command)
}
