//! `twine-bench`: what Twine costs, as ratios against a baseline that runs interleaved in the same process or beside it.
//!
//! | subject | question | baseline |
//! |---|---|---|
//! | `border/ping` | what does entering and leaving cost? | a system call |
//! | `border/host_call` | what does an empty host call cost? | a system call |
//! | `launch/hello` | what does a whole launch cost, in one process? | a process that does nothing |
//! | `launch/trap` | what does a trap with its backtrace add? | `launch/hello` |
//! | `sqlite/speedtest1` | what does SQLite's work cost in a protected file, and in an enclave? | in memory there; natively |
//! | `process/hello` | from process start to exit, module cached? | the same program, native |
//!
//! Everything runs on the emulator; on silicon a transition costs microseconds. Absolute times of shared machines mean
//! little; quote the ratio, which is the median over pairs.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

mod border;
mod launches;
mod measure;
mod processes;
mod sqlite;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

use measure::Row;

/// Measures what Twine costs.
#[derive(Parser)]
struct Options {
    /// Which rows: border, launch, process, sqlite [default: all]
    groups: Vec<String>,
    /// A tenth of the rounds.
    #[arg(long)]
    quick: bool,
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// The program `twine`, release build, for the rows `process/…`.
    #[arg(long, default_value = "target/release/twine")]
    twine: PathBuf,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let rounds = if options.quick { 10 } else { 100 };
    let wanted = |group| options.groups.is_empty() || options.groups.iter().any(|g| g == group);
    let mut rows = Vec::new();
    if wanted("border") {
        rows.extend(border::rows(rounds)?);
    }
    if wanted("launch") {
        rows.extend(launches::rows(rounds)?);
    }
    if wanted("process") {
        rows.extend(processes::rows(&options.twine, rounds)?);
    }
    if wanted("sqlite") {
        rows.extend(sqlite::rows(rounds)?);
    }
    if options.json {
        let rows: Vec<_> = rows.iter().map(Row::to_json).collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        println!("{}", Row::HEAD);
        rows.iter().for_each(|row| println!("{row}"));
        if wanted("sqlite") {
            print!("\n{}", sqlite::calls()?);
        }
    }
    Ok(())
}
