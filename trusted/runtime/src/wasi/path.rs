//! Paths and directories that the launch document would mount. Nothing is mounted, so every descriptor is either not open
//! or not a directory; the calls are all here so that programs which only carry them along can run.

use wasmtime::Linker;

use crate::descriptors::Resource;
use crate::state::State;
use crate::wasi::call::{Call, Result, define};
use crate::wasi::types::Errno;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define!(linker;
        fd_prestat_get(fd: u32, stat: u32),
        fd_prestat_dir_name(fd: u32, path: u32, len: u32),
        path_create_directory(fd: u32, path: u32, len: u32),
        path_filestat_get(fd: u32, flags: u32, path: u32, len: u32, stat: u32),
        path_filestat_set_times(fd: u32, flags: u32, path: u32, len: u32, accessed: u64, modified: u64, which: u32),
        path_link(old_fd: u32, flags: u32, old: u32, old_len: u32, new_fd: u32, new: u32, new_len: u32),
        path_open(fd: u32, lookup: u32, path: u32, len: u32, how: u32, base: u64, inheriting: u64, flags: u32, opened: u32),
        path_readlink(fd: u32, path: u32, len: u32, buffer: u32, buffer_len: u32, used: u32),
        path_remove_directory(fd: u32, path: u32, len: u32),
        path_rename(old_fd: u32, old: u32, old_len: u32, new_fd: u32, new: u32, new_len: u32),
        path_symlink(target: u32, target_len: u32, fd: u32, path: u32, len: u32),
        path_unlink_file(fd: u32, path: u32, len: u32),
    );
    Ok(())
}

// Programs try one number after the other, from 3, until this call says EBADF.
fn fd_prestat_get(call: &mut Call<'_>, fd: u32, _: u32) -> Result {
    match call.state.descriptors.entry(fd)?.resource {
        Resource::Stream(_) => Err(Errno::Badf.into()),
    }
}

fn fd_prestat_dir_name(call: &mut Call<'_>, fd: u32, _: u32, _: u32) -> Result {
    directory(call, fd)
}

fn path_create_directory(call: &mut Call<'_>, fd: u32, _: u32, _: u32) -> Result {
    directory(call, fd)
}

fn path_filestat_get(call: &mut Call<'_>, fd: u32, _: u32, _: u32, _: u32, _: u32) -> Result {
    directory(call, fd)
}

#[expect(clippy::too_many_arguments, reason = "WASI's signature")]
fn path_filestat_set_times(
    call: &mut Call<'_>,
    fd: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u64,
    _: u64,
    _: u32,
) -> Result {
    directory(call, fd)
}

#[expect(clippy::too_many_arguments, reason = "WASI's signature")]
fn path_link(
    call: &mut Call<'_>,
    old_fd: u32,
    _: u32,
    _: u32,
    _: u32,
    new_fd: u32,
    _: u32,
    _: u32,
) -> Result {
    directory(call, old_fd)?;
    directory(call, new_fd)
}

#[expect(clippy::too_many_arguments, reason = "WASI's signature")]
fn path_open(
    call: &mut Call<'_>,
    fd: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u64,
    _: u64,
    _: u32,
    _: u32,
) -> Result {
    directory(call, fd)
}

fn path_readlink(call: &mut Call<'_>, fd: u32, _: u32, _: u32, _: u32, _: u32, _: u32) -> Result {
    directory(call, fd)
}

fn path_remove_directory(call: &mut Call<'_>, fd: u32, _: u32, _: u32) -> Result {
    directory(call, fd)
}

fn path_rename(
    call: &mut Call<'_>,
    old_fd: u32,
    _: u32,
    _: u32,
    new_fd: u32,
    _: u32,
    _: u32,
) -> Result {
    directory(call, old_fd)?;
    directory(call, new_fd)
}

fn path_symlink(call: &mut Call<'_>, _: u32, _: u32, fd: u32, _: u32, _: u32) -> Result {
    directory(call, fd)
}

fn path_unlink_file(call: &mut Call<'_>, fd: u32, _: u32, _: u32) -> Result {
    directory(call, fd)
}

fn directory(call: &Call<'_>, fd: u32) -> Result {
    match call.state.descriptors.entry(fd)?.resource {
        Resource::Stream(_) => Err(Errno::Notdir.into()),
    }
}
