//! The owner of an application: a key of P-256 that signs its launch documents (`docs/attestation.md`, section 3).
//!
//! Not to be confused with the signer of the runtime's image ([`sign`](crate::sign)): that one vouches for the runtime, the
//! owner for what runs in it.

use std::io;

use p256::SecretKey;
use p256::ecdsa::signature::hazmat::{PrehashSigner as _, PrehashVerifier as _};
use p256::ecdsa::{self, SigningKey};
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding};
use sha2::{Digest as _, Sha256};
use twine_launch::{LaunchDocument, VerifyingKey};
use zeroize::Zeroizing;

/// Why there is no signature of an owner, or why it does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnerError {
    /// The text holds no key.
    #[error(
        "not a private key of P-256 without password in PEM form \
         (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256)"
    )]
    NotAKey,
    /// The operating system gives no randomness.
    #[error("no randomness: {0}")]
    Entropy(io::Error),
    /// The launch document is not valid.
    #[error(transparent)]
    Document(#[from] twine_launch::Error),
    /// The document names no owner.
    #[error("the launch document names no owner; add to it:\n[owner]\nkey = \"{0}\"")]
    NoOwner(VerifyingKey),
    /// The document names another owner.
    #[error("the launch document's owner is {owner}, this key is {key}")]
    OtherOwner {
        /// The document's.
        owner: VerifyingKey,
        /// The key at hand.
        key: VerifyingKey,
    },
    /// The bytes are no signature.
    #[error("not a signature of P-256 in DER form, as `openssl dgst -sha256 -sign` writes it")]
    NotASignature,
    /// The signature was made with another key, or over other bytes.
    #[error(
        "not the owner's signature of this launch document: made with another key, or over other bytes"
    )]
    WrongSignature,
}

/// The private half of an owner's key, or of a provisioner's: both are kept in the same form.
pub struct OwnerKey(SigningKey);

impl OwnerKey {
    /// Makes a key.
    ///
    /// # Errors
    /// [`OwnerError::Entropy`].
    pub fn generate() -> Result<Self, OwnerError> {
        loop {
            let mut bytes = Zeroizing::new([0; 32]);
            rustix::rand::getrandom(bytes.as_mut_slice(), rustix::rand::GetRandomFlags::empty())
                .map_err(|errno| OwnerError::Entropy(errno.into()))?;
            // All but one in 2^32 are keys.
            if let Ok(key) = SigningKey::from_slice(bytes.as_slice()) {
                return Ok(Self(key));
            }
        }
    }

    /// Reads a key without a password: PKCS #8 (`BEGIN PRIVATE KEY`) or SEC 1 (`BEGIN EC PRIVATE KEY`).
    ///
    /// # Errors
    /// [`OwnerError::NotAKey`].
    pub fn from_pem(text: &str) -> Result<Self, OwnerError> {
        // OpenSSL may write the curve's parameters before the key.
        let sec1 = text.find(SEC1_BEGINS).and_then(|start| text.get(start..));
        let key = match sec1 {
            Some(text) => SecretKey::from_sec1_pem(text).map_err(|_| OwnerError::NotAKey)?,
            None => SecretKey::from_pkcs8_pem(text).map_err(|_| OwnerError::NotAKey)?,
        };
        Ok(Self(SigningKey::from(key)))
    }

    /// The key as PKCS #8, to be kept secret.
    ///
    /// # Errors
    /// [`OwnerError::NotAKey`] if the key cannot be written down.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, OwnerError> {
        let key = SecretKey::from(self.0.as_nonzero_scalar());
        key.to_pkcs8_pem(LineEnding::LF)
            .map_err(|_| OwnerError::NotAKey)
    }

    /// The public half, as launch documents write it.
    #[must_use]
    pub fn public(&self) -> VerifyingKey {
        let point = self.0.verifying_key().to_sec1_point(true);
        match point.as_bytes().try_into() {
            Ok(bytes) => VerifyingKey(bytes),
            Err(_) => unreachable!("a compressed point of P-256 has 33 bytes"),
        }
    }

    /// The key itself, to sign bundles with.
    #[must_use]
    pub const fn signing_key(&self) -> &SigningKey {
        &self.0
    }

    /// Signs a launch document that names this key's holder as its owner.
    ///
    /// # Errors
    /// [`OwnerError::Document`], [`OwnerError::NoOwner`], [`OwnerError::OtherOwner`].
    pub fn sign(&self, document: &[u8]) -> Result<DocumentSignature, OwnerError> {
        let key = self.public();
        let parsed = LaunchDocument::parse(document)?;
        let owner = parsed.owner.ok_or(OwnerError::NoOwner(key))?.key;
        if owner != key {
            return Err(OwnerError::OtherOwner { owner, key });
        }
        let signature = self.0.sign_prehash(&Sha256::digest(document));
        signature
            .map(DocumentSignature)
            .map_err(|_| OwnerError::NotAKey)
    }
}

