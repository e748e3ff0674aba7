//! Provisioning through files: for people who carry them, and for scripts.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::{ANSWER_LEN_BYTES_MAX, ProvisionError, Provisioner, TIMEOUT_DEFAULT};

/// A folder in which a launch puts its request and finds its bundle. It serves one launch at a time.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    timeout: Duration,
}

/// What the request is called.
const REQUEST: &str = "request.cbor";

/// What the bundle must be called. Whoever brings it gives it this name once it is complete.
const BUNDLE: &str = "bundle.cbor";

/// How often the folder is looked at.
const PAUSE: Duration = Duration::from_millis(50);

impl Folder {
    /// Uses a folder that exists.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            timeout: TIMEOUT_DEFAULT,
        }
    }

    /// Waits so long for a bundle.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn wait_for(&self, bundle: &Path) -> Result<File, ProvisionError> {
        let end = Instant::now() + self.timeout;
        loop {
            match File::open(bundle) {
                Ok(file) => return Ok(file),
                Err(error) if error.kind() != ErrorKind::NotFound => return fail(bundle, error),
                Err(_) if Instant::now() >= end => {
                    return Err(ProvisionError::Timeout {
                        timeout: self.timeout,
                        waiting: format!("waiting for {}", bundle.display()),
                    });
                }
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }
}

impl Provisioner for Folder {
    fn provision(&mut self, request: &[u8]) -> Result<Vec<u8>, ProvisionError> {
        let bundle = self.path.join(BUNDLE);
        // What lies here answers an earlier request: the enclave would refuse it.
        match fs::remove_file(&bundle) {
            Ok(()) => log::info!("{}: removed, it is of an earlier launch", bundle.display()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return fail(&bundle, error),
        }
        write_whole(&self.path.join(REQUEST), request)?;
        log::warn!(
            "waiting for {}, the answer to {REQUEST} beside it",
            bundle.display()
        );
        let file = self.wait_for(&bundle)?;
        let mut bytes = Vec::new();
        let most = u64::try_from(ANSWER_LEN_BYTES_MAX).unwrap_or(u64::MAX);
        match file.take(most.saturating_add(1)).read_to_end(&mut bytes) {
            Ok(_) if bytes.len() > ANSWER_LEN_BYTES_MAX => Err(ProvisionError::TooLong),
            Ok(_) => Ok(bytes),
            Err(error) => fail(&bundle, error),
        }
    }
}

/// Writes beside the target first: nobody ever sees half a request.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ProvisionError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    written.or_else(|error| {
        // The error that matters is the one being returned.
        let _ = fs::remove_file(&temporary);
        fail(path, error)
    })
}

fn fail<T>(path: &Path, source: io::Error) -> Result<T, ProvisionError> {
    Err(ProvisionError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_that_appears_is_returned_and_an_earlier_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (request, bundle) = (folder.path().join(REQUEST), folder.path().join(BUNDLE));
        fs::write(&bundle, "of an earlier launch").unwrap();
        let provisioner = thread::spawn(move || {
            while !request.exists() {
                thread::sleep(PAUSE);
            }
            assert_eq!(fs::read(&request).unwrap(), b"request");
            assert!(!bundle.exists(), "removed before the request was written");
            let new = bundle.with_extension("new");
            fs::write(&new, "bundle").unwrap();
            fs::rename(new, bundle).unwrap();
        });
        let brought = Folder::new(folder.path()).provision(b"request").unwrap();
        provisioner.join().unwrap();
        assert_eq!(brought, b"bundle");
    }

    #[test]
    fn what_does_not_come_is_not_waited_for_forever() {
        let folder = tempfile::tempdir().unwrap();
        let mut provisioner = Folder::new(folder.path()).timeout(Duration::from_millis(1));
        let error = provisioner.provision(b"request").unwrap_err();
        assert!(matches!(error, ProvisionError::Timeout { .. }), "{error}");
        assert!(error.to_string().contains("bundle.cbor"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named() {
        let error = Folder::new("/no/such").provision(b"request").unwrap_err();
        assert!(
            error.to_string().contains("/no/such/request.cbor"),
            "{error}"
        );
    }
}
