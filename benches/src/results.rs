//! Results on disk: for each group a file of JSON, which says on what machine and by which command, and the same rows as CSV.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::contest::{Effort, Row};
use crate::machine::Machine;

/// What is kept of a group.
#[derive(Serialize)]
struct Results<'a> {
    command: &'a str,
    machine: &'a Machine,
    /// Whether rounds were saved: such figures are for a first look.
    quick: bool,
    rows: &'a [Row],
}

/// Writes a group's results into `folder`, over what was measured before.
///
/// # Errors
/// If a file cannot be written.
pub(crate) fn write(
    folder: &Path,
    group: &str,
    command: &str,
    machine: &Machine,
    effort: Effort,
    rows: &[Row],
) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let results = Results {
        command,
        machine,
        quick: effort == Effort::Quick,
        rows,
    };
    let path = folder.join(format!("{group}.json"));
    fs::write(&path, serde_json::to_string_pretty(&results)? + "\n")
        .with_context(|| path.display().to_string())?;
    let path = folder.join(format!("{group}.csv"));
    let mut table = csv::Writer::from_path(&path).with_context(|| path.display().to_string())?;
    for row in rows {
        table.serialize(row)?;
    }
    table.flush().with_context(|| path.display().to_string())
}
