//! Files that hold keys: nobody but their owner may read them, and what is read is wiped.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use twine::owner::OwnerKey;
use zeroize::Zeroizing;

use super::usage;
use crate::exit::Blame;

/// Rights of those who are neither the owner nor in the file's group.
const OTHERS: u32 = 0o007;

/// Longest key file, in bytes: those of P-256 take 241, with the curve's parameters 302.
const KEY_FILE_LEN_MAX: u16 = 4096;

/// Reads the provisioner's private key.
pub(super) fn signing_key(path: &Path) -> anyhow::Result<OwnerKey> {
    let bytes = private(path)?;
    // What is no text is no key either; the key's parser says so.
    let key = OwnerKey::from_pem(str::from_utf8(&bytes).unwrap_or_default());
    Ok(key.map_err(|error| refuse(path, &error.to_string()))?)
}

/// Reads the key of a volume: 32 bytes.
pub(super) fn volume_key(path: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let bytes = private(path)?;
    match bytes.as_slice().try_into() {
        Ok(key) => Ok(Zeroizing::new(key)),
        Err(_) => {
            let problem = format!(
                "{} bytes, but a volume's key has 32; make one with `head -c 32 /dev/urandom`",
                bytes.len()
            );
            Err(refuse(path, &problem).into())
        }
    }
}

/// Reads a file that nobody else may read.
fn private(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let file_error = |source| twine::Error::File {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(file_error)?;
    // Of what was opened, not of what now has the name.
    let mode = file.metadata().map_err(file_error)?.permissions().mode();
    if mode & OTHERS != 0 {
        let problem = "everybody may read this key; take the right away (`chmod o= FILE`), and think of it as known";
        return Err(refuse(path, problem).into());
    }
    // Room from the start: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::from(KEY_FILE_LEN_MAX) + 1));
    let read = file.take(KEY_FILE_LEN_MAX.into()).read_to_end(&mut bytes);
    read.map_err(file_error)?;
    Ok(bytes)
}

fn refuse(path: &Path, problem: &str) -> Blame {
    usage(&format!("{}: {problem}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    fn file(contents: &[u8], mode: u32) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, contents).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        folder
    }

    fn refusal<T>(read: fn(&Path) -> anyhow::Result<T>, contents: &[u8], mode: u32) -> String {
        let folder = file(contents, mode);
        match read(&folder.path().join("key")) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    /// As `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` writes them.
    const PEM: &[u8] = b"-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBwcHBwcHBwcHBwcH
BwcHBwcHBwcHBwcHBwcHBwcHBwehRANCAAQeGFMv1HVMAvMEHZx1zrM7g//YGsfO
T+iCzLHJi8WJbqRsMRxOL/QN2Wo2U+bkVEXTLf5Ibs7XXHqQxqGIgcCj
-----END PRIVATE KEY-----
";

    #[test]
    fn a_key_that_everybody_may_read_is_refused() {
        assert!(refusal(signing_key, PEM, 0o644).contains("everybody may read"));
        assert!(refusal(volume_key, &[7; 32], 0o604).contains("everybody may read"));
        assert_eq!(refusal(volume_key, &[7; 32], 0o640), "");
    }

    #[test]
    fn what_is_no_key_is_refused_with_a_hint() {
        assert!(refusal(signing_key, b"garbage", 0o600).contains("openssl genpkey"));
        assert!(refusal(volume_key, &[7; 31], 0o600).contains("31 bytes"));
    }
}
