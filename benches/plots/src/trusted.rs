//! What has to be trusted, counted by `cargo xtask tcb --json`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// The part of the report that is told here.
#[derive(Deserialize)]
struct Report {
    crates: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    role: String,
    code: u64,
    unsafe_blocks: u64,
}

/// Returns a table of the lines that are trusted, if they were counted.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn table(folder: &Path) -> Result<Option<String>> {
    let path = folder.join("trusted.json");
    if !path.exists() {
        return Ok(None);
    }
    let shown = || path.display().to_string();
    let text = fs::read_to_string(&path).with_context(shown)?;
    let report: Report = serde_json::from_str(&text).with_context(shown)?;
    let mut text = String::from(
        "| inside the image | packages | lines of code | `unsafe` blocks |\n|---|---|---|---|\n",
    );
    for (role, title) in [("own", "ours"), ("foreign", "of others")] {
        let of: Vec<&Package> = report
            .crates
            .iter()
            .filter(|found| found.role == role)
            .collect();
        let code: u64 = of.iter().map(|package| package.code).sum();
        let blocks: u64 = of.iter().map(|package| package.unsafe_blocks).sum();
        text += &format!("| {title} | {} | {code} | {blocks} |\n", of.len());
    }
    Ok(Some(
        text + "\n`cargo xtask tcb` counts, package by package.\n",
    ))
}
