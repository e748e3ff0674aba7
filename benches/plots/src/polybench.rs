//! `PolyBench`: a table of means and worst kernels, and a chart of all kernels, for each size.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use crate::canvas;
use crate::chart::Dots;
use crate::group::{Group, Row, geometric_mean};

/// Sizes in the order of the document.
const SIZES: [&str; 4] = ["MINI", "SMALL", "MEDIUM", "LARGE"];

/// How many of the worst kernels are named.
const WORST: usize = 3;

/// Where the chart's axis ends: what is slower is drawn there.
const SLOWEST: f64 = 5.0;

/// Draws the charts and returns the tables.
///
/// # Errors
/// If a chart cannot be written.
pub(crate) fn write(folder: &Path, group: &Group) -> Result<String> {
    let mut text = String::new();
    for size in SIZES {
        let prefix = format!("polybench/{size}/");
        let kernels: Vec<&str> = group
            .subjects(&prefix)
            .into_iter()
            .filter(|name| *name != MEAN)
            .collect();
        if kernels.is_empty() {
            continue;
        }
        writeln!(
            text,
            "| {size}, {} kernels | mean against clang | against gcc | worst kernels, against clang |\n|---|---|---|---|",
            kernels.len()
        )?;
        for variant in group.variants(&prefix) {
            text += &line(group, &prefix, variant);
        }
        let name = format!("polybench-{}", size.to_lowercase());
        let chart = dots(group, &prefix, size, &kernels);
        canvas::draw(folder, &name, chart.size(), &chart)?;
        writeln!(text, "\n![{size}: every kernel](benchmarks/{name}.svg)\n")?;
    }
    Ok(text + &group.origin("polybench"))
}

const MEAN: &str = "geometric-mean";

fn line(group: &Group, prefix: &str, variant: &str) -> String {
    let mut of: Vec<&Row> = group
        .rows
        .iter()
        .filter(|row| row.variant == variant && row.subject.starts_with(prefix))
        .filter(|row| !row.subject.ends_with(MEAN))
        .collect();
    let mean = geometric_mean(of.iter().filter_map(|row| row.ratio));
    let gcc = geometric_mean(of.iter().filter_map(|row| {
        let gcc = group.row(&row.subject, "gcc")?;
        Some(row.median? / gcc.median?)
    }));
    of.sort_by(|a, b| b.ratio.unwrap_or(0.0).total_cmp(&a.ratio.unwrap_or(0.0)));
    let worst = of.iter().take(WORST).map(|row| {
        let kernel = row.subject.strip_prefix(prefix).unwrap_or(&row.subject);
        format!("{kernel} {:.2}", row.ratio.unwrap_or(f64::NAN))
    });
    let worst = worst.collect::<Vec<_>>().join(", ");
    let gcc = if gcc.is_nan() {
        String::new()
    } else {
        format!("{gcc:.2}")
    };
    format!("| `{variant}` | {mean:.2} | {gcc} | {worst} |\n")
}

fn dots(group: &Group, prefix: &str, size: &str, kernels: &[&str]) -> Dots {
    let variants = group.variants(prefix);
    let shown: Vec<String> = variants
        .into_iter()
        .filter(|variant| *variant != "clang")
        .map(str::to_owned)
        .collect();
    let row = |kernel: &str| {
        let subject = format!("{prefix}{kernel}");
        let values = shown
            .iter()
            .map(|variant| group.row(&subject, variant)?.ratio);
        (kernel.to_owned(), values.collect::<Vec<_>>())
    };
    let mut rows: Vec<_> = kernels.iter().map(|kernel| row(kernel)).collect();
    let means = shown.iter().map(|variant| {
        let mean = group.row(&format!("{prefix}{MEAN}"), variant);
        mean.and_then(|mean| mean.median)
    });
    rows.push(("mean".to_owned(), means.collect()));
    let values = rows.iter().flat_map(|(_, values)| values.iter().flatten());
    let most = values.copied().fold(1.0, f64::max);
    Dots {
        title: format!("PolyBench {size}: time as a multiple of native code's (clang -O3)"),
        axis: format!("times native; what takes more than {SLOWEST} is drawn at {SLOWEST}"),
        variants: shown,
        rows,
        end: (most * 1.05).min(SLOWEST),
    }
}
