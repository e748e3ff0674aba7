//! The border under attack: interrupted at every instruction, its registers and memory accesses looked at, its pages taken
//! away. On the platform that the tests of the whole run on.
//!
//! `TWINE_ROUND` chooses another seed and a longer run than `cargo test`'s, which is round 0; `cargo xtask torture pages stepping` sets it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod costs;
mod pages;
mod siege;
mod stepping;

use std::env;
use std::io::{self, Write as _};

/// Which run this is.
fn round() -> u64 {
    env::var("TWINE_ROUND").map_or(0, |round| round.parse().expect("TWINE_ROUND is a number"))
}

/// Says on the real standard output, which the test harness does not swallow, how often something was shown.
fn proved(count: u64, what: &str) {
    // Nobody is left to tell if even this fails.
    _ = writeln!(io::stdout(), "proved: {count} {what}");
}
