//! The user's own signing key, made on first need, and the certificates signed with it.
//!
//! RSA signing takes milliseconds, and a launch has few of them, so certificates are kept beside the key. A kept
//! certificate is checked like any other and has to say exactly what was asked for; if it does not, it is made again.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::image::Image;
use crate::launch::create::Debugging;
use crate::state::{self, Directories};

use super::{Certificate, Hex, PrivateKey, SECURITY_VERSION, SignError, Statement};

/// Returns a certificate for `image`, signed with the key of the user that `directories` belong to.
///
/// # Errors
/// [`SignError::State`] if the key cannot be read or kept; [`SignError::DevelopmentKey`] if the file does not hold a
/// key. A certificate that cannot be kept is no error.
pub fn certify(
    directories: &Directories,
    image: &Image,
    debugging: Debugging,
) -> Result<Certificate, SignError> {
    let key = key(directories)?;
    let statement = Statement::new(image.mrenclave(), debugging, SECURITY_VERSION);
    let kept = kept_at(directories, &key, &statement)?;
    if let Some(certificate) = read(&kept, &key, &statement) {
        return Ok(certificate);
    }
    let certificate = statement.sign(&key)?;
    keep(&kept, &certificate);
    Ok(certificate)
}

/// Returns the key of the user that `directories` belong to, making it if there is none.
///
/// # Errors
/// As [`certify`].
pub fn key(directories: &Directories) -> Result<PrivateKey, SignError> {
    let path = directories.state()?.join(KEY_FILE);
    let pem = match state::read_secret(&path)? {
        Some(pem) => pem,
        None => state::create_secret(&path, PrivateKey::generate()?.to_pem()?.as_bytes())?,
    };
    std::str::from_utf8(&pem)
        .map_err(|_| SignError::NotAKey("not text"))
        .and_then(PrivateKey::from_pem)
        .map_err(|reason| SignError::DevelopmentKey {
            path,
            reason: Box::new(reason),
        })
}

/// Where the certificate is kept, or will be: the name covers everything that it depends on.
fn kept_at(
    directories: &Directories,
    key: &PrivateKey,
    statement: &Statement,
) -> Result<PathBuf, SignError> {
    let mut name = Sha256::new();
    name.update(key.public().mrsigner());
    name.update(statement.to_sign());
    let name = format!("{}.sigstruct", Hex(&name.finalize()));
    Ok(directories.state_in(DIRECTORY)?.join(name))
}

fn read(path: &Path, key: &PrivateKey, statement: &Statement) -> Option<Certificate> {
    let bytes = std::fs::read(path).ok()?;
    let certificate = Certificate::from_bytes(&bytes)
        .ok()
        .filter(|kept| kept.statement() == *statement)
        .filter(|kept| kept.mrsigner() == key.public().mrsigner());
    if certificate.is_none() {
        log::warn!("{} is damaged; it is made again", path.display());
    }
    certificate
}

/// Keeps a certificate. When there are too many, for images that are no longer, all go: making one takes milliseconds.
fn keep(path: &Path, certificate: &Certificate) {
    let kept = path
        .parent()
        .and_then(|directory| std::fs::read_dir(directory).ok())
        .map(|entries| {
            entries
                .flatten()
                .map(|entry| entry.path())
                .collect::<Vec<_>>()
        })
        .unwrap_or_default();
    if kept.len() >= CERTIFICATES_MAX {
        for path in kept {
            // What cannot be removed stays.
            let _ = std::fs::remove_file(path);
        }
    }
    if let Err(error) = state::replace(path, &certificate.sigstruct().to_bytes()) {
        log::warn!("{error}");
    }
}

/// The key, in PEM form.
const KEY_FILE: &str = "development-key.pem";

/// Where certificates are kept.
const DIRECTORY: &str = "sigstructs";

/// Most certificates kept. Two for each image; nobody uses more than a few images at a time.
const CERTIFICATES_MAX: usize = 32;
