//! Why a guest could not be had: something missing on this machine, or a tool that failed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Output;

/// Why a guest, or a tool that builds guests, could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for a guest that does not exist.
    #[error("there is no guest `{0}`; see the folders of `guests/`")]
    UnknownGuest(String),
    /// The caller asked for a native program where there is only WebAssembly.
    #[error("`{0}` is written in WebAssembly and has no native form")]
    NotNative(&'static str),
    /// This machine lacks a program.
    #[error("{tool} is needed to build the guests and was not found: {remedy}")]
    MissingTool {
        /// The program.
        tool: &'static str,
        /// What to install.
        remedy: &'static str,
    },
    /// A tool reported failure.
    #[error("{what} failed ({status}):\n{messages}")]
    ToolFailed {
        /// What it was doing.
        what: String,
        /// Its exit status.
        status: String,
        /// What it wrote to its standard error.
        messages: String,
    },
    /// A downloaded file is not the one that was pinned.
    #[error("{} is not the file that was pinned: its SHA-256 is {found}, expected {expected}", path.display())]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// The SHA-256 it has, in hexadecimal.
        found: String,
        /// The SHA-256 it should have.
        expected: &'static str,
    },
    /// The operating system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or program concerned.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

impl Error {
    /// Attaches the path that was being worked on.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// Turns a program's failure into an error, and its success into its output.
    pub(crate) fn check(what: &str, output: Output) -> Result<Output, Self> {
        if output.status.success() {
            return Ok(output);
        }
        Err(Self::ToolFailed {
            what: what.to_owned(),
            status: output.status.to_string(),
            messages: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
