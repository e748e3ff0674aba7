//! Why there is no quote.

use std::io;
use std::path::PathBuf;

use twine_abi::exchange::HostErrno;

use super::ErrorCode;

/// Why there is no quote, and what whoever runs the machine can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuoteError {
    /// Nobody listens on AESM's socket.
    #[error(
        "{}: AESM does not run; install sgx-aesm-service and libsgx-aesm-quote-ex-plugin, and start aesmd",
        socket.display()
    )]
    NotRunning {
        /// The socket.
        socket: PathBuf,
    },
    /// The operating system does not let this user talk to AESM.
    #[error(
        "{}: this user may not talk to AESM; see which group the socket belongs to, and join it",
        socket.display()
    )]
    NotPermitted {
        /// The socket.
        socket: PathBuf,
    },
    /// Talking to the service failed, or took too long.
    #[error("{service}: {error}")]
    Io {
        /// The service.
        service: &'static str,
        /// The operating system's reason.
        error: io::Error,
    },
    /// Intel's quoting library cannot be loaded.
    #[error("{reason}; install libsgx-dcap-ql")]
    NoLibrary {
        /// The loader's reason.
        reason: String,
    },
    /// Neither of two sources is there.
    #[error("nothing here makes quotes: {first}; and {second}")]
    NoSource {
        /// Why not the one.
        first: Box<Self>,
        /// Why not the other.
        second: Box<Self>,
    },
    /// The service offers no ECDSA key.
    #[error("AESM has no key for ECDSA quotes; install libsgx-aesm-ecdsa-plugin and restart aesmd")]
    NoEcdsaKey,
    /// The service refused.
    #[error("{call} was refused: {code}: {}", code.cause())]
    Refused {
        /// The request or function.
        call: &'static str,
        /// The service's reason.
        code: ErrorCode,
    },
    /// Since the target was given out, another quoting enclave has taken its place.
    #[error("the quoting enclave has changed; make a report for the new one")]
    TargetChanged,
    /// The service did not keep to its protocol.
    #[error("{service} broke the protocol: {what}")]
    Protocol {
        /// The service.
        service: &'static str,
        /// What it sent.
        what: &'static str,
    },
    /// The emulator's quoting service cannot work.
    #[error("the emulator's quoting service: {0}")]
    Simulated(String),
}

impl QuoteError {
    /// Whether there is no such source here, so that another may be asked.
    #[must_use]
    pub const fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::NotRunning { .. } | Self::NoLibrary { .. } | Self::NoEcdsaKey
        )
    }

    /// The reason as far as the enclave learns it; the words go to whoever runs it.
    #[must_use]
    pub const fn errno(&self) -> HostErrno {
        match self {
            Self::NotRunning { .. } | Self::NoLibrary { .. } | Self::NoSource { .. } => {
                HostErrno::NotSupported
            }
            Self::NotPermitted { .. } => HostErrno::Denied,
            Self::TargetChanged => HostErrno::Again,
            _ => HostErrno::Io,
        }
    }
}
