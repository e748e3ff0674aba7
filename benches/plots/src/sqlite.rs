//! SQLite: sums of the speed test, and lines of the paper's micro-benchmark.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use crate::canvas;
use crate::chart::{Lines, Stacks};
use crate::group::Group;

/// The parts of the micro-benchmark.
const PARTS: [(&str, &str); 3] = [
    ("insert", "insert, one transaction"),
    ("sequential", "read in their order"),
    ("random", "read at random"),
];

/// What the model of Intel's file system spends its time on.
const SPENT: [&str; 4] = ["host", "clearing", "copying", "cipher"];

/// Returns the speed test's table: the sum of each test's best time.
pub(crate) fn speedtest1(group: &Group) -> Result<String> {
    let mut text = String::new();
    for (place, title) in [("memory", "in memory"), ("file", "in a file")] {
        let prefix = format!("speedtest1/{place}/");
        let sum = |variant: &str| -> f64 {
            let rows = group.rows.iter().filter(|row| row.variant == variant);
            let tests = rows.filter(|row| row.subject.starts_with(&prefix));
            let tests = tests.filter(|row| !row.subject.ends_with("/total"));
            tests.filter_map(|row| row.best).sum()
        };
        let tests = group.subjects(&prefix).len().saturating_sub(1);
        writeln!(
            text,
            "| speedtest1 {title}, {tests} tests | sum of the tests' best | against clang | against gcc |\n|---|---|---|---|"
        )?;
        let (clang, gcc) = (sum("native/clang"), sum("native/gcc"));
        for variant in group.variants(&prefix) {
            let time = sum(variant);
            let (to_clang, to_gcc) = (time / clang, time / gcc);
            let time = canvas::time(time * 1e6);
            writeln!(
                text,
                "| `{variant}` | {time} | {to_clang:.2} | {to_gcc:.2} |"
            )?;
        }
        text.push('\n');
    }
    if !group.subjects("sqlite/transaction/").is_empty() {
        text += "| a transaction of one row asks the host for | calls | writes | flushes |\n|---|---|---|---|\n";
        for variant in group.variants("sqlite/transaction/") {
            write!(text, "| `{variant}` |")?;
            for what in ["calls", "writes", "flushes"] {
                let row = group.row(&format!("sqlite/transaction/{what}"), variant);
                let value = row.and_then(|row| row.median).unwrap_or(f64::NAN);
                write!(text, " {value:.2} |")?;
            }
            text.push('\n');
        }
        text.push('\n');
    }
    Ok(text + &group.origin("speedtest1"))
}

/// Draws the micro-benchmark's charts and returns its tables.
///
/// # Errors
/// If a chart cannot be written.
pub(crate) fn records(folder: &Path, group: &Group) -> Result<String> {
    let mut text = String::new();
    for (part, title) in PARTS {
        let prefix = format!("records/{part}/");
        let counts = group.subjects(&prefix);
        if counts.is_empty() {
            continue;
        }
        writeln!(text, "| {title}, time a record | {} |", counts.join(" | "))?;
        writeln!(text, "|---|{}", "---|".repeat(counts.len()))?;
        let mut lines = Vec::new();
        for variant in group.variants(&prefix) {
            write!(text, "| `{variant}` |")?;
            let mut points = Vec::new();
            for count in &counts {
                let row = group.row(&format!("{prefix}{count}"), variant);
                let time = row.and_then(|row| row.median).unwrap_or(f64::NAN);
                write!(text, " {} |", canvas::time(time))?;
                points.push((count.parse::<f64>()? / 1e3, time / 1e3));
            }
            text.push('\n');
            lines.push((variant.to_owned(), points));
        }
        let name = format!("records-{part}");
        let chart = Lines {
            title: format!("SQLite, records of 1,000 bytes: {title}"),
            x_axis: "thousands of records".to_owned(),
            y_axis: "us a record".to_owned(),
            lines,
        };
        canvas::draw(folder, &name, chart.size(), &chart)?;
        writeln!(text, "\n![{title}](benchmarks/{name}.svg)\n")?;
    }
    text += &breakdown(folder, group)?;
    Ok(text + &group.origin("records"))
}

/// Where a random read spends its time, with the most records.
fn breakdown(folder: &Path, group: &Group) -> Result<String> {
    let Some(count) = group.subjects("records/random/").last().copied() else {
        return Ok(String::new());
    };
    let subject = format!("records/random/{count}");
    let time = |variant| group.row(&subject, variant).and_then(|row| row.median);
    let (Some(enclosed), Some(native)) = (time("twine/memory"), time("native/memory")) else {
        return Ok(String::new());
    };
    let mut bars = Vec::new();
    for row in group.of(&subject).filter(|row| row.variant.contains('/')) {
        let Some(all) = row.median else { continue };
        let is_native = row.variant.starts_with("native/");
        let memory = if is_native { native } else { enclosed };
        let mut parts: Vec<f64> = SPENT
            .iter()
            .filter_map(|part| {
                let spent = group.row(&format!("records/random-{part}/{count}"), &row.variant);
                spent.and_then(|spent| spent.median)
            })
            .collect();
        // A file system of ours is one part: what it takes beyond the same work in memory.
        let files = all - parts.iter().sum::<f64>() - memory;
        let computing = memory.min(all);
        parts.resize(SPENT.len(), 0.0);
        let stack = [vec![computing, files.max(0.0)], parts].concat();
        bars.push((
            row.variant.clone(),
            stack.into_iter().map(|ns| ns / 1e3).collect(),
        ));
    }
    let chart = Stacks {
        title: format!("Where a random read among {count} records spends its time"),
        axis: "us".to_owned(),
        parts: [
            "SQLite and the engine",
            "file system, not told apart",
            "exits and the host",
            "clearing",
            "copying",
            "cipher",
        ]
        .map(str::to_owned)
        .into(),
        bars,
    };
    canvas::draw(folder, "records-breakdown", chart.size(), &chart)?;
    Ok(BREAKDOWN.to_owned())
}

/// What stands below the breakdown's figure.
const BREAKDOWN: &str = "![Where a random read spends its time](benchmarks/records-breakdown.svg)\n\n\
    Computing is what the same work in memory takes, natively or in an enclave; the parts of the models are measured in them.\n\n";
