//! Signing: who vouches for an image, and in which form it may be launched.
//!
//! ```text
//!   Image ──► Statement ──sign──► Certificate       with a key at hand
//!                 │                    ▲
//!                 └─to_sign()─► HSM ───┘            with a key that stays where it is: two steps
//! ```
//!
//! A [`Statement`] is what a SIGSTRUCT says; a [`Certificate`] is a SIGSTRUCT whose signature has been checked, and
//! there is no other way to make one. `docs/image.md`, "The signature", lists the fields and their reasons.
//!
//! Signing protects nothing on its own: everybody can sign, and a relying party decides by MRENCLAVE or by the signer
//! (MRSIGNER). [`development`] therefore makes a key for each user, so that nobody has to think of one before a first
//! run.

use std::path::PathBuf;

use twine_abi::sgx::Digest;

use crate::state::StateError;

mod certificate;
pub mod development;
mod key;
mod statement;
#[cfg(test)]
mod tests;

pub use certificate::Certificate;
pub use key::{PrivateKey, PublicKey};
pub use statement::{SECURITY_VERSION, SecurityVersion, Statement};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The file is not an RSA key in PEM form. Whoever wrote it is to blame.
    #[error("not an RSA key in PEM form (PKCS #8, PKCS #1, or a public key): {0}")]
    NotAKey(&'static str),
    /// The processor takes 3072 bits and the exponent 3, nothing else.
    #[error("the key has {bits} bits and {} 3; SGX takes 3072 bits and exponent 3 \
             (openssl genrsa -3 3072)", if *.exponent_is_three { "exponent" } else { "an exponent other than" })]
    WrongKey {
        /// Length of the modulus.
        bits: usize,
        /// Whether the exponent is right.
        exponent_is_three: bool,
    },
    /// Not a SIGSTRUCT.
    #[error("not a SIGSTRUCT: {0}")]
    Malformed(&'static str),
    /// The signature was made with another key, or over other bytes.
    #[error("the signature does not fit: made with another key, or over other bytes")]
    BadSignature,
    /// The signature is good, but certifies another enclave.
    #[error("the SIGSTRUCT certifies MRENCLAVE {}, the image has {}", Hex(.certified), Hex(.image))]
    OtherImage {
        /// MRENCLAVE in the SIGSTRUCT.
        certified: Digest,
        /// MRENCLAVE of the image.
        image: Digest,
    },
    /// The arithmetic library refused to make or use a key.
    #[error("RSA: {0}")]
    Rsa(#[from] rsa::Error),
    /// The key or the certificates of this user cannot be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file that should hold this user's key holds something else.
    #[error("{}: {reason}; remove it to have a new one made", path.display())]
    DevelopmentKey {
        /// The key's file.
        path: PathBuf,
        /// What is wrong with it.
        reason: Box<Self>,
    },
}

/// Bytes as people compare them.
struct Hex<'bytes>(&'bytes [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
