//! Interleaved measuring: all variants in turn, so that a machine whose speed drifts drifts for all of them.

use std::time::{Duration, Instant};

use crate::results;

/// Something to be measured: its name, and one operation.
pub(crate) type Variant<'a> = (&'a str, Box<dyn FnMut(u64) + 'a>);

/// Runs all variants in turns, after one round that does not count, and prints for each the median and the best time of
/// one operation, and the median of the rounds' ratios to the first variant. Rounds of a millisecond are the fairest: where
/// other programs run, longer ones meet them more often than not, and slow variants more often than fast ones.
pub(crate) fn compare(group: &str, operations: u32, rounds: usize, mut variants: Vec<Variant<'_>>) {
    let mut times = vec![Vec::new(); variants.len()];
    let mut choice = 0u64;
    for round in 0..=rounds {
        for (times, (_, operation)) in times.iter_mut().zip(&mut variants) {
            let start = Instant::now();
            for _ in 0..operations {
                choice = choice
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                operation(choice >> 20);
            }
            if round > 0 {
                times.push((start.elapsed() / operations).as_secs_f64() * 1e9);
            }
        }
    }
    for ((name, _), subject) in variants.iter().zip(&times) {
        let middle = median(subject);
        let best = subject.iter().copied().fold(f64::INFINITY, f64::min);
        let pairs: Vec<f64> = subject
            .iter()
            .zip(&times[0])
            .map(|(subject, first)| subject / first)
            .collect();
        let ratio = median(&pairs);
        let [shown, shown_best] = [middle, best].map(|ns| Duration::from_secs_f64(ns / 1e9));
        println!("{group}/{name:<28} {shown:>10.2?} (best {shown_best:.2?})  {ratio:.2}x");
        let values = [("median_ns", middle), ("best_ns", best), ("ratio", ratio)];
        results::append(group, name, &values);
    }
    println!();
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
