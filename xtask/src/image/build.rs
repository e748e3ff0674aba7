//! Builds the image with the same nested Cargo call as the host library's build script, and keeps what Cargo says.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use cargo_metadata::{Artifact, Message};

use crate::command;

#[path = "../../../untrusted/host/build/nested.rs"]
mod nested;

pub(crate) use nested::TARGET;

/// A finished build.
pub(crate) struct Build {
    /// The image, an ELF file.
    pub image: PathBuf,
    /// Everything that was compiled for it, now or earlier.
    pub artifacts: Vec<Artifact>,
}

/// Builds the image of the tree at `root` with the target folder `target`.
pub(crate) fn build(root: &Path, target: &Path) -> Result<Build> {
    command::run(&mut nested::fetch(root))?;
    let mut command = nested::build(root, target)?;
    command
        .args(["--message-format", "json-render-diagnostics"])
        .stdout(Stdio::piped());
    let mut cargo = command.spawn().context("cannot run Cargo")?;
    let messages = cargo
        .stdout
        .take()
        .context("Cargo has no standard output")?;
    let mut artifacts = Vec::new();
    for message in Message::parse_stream(BufReader::new(messages)) {
        if let Message::CompilerArtifact(artifact) = message? {
            artifacts.push(artifact);
        }
    }
    ensure!(cargo.wait()?.success(), "building the enclave image failed");
    Ok(Build {
        image: nested::image(target),
        artifacts,
    })
}
