//! `twine-plots`: figures and tables of `docs/benchmarks.md`, from recorded measurements.
//!
//! ```text
//! fs.jsonl ───────► fs ───────────────► fs-*.svg, fs-*.png, fs.md
//! <group>.json ───► polybench, sqlite ► <group>-*.svg, <group>-*.png ─┐
//!                   plain, trusted ───────────────────────────────────┴► tables between the marks of the document
//! ```
//!
//! It measures nothing: `cargo xtask bench` and `cargo xtask report` do, and then call it.

mod bars;
mod canvas;
mod chart;
mod document;
mod fs;
mod group;
mod plain;
mod polybench;
mod results;
mod sqlite;
mod trusted;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser;

use group::Group;

/// Draws figures and writes tables.
#[derive(Parser)]
struct Options {
    /// Where measurements are, and where figures go.
    folder: PathBuf,
    /// The document that the tables stand in.
    document: PathBuf,
}

/// Groups that are tables and nothing else.
const PLAIN: [&str; 4] = ["border", "launch", "process", "costs"];

fn main() -> Result<()> {
    let Options { folder, document } = Options::parse();
    fs::write(&folder)?;
    let shown = || document.display().to_string();
    let mut text = std::fs::read_to_string(&document).with_context(shown)?;
    let polybench = Group::load(&folder, "polybench")?;
    let polybench = polybench.map(|group| polybench::write(&folder, &group));
    text = document::fill(&text, "polybench", polybench.transpose()?.as_deref())?;
    let speedtest1 = Group::load(&folder, "speedtest1")?;
    let speedtest1 = speedtest1.map(|group| sqlite::speedtest1(&group));
    text = document::fill(&text, "speedtest1", speedtest1.transpose()?.as_deref())?;
    let records = Group::load(&folder, "records")?;
    let records = records.map(|group| sqlite::records(&folder, &group));
    text = document::fill(&text, "records", records.transpose()?.as_deref())?;
    for name in PLAIN {
        let group = Group::load(&folder, name)?;
        let table = group.map(|group| plain::table(name, &group));
        text = document::fill(&text, name, table.transpose()?.as_deref())?;
    }
    text = document::fill(&text, "trusted", trusted::table(&folder)?.as_deref())?;
    std::fs::write(&document, text).with_context(shown)
}
