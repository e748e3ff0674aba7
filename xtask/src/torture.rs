//! `torture`: the proofs of the file system and of the enclave's border, again and again with other seeds.
//!
//! A round is a normal run of the tests that count what they prove, told by `TWINE_ROUND` which seeds to take; a failure
//! names the round, which repeats it. One process for each test and round, so that memory does not grow with time.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};

use crate::command;
use crate::project::{Project, Workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// Only these tests; all if none is given.
    #[arg(value_enum)]
    tests: Vec<Test>,
    /// Stop after the round in which this many images have been mounted.
    #[arg(long, group = "end")]
    images: Option<u64>,
    /// Stop after the round in which this many minutes have passed.
    #[arg(long, group = "end")]
    minutes: Option<u64>,
    /// Stop after this many rounds; one if nothing else is given.
    #[arg(long, group = "end")]
    rounds: Option<u64>,
    /// Begin with this round: 0 is what `cargo test` does.
    #[arg(long, default_value_t = 0)]
    first: u64,
}

/// A test of `trusted/fs/tests`, or of `tests/tests/border`, whose work a round multiplies.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Test {
    /// Every image that a crash could leave.
    Crash,
    /// Every change that a hostile host could make.
    Hostile,
    /// A process killed in the middle of its work.
    Kill,
    /// Random operations with failing stores, against a model.
    Model,
    /// The border: pages of a running enclave taken away and replaced; from round 1 on 100,000 interventions.
    Pages,
    /// The border: an exit before every instruction; the rounds 1 to 32 add a share of the image each.
    Stepping,
}

/// What has been proved so far: how often, by what.
type Tally = BTreeMap<String, u64>;

/// Runs rounds until there are enough.
///
/// # Errors
/// If a test fails; it says why on the terminal, and the error names the command that repeats it.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let tests = if options.tests.is_empty() {
        Test::value_variants()
    } else {
        &options.tests
    };
    ensure!(
        options.images.is_none() || tests.iter().any(|test| test.mounts_images()),
        "only the tests `crash` and `hostile` mount images; use --rounds or --minutes"
    );
    let start = Instant::now();
    let mut tally = Tally::new();
    for round in options.first.. {
        for test in tests {
            round_of(project, *test, round, &mut tally)?;
        }
        println!(
            "torture: round {round} after {} s: {}",
            start.elapsed().as_secs(),
            summary(&tally)
        );
        if options.is_enough(round, &tally, start.elapsed()) {
            break;
        }
    }
    println!("torture: nothing found");
    for (what, count) in &tally {
        println!("{count:>12} {what}");
    }
    Ok(())
}

impl Options {
    fn is_enough(&self, round: u64, tally: &Tally, elapsed: Duration) -> bool {
        let images = tally
            .iter()
            .filter(|(what, _)| what.contains("images"))
            .map(|(_, count)| count)
            .sum();
        match (self.images, self.minutes) {
            (Some(wanted), _) => wanted <= images,
            (None, Some(wanted)) => wanted * 60 <= elapsed.as_secs(),
            (None, None) => self.first + self.rounds.unwrap_or(1) <= round + 1,
        }
    }
}

impl Test {
    /// The name of its file.
    fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Hostile => "hostile",
            Self::Kill => "kill",
            Self::Model => "model",
            Self::Pages => "pages",
            Self::Stepping => "stepping",
        }
    }

    fn mounts_images(self) -> bool {
        matches!(self, Self::Crash | Self::Hostile)
    }
}

/// Runs one test for one round and adds what it proved.
fn round_of(project: &Project, test: Test, round: u64, tally: &mut Tally) -> Result<()> {
    let output = command::output(&mut call(project, test, round)).with_context(|| {
        let name = test.name();
        format!("to repeat this, run `cargo xtask torture {name} --first {round}`")
    })?;
    let before: u64 = tally.values().sum();
    for (count, what) in output.lines().filter_map(proved) {
        *tally.entry(what.to_owned()).or_default() += count;
    }
    ensure!(
        tally.values().sum::<u64>() > before,
        "the test {} reported nothing proved",
        test.name()
    );
    Ok(())
}

fn call(project: &Project, test: Test, round: u64) -> Command {
    // Those of the border share their file with others.
    let module = format!("{}::", test.name());
    let (workspace, arguments): (_, &[&str]) = match test {
        Test::Pages | Test::Stepping => (
            Workspace::Main,
            &["--package", "twine-tests", "--test", "border", &module],
        ),
        Test::Crash | Test::Hostile | Test::Kill | Test::Model => {
            (Workspace::FileSystem, &["--test", test.name()])
        }
    };
    let mut command = project.cargo(workspace);
    command
        .args(["test", "--quiet", "--locked"])
        .args(arguments)
        .args(["--", "--nocapture"])
        .env("TWINE_ROUND", round.to_string());
    command
}

/// A line of a test that tells how often it did what: `proved: 100 kills`.
fn proved(line: &str) -> Option<(u64, &str)> {
    // The harness may have written its dots in front.
    let (_, rest) = line.split_once("proved: ")?;
    let (count, what) = rest.split_once(' ')?;
    Some((count.parse().ok()?, what))
}

fn summary(tally: &Tally) -> String {
    let parts: Vec<String> = tally
        .iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_proved_is_read_from_its_output() {
        assert_eq!(proved("..proved: 100 kills"), Some((100, "kills")));
        assert_eq!(proved("test result: ok. 3 passed"), None);
    }

    #[test]
    fn rounds_end_by_number_images_or_time() {
        let options = |images, minutes, rounds| Options {
            tests: Vec::new(),
            images,
            minutes,
            rounds,
            first: 5,
        };
        let tally = Tally::from([
            ("images after a crash".to_owned(), 90),
            ("changed images".to_owned(), 10),
            ("kills".to_owned(), 1000),
        ]);
        let minute = Duration::from_mins(1);
        let is_enough = |options: Options, round| options.is_enough(round, &tally, minute);
        assert!(is_enough(options(None, None, None), 5));
        assert!(!is_enough(options(None, None, Some(2)), 5));
        assert!(is_enough(options(None, None, Some(2)), 6));
        assert!(is_enough(options(Some(100), None, None), 5));
        assert!(!is_enough(options(Some(101), None, None), 9));
        assert!(is_enough(options(None, Some(1), None), 5));
        assert!(!is_enough(options(None, Some(2), None), 9));
    }
}
