//! The commands, one file for each, and what several of them need.

use std::path::Path;

use crate::exit::{Blame, Code};

pub(crate) mod attest;
pub(crate) mod compile;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod image;
pub(crate) mod measure;
mod mounts;
pub(crate) mod run;
pub(crate) mod sqlite;
pub(crate) mod verify;
pub(crate) mod volume;

/// Whether a file is a launch document; else it is a module.
fn is_document(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "toml")
}

/// Bytes as everybody compares them.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The command line asks for what cannot be.
fn usage(message: &str) -> Blame {
    Blame {
        code: Code::Usage,
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_extension_makes_a_launch_document() {
        assert!(is_document(Path::new("dir.wasm/app.toml")));
        assert!(!is_document(Path::new("app.toml.wasm")));
        assert!(!is_document(Path::new("toml")));
    }
}
