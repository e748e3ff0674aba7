//! The commands, one file for each, and what several of them need.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Result;
use twine::Error;
use twine::owner::DocumentSignature;

use crate::exit::{Blame, Code};

pub(crate) mod attest;
pub(crate) mod check;
pub(crate) mod compile;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod image;
pub(crate) mod init;
pub(crate) mod measure;
pub(crate) mod migrate;
mod mounts;
pub(crate) mod run;
pub(crate) mod sign;
pub(crate) mod sqlite;
pub(crate) mod verify;
pub(crate) mod volume;

/// Whether a file is a launch document; else it is a module.
fn is_document(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "toml")
}

/// Where the owner's signature of a launch document lies.
fn signature_path(document: &Path) -> PathBuf {
    let mut path = document.as_os_str().to_owned();
    path.push(".sig");
    path.into()
}

/// The owner's signature beside a launch document, if there is one.
fn signature_beside(document: &Path) -> Result<Option<DocumentSignature>> {
    let path = signature_path(document);
    match fs::read(&path) {
        Ok(bytes) => {
            let signature = DocumentSignature::from_der(&bytes).map_err(sign::blame(&path))?;
            Ok(Some(signature))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { path, source }.into()),
    }
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
