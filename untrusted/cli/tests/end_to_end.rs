//! The program `twine` as its users see it: streams, exit codes, messages, on the emulator with the bundled image.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use tempfile::TempDir;
use twine_guests::Guest;

/// A user's home, and what lies in it.
struct User(TempDir);

impl User {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A command line, with nothing of this process's environment that could matter.
    fn twine(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_twine"));
        command.env("TWINE_HOME", self.0.path()).args(arguments);
        command
    }

    fn ends(&self, arguments: &[&str]) -> Output {
        self.twine(arguments).output().unwrap()
    }
}

fn guest(name: &str) -> String {
    let module = Guest::named(name).unwrap().module().unwrap();
    module.into_os_string().into_string().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
}

#[test]
fn a_guests_output_is_the_programs_output_and_nothing_else_is() {
    let output = User::new().ends(&["run", &guest("c_says_hello")]);
    assert_code(&output, 0);
    assert_eq!(text(&output.stdout), "Hello from C.\n");
}

#[test]
fn a_run_on_the_emulator_says_so_once() {
    let output = User::new().ends(&["run", &guest("c_says_hello")]);
    assert_eq!(
        text(&output.stderr).matches("EMULATED SGX").count(),
        1,
        "{output:?}"
    );
    assert_eq!(text(&output.stderr).lines().count(), 1, "{output:?}");
}

#[test]
fn arguments_variables_and_the_exit_code_pass_through() {
    let user = User::new();
    let output = user.ends(&[
        "run",
        &guest("c_prints_its_arguments"),
        "--",
        "a b",
        "",
        "--flag",
    ]);
    assert_eq!(text(&output.stdout), "1 3 [a b]\n2 0 []\n3 6 [--flag]\n");
    let mut command = user.twine(&[
        "run",
        "--env",
        "A=1=2",
        "--env",
        "COLOUR",
        &guest("c_prints_its_environment"),
    ]);
    let output = command
        .env("COLOUR", "red")
        .env("SECRET", "stays here")
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), "A=1=2\nCOLOUR=red\ncolour: red\n");
    for code in [0, 7, 255] {
        let argument = code.to_string();
        assert_code(
            &user.ends(&["run", &guest("c_exits_with_its_argument"), "--", &argument]),
            code,
        );
    }
}

#[test]
fn input_of_any_bytes_streams_through_unchanged() {
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(200_000).collect();
    let mut command = User::new().twine(&["run", &guest("c_echoes_its_input")]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = bytes.clone();
    let writer = thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(
        output.stdout == bytes,
        "{} bytes came back",
        output.stdout.len()
    );
    assert!(
        text(&output.stderr).ends_with("200000 bytes\n"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_trap_prints_a_backtrace_with_names_and_ends_with_134() {
    let output = User::new().ends(&["run", &guest("wat_reads_out_of_bounds")]);
    assert_code(&output, 134);
    let errors = text(&output.stderr);
    for part in ["trapped", "out of bounds memory access", "inner", "outer"] {
        assert!(errors.contains(part), "{part} is missing: {errors}");
    }
}

#[test]
fn a_guest_whose_time_is_up_ends_with_124() {
    let output = User::new().ends(&["run", "--timeout", "200ms", &guest("wat_loops_forever")]);
    assert_code(&output, 124);
    assert!(text(&output.stderr).contains("time"), "{output:?}");
}

#[test]
fn every_other_failure_has_its_code_and_one_line() {
    let user = User::new();
    let junk = user.path("junk.wasm");
    fs::write(&junk, b"#!/bin/sh\n").unwrap();
    let cases: [(&[&str], i32); 7] = [
        (&["run", "missing.wasm"], 127),
        (&["run", path(&junk)], 126),
        (&["run", &guest("wat_uses_shared_memory")], 126),
        (&["run", &guest("wat_imports_what_does_not_exist")], 126),
        (
            &[
                "run",
                "--max-memory",
                "1MiB",
                &guest("wat_declares_a_huge_memory"),
            ],
            123,
        ),
        (
            &["run", "--backend", "device", &guest("wat_says_hello")],
            121,
        ),
        (&["run", "--env", "=x", &guest("wat_says_hello")], 2),
    ];
    for (arguments, code) in cases {
        let output = user.ends(arguments);
        assert_code(&output, code);
        assert!(output.stdout.is_empty(), "{output:?}");
        assert!(
            !output.stderr.is_empty(),
            "{arguments:?} failed without a word"
        );
        assert!(!text(&output.stderr).contains("panicked"), "{output:?}");
    }
}

/// Compiles a guest with its launch document.
fn compiled(user: &User, name: &str) -> (PathBuf, PathBuf) {
    let (module, document) = (user.path("app.twasm"), user.path("app.toml"));
    let output = user.ends(&[
        "compile",
        &guest(name),
        "-o",
        path(&module),
        "--document",
        path(&document),
    ]);
    assert_code(&output, 0);
    (module, document)
}

#[test]
fn a_compiled_module_runs_by_itself_and_by_its_launch_document() {
    let user = User::new();
    let (module, document) = compiled(&user, "c_says_hello");
    for file in [&module, &document] {
        let output = user.ends(&["run", path(file)]);
        assert_code(&output, 0);
        assert_eq!(text(&output.stdout), "Hello from C.\n");
    }
}

#[test]
fn a_changed_module_or_another_one_does_not_run() {
    let user = User::new();
    let (module, document) = compiled(&user, "c_says_hello");
    let other = guest("wat_says_hello");
    assert_code(
        &user.ends(&["run", path(&document), "--module", &other]),
        120,
    );
    let mut bytes = fs::read(&module).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&module, bytes).unwrap();
    for file in [&module, &document] {
        let output = user.ends(&["run", path(file)]);
        assert_code(&output, 126);
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn a_launch_document_that_breaks_a_rule_ends_with_120() {
    let user = User::new();
    let (_, document) = compiled(&user, "c_says_hello");
    let good = fs::read_to_string(&document).unwrap();
    for bad in ["", "=", "surprise = 1\n", &good.replace("sha256", "sha255")] {
        fs::write(&document, bad).unwrap();
        assert_code(&user.ends(&["run", path(&document)]), 120);
    }
}

#[test]
fn a_program_has_the_same_identity_whenever_it_is_measured_and_another_one_has_another() {
    let user = User::new();
    let measure = |name| {
        let output = user.ends(&["measure", "--json", &guest(name)]);
        assert_code(&output, 0);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let (hello, other) = (measure("c_says_hello"), measure("wat_says_hello"));
    assert_eq!(hello, measure("c_says_hello"));
    assert_ne!(hello, other);
}
