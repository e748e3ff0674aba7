//! What may be done with a descriptor: what each kind has at most, and the check before each call.

use crate::descriptors::{End, Entry, OpenFile, Resource, Rights};
use crate::files::{Access, File};
use crate::wasi::call::{Call, Result};
use crate::wasi::types::{Errno, right};

/// What can be done with a file, at most.
pub(super) const FILE: u64 = right::FD_DATASYNC
    | right::FD_READ
    | right::FD_SEEK
    | right::FD_FDSTAT_SET_FLAGS
    | right::FD_SYNC
    | right::FD_TELL
    | right::FD_WRITE
    | right::FD_ADVISE
    | right::FD_ALLOCATE
    | right::FD_FILESTAT_GET
    | right::FD_FILESTAT_SET_SIZE
    | right::FD_FILESTAT_SET_TIMES
    | right::POLL_FD_READWRITE;

/// What can be done with a directory, at most.
pub(super) const DIRECTORY: u64 = right::FD_DATASYNC
    | right::FD_FDSTAT_SET_FLAGS
    | right::FD_SYNC
    | right::PATH_CREATE_DIRECTORY
    | right::PATH_CREATE_FILE
    | right::PATH_LINK_SOURCE
    | right::PATH_LINK_TARGET
    | right::PATH_OPEN
    | right::FD_READDIR
    | right::PATH_READLINK
    | right::PATH_RENAME_SOURCE
    | right::PATH_RENAME_TARGET
    | right::PATH_FILESTAT_GET
    | right::PATH_FILESTAT_SET_SIZE
    | right::PATH_FILESTAT_SET_TIMES
    | right::FD_FILESTAT_GET
    | right::FD_FILESTAT_SET_TIMES
    | right::PATH_SYMLINK
    | right::PATH_REMOVE_DIRECTORY
    | right::PATH_UNLINK_FILE;

/// Rights that make a file one that is opened for writing.
pub(super) const WRITING: u64 = right::FD_WRITE | right::FD_ALLOCATE | right::FD_FILESTAT_SET_SIZE;

/// What may be done with a standard stream.
pub(crate) const fn stream_rights(end: End) -> Rights {
    let direction = match end {
        End::Input => right::FD_READ,
        End::Output(_) => right::FD_WRITE | right::FD_SYNC | right::FD_DATASYNC,
    };
    Rights {
        base: direction
            | right::FD_FDSTAT_SET_FLAGS
            | right::FD_FILESTAT_GET
            | right::POLL_FD_READWRITE,
        inheriting: 0,
    }
}

/// What may be done with a mount, and with everything in it. That it may be read-only is not a matter of rights:
/// programs expect EROFS.
pub(crate) const fn mount_rights() -> Rights {
    Rights {
        base: DIRECTORY,
        inheriting: DIRECTORY | FILE,
    }
}

/// For what a file with these rights is opened.
pub(super) const fn access(base: u64) -> Access {
    match base & WRITING {
        0 => Access::ReadOnly,
        _ => Access::ReadWrite,
    }
}

/// Checks that the rights of `entry` cover all of `rights`.
pub(super) const fn need(entry: &Entry, rights: u64) -> core::result::Result<(), Errno> {
    match rights & !entry.rights.base {
        0 => Ok(()),
        _ => Err(Errno::Notcapable),
    }
}

/// The entry for `fd`, if its rights cover all of `rights`.
pub(super) fn entry_with(call: &Call<'_>, fd: u32, rights: u64) -> Result<Entry> {
    let entry = *call.state.descriptors.entry(fd)?;
    need(&entry, rights)?;
    Ok(entry)
}

/// The file that `fd` stands for, if its rights cover all of `rights`. A stream is answered with `stream`, a directory
/// with EISDIR.
pub(super) fn file_with(call: &Call<'_>, fd: u32, rights: u64, stream: Errno) -> Result<OpenFile> {
    let entry = call.state.descriptors.entry(fd)?;
    match entry.resource {
        Resource::Stream(_) => Err(stream.into()),
        Resource::Directory(_) => Err(Errno::Isdir.into()),
        Resource::File(open) => {
            need(entry, rights)?;
            Ok(open)
        }
    }
}

/// The directory that `fd` stands for, if its rights cover all of `rights`.
pub(super) fn directory_with(call: &Call<'_>, fd: u32, rights: u64) -> Result<File> {
    let entry = call.state.descriptors.entry(fd)?;
    match entry.resource {
        Resource::Directory(open) => {
            need(entry, rights)?;
            Ok(open.file)
        }
        Resource::Stream(_) | Resource::File(_) => Err(Errno::Notdir.into()),
    }
}
