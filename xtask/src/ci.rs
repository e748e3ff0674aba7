//! `ci`: everything a change has to pass, cheapest first, one line and one duration per step.
//!
//! The test step is the very command that the README gives to users; `.ci/run` calls this and nothing else.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::project::{Project, Workspace};
use crate::{command, demo, deny, fuzz, image, reader, sanitize, setup, tcb, test, tidy};

#[derive(Args)]
pub(crate) struct Options {
    /// Only these steps, by name; all of them if none is given.
    #[arg(value_parser = STEPS.iter().map(|step| step.name).collect::<Vec<_>>())]
    steps: Vec<String>,
    /// Look for known vulnerabilities in dependencies as well; fetches the `RustSec` database.
    #[arg(long)]
    advisories: bool,
}

struct Step {
    name: &'static str,
    /// What is true once it has passed.
    claim: &'static str,
    run: fn(&Project, &Options) -> Result<()>,
}

const STEPS: [Step; 14] = [
    Step {
        name: "setup",
        claim: "the machine has what Cargo does not bring",
        run: |project, _| setup::run(project),
    },
    Step {
        name: "format",
        claim: "rustfmt would change nothing",
        run: |project, _| format(project),
    },
    Step {
        name: "tidy",
        claim: "the rules of the house are kept",
        run: |project, _| tidy::run(project),
    },
    Step {
        name: "clippy",
        claim: "the compiler and clippy have nothing to say",
        run: |project, _| clippy(project),
    },
    Step {
        name: "test",
        claim: "every test passes, with the image in the emulator",
        run: |project, _| test::all(project, &[]),
    },
    Step {
        name: "device",
        claim: "the tests of the whole pass on the device backend, over a model of the driver that interrupts it",
        run: |project, _| device(project),
    },
    Step {
        name: "sanitize",
        claim: "the file system's tests make no memory error",
        run: |project, _| sanitize::run(project, &sanitize::Options::default()),
    },
    Step {
        name: "reader",
        claim: "programs written from the documentation alone read volumes and certificates",
        run: |project, _| reader::run(project),
    },
    Step {
        name: "docs",
        claim: "the documentation builds without a warning",
        run: |project, _| docs(project),
    },
    Step {
        name: "image",
        claim: "the image is small, closed, legal inside an enclave, and reproducible",
        run: |project, _| image::run(project, &image::Options { reproducible: true }),
    },
    Step {
        name: "tcb",
        claim: "what has to be trusted is counted",
        run: |project, _| tcb::run(project, &tcb::Options { json: false }),
    },
    Step {
        name: "deny",
        claim: "every dependency has a licence, a source and a reason",
        run: |project, options| {
            deny::run(
                project,
                &deny::Options {
                    advisories: options.advisories,
                },
            )
        },
    },
    Step {
        name: "demo",
        claim: "the first command of the README does what it says",
        run: |project, _| demo::run(project),
    },
    Step {
        name: "fuzz",
        claim: "every fuzz target survives a short run",
        run: |project, _| fuzz::run(project, &fuzz::Options::default()),
    },
];

/// Runs the steps in order and stops at the first that fails.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let chosen = |step: &&Step| {
        options.steps.is_empty() || options.steps.iter().any(|name| name == step.name)
    };
    let mut durations = Vec::new();
    for step in STEPS.iter().filter(chosen) {
        println!("ci: {}: {}", step.name, step.claim);
        let start = Instant::now();
        (step.run)(project, options).with_context(|| format!("ci: {} failed", step.name))?;
        let duration = start.elapsed();
        println!("ci: {}: passed in {}", step.name, seconds(duration));
        durations.push((step.name, duration));
    }
    println!("ci: all passed");
    for (name, duration) in &durations {
        println!("{name:>10} {:>9}", seconds(*duration));
    }
    let total = durations.iter().map(|(_, duration)| *duration).sum();
    println!("{:>10} {:>9}", "total", seconds(total));
    Ok(())
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// All workspaces are formatted; all are looked at before the step fails.
fn format(project: &Project) -> Result<()> {
    let wrong = project
        .workspaces()
        .filter(|workspace| {
            command::run(project.cargo(*workspace).args(["fmt", "--all", "--check"])).is_err()
        })
        .count();
    if wrong > 0 {
        bail!("run `cargo fmt --all` in the workspaces named above");
    }
    Ok(())
}

/// Clippy in all workspaces, warnings as errors. In the enclave's only its own package: the others are the same files
/// as in the main workspace, and their tests are of that one.
fn clippy(project: &Project) -> Result<()> {
    for workspace in project.workspaces() {
        let scope: &[&str] = match workspace {
            Workspace::Main => &["--workspace", "--all-targets"],
            // The image exists in this profile only: it cannot unwind.
            Workspace::Enclave => &["--release", "--package", "twine-enclave"],
            Workspace::FileSystem | Workspace::Fuzz => &["--all-targets"],
        };
        command::run(
            project
                .cargo(workspace)
                .args(["clippy", "--locked"])
                .args(scope)
                .args(["--", "--deny", "warnings"]),
        )?;
    }
    Ok(())
}

/// The tests of the whole and of the border, with the device backend.
fn device(project: &Project) -> Result<()> {
    for backend in ["modelled-device", "restless-device"] {
        command::run(
            project
                .cargo(Workspace::Main)
                .args([
                    "test",
                    "--locked",
                    "--package",
                    "twine-tests",
                    "--test",
                    "whole",
                    "--test",
                    "border",
                ])
                .env("TWINE_TESTS_BACKEND", backend),
        )?;
    }
    Ok(())
}

/// The documentation, private items included: that is where contributors read.
fn docs(project: &Project) -> Result<()> {
    for (workspace, scope) in [
        (Workspace::Main, ["--workspace"].as_slice()),
        (
            Workspace::Enclave,
            &["--release", "--package", "twine-enclave"],
        ),
        (Workspace::FileSystem, &[]),
    ] {
        command::run(
            project
                .cargo(workspace)
                .args(["doc", "--no-deps", "--document-private-items", "--locked"])
                .args(scope)
                .env("RUSTDOCFLAGS", "--deny warnings"),
        )?;
    }
    Ok(())
}
