//! `demo`: from a fresh machine to the output of a C program that runs in an enclave.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::command;
use crate::project::{Project, Workspace};
use crate::setup;

/// The guest, as the guests crate names it.
const GUEST: &str = "c_says_hello";

/// Tells what it does, in one line each, and does it.
pub(crate) fn run(project: &Project) -> Result<()> {
    println!("demo: looking for what this machine lacks");
    setup::run()?;

    println!("demo: building the program `twine` and the enclave image in it");
    command::run(project.cargo(Workspace::Main).args([
        "build",
        "--release",
        "--locked",
        "--package",
        "twine-cli",
    ]))?;
    let twine = project.target("release/twine");

    println!("demo: compiling guests/c/says_hello.c to WebAssembly with an ordinary C compiler");
    let hello = hello(project)?;

    println!(
        "demo: {} run {}",
        show(project, &twine),
        show(project, &hello)
    );
    command::run(std::process::Command::new(&twine).arg("run").arg(&hello))
}

/// Has the guest compiled and puts it where one finds it again.
fn hello(project: &Project) -> Result<PathBuf> {
    let built = command::output(project.cargo(Workspace::Main).args([
        "run",
        "--quiet",
        "--locked",
        "--package",
        "twine-guests",
        "--",
        GUEST,
    ]))?;
    let hello = project.target("hello.wasm");
    fs::copy(built.trim_end(), &hello)
        .with_context(|| format!("cannot copy {}", built.trim_end()))?;
    Ok(hello)
}

fn show(project: &Project, path: &std::path::Path) -> String {
    project.relative(path).display().to_string()
}
