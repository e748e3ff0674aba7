//! The protected file system: figures and the tables of `fs.md`, from lines of JSON that its own benchmarks and tests append.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::bars::{self, Bar, Panel, Role};
use crate::canvas;
use crate::results::Results;

/// SQLite's journal modes, in the order of the table.
const MODES: [&str; 5] = ["delete", "truncate", "persist", "wal", "memory"];

/// What the tables begin with.
const HEAD: &str = "# What the file system costs\n\n\
    Written by `cargo xtask report` from the measurements in [fs.jsonl](fs.jsonl); \
    [benchmarks.md](../benchmarks.md) says what they mean.\n\n";

/// Draws the figures and writes the tables, if there are measurements.
///
/// # Errors
/// If they are not complete, or a file cannot be written.
pub(crate) fn write(folder: &Path) -> Result<()> {
    let measurements = folder.join("fs.jsonl");
    if !measurements.exists() {
        return Ok(());
    }
    let results = Results::load(&measurements)?;
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
    bars::draw(folder, "fs-time", &panels)?;
    let panels = [
        ("blocks", "blocks written by one transaction of SQLite"),
        ("flushes", "flushes of one transaction of SQLite"),
    ]
    .map(|(what, title)| counts(&results, what, title, &mut tables));
    let panels = panels.into_iter().collect::<Result<Vec<_>>>()?;
    bars::draw(folder, "fs-sqlite", &panels)?;
    let path = folder.join("fs.md");
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
        let (median, best) = (canvas::time(median), canvas::time(best));
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
