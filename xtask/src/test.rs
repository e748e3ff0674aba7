//! `test`: all tests of the main workspace and of the file system's, documentation examples included.
//!
//! It is `cargo test` in both after `setup`, for a first day without surprises.

use anyhow::Result;
use clap::Args;

use crate::command;
use crate::project::{Project, Workspace};
use crate::setup;

#[derive(Args)]
pub(crate) struct Options {
    /// Passed on to `cargo test --workspace`; the file system's tests are then left out.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs the tests, with Cargo's own output.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    setup::run(project)?;
    all(project, &options.arguments)
}

/// Runs the tests on a machine that has been set up.
pub(crate) fn all(project: &Project, arguments: &[String]) -> Result<()> {
    command::run(
        project
            .cargo(Workspace::Main)
            .args(["test", "--workspace", "--locked"])
            .args(arguments),
    )?;
    if arguments.is_empty() {
        command::run(
            project
                .cargo(Workspace::FileSystem)
                .args(["test", "--locked"]),
        )?;
    }
    Ok(())
}
