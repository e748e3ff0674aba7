//! The bundle that a provisioner answers a request with.
//!
//! ```text
//!   provisioner:   Payload ──► HPKE to the request's key ──► ECDSA ──► bundle
//!   enclave:       Payload ◄── HPKE, once ◄── header ◄── signature ◄── form ◄── bundle
//! ```
//!
//! | module | owns |
//! |---|---|
//! | `envelope` | the bytes outside: whom it is for, ciphertext, signature |
//! | `payload` | the bytes inside |
//! | `seal` | the provisioner's side |
//! | `open` | the enclave's side: the checks, in their order |

mod envelope;
mod open;
mod payload;
mod seal;
#[cfg(test)]
mod tests;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;

use crate::limits::SECRET_NAME_LEN_BYTES_MAX;

pub(crate) use envelope::Envelope;
pub use envelope::Header;
pub use open::{Expected, PrivateKey, Refusal};
pub use payload::Payload;
pub use seal::{Unsealable, seal};

/// Whether a secret may have this name: it becomes the name of a file, or of a variable.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=SECRET_NAME_LEN_BYTES_MAX).contains(&name.len())
        && name.bytes().all(allowed)
        && !matches!(name, "." | "..")
}

type Kem = X25519HkdfSha256;
type Kdf = HkdfSha256;
type Aead = ChaCha20Poly1305;

/// Bytes of a key of X25519, plain or encapsulated.
const KEY_LEN: usize = 32;

/// Bytes of the cipher's tag.
const TAG_LEN: usize = 16;

/// Bytes of a P-256 signature: r and s.
const SIGNATURE_LEN: usize = 64;

const LABEL: &[u8; 14] = b"twine bundle 1";

/// What HPKE's key schedule is bound to.
fn info(request: &[u8; 32]) -> [u8; LABEL.len() + 32] {
    let mut info = [0; LABEL.len() + 32];
    info.iter_mut()
        .zip(LABEL.iter().chain(request))
        .for_each(|(to, from)| *to = *from);
    info
}
