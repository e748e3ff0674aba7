//! A second opinion: the same module under another embedding of a Wasm runtime, outside any enclave.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use crate::Error;
use crate::tools::WASMTIME;

/// Runs a WASI module without files and returns what it wrote and how it ended. `arguments[0]` is the program's name.
///
/// # Errors
/// [`Error::MissingTool`] if there is no pip; [`Error::Io`] if Python cannot be run.
pub fn run(module: &Path, arguments: &[&str], input: &[u8]) -> Result<Output, Error> {
    let python = Path::new("python3");
    let mut child = Command::new(python)
        .args(["-c", include_str!("oracle.py")])
        .arg(module)
        .args(arguments)
        .env("PYTHONPATH", WASMTIME.install()?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::io(python))?;
    let stdin = child.stdin.take();
    thread::scope(|scope| {
        // Beside the reading: a program that echoes fills its output before it has read its input. One that ends without
        // reading its input is no failure.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output().map_err(Error::io(python))
    })
}