impl std::fmt::Debug for OwnerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnerKey(..)")
    }
}

/// An owner's signature of a launch document.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DocumentSignature(ecdsa::Signature);

impl DocumentSignature {
    /// Reads a signature in DER form.
    ///
    /// # Errors
    /// [`OwnerError::NotASignature`].
    pub fn from_der(bytes: &[u8]) -> Result<Self, OwnerError> {
        ecdsa::Signature::from_der(bytes)
            .map(Self)
            .map_err(|_| OwnerError::NotASignature)
    }

    /// The signature in DER form.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        self.0.to_der().as_bytes().to_vec()
    }

    /// r and s, as the enclave takes them.
    #[must_use]
    pub fn bytes(&self) -> [u8; 64] {
        self.0.to_bytes().into()
    }

    /// Checks that this is `owner`'s signature of `document`, as the enclave will.
    ///
    /// # Errors
    /// [`OwnerError::WrongSignature`], also if the key is none.
    pub fn verify(&self, document: &[u8], owner: VerifyingKey) -> Result<(), OwnerError> {
        ecdsa::VerifyingKey::from_sec1_bytes(&owner.0)
            .and_then(|key| key.verify_prehash(&Sha256::digest(document), &self.0))
            .map_err(|_| OwnerError::WrongSignature)
    }
}

const SEC1_BEGINS: &str = "-----BEGIN EC PRIVATE KEY-----";

#[cfg(test)]
mod tests {
    use super::*;

    // Made with `openssl ecparam -name prime256v1 -genkey`, `openssl pkcs8 -topk8 -nocrypt` and
    // `openssl dgst -sha256 -sign`; OpenSSL does not normalise s.
    const SEC1: &str = include_str!("../tests/data/owner/sec1.pem");
    const PKCS8: &str = include_str!("../tests/data/owner/pkcs8.pem");
    const DOCUMENT: &[u8] = include_bytes!("../tests/data/owner/app.toml");
    const SIGNATURE: &[u8] = include_bytes!("../tests/data/owner/app.toml.sig");

    #[test]
    fn keys_and_signatures_of_openssl_are_read() {
        let key = OwnerKey::from_pem(SEC1).unwrap();
        assert_eq!(OwnerKey::from_pem(PKCS8).unwrap().public(), key.public());
        let signature = DocumentSignature::from_der(SIGNATURE).unwrap();
        signature.verify(DOCUMENT, key.public()).unwrap();
        assert_eq!(signature.to_der(), SIGNATURE);
        signature.verify(b"another", key.public()).unwrap_err();
    }

    #[test]
    fn a_key_that_is_made_here_is_read_back_and_signs_what_is_its_own() {
        let key = OwnerKey::generate().unwrap();
        let back = OwnerKey::from_pem(&key.to_pem().unwrap()).unwrap();
        assert_eq!(back.public(), key.public());
        let named = OwnerKey::from_pem(PKCS8).unwrap().public();
        assert!(matches!(
            key.sign(DOCUMENT),
            Err(OwnerError::OtherOwner { owner, .. }) if owner == named
        ));
        let text = str::from_utf8(DOCUMENT).unwrap();
        let own = text.replace(&named.to_string(), &key.public().to_string());
        let signature = key.sign(own.as_bytes()).unwrap();
        signature.verify(own.as_bytes(), key.public()).unwrap();
        signature.verify(own.as_bytes(), named).unwrap_err();
        let nobodys = text.split("[owner]").next().unwrap();
        let refused = key.sign(nobodys.as_bytes()).unwrap_err();
        assert!(matches!(refused, OwnerError::NoOwner(_)));
        assert!(refused.to_string().contains(&key.public().to_string()));
    }

    #[test]
    fn what_is_no_key_or_signature_is_refused() {
        for text in ["", "-----BEGIN EC PRIVATE KEY-----", &PKCS8[..80]] {
            OwnerKey::from_pem(text).unwrap_err();
        }
        for bytes in [&SIGNATURE[1..], &SIGNATURE[..SIGNATURE.len() - 1], b""] {
            DocumentSignature::from_der(bytes).unwrap_err();
        }
    }
}
