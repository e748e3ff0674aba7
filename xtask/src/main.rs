//! The project's own chores, for which plain Cargo is not enough: `cargo xtask <chore>`.
//!
//! ```text
//!   setup ◄── demo            what a user does first, from a fresh machine to a program's output
//!     ▲──── test ◄─┐          what a contributor does most
//!   tidy, image ◄──┴── ci     what a change has to pass; `.ci/run` is nothing else
//!   tcb                       what has to be trusted, counted
//!   sanitize                  memory errors in what the file system is built from
//!   torture, miri             what takes too long, or too much, for every change
//!   reader                    our formats, read by strangers
//!   bench, report             figures and tables of docs/benchmarks.md
//! ```
//!
//! One file per chore. Anything that Cargo, clippy or rustfmt can check is left to them.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal"
)]

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod bench;
mod ci;
mod command;
mod demo;
mod deny;
mod disassemble;
mod fuzz;
mod image;
mod miri;
mod project;
mod reader;
mod report;
mod sanitize;
mod setup;
mod tcb;
mod test;
mod tidy;
mod torture;

use project::Project;

/// The project's own chores.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Install what a fresh machine lacks and Cargo does not bring.
    Setup,
    /// Build everything needed, and have SQLite in an enclave answer from an encrypted volume.
    Demo,
    /// Run all tests of the workspace, documentation examples included.
    Test(test::Options),
    /// Build the enclave image and check it.
    Image(image::Options),
    /// Check the rules of the house that neither the compiler nor clippy knows.
    Tidy,
    /// Count what has to be trusted.
    Tcb(tcb::Options),
    /// Check licences, duplicates and sources of all dependencies with cargo-deny.
    Deny(deny::Options),
    /// Run every fuzz target for a short time.
    Fuzz(fuzz::Options),
    /// Repeat the proofs of the file system and of the border with other seeds.
    Torture(torture::Options),
    /// Have golden volumes and certificates read by independent programs.
    Reader,
    /// Measure what programs in enclaves cost, and write the figures and tables of docs/benchmarks.md.
    Bench(bench::Options),
    /// Measure the file system by itself and draw its figures of docs/benchmarks.md.
    Report(report::Options),
    /// Run unit tests of the file system in Miri, which needs a nightly toolchain.
    Miri,
    /// Run the file system's tests with AddressSanitizer.
    Sanitize(sanitize::Options),
    /// Do everything a change has to pass.
    Ci(ci::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> Result<()> {
    let project = Project::find()?;
    match chore {
        Chore::Setup => setup::run(&project),
        Chore::Demo => demo::run(&project),
        Chore::Test(options) => test::run(&project, &options),
        Chore::Image(options) => image::run(&project, &options),
        Chore::Tidy => tidy::run(&project),
        Chore::Tcb(options) => tcb::run(&project, &options),
        Chore::Deny(options) => deny::run(&project, &options),
        Chore::Fuzz(options) => fuzz::run(&project, &options),
        Chore::Torture(options) => torture::run(&project, &options),
        Chore::Reader => reader::run(&project),
        Chore::Bench(options) => bench::run(&project, &options),
        Chore::Report(options) => report::run(&project, &options),
        Chore::Miri => miri::run(&project),
        Chore::Sanitize(options) => sanitize::run(&project, &options),
        Chore::Ci(options) => ci::run(&project, &options),
    }
}
