//! The operating system's errors, in the host call's words.

use std::io::{Error, ErrorKind};

use rustix::io::Errno;
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

/// What the enclave is told about a failed operation on a file.
pub(super) fn of_file(errno: Errno) -> HostErrno {
    match errno {
        Errno::PERM => HostErrno::NotPermitted,
        Errno::NOENT => HostErrno::NotFound,
        Errno::INTR => HostErrno::Interrupted,
        Errno::NOMEM => HostErrno::NoMemory,
        Errno::ACCESS => HostErrno::Denied,
        Errno::BUSY => HostErrno::Busy,
        Errno::EXIST => HostErrno::Exists,
        Errno::XDEV => HostErrno::CrossDevice,
        // A link where none may be followed.
        Errno::NOTDIR | Errno::LOOP => HostErrno::NotADirectory,
        Errno::ISDIR => HostErrno::IsADirectory,
        Errno::INVAL => HostErrno::Invalid,
        Errno::MFILE | Errno::NFILE => HostErrno::TooManyOpen,
        Errno::FBIG => HostErrno::TooLarge,
        Errno::NOSPC | Errno::DQUOT => HostErrno::NoSpace,
        Errno::ROFS => HostErrno::ReadOnly,
        Errno::MLINK => HostErrno::TooManyLinks,
        Errno::NAMETOOLONG => HostErrno::NameTooLong,
        Errno::NOTEMPTY => HostErrno::NotEmpty,
        Errno::OPNOTSUPP => HostErrno::NotSupported,
        _ => HostErrno::Io,
    }
}

/// What the enclave is told about pages that the platform did not change. Losing the enclave shows at its next entry.
pub(super) fn of_pages(error: &BackendError) -> HostErrno {
    match error {
        BackendError::Refused { .. } => HostErrno::Invalid,
        BackendError::Os { source, .. } => of_stream(source),
        BackendError::Lost | BackendError::Unusable { .. } => HostErrno::Io,
    }
}
