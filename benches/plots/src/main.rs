//! `twine-plots`: the figures and tables of `docs/benchmarks`, from recorded measurements.
//!
//! ```text
//! fs.jsonl ──► results ──┬──► figure ──► fs-time.svg, fs-sqlite.svg
//!                        └──► tables ──► fs.md
//! ```
//!
//! It measures nothing: benchmarks append lines to the file that `TWINE_RESULTS` names, `cargo xtask report` does both.

mod figure;
mod results;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

use figure::{Bar, Panel, Role};
use results::Results;

/// Draws the file system's figures and writes its tables.
#[derive(Parser)]
struct Options {
    /// What was measured: a line of JSON each.
    measurements: PathBuf,
    /// Where figures and tables go.
    folder: PathBuf,
}

/// SQLite's journal modes, in the order of the table.
const MODES: [&str; 5] = ["delete", "truncate", "persist", "wal", "memory"];

/// What the tables begin with.
const HEAD: &str = "# What the file system costs\n\n\
    Written by `cargo xtask report` from the measurements in [fs.jsonl](fs.jsonl); \
    [benchmarks.md](../benchmarks.md) says what they mean.\n\n";

fn main() -> Result<()> {
    let options = Options::parse();
    let results = Results::load(&options.measurements)?;
    let groups = results.groups("ratio");
    ensure!(
        !groups.is_empty(),
        "no times were measured; run all benchmarks"
    );
    let mut tables = HEAD.to_owned();
    let panels = groups
        .into_iter()
        .map(|group| times(&results, group, &mut tables))
        .collect::<Result<Vec<_>>>()?;
    figure::draw(&options.folder.join("fs-time.svg"), &panels)?;
    let panels = [
        ("blocks", "blocks written by one transaction of SQLite"),
        ("flushes", "flushes of one transaction of SQLite"),
    ]
    .map(|(what, title)| counts(&results, what, title, &mut tables));
    let panels = panels.into_iter().collect::<Result<Vec<_>>>()?;
    figure::draw(&options.folder.join("fs-sqlite.svg"), &panels)?;
    let path = options.folder.join("fs.md");
    fs::write(&path, tables.trim_end().to_owned() + "\n")
        .with_context(|| path.display().to_string())
}

/// The times of one group as multiples of its first variant; adds the table as well.
fn times(results: &Results, group: &str, tables: &mut String) -> Result<Panel> {
    writeln!(
        tables,
        "| `{group}` | median | best | ratio |\n|---|---|---|---|"
    )?;
    let mut bars = Vec::new();
    for found in results.variants(group) {
        let variant = &found.variant;
        let [median, best, ratio] = ["median_ns", "best_ns", "ratio"].map(|name| found.value(name));
        let (median, best, ratio) = (median?, best?, ratio?);
        let (median, best) = (time(median), time(best));
        writeln!(tables, "| `{variant}` | {median} | {best} | {ratio:.2} |")?;
        bars.push(Bar {
            label: variant.clone(),
            value: ratio,
            note: format!("{ratio:.2}x  ({median})"),
            role: match variant {
                _ if bars.is_empty() => Role::Baseline,
                _ if variant.starts_with("volume") || variant.starts_with("shared") => {
                    Role::Subject
                }
                _ => Role::Other,
            },
        });
    }
    tables.push('\n');
    Ok(Panel {
        title: group.to_owned(),
        bars,
    })
}

/// What SQLite asked for, and what reached the disk, in each journal mode.
fn counts(results: &Results, what: &str, title: &str, tables: &mut String) -> Result<Panel> {
    writeln!(
        tables,
        "| {title}, in journal mode | asked of a plain file | done by a volume |\n|---|---|---|"
    )?;
    let mut bars = Vec::new();
    for mode in MODES {
        let of = |variant| {
            results
                .variant(&format!("fs/sqlite/{mode}"), variant)?
                .value(what)
        };
        let (asked, volume) = (of("asked")?, of("volume")?);
        let name = mode.to_uppercase();
        writeln!(tables, "| {name} | {asked:.2} | {volume:.2} |")?;
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
    tables.push('\n');
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
