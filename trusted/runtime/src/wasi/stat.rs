//! What is known about files, by descriptor and by path: asking, and setting times.

use wasmtime::Linker;

use crate::clocks::Clocks;
use crate::descriptors::Resource;
use crate::files::{self, File, Status};
use crate::state::State;
use crate::wasi::call::{Call, Result, define};
use crate::wasi::fd::filetype;
use crate::wasi::memory::GuestRange;
use crate::wasi::path::last_of;
use crate::wasi::rights::{directory_with, entry_with, need};
use crate::wasi::types::{Errno, fstflag, right};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define!(linker;
        fd_filestat_get(fd: u32, stat: u32),
        fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32),
        path_filestat_get(fd: u32, lookup: u32, path: u32, len: u32, stat: u32),
        path_filestat_set_times(fd: u32, lookup: u32, path: u32, len: u32, accessed: u64, modified: u64, flags: u32),
    );
    Ok(())
}

fn fd_filestat_get(call: &mut Call<'_>, fd: u32, stat: u32) -> Result {
    let entry = entry_with(call, fd, right::FD_FILESTAT_GET)?;
    let words = match entry.resource {
        // Some programs compare inodes to find out whether input and output are one file. They are not.
        Resource::Stream(stream) => [
            0,
            stream.number(),
            u64::from(filetype(entry.resource)),
            1,
            0,
            0,
            0,
            0,
        ],
        Resource::File(open) => status(call, open.file)?,
        Resource::Directory(open) => status(call, open.file)?,
    };
    write(call, stat, words)
}

fn path_filestat_get(
    call: &mut Call<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    len: u32,
    stat: u32,
) -> Result {
    let dir = directory_with(call, fd, right::PATH_FILESTAT_GET)?;
    let last = last_of(lookup)?;
    let path = call.memory.slice(GuestRange { address: path, len })?;
    let files = call.state.mounts.files(dir.mount)?;
    let status = files::at(files, dir.node, path, last, |files, place| {
        files.status(place.found()?.node)
    })?;
    write(call, stat, words(dir.mount, &status))
}

fn fd_filestat_set_times(
    call: &mut Call<'_>,
    fd: u32,
    accessed: u64,
    modified: u64,
    flags: u32,
) -> Result {
    let entry = *call.state.descriptors.entry(fd)?;
    let Some(file) = entry.resource.file() else {
        return Err(Errno::Notsup.into());
    };
    need(&entry, right::FD_FILESTAT_SET_TIMES)?;
    let times = times(call, accessed, modified, flags)?;
    let files = call.state.mounts.writable(file.mount)?;
    Ok(files.set_times(file.node, times.accessed, times.modified)?)
}

#[expect(clippy::too_many_arguments, reason = "WASI's signature")]
fn path_filestat_set_times(
    call: &mut Call<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    len: u32,
    accessed: u64,
    modified: u64,
    flags: u32,
) -> Result {
    let dir = directory_with(call, fd, right::PATH_FILESTAT_SET_TIMES)?;
    let last = last_of(lookup)?;
    let times = times(call, accessed, modified, flags)?;
    let path = call.memory.slice(GuestRange { address: path, len })?;
    let files = call.state.mounts.writable(dir.mount)?;
    Ok(files::at(files, dir.node, path, last, |files, place| {
        files.set_times(place.found()?.node, times.accessed, times.modified)
    })?)
}

/// The times to be set; `None` leaves one as it is.
struct Times {
    accessed: Option<u64>,
    modified: Option<u64>,
}

fn times(call: &mut Call<'_>, accessed: u64, modified: u64, flags: u32) -> Result<Times> {
    const NOW: u32 = fstflag::ATIM_NOW | fstflag::MTIM_NOW;
    let both = |one, other| flags & one != 0 && flags & other != 0;
    if flags & !fstflag::ALL != 0
        || both(fstflag::ATIM, fstflag::ATIM_NOW)
        || both(fstflag::MTIM, fstflag::MTIM_NOW)
    {
        return Err(Errno::Inval.into());
    }
    let now = match flags & NOW {
        0 => 0,
        _ => Clocks::realtime(call.platform())?,
    };
    let chosen = |given, time, present| match () {
        () if flags & given != 0 => Some(time),
        () if flags & present != 0 => Some(now),
        () => None,
    };
    Ok(Times {
        accessed: chosen(fstflag::ATIM, accessed, fstflag::ATIM_NOW),
        modified: chosen(fstflag::MTIM, modified, fstflag::MTIM_NOW),
    })
}

fn status(call: &mut Call<'_>, file: File) -> Result<[u64; 8]> {
    let status = call.state.mounts.files(file.mount)?.status(file.node)?;
    Ok(words(file.mount, &status))
}

/// ```text
/// offset  size  field
///      0     8  device: 0 for streams, then the mounts in order
///      8     8  inode
///     16     1  filetype
///     24     8  links
///     32     8  size
///     40    24  times accessed, modified, changed
/// ```
fn words(mount: usize, status: &Status) -> [u64; 8] {
    [
        u64::try_from(mount).map_or(u64::MAX, |mount| mount.saturating_add(1)),
        status.inode,
        u64::from(u8::from(status.kind)),
        status.links,
        status.size,
        status.accessed,
        status.modified,
        status.changed,
    ]
}

fn write(call: &mut Call<'_>, stat: u32, words: [u64; 8]) -> Result {
    Ok(call
        .memory
        .write(stat, words.map(u64::to_le_bytes).as_flattened())?)
}
