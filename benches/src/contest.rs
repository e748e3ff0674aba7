//! Interleaved measuring: all variants of a subject in turn, round by round, so that a machine whose speed drifts drifts for
//! all of them.
//!
//! ```text
//!   round 0 (does not count):  a b c
//!   round 1:                   b c a        each variant leads and follows every other
//!   round 2:                   c a b
//! ```
//!
//! The first variant is the baseline. A ratio is the median of the rounds' ratios, not the ratio of medians.

use std::fmt;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// What one variant of a subject cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) subject: String,
    pub(crate) variant: String,
    pub(crate) unit: &'static str,
    pub(crate) rounds: usize,
    pub(crate) median: f64,
    pub(crate) best: f64,
    /// The middle half of the rounds lies between these.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Against the subject's first variant, in the same round.
    pub(crate) ratio: f64,
    pub(crate) ratio_low: f64,
    pub(crate) ratio_high: f64,
}

/// How much time measuring may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Effort {
    /// Minutes: for a first look.
    Quick,
    /// Hours.
    Full,
}

/// What is measured, in one unit.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
}

/// Does a variant's work once and returns a value for each subject.
type Work<'a> = Box<dyn FnMut() -> Result<Vec<f64>> + 'a>;

/// Variants that are compared with each other.
pub(crate) struct Contest<'a> {
    subjects: Vec<Subject>,
    variants: Vec<(String, Work<'a>)>,
}

impl<'a> Contest<'a> {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str) -> Self {
        let name = name.into();
        Self::of(vec![Subject { name, unit }])
    }

    /// A contest in which one piece of work is measured in several ways.
    pub(crate) const fn of(subjects: Vec<Subject>) -> Self {
        Self {
            subjects,
            variants: Vec::new(),
        }
    }

    /// Adds a variant that measures itself.
    pub(crate) fn variant(
        mut self,
        name: impl Into<String>,
        work: impl FnMut() -> Result<Vec<f64>> + 'a,
    ) -> Self {
        self.variants.push((name.into(), Box::new(work)));
        self
    }

    /// Adds a variant that is timed from here, and does the same `repeat` times.
    pub(crate) fn timed(
        self,
        name: impl Into<String>,
        repeat: u32,
        mut work: impl FnMut() -> Result<()> + 'a,
    ) -> Self {
        let per_second = match self.subjects.first().map(|subject| subject.unit) {
            Some("ns") => 1e9,
            Some("ms") => 1e3,
            _ => 1.0,
        };
        self.variant(name, move || {
            let start = Instant::now();
            work()?;
            Ok(vec![
                start.elapsed().as_secs_f64() * per_second / f64::from(repeat),
            ])
        })
    }

    /// Measures.
    ///
    /// # Errors
    /// A variant's, with its name.
    pub(crate) fn run(mut self, rounds: usize) -> Result<Vec<Row>> {
        let bar = self.bar(rounds)?;
        let count = self.variants.len();
        let mut values = vec![Vec::with_capacity(rounds); count];
        for round in 0..=rounds {
            for turn in 0..count {
                let at = (round + turn) % count;
                let Some((name, work)) = self.variants.get_mut(at) else {
                    continue;
                };
                bar.set_message(name.clone());
                let measured = work().with_context(|| format!("the variant {name}"))?;
                ensure!(
                    measured.len() == self.subjects.len(),
                    "{name} measured {} values of {}",
                    measured.len(),
                    self.subjects.len()
                );
                if let Some(kept) = values.get_mut(at).filter(|_| round > 0) {
                    kept.push(measured);
                }
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(self.rows(&values))
    }

    fn bar(&self, rounds: usize) -> Result<ProgressBar> {
        let steps = (rounds + 1) * self.variants.len();
        let style =
            ProgressStyle::with_template("{prefix:32} {bar:30} {pos:>4}/{len} {msg} {elapsed}")?;
        let name = self.subjects.first().map(|subject| subject.name.clone());
        let bar = ProgressBar::new(u64::try_from(steps)?).with_style(style);
        Ok(bar.with_prefix(name.unwrap_or_default()))
    }

    fn rows(&self, values: &[Vec<Vec<f64>>]) -> Vec<Row> {
        let mut rows = Vec::new();
        for (index, subject) in self.subjects.iter().enumerate() {
            let of = |variant: &[Vec<f64>]| -> Vec<f64> {
                let found = variant.iter().filter_map(|round| round.get(index));
                found.copied().collect()
            };
            let baseline = values.first().map(|first| of(first)).unwrap_or_default();
            for ((variant, _), measured) in self.variants.iter().zip(values) {
                rows.push(Row::new(subject, variant, &of(measured), &baseline));
            }
        }
        rows
    }
}

impl Row {
    /// A row of measured values, the baseline's of the same rounds beside them.
    pub(crate) fn new(subject: &Subject, variant: &str, values: &[f64], baseline: &[f64]) -> Self {
        let pairs = values.iter().zip(baseline);
        // What is compared with itself is 1, also where it took no time at all.
        let ratio = |(value, base): (&f64, &f64)| if value == base { 1.0 } else { value / base };
        let ratios: Vec<f64> = pairs.map(ratio).collect();
        Self {
            subject: subject.name.clone(),
            variant: variant.to_owned(),
            unit: subject.unit,
            rounds: values.len(),
            median: quantile(values, 0.5),
            best: quantile(values, 0.0),
            low: quantile(values, 0.25),
            high: quantile(values, 0.75),
            ratio: quantile(&ratios, 0.5),
            ratio_low: quantile(&ratios, 0.25),
            ratio_high: quantile(&ratios, 0.75),
        }
    }

    /// A row of a value that was counted, or measured once.
    pub(crate) fn single(subject: &str, variant: &str, unit: &'static str, value: f64) -> Self {
        let name = subject.to_owned();
        Self::new(&Subject { name, unit }, variant, &[value], &[value])
    }

    pub(crate) const HEAD: &'static str = "subject                              variant                        median unit       ratio  middle half";
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<36} {:<26} {:>10.2} {:<6} {:>9.3}  {:.3} to {:.3}",
            self.subject,
            self.variant,
            self.median,
            self.unit,
            self.ratio,
            self.ratio_low,
            self.ratio_high
        )
    }
}

