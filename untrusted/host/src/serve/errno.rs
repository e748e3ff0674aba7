//! The operating system's errors, in the host call's words.

use std::io::{Error, ErrorKind};

use twine_abi::exchange::HostErrno;

use crate::backend::BackendError;

/// What the enclave is told about a failed operation on a stream.
pub(super) fn of_stream(error: &Error) -> HostErrno {
    match error.kind() {
        ErrorKind::Interrupted => HostErrno::Interrupted,
        ErrorKind::WouldBlock => HostErrno::Again,
        ErrorKind::OutOfMemory => HostErrno::NoMemory,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => HostErrno::NoSpace,
        ErrorKind::BrokenPipe => HostErrno::BrokenPipe,
        _ => HostErrno::Io,
    }
}

/// What the enclave is told about pages that the platform did not change. Losing the enclave shows at its next entry.
pub(super) fn of_pages(error: &BackendError) -> HostErrno {
    match error {
        BackendError::Refused { .. } => HostErrno::Invalid,
        BackendError::Os { source, .. } => of_stream(source),
        BackendError::Lost => HostErrno::Io,
    }
}
