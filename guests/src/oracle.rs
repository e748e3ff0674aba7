//! A second opinion: the same module under another embedding of a Wasm runtime, outside any enclave.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use crate::Error;
use crate::tools::{WASMTIME, tools};

/// What a program is given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// Arguments; the first is the program's name.
    pub arguments: &'a [&'a str],
    /// Variables of the environment.
    pub environment: &'a [(&'a str, &'a str)],
    /// Folders of this machine, and where the program finds them.
    pub directories: &'a [(&'a Path, &'a str)],
    /// Standard input.
    pub input: &'a [u8],
}

/// Runs a WASI module and returns what it wrote and how it ended.
///
/// # Errors
/// [`Error::MissingTool`] if there is no pip; [`Error::Io`] if Python cannot be run.
pub fn run(module: &Path, given: Given<'_>) -> Result<Output, Error> {
    let python = Path::new("python3");
    let mut command = Command::new(python);
    command
        .args(["-c", include_str!("oracle.py")])
        .arg(module)
        .env("PYTHONPATH", WASMTIME.install()?)
        // Where the other runtime keeps what it compiled.
        .env("XDG_CACHE_HOME", tools().join("wasmtime-cache"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (host, guest) in given.directories {
        command.arg(host).arg(guest);
    }
    command.arg("--env");
    for (name, value) in given.environment {
        command.arg(format!("{name}={value}"));
    }
    command.arg("--").args(given.arguments);
    let mut child = command.spawn().map_err(Error::io(python))?;
    let stdin = child.stdin.take();
    thread::scope(|scope| {
        // Beside the reading: a program that echoes fills its output before it has read its input. One that ends without
        // reading its input is no failure.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(given.input)));
        child.wait_with_output().map_err(Error::io(python))
    })
}
