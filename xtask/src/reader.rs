//! `reader`: has our formats read by programs in another language, with other people's ciphers and parsers.
//!
//! They were written from the text of `docs/` alone. That they agree shows that the text says everything.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command;
use crate::project::Project;

/// A program in Python, and the packages that it needs, pinned by hash.
struct Reader {
    script: &'static str,
    packages: &'static str,
    /// Where the packages are installed, in the target folder.
    folder: &'static str,
}

const READERS: [Reader; 2] = [
    // Volumes, by docs/format.md.
    Reader {
        script: "trusted/fs/tests/reader.py",
        packages: "trusted/fs/tests/reader.txt",
        folder: "tools/volume-reader",
    },
    // RA-TLS certificates, by docs/attestation.md.
    Reader {
        script: "shared/attest/tests/checker.py",
        packages: "shared/attest/tests/checker.txt",
        folder: "tools/certificate-checker",
    },
];

/// Runs every reader.
///
/// # Errors
/// If packages cannot be installed, or a reader disagrees.
pub(crate) fn run(project: &Project) -> Result<()> {
    READERS.iter().try_for_each(|reader| reader.run(project))
}

impl Reader {
    /// Installs what the reader needs into the target folder, unless that has been done for these pins, and runs it.
    fn run(&self, project: &Project) -> Result<()> {
        let pins = fs::read_to_string(project.path(self.packages)).context(self.packages)?;
        let packages = project.target(self.folder);
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
                    .arg(project.path(self.packages)),
            )
            .context("readers need Python 3.11 or newer with pip and its headers (Debian: python3-pip, python3-dev)")?;
            fs::write(&mark, &pins).with_context(|| mark.display().to_string())?;
        }
        command::run(
            Command::new("python3")
                .arg(project.path(self.script))
                .arg("selftest")
                .env("PYTHONPATH", &packages),
        )
    }
}
