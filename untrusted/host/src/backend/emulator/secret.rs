//! The file that holds the emulated processor's fuses: 32 random bytes per user, made on first use.
//!
//! ```text
//! offset  size  field
//!      0    24  "SIMULATED-NOT-SECURE\n" and three zero bytes
//!     24    32  secret
//! ```
//!
//! Whoever can read the file can compute every key of every emulated enclave of this user. That is in the nature of an
//! emulator; mode 0600 only keeps other users from doing so by accident.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::model::PlatformSecret;

/// Says to whoever opens the file what it is.
const HEADER: [u8; 24] = *b"SIMULATED-NOT-SECURE\n\0\0\0";
/// Length of the secret.
const SECRET_LEN: usize = 32;
/// Length of the file.
const FILE_LEN: usize = HEADER.len() + SECRET_LEN;

/// Reads the secret, or makes one if there is no file yet.
///
/// # Errors
/// The file system's, or [`io::ErrorKind::InvalidData`] if the file is not such a file.
pub(super) fn load_or_create(path: &Path) -> io::Result<PlatformSecret> {
    match fs::read(path) {
        Ok(bytes) => parse(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(path)?;
            // Read it back: of two processes that create it at once, one file remains and both must use it.
            parse(&fs::read(path)?)
        }
        Err(error) => Err(error),
    }
}

fn parse(bytes: &[u8]) -> io::Result<PlatformSecret> {
    bytes
        .strip_prefix(&HEADER)
        .and_then(|secret| <[u8; SECRET_LEN]>::try_from(secret).ok())
        .map(PlatformSecret::new)
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "not a file of the emulator; remove it to get a new one (what was sealed with the old one is lost)",
            )
        })
}

/// Writes a new file under another name and links it into place, so that nobody ever sees half of one and an existing
/// one is never replaced.
fn create(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut unique = [0; 8];
    random(&mut unique)?;
    let temporary = path.with_extension(format!("{:016x}", u64::from_le_bytes(unique)));
    let written = write_new(&temporary).and_then(|()| match fs::hard_link(&temporary, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    fs::remove_file(&temporary).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    written
}

fn write_new(path: &Path) -> io::Result<()> {
    let mut bytes = [0; FILE_LEN];
    let (header, secret) = bytes.split_at_mut(HEADER.len());
    header.copy_from_slice(&HEADER);
    random(secret)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(&bytes)?;
    file.sync_all()
}

/// Fills `bytes` from the operating system's random number generator.
///
/// # Errors
/// The operating system's.
pub(super) fn random(bytes: &mut [u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::rand::getrandom(&mut *rest, rustix::rand::GetRandomFlags::empty()) {
            Ok(filled) => rest = rest.split_at_mut(filled).1,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_file_is_made_once_with_mode_0600_and_then_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state").join("platform");
        load_or_create(&path).unwrap();
        let first = fs::read(&path).unwrap();
        assert_eq!(first.len(), FILE_LEN);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        load_or_create(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn two_users_have_different_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (directory.path().join("one"), directory.path().join("other"));
        load_or_create(&one).unwrap();
        load_or_create(&other).unwrap();
        assert_ne!(fs::read(&one).unwrap(), fs::read(&other).unwrap());
    }

    #[test]
    fn a_foreign_file_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("platform");
        fs::write(&path, b"something else").unwrap();
        let error = load_or_create(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(fs::read(&path).unwrap(), b"something else");
    }
}
