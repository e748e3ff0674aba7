//! WASI's own test suite (github.com/WebAssembly/wasi-testsuite), inside the enclave. Its programs come prebuilt on its branch
//! `prod/testsuite-base`; no package registry has them, so the test has to be asked for:
//!
//! ```sh
//! WASI_TESTSUITE=<checkout>/tests cargo test -p twine-tests --test testsuite -- --ignored
//! ```
//!
//! Each program runs on a copy of the directory that it asks for, mounted from the host. (A volume would be empty: its key
//! belongs to the program alone.) The native tests of `twine-runtime` try the same calls on volumes and in memory.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use twine::Outcome;
use twine_tests::run::{run, runtime, text};

/// Programs for preview 1 in commit 9f80ca35.
const PROGRAMS: usize = 72;

#[test]
#[ignore = "needs a checkout of the suite, named by WASI_TESTSUITE"]
fn the_official_suite_passes() {
    let suite = std::env::var("WASI_TESTSUITE").expect("WASI_TESTSUITE names the suite's `tests`");
    let folders = ["assemblyscript", "c", "rust"].map(|language| {
        Path::new(&suite)
            .join(language)
            .join("testsuite/wasm32-wasip1")
    });
    let entries = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut programs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    programs.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "wasm")
    });
    programs.sort();
    assert_eq!(programs.len(), PROGRAMS);
    let failures: Vec<String> = programs.iter().filter_map(|path| failure(path)).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Why a program failed, if it did.
fn failure(program: &Path) -> Option<String> {
    let expected = match fs::read(program.with_extension("json")) {
        Ok(text) => serde_json::from_slice(&text).unwrap(),
        Err(_) => Value::Null,
    };
    let files = tempfile::tempdir().unwrap();
    let module = runtime().load(program).unwrap();
    let ran = run(&module, |mut launch| {
        let arguments = expected["args"].as_array().into_iter().flatten();
        launch = launch.args(arguments.map(|argument| argument.as_str().unwrap()));
        for (name, value) in expected["env"].as_object().into_iter().flatten() {
            launch = launch.env(name, value.as_str().unwrap());
        }
        if let Some(root) = expected["root"].as_str() {
            copy(&program.with_file_name(root), files.path());
            // The programs in Rust are content with less otherwise; the others ignore it.
            launch = launch
                .env("ERRNO_MODE_UNIX", "1")
                .host_directory("/", files.path());
        }
        launch
    });
    let code = expected["exit_code"].as_u64().unwrap_or(0);
    let right = matches!(ran.outcome, Ok(Outcome::Exited { code: found }) if u64::from(found) == code)
        && expected["stdout"]
            .as_str()
            .is_none_or(|output| text(&ran.output) == output);
    let name = program.file_name().unwrap().display();
    (!right).then(|| format!("{name}: {:?} {}", ran.outcome, text(&ran.errors)))
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
