//! What a descriptor says of itself, and what can be changed about it.

use wasmtime::Linker;

use crate::descriptors::{Blocking, Device, End, Entry, Resource, Rights, Stream};
use crate::state::State;
use crate::wasi::call::{Call, Result, define};
use crate::wasi::types::{Errno, fdflag, filetype, right};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define!(linker;
        fd_advise(fd: u32, offset: u64, len: u64, advice: u32),
        fd_allocate(fd: u32, offset: u64, len: u64),
        fd_close(fd: u32),
        fd_datasync(fd: u32),
        fd_fdstat_get(fd: u32, stat: u32),
        fd_fdstat_set_flags(fd: u32, flags: u32),
        fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64),
        fd_filestat_get(fd: u32, stat: u32),
        fd_filestat_set_size(fd: u32, size: u64),
        fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32),
        fd_renumber(from: u32, to: u32),
        fd_sync(fd: u32),
    );
    Ok(())
}

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

/// The entry for `fd`, if its rights cover all of `rights`.
pub(super) fn entry_with(call: &Call<'_>, fd: u32, rights: u64) -> Result<Entry> {
    let entry = *call.state.descriptors.entry(fd)?;
    if rights & !entry.rights.base != 0 {
        return Err(Errno::Notcapable.into());
    }
    Ok(entry)
}

fn fd_advise(call: &mut Call<'_>, fd: u32, _offset: u64, _len: u64, advice: u32) -> Result {
    match call.state.descriptors.entry(fd)?.resource {
        _ if advice > ADVICE_LAST => Err(Errno::Inval.into()),
        Resource::Stream(_) => Err(Errno::Spipe.into()),
    }
}

fn fd_allocate(call: &mut Call<'_>, fd: u32, _offset: u64, _len: u64) -> Result {
    match call.state.descriptors.entry(fd)?.resource {
        Resource::Stream(_) => Err(Errno::Spipe.into()),
    }
}

fn fd_close(call: &mut Call<'_>, fd: u32) -> Result {
    Ok(call.state.descriptors.close(fd)?)
}

fn fd_datasync(call: &mut Call<'_>, fd: u32) -> Result {
    synchronise(call, fd, right::FD_DATASYNC)
}

fn fd_sync(call: &mut Call<'_>, fd: u32) -> Result {
    synchronise(call, fd, right::FD_SYNC)
}

fn synchronise(call: &Call<'_>, fd: u32, right: u64) -> Result {
    match call.state.descriptors.entry(fd)?.resource {
        Resource::Stream(Stream {
            end: End::Input, ..
        }) => Err(Errno::Inval.into()),
        // Whatever was written has left at once.
        Resource::Stream(Stream {
            end: End::Output(_),
            ..
        }) => entry_with(call, fd, right).map(|_| ()),
    }
}

/// ```text
/// offset  size  field
///      0     1  filetype
///      2     2  flags
///      8     8  rights, base
///     16     8  rights, inheriting
/// ```
fn fd_fdstat_get(call: &mut Call<'_>, fd: u32, stat: u32) -> Result {
    let entry = *call.state.descriptors.entry(fd)?;
    let flags = match entry.blocking {
        Blocking::Wait => 0,
        Blocking::Fail => fdflag::NONBLOCK,
    };
    let words = [
        u64::from(filetype(entry.resource)) | u64::from(flags) << 16,
        entry.rights.base,
        entry.rights.inheriting,
    ];
    Ok(call
        .memory
        .write(stat, words.map(u64::to_le_bytes).as_flattened())?)
}

fn fd_fdstat_set_flags(call: &mut Call<'_>, fd: u32, flags: u32) -> Result {
    entry_with(call, fd, right::FD_FDSTAT_SET_FLAGS)?;
    let flags = u16::try_from(flags).map_err(|_| Errno::Inval)?;
    if flags & !fdflag::ALL != 0 {
        return Err(Errno::Inval.into());
    }
    let entry = call.state.descriptors.entry_mut(fd)?;
    match entry.resource {
        Resource::Stream(_) if flags & !fdflag::NONBLOCK != 0 => Err(Errno::Notsup.into()),
        Resource::Stream(_) => {
            entry.blocking = match flags & fdflag::NONBLOCK {
                0 => Blocking::Wait,
                _ => Blocking::Fail,
            };
            Ok(())
        }
    }
}

/// Gives rights up. None can be gained.
fn fd_fdstat_set_rights(call: &mut Call<'_>, fd: u32, base: u64, inheriting: u64) -> Result {
    let entry = call.state.descriptors.entry_mut(fd)?;
    if base & !entry.rights.base != 0 || inheriting & !entry.rights.inheriting != 0 {
        return Err(Errno::Notcapable.into());
    }
    entry.rights = Rights { base, inheriting };
    Ok(())
}

/// ```text
/// offset  size  field
///      0     8  device
///      8     8  inode
///     16     1  filetype
///     24     8  links
///     32     8  size
///     40    24  times accessed, modified, changed
/// ```
fn fd_filestat_get(call: &mut Call<'_>, fd: u32, stat: u32) -> Result {
    let entry = entry_with(call, fd, right::FD_FILESTAT_GET)?;
    let (inode, links) = match entry.resource {
        // Some programs compare inodes to find out whether input and output are one file. They are not.
        Resource::Stream(stream) => (stream.number(), 1u64),
    };
    let words = [
        0,
        inode,
        u64::from(filetype(entry.resource)),
        links,
        0,
        0,
        0,
        0,
    ];
    Ok(call
        .memory
        .write(stat, words.map(u64::to_le_bytes).as_flattened())?)
}

fn fd_filestat_set_size(call: &mut Call<'_>, fd: u32, _size: u64) -> Result {
    match call.state.descriptors.entry(fd)?.resource {
        Resource::Stream(_) => Err(Errno::Inval.into()),
    }
}

fn fd_filestat_set_times(
    call: &mut Call<'_>,
    fd: u32,
    _accessed: u64,
    _modified: u64,
    _flags: u32,
) -> Result {
    match call.state.descriptors.entry(fd)?.resource {
        Resource::Stream(_) => Err(Errno::Notsup.into()),
    }
}

fn fd_renumber(call: &mut Call<'_>, from: u32, to: u32) -> Result {
    Ok(call.state.descriptors.renumber(from, to)?)
}

const fn filetype(resource: Resource) -> u8 {
    match resource {
        Resource::Stream(stream) => match stream.device {
            Device::Terminal => filetype::CHARACTER_DEVICE,
            Device::Other => filetype::UNKNOWN,
        },
    }
}

/// The last of the six values of `advice`.
const ADVICE_LAST: u32 = 5;
