//! Interleaved measuring: subject and baseline in turn, so that a machine whose speed drifts drifts for both.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;

/// What one subject cost beside its baseline.
pub(crate) struct Row {
    name: &'static str,
    unit: Unit,
    /// Medians, and the median of the pairs' ratios.
    subject: f64,
    baseline: f64,
    ratio: f64,
    against: &'static str,
}

/// What a row counts.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Nanoseconds,
    Milliseconds,
    Mebibytes,
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Milliseconds => "ms",
            Self::Mebibytes => "MiB",
        }
    }

    fn of(self, time: Duration) -> f64 {
        match self {
            Self::Nanoseconds => time.as_secs_f64() * 1e9,
            Self::Milliseconds | Self::Mebibytes => time.as_secs_f64() * 1e3,
        }
    }
}

/// Names a row: the subject, what it is compared with, and the unit.
#[derive(Clone, Copy)]
pub(crate) struct Title {
    pub(crate) name: &'static str,
    pub(crate) against: &'static str,
    pub(crate) unit: Unit,
}

/// Runs subject and baseline in turn, after one round that does not count. Both do their work `repeat` times a round.
pub(crate) fn compare(
    title: Title,
    rounds: usize,
    repeat: u32,
    mut subject: impl FnMut() -> Result<()>,
    mut baseline: impl FnMut() -> Result<()>,
) -> Result<Row> {
    subject()?;
    baseline()?;
    let mut pairs = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let pair = (timed(&mut subject)?, timed(&mut baseline)?);
        pairs.push((
            title.unit.of(pair.0 / repeat),
            title.unit.of(pair.1 / repeat),
        ));
    }
    Ok(Row::new(title, &pairs))
}

fn timed(work: &mut impl FnMut() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

impl Row {
    pub(crate) const HEAD: &'static str =
        "subject                        median   unit    baseline      ratio  against";

    pub(crate) fn new(title: Title, pairs: &[(f64, f64)]) -> Self {
        Self {
            name: title.name,
            unit: title.unit,
            subject: median(pairs.iter().map(|pair| pair.0)),
            baseline: median(pairs.iter().map(|pair| pair.1)),
            ratio: median(pairs.iter().map(|pair| pair.0 / pair.1)),
            against: title.against,
        }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "subject": self.name,
            "unit": self.unit.name(),
            "median": self.subject,
            "baseline": self.baseline,
            "ratio": self.ratio,
            "against": self.against,
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<24} {:>12.2}   {:<4} {:>11.2} {:>10.2}  {}",
            self.name,
            self.subject,
            self.unit.name(),
            self.baseline,
            self.ratio,
            self.against
        )
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
