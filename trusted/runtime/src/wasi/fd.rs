//! What a descriptor says of itself, and what can be changed about it.

use wasmtime::Linker;

use crate::descriptors::{Device, End, OpenFile, Resource, Rights, Stream};
use crate::files::{FileKind, Scope};
use crate::state::State;
use crate::wasi::call::{Call, Result, define};
use crate::wasi::rights::{entry_with, file_with, need};
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
        fd_filestat_set_size(fd: u32, size: u64),
        fd_renumber(from: u32, to: u32),
        fd_sync(fd: u32),
    );
    Ok(())
}

// There is nothing to do with advice: reading ahead happens anyway, and what is cached is the file system's affair.
fn fd_advise(call: &mut Call<'_>, fd: u32, offset: u64, len: u64, advice: u32) -> Result {
    call.state.descriptors.entry(fd)?;
    if advice > ADVICE_LAST {
        return Err(Errno::Inval.into());
    }
    file_with(call, fd, right::FD_ADVISE, Errno::Spipe)?;
    // Negative in the signed type of C.
    if [offset, len]
        .map(i64::try_from)
        .iter()
        .any(core::result::Result::is_err)
    {
        return Err(Errno::Inval.into());
    }
    Ok(())
}

fn fd_allocate(call: &mut Call<'_>, fd: u32, offset: u64, len: u64) -> Result {
    let OpenFile { file, .. } = file_with(call, fd, right::FD_ALLOCATE, Errno::Spipe)?;
    if len == 0 {
        return Err(Errno::Inval.into());
    }
    let files = call.state.mounts.writable(file.mount)?;
    Ok(files.allocate(file.node, offset, len)?)
}

fn fd_close(call: &mut Call<'_>, fd: u32) -> Result {
    let entry = call.state.descriptors.close(fd)?;
    if let Some(file) = entry.resource.file() {
        call.state.mounts.release(file);
    }
    Ok(())
}

fn fd_datasync(call: &mut Call<'_>, fd: u32) -> Result {
    synchronise(call, fd, right::FD_DATASYNC, Scope::Contents)
}

fn fd_sync(call: &mut Call<'_>, fd: u32) -> Result {
    synchronise(call, fd, right::FD_SYNC, Scope::Everything)
}

fn synchronise(call: &mut Call<'_>, fd: u32, right: u64, scope: Scope) -> Result {
    let entry = *call.state.descriptors.entry(fd)?;
    let Some(file) = entry.resource.file() else {
        return match entry.resource {
            Resource::Stream(stream) if stream.end == End::Input => Err(Errno::Inval.into()),
            // Whatever was written has left at once.
            _ => Ok(need(&entry, right)?),
        };
    };
    need(&entry, right)?;
    match call.state.mounts.writable(file.mount) {
        Ok(files) => Ok(files.sync(file.node, scope)?),
        // What cannot be written is as durable as it will ever be.
        Err(_) => Ok(()),
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
    let words = [
        u64::from(filetype(entry.resource)) | u64::from(entry.flags) << 16,
        entry.rights.base,
        entry.rights.inheriting,
    ];
    Ok(call
        .memory
        .write(stat, words.map(u64::to_le_bytes).as_flattened())?)
}

fn fd_fdstat_set_flags(call: &mut Call<'_>, fd: u32, flags: u32) -> Result {
    entry_with(call, fd, right::FD_FDSTAT_SET_FLAGS)?;
    let flags = flags_from(flags)?;
    let entry = call.state.descriptors.entry_mut(fd)?;
    match entry.resource {
        Resource::Stream(_) if flags & !fdflag::NONBLOCK != 0 => Err(Errno::Notsup.into()),
        _ => {
            entry.flags = flags;
            Ok(())
        }
    }
}

/// The flags of a descriptor, as the guest names them.
pub(super) fn flags_from(flags: u32) -> core::result::Result<u16, Errno> {
    let flags = u16::try_from(flags).map_err(|_| Errno::Inval)?;
    match flags & !fdflag::ALL {
        0 => Ok(flags),
        _ => Err(Errno::Inval),
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

fn fd_filestat_set_size(call: &mut Call<'_>, fd: u32, size: u64) -> Result {
    let open = file_with(call, fd, right::FD_FILESTAT_SET_SIZE, Errno::Inval)?;
    let files = call.state.mounts.writable(open.file.mount)?;
    Ok(files.set_size(open.file.node, size)?)
}

fn fd_renumber(call: &mut Call<'_>, from: u32, to: u32) -> Result {
    let replaced = call.state.descriptors.renumber(from, to)?;
    if let Some(file) = replaced.and_then(|entry| entry.resource.file()) {
        call.state.mounts.release(file);
    }
    Ok(())
}

pub(super) fn filetype(resource: Resource) -> u8 {
    match resource {
        Resource::Stream(Stream {
            device: Device::Terminal,
            ..
        }) => filetype::CHARACTER_DEVICE,
        Resource::Stream(_) => filetype::UNKNOWN,
        Resource::File(_) => FileKind::File.into(),
        Resource::Directory(_) => FileKind::Directory.into(),
    }
}

/// The last of the six values of `advice`.
const ADVICE_LAST: u32 = 5;
