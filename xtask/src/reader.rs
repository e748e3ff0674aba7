//! `reader`: has the golden volumes read by a program in another language, with other people's ciphers.
//!
//! The reader was written from the text of `docs/format.md` alone. That it agrees shows that the text says everything.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command;
use crate::project::Project;

/// The reader, and the Python packages that it needs, pinned by hash.
const SCRIPT: &str = "trusted/fs/tests/reader.py";
const PACKAGES: &str = "trusted/fs/tests/reader.txt";

/// Installs what the reader needs into the target folder, unless that has been done for these pins, and runs it.
///
/// # Errors
/// If the packages cannot be installed, or the reader disagrees.
pub(crate) fn run(project: &Project) -> Result<()> {
    let pins = fs::read_to_string(project.path(PACKAGES)).context(PACKAGES)?;
    let packages = project.target("tools/volume-reader");
    // Written last, so a folder with it is complete, and for these pins.
    let mark = packages.join("pins.txt");
    if fs::read_to_string(&mark).ok().as_ref() != Some(&pins) {
        println!("reader: installing Python packages");
        if packages.exists() {
            fs::remove_dir_all(&packages).with_context(|| packages.display().to_string())?;
        }
        command::run(
            Command::new("python3")
                .args(["-m", "pip", "install", "--quiet", "--no-input", "--no-deps"])
                .args(["--require-hashes", "--disable-pip-version-check"])
                .args(["--root-user-action", "ignore", "--target"])
                .arg(&packages)
                .arg("--requirement")
                .arg(project.path(PACKAGES)),
        )
        .context("the reader needs Python 3.11 or newer with pip and its headers (Debian: python3-pip, python3-dev)")?;
        fs::write(&mark, &pins).with_context(|| mark.display().to_string())?;
    }
    command::run(
        Command::new("python3")
            .arg(project.path(SCRIPT))
            .arg("selftest")
            .env("PYTHONPATH", &packages),
    )
}
