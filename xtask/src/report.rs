//! `report`: measures the protected file system and writes figures and tables for `docs/benchmarks.md`.
//!
//! The measurements are kept beside them, so that whoever doubts a bar finds its number.

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::bench::{self, FOLDER};
use crate::command;
use crate::project::{Project, Workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// Measure nothing, only draw what was measured before.
    #[arg(long)]
    draw: bool,
}

/// Sizes of the files that are read, in MiB: one that every cache holds, and one that only the kernel's holds.
const SIZES: &str = "256,2048";

/// Measures, and writes figures and tables.
///
/// # Errors
/// If a benchmark fails, or the figures cannot be written.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let folder = project.path(FOLDER);
    let measurements = folder.join("fs.jsonl");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    if !options.draw {
        match fs::remove_file(&measurements) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).context(measurements.display().to_string());
            }
            _ => {}
        }
        for arguments in [["bench", "--bench", "speed"], ["test", "--test", "sqlite"]] {
            command::run(
                project
                    .cargo(Workspace::FileSystem)
                    .args(arguments)
                    .arg("--locked")
                    .env("TWINE_BENCH_MIB", SIZES)
                    .env("TWINE_RESULTS", &measurements),
            )?;
        }
    }
    bench::draw(project)
}
