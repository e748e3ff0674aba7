//! `twine-plots`: draws the figures of `docs/benchmarks.md` and prints its tables.
//!
//! ```text
//! measurements.jsonl ──► results ──┬──► figure ──► *.svg
//!                                  └──► tables on the terminal
//! ```
//!
//! It measures nothing: benchmarks append lines to the file that `TWINE_RESULTS` names, `cargo xtask report` does both.

#![expect(clippy::print_stdout, reason = "a program that prints tables")]

mod figure;
mod results;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Parser;

use figure::{Bar, Panel, Role};
use results::Results;

/// Draws the file system's figures and prints its tables.
#[derive(Parser)]
struct Options {
    /// What was measured: a line of JSON each.
    measurements: PathBuf,
    /// Where the figures go.
    folder: PathBuf,
}

/// SQLite's journal modes, in the order of the table.
const MODES: [&str; 5] = ["delete", "truncate", "persist", "wal", "memory"];

fn main() -> Result<()> {
    let options = Options::parse();
    let results = Results::load(&options.measurements)?;
    let groups = results.groups("ratio");
    ensure!(
        !groups.is_empty(),
        "no times were measured; run all benchmarks"
    );
    let panels = groups
        .into_iter()
        .map(|group| times(&results, group))
        .collect::<Result<Vec<_>>>()?;
    figure::draw(&options.folder.join("fs-time.svg"), &panels)?;
    let panels = [
        counts(
            &results,
            "blocks",
            "blocks written by one transaction of SQLite",
        )?,
        counts(&results, "flushes", "flushes of one transaction of SQLite")?,
    ];
    figure::draw(&options.folder.join("fs-sqlite.svg"), &panels)?;
    Ok(())
}

/// The times of one group as multiples of its first variant; prints the table as well.
fn times(results: &Results, group: &str) -> Result<Panel> {
    println!("| `{group}` | median | best | ratio |\n|---|---|---|---|");
    let mut bars = Vec::new();
    for found in results.variants(group) {
        let variant = &found.variant;
        let [median, best, ratio] = ["median_ns", "best_ns", "ratio"].map(|name| found.value(name));
        let (median, best, ratio) = (median?, best?, ratio?);
        println!(
            "| `{variant}` | {} | {} | {ratio:.2} |",
            time(median),
            time(best)
        );
        bars.push(Bar {
            label: variant.clone(),
            value: ratio,
            note: format!("{ratio:.2}x  ({})", time(median)),
            role: match variant {
                _ if bars.is_empty() => Role::Baseline,
                _ if variant.starts_with("volume") => Role::Subject,
                _ => Role::Other,
            },
        });
    }
    println!();
    Ok(Panel {
        title: group.to_owned(),
        bars,
    })
}

/// What SQLite asked for, and what reached the disk, in each journal mode.
fn counts(results: &Results, what: &str, title: &str) -> Result<Panel> {
    println!("| journal mode | {what} asked for | {what} |\n|---|---|---|");
    let mut bars = Vec::new();
    for mode in MODES {
        let of = |variant| {
            results
                .variant(&format!("fs/sqlite/{mode}"), variant)?
                .value(what)
        };
        let (asked, volume) = (of("asked")?, of("volume")?);
        let name = mode.to_uppercase();
        println!("| {name} | {asked:.2} | {volume:.2} |");
        for (file, value, role) in [
            ("plain file", asked, Role::Baseline),
            ("volume", volume, Role::Subject),
        ] {
            bars.push(Bar {
                label: format!("{name}, {file}"),
                note: format!("{value:.2}"),
                value,
                role,
            });
        }
    }
    println!();
    Ok(Panel {
        title: title.to_owned(),
        bars,
    })
}

/// Nanoseconds with three digits and a unit that a reader can take in.
fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.2} us", ns / 1e3),
        ns => format!("{:.2} ms", ns / 1e6),
    }
}
