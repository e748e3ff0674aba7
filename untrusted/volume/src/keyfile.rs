//! Recovery keys as files: PKCS#8 and SubjectPublicKeyInfo in PEM (RFC 8410), as `openssl genpkey -algorithm X25519` and
//! `openssl pkey -pubout` write them.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use pkcs8::der::asn1::{BitStringRef, OctetStringRef};
use pkcs8::der::pem::LineEnding;
use pkcs8::der::{Decode as _, Encode as _};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{Document, ObjectIdentifier, PrivateKeyInfo, SecretDocument};
use twine_recovery::{PrivateKey, PublicKey};
use zeroize::Zeroizing;

use crate::error::{Error, Result, at};
use crate::secret::ProvisionedKey;

/// id-X25519 (RFC 8410, section 3).
const X25519: AlgorithmIdentifierRef<'_> = AlgorithmIdentifierRef {
    oid: ObjectIdentifier::new_unwrap("1.3.101.110"),
    parameters: None,
};

const PRIVATE_LABEL: &str = "PRIVATE KEY";
const PUBLIC_LABEL: &str = "PUBLIC KEY";

/// Reads a private key.
///
/// # Errors
/// [`Error::File`] or [`Error::KeyFile`].
pub fn read_private(path: &Path) -> Result<PrivateKey> {
    let text = Zeroizing::new(fs::read_to_string(path).map_err(at(path))?);
    private_of(&text).ok_or_else(|| Error::KeyFile {
        path: path.to_owned(),
        expected: "a private key of X25519 in PEM",
    })
}

/// Reads a public key.
///
/// # Errors
/// As [`read_private`].
pub fn read_public(path: &Path) -> Result<PublicKey> {
    let text = fs::read_to_string(path).map_err(at(path))?;
    public_of(&text).ok_or_else(|| Error::KeyFile {
        path: path.to_owned(),
        expected: "a public key of X25519 in PEM",
    })
}

/// Reads the key that a provisioner sends for a volume: a file of 32 bytes.
///
/// # Errors
/// As [`read_private`].
pub fn read_provisioned(path: &Path) -> Result<ProvisionedKey> {
    let mut file = File::open(path).map_err(at(path))?;
    let mut bytes = Zeroizing::new([0; 33]);
    let mut len = 0;
    // One more than a key has, so that a longer file shows.
    while let Some(rest) = bytes.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match file.read(rest).map_err(at(path))? {
            0 => break,
            read => len += read,
        }
    }
    match bytes.first_chunk() {
        Some(key) if len == key.len() => Ok(ProvisionedKey::new(Zeroizing::new(*key))),
        _ => Err(Error::KeyFile {
            path: path.to_owned(),
            expected: "a volume's key of 32 bytes",
        }),
    }
}

/// Writes a private key to a new file that only its owner can read.
///
/// # Errors
/// [`Error::File`], also if the file exists: a key is never overwritten.
pub fn write_private(path: &Path, key: &PrivateKey) -> Result<()> {
    write_new(path, 0o600, private_text(key).as_bytes())
}

/// Writes a public key to a new file.
///
/// # Errors
/// As [`write_private`].
pub fn write_public(path: &Path, key: &PublicKey) -> Result<()> {
    write_new(path, 0o644, public_text(key).as_bytes())
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(at(path))?;
    file.write_all(bytes).map_err(at(path))?;
    file.sync_all().map_err(at(path))
}

fn private_of(text: &str) -> Option<PrivateKey> {
    let (label, document) = SecretDocument::from_pem(text.trim()).ok()?;
    let info = PrivateKeyInfo::from_der(document.as_bytes()).ok()?;
    let scalar = OctetStringRef::from_der(info.private_key).ok()?;
    let fits = label == PRIVATE_LABEL && info.algorithm == X25519;
    let bytes = scalar.as_bytes().try_into().ok().filter(|_| fits)?;
    Some(PrivateKey::new(bytes))
}

fn public_of(text: &str) -> Option<PublicKey> {
    let (label, document) = Document::from_pem(text.trim()).ok()?;
    let info = SubjectPublicKeyInfoRef::from_der(document.as_bytes()).ok()?;
    let fits = label == PUBLIC_LABEL && info.algorithm == X25519;
    let bytes = info.subject_public_key.as_bytes()?;
    Some(PublicKey::new(bytes.try_into().ok().filter(|_| fits)?))
}

fn private_text(key: &PrivateKey) -> Zeroizing<String> {
    let text = || {
        let scalar = Zeroizing::new(OctetStringRef::new(key.expose())?.to_der()?);
        let document = SecretDocument::encode_msg(&PrivateKeyInfo::new(X25519, &scalar))?;
        document.to_pem(PRIVATE_LABEL, LineEnding::LF)
    };
    match text() {
        Ok(text) => text,
        Err(_) => unreachable!("32 bytes always fit into DER"),
    }
}

/// A public key as text.
#[must_use]
pub fn public_text(key: &PublicKey) -> String {
    let text = || {
        let info = SubjectPublicKeyInfoRef {
            algorithm: X25519,
            subject_public_key: BitStringRef::from_bytes(key.bytes())?,
        };
        Document::encode_msg(&info)?.to_pem(PUBLIC_LABEL, LineEnding::LF)
    };
    match text() {
        Ok(text) => text,
        Err(_) => unreachable!("32 bytes always fit into DER"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, section 10.3, for the structure; the key is made with `openssl genpkey -algorithm X25519`.
    const OPENSSL: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n\
        -----END PRIVATE KEY-----\n";

    #[test]
    fn keys_are_read_as_written() {
        let key = PrivateKey::new([5; 32]);
        let back = private_of(&private_text(&key)).unwrap();
        assert_eq!(back.expose(), key.expose());
        let public = key.public();
        assert_eq!(public_of(&public_text(&public)), Some(public));
    }

    #[test]
    fn the_form_is_that_of_openssl() {
        let key = private_of(OPENSSL).unwrap();
        assert_eq!(key.expose()[..4], [0x77, 0x07, 0x6d, 0x0a]);
        assert_eq!(*private_text(&key), OPENSSL);
    }

    #[test]
    fn other_keys_and_no_keys_are_refused() {
        let private = private_text(&PrivateKey::new([5; 32]));
        let public = public_text(&PrivateKey::new([5; 32]).public());
        assert!(private_of(&public).is_none() && public_of(&private).is_none());
        // Ed25519 has another number.
        let other = OPENSSL.replace("K2Vu", "K2Vw");
        assert!(private_of(&other).is_none());
        for text in ["", "-----BEGIN PRIVATE KEY-----", &private[..60]] {
            assert!(private_of(text).is_none() && public_of(text).is_none());
        }
    }
}
