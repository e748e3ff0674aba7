//! SQLite's programs on a volume of their own, and natively.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use std::io::Write as _;

use tempfile::TempDir;
use twine::{Input, Launch, Module, Outcome};
use twine_guests::sqlite::Program;
use twine_tests::run::{self, Ran, runtime};

/// A file system layer of the module.
pub(crate) const VFS: [&str; 2] = ["volume", "unix"];

/// The module, loaded once.
pub(crate) fn module(program: Program) -> &'static Module {
    static MODULES: [OnceLock<Module>; 2] = [const { OnceLock::new() }; 2];
    MODULES[program as usize].get_or_init(|| {
        let path = program.module().expect("SQLite can be built");
        runtime().load(path).expect("SQLite can be loaded")
    })
}

/// A folder with a volume in it.
pub(crate) struct Volume(TempDir);

impl Volume {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.path().join("test.tv")
    }

    /// Runs a program with the volume at the root.
    pub(crate) fn run(&self, program: Program, arguments: &[&str], input: impl Into<Input>) -> Ran {
        self.run_with(program, arguments, input, |launch| launch)
    }

    pub(crate) fn run_with(
        &self,
        program: Program,
        arguments: &[&str],
        input: impl Into<Input>,
        set: impl FnOnce(Launch<'static>) -> Launch<'static>,
    ) -> Ran {
        run::run(module(program), |launch| {
            let launch = launch.volume("/", self.file()).create_volumes().unwrap();
            let launch = launch.args(arguments.iter().copied()).env("HOME", "/");
            set(launch.stdin(input))
        })
    }

    /// Runs SQL in the shell, on the layer for volumes.
    pub(crate) fn sql(&self, sql: &str) -> Ran {
        let arguments = ["-batch", "-vfs", "volume", "main.db"];
        self.run(Program::Shell, &arguments, Input::bytes(sql))
    }

    /// What SQL prints that succeeds.
    pub(crate) fn query(&self, sql: &str) -> String {
        let ran = self.sql(sql);
        assert_eq!(run::text(&ran.errors), "", "{sql}");
        assert_eq!(ran.outcome.unwrap(), Outcome::Exited { code: 0 }, "{sql}");
        run::text(&ran.output)
    }
}

/// Runs a program natively in a folder.
pub(crate) fn native(program: Program, folder: &Path, arguments: &[&str], input: &str) -> Ran {
    fs::create_dir_all(folder).unwrap();
    let mut child = Command::new(program.native().expect("SQLite can be built"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A script is smaller than a pipe holds, or SQLite reads it while it goes on.
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let feeding = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // A program that ends before it has read everything is no failure.
    drop(feeding.join().unwrap());
    Ran {
        outcome: Ok(Outcome::Exited {
            code: output.status.code().unwrap().cast_unsigned(),
        }),
        output: output.stdout,
        errors: output.stderr,
    }
}
