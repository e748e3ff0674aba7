//! The commands, one file for each, and what several of them need.

use std::fs;
use std::io::{self, ErrorKind};
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
pub(crate) mod provision;
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

/// Reads a file that the caller named.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| file_error(path, source))
}

/// Writes beside the target first: a reader never sees half a file.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|source| {
        // The error that matters is the one being returned.
        let _ = fs::remove_file(&temporary);
        file_error(path, source)
    })
}

fn file_error(path: &Path, source: io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
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
