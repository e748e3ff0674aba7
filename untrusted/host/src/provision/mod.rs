//! Provisioning: bringing an enclave's request to its provisioner, and the bundle back (`docs/attestation.md`, section 2).
//!
//! Neither is secret, and neither is believed: the request proves itself to the provisioner, and the bundle to the
//! enclave. So any way will do, and there are two here.
//!
//! | way | |
//! |---|---|
//! | [`Folder`] | a folder: the request is put there, the bundle awaited |
//! | [`Http`] | one POST to a server |

mod folder;
mod http;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use twine_launch::limits::MODULE_LEN_BYTES_MAX;

pub use folder::Folder;
pub use http::Http;

/// Whoever answers requests.
pub trait Provisioner {
    /// Brings the request to the provisioner and returns the bundle.
    ///
    /// # Errors
    /// [`ProvisionError`]. The guest does not start.
    fn provision(&mut self, request: &[u8]) -> Result<Vec<u8>, ProvisionError>;
}

/// How long a provisioner has to answer, unless the caller says otherwise: long enough for people to carry files about.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_mins(10);

/// Longest answer that is taken: the longest module, and room for every secret there can be. The enclave knows the exact
/// bound.
pub const ANSWER_LEN_BYTES_MAX: usize = MODULE_LEN_BYTES_MAX + (32 << 20);

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProvisionError {
    /// The launch document asks for a provisioner, and the caller named none.
    #[error("the launch document asks for a provisioner: name one")]
    NoProvisioner,
    /// The provisioner looked at the request and does not answer it.
    #[error("the provisioner refuses: {0}")]
    Refused(String),
    /// There was no answer in time.
    #[error("no bundle came within {} seconds: {waiting}", timeout.as_secs())]
    Timeout {
        /// How long was waited.
        timeout: Duration,
        /// What for.
        waiting: String,
    },
    /// What came is longer than any bundle.
    #[error("what the provisioner sent is longer than any bundle ({ANSWER_LEN_BYTES_MAX} bytes)")]
    TooLong,
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The server cannot be asked.
    #[error("{url}: {reason}")]
    Http {
        /// The server.
        url: String,
        /// Why not.
        reason: String,
    },
}
