//! Guests: the programs that Twine is tested with, and how they become WebAssembly.
//!
//! ```text
//!   c/ cpp/ zig/ ──► ziglang (PyPI) ──────┐
//!   rust/ ─────────► rustc (Debian) ──────┼──► target/guests/<name>-<hash>.wasm
//!   wat/ ─────────────────────────────────┘         (and the same source as a native program, to compare with)
//!   packages on PyPI and npm ─► third_party ──► modules nobody here has compiled
//!   SQLite's sources, from crates.io and Debian ─► sqlite ──► its shell and its speed test
//!   polybench/ ─► polybench ──► 30 kernels, in four sizes, for four compilers and targets
//! ```
//!
//! A guest's name is its file's, and says what it does; [`foreach_guest`] makes a guest without a test an error.
//! Everything is built when it is first asked for and kept, by the hash of what went in, under the workspace's target
//! folder. The tools come from package registries, pinned by version and (where the registry has no signatures of its
//! own) by hash; nothing is installed outside the target folder.

mod build;
mod error;
pub mod oracle;
pub mod polybench;
mod sections;
mod sources;
pub mod sqlite;
pub mod third_party;
mod tools;

use std::path::{Path, PathBuf};

pub use error::Error;

/// A program written for this project.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Guest {
    /// Its language's folder and its file's name: `c_says_hello`.
    pub name: &'static str,
    /// What it is written in.
    pub language: Language,
    /// Its source file.
    source: &'static str,
}

/// A language that guests are written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Language {
    /// C17.
    C,
    /// C++20, without exceptions: they need an instruction set that the engine profile leaves out.
    Cpp,
    /// Rust, by Debian's compiler.
    Rust,
    /// The text form of WebAssembly itself.
    Wat,
    /// Zig.
    Zig,
}

include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

impl Guest {
    /// Finds a guest by its name.
    ///
    /// # Errors
    /// [`Error::UnknownGuest`] if there is none of that name.
    pub fn named(name: &str) -> Result<Self, Error> {
        ALL.iter()
            .find(|guest| guest.name == name)
            .copied()
            .ok_or_else(|| Error::UnknownGuest(name.to_owned()))
    }

    /// Returns its source file.
    #[must_use]
    pub fn source(&self) -> &'static Path {
        Path::new(self.source)
    }

    /// Compiles it to a WASI module, unless that has been done, and returns the file. A guest in text form is its own
    /// module.
    ///
    /// # Errors
    /// [`Error::MissingTool`] if a compiler can neither be found nor fetched; other variants if it fails.
    pub fn module(&self) -> Result<PathBuf, Error> {
        build::module(self)
    }

    /// Compiles it to a program of this machine, unless that has been done, and returns the file.
    ///
    /// # Errors
    /// As for [`Guest::module`]; [`Error::NotNative`] for text form.
    pub fn native(&self) -> Result<PathBuf, Error> {
        build::native(self)
    }
}

/// The workspace's target folder, where everything built here is kept.
fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guest_has_its_own_name_and_a_source() {
        for (index, guest) in ALL.iter().enumerate() {
            assert!(guest.source().is_file(), "{}", guest.name);
            assert!(ALL[..index].iter().all(|other| other.name != guest.name));
            assert_eq!(Guest::named(guest.name).unwrap(), *guest);
        }
    }

    #[test]
    fn an_unknown_guest_is_an_error() {
        assert!(matches!(
            Guest::named("c_does_nothing"),
            Err(Error::UnknownGuest(_))
        ));
    }
}