/// The value below which `part` of all values lie; not a number without values.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a length is no longer than the length"
    )]
    let at = (part * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// The geometric mean; not a number without values.
pub(crate) fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count): (f64, f64), value| {
        (sum + value.ln(), count + 1.0)
    });
    (sum / count).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_round_does_not_count_and_the_first_variant_is_the_measure() {
        let (mut slow, mut fast) = (0.0, 0.0);
        let rows = Contest::new("a", "ns")
            .variant("base", || {
                slow += 2.0;
                Ok(vec![slow])
            })
            .variant("other", || {
                fast += 1.0;
                Ok(vec![fast])
            })
            .run(3)
            .unwrap();
        assert_eq!(
            (rows[0].median, rows[0].best, rows[0].rounds),
            (6.0, 4.0, 3)
        );
        assert!((rows[1].ratio - 0.5).abs() < 1e-9);
    }

    #[test]
    fn the_middle_of_values_is_one_of_them() {
        assert!((quantile(&[3.0, 1.0, 2.0], 0.5) - 2.0).abs() < 1e-9);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn the_geometric_mean_of_a_factor_and_its_inverse_is_one() {
        assert!((geometric_mean([4.0, 0.25].into_iter()) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_variant_that_fails_is_named() {
        let contest = Contest::new("a", "ns").variant("breaks", || anyhow::bail!("no"));
        let error = contest.run(1).unwrap_err();
        assert_eq!(format!("{error:#}"), "the variant breaks: no");
    }
}
