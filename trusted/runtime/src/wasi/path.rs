//! Changing names: what is created, linked, moved and removed by path.

use wasmtime::Linker;

use crate::files::{self, Error, FileKind, FileSystem, Found, Last, Node, Place};
use crate::state::State;
use crate::wasi::call::{Call, Result, define};
use crate::wasi::memory::GuestRange;
use crate::wasi::rights::directory_with;
use crate::wasi::types::{Errno, lookupflag, right};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define!(linker;
        path_create_directory(fd: u32, path: u32, len: u32),
        path_link(old_fd: u32, lookup: u32, old: u32, old_len: u32, new_fd: u32, new: u32, new_len: u32),
        path_readlink(fd: u32, path: u32, len: u32, buffer: u32, buffer_len: u32, used: u32),
        path_remove_directory(fd: u32, path: u32, len: u32),
        path_rename(old_fd: u32, old: u32, old_len: u32, new_fd: u32, new: u32, new_len: u32),
        path_symlink(target: u32, target_len: u32, fd: u32, path: u32, len: u32),
        path_unlink_file(fd: u32, path: u32, len: u32),
    );
    Ok(())
}

/// What the guest says about a link at the end of a path.
pub(super) const fn last_of(lookup: u32) -> core::result::Result<Last, Errno> {
    match lookup {
        0 => Ok(Last::Keep),
        lookupflag::SYMLINK_FOLLOW => Ok(Last::Follow),
        _ => Err(Errno::Inval),
    }
}

fn path_create_directory(call: &mut Call<'_>, fd: u32, path: u32, len: u32) -> Result {
    change(
        call,
        (fd, right::PATH_CREATE_DIRECTORY),
        (path, len),
        |files, place| match place {
            Place::Directory(_) | Place::Name { found: Some(_), .. } => Err(Error::Exists),
            Place::Name { dir, name, .. } => files.create_directory(*dir, name),
        },
    )
}

fn path_unlink_file(call: &mut Call<'_>, fd: u32, path: u32, len: u32) -> Result {
    change(
        call,
        (fd, right::PATH_UNLINK_FILE),
        (path, len),
        |files, place| match place {
            Place::Directory(_) => Err(Error::IsADirectory),
            Place::Name { dir, name, .. } => files.remove_file(*dir, name),
        },
    )
}

fn path_remove_directory(call: &mut Call<'_>, fd: u32, path: u32, len: u32) -> Result {
    change(
        call,
        (fd, right::PATH_REMOVE_DIRECTORY),
        (path, len),
        |files, place| match place {
            // Only its name can be taken from a directory, and "." is none.
            Place::Directory(_) => Err(Error::Invalid),
            Place::Name { dir, name, .. } => files.remove_directory(*dir, name),
        },
    )
}

fn path_symlink(
    call: &mut Call<'_>,
    target: u32,
    target_len: u32,
    fd: u32,
    path: u32,
    len: u32,
) -> Result {
    directory_with(call, fd, right::PATH_SYMLINK)?;
    let range = GuestRange {
        address: target,
        len: target_len,
    };
    let target = files::check_path(call.memory.slice(range)?)?.to_vec();
    change(
        call,
        (fd, right::PATH_SYMLINK),
        (path, len),
        |files, place| match place {
            Place::Directory(_) | Place::Name { found: Some(_), .. } => Err(Error::Exists),
            Place::Name { slash: true, .. } => Err(Error::NotFound),
            Place::Name { dir, name, .. } => files.create_link(*dir, name, &target),
        },
    )
}

/// Changes what a name stands for.
fn change(
    call: &mut Call<'_>,
    (fd, right): (u32, u64),
    (address, len): (u32, u32),
    act: impl FnOnce(&mut dyn FileSystem, &Place) -> files::Result,
) -> Result {
    let dir = directory_with(call, fd, right)?;
    let path = call.memory.slice(GuestRange { address, len })?;
    let files = call.state.mounts.writable(dir.mount)?;
    Ok(files::at(files, dir.node, path, Last::Name, act)?)
}

fn path_readlink(
    call: &mut Call<'_>,
    fd: u32,
    path: u32,
    len: u32,
    buffer: u32,
    buffer_len: u32,
    used: u32,
) -> Result {
    let dir = directory_with(call, fd, right::PATH_READLINK)?;
    let path = call.memory.slice(GuestRange { address: path, len })?;
    let files = call.state.mounts.files(dir.mount)?;
    let target = files::at(files, dir.node, path, Last::Keep, |files, place| {
        files.read_link(place.found()?.node)
    })?;
    let room = usize::try_from(buffer_len).unwrap_or(usize::MAX);
    let target = target.get(..room).unwrap_or(&target);
    call.memory.write(buffer, target)?;
    let len = u32::try_from(target.len()).map_err(|_| Errno::Overflow)?;
    Ok(call.memory.write_u32(used, len)?)
}

#[expect(clippy::too_many_arguments, reason = "WASI's signature")]
fn path_link(
    call: &mut Call<'_>,
    old_fd: u32,
    lookup: u32,
    old: u32,
    old_len: u32,
    new_fd: u32,
    new: u32,
    new_len: u32,
) -> Result {
    let last = last_of(lookup)?;
    let old = (old_fd, right::PATH_LINK_SOURCE, old, old_len);
    let new = (new_fd, right::PATH_LINK_TARGET, new, new_len);
    between(call, (old, last), new, |files, old, (dir, name, target)| {
        let Found { node, kind } = old.found()?;
        match (kind, target) {
            (FileKind::Directory, _) => Err(Error::NotPermitted),
            (_, Target { found: Some(_), .. }) => Err(Error::Exists),
            (_, Target { slash: true, .. }) => Err(Error::NotFound),
            _ => files.link(node, dir, name),
        }
    })
}

fn path_rename(
    call: &mut Call<'_>,
    old_fd: u32,
    old: u32,
    old_len: u32,
    new_fd: u32,
    new: u32,
    new_len: u32,
) -> Result {
    let old = (old_fd, right::PATH_RENAME_SOURCE, old, old_len);
    let new = (new_fd, right::PATH_RENAME_TARGET, new, new_len);
    between(
        call,
        (old, Last::Name),
        new,
        |files, old, (to_dir, to, target)| {
            let kind = old.found()?.kind;
            match old {
                Place::Directory(_) => Err(Error::Busy),
                _ if target.slash && kind != FileKind::Directory => Err(Error::NotADirectory),
                Place::Name { dir, name, .. } => files.rename(*dir, name, to_dir, to),
            }
        },
    )
}

/// A descriptor, the right it needs, and the address and length of a path.
type Start = (u32, u64, u32, u32);

/// What is known about the place where a name is to appear.
struct Target {
    found: Option<Found>,
    slash: bool,
}

/// Does something with two places of one file system. The second one is a name.
fn between(
    call: &mut Call<'_>,
    (old, last): (Start, Last),
    new: Start,
    act: impl FnOnce(&mut dyn FileSystem, &Place, (Node, &[u8], Target)) -> files::Result,
) -> Result {
    let (old_fd, right, address, len) = old;
    let old_dir = directory_with(call, old_fd, right)?;
    let old_path = call.memory.slice(GuestRange { address, len })?;
    let (new_fd, right, address, len) = new;
    let new_dir = directory_with(call, new_fd, right)?;
    let new_path = call.memory.slice(GuestRange { address, len })?;
    if old_dir.mount != new_dir.mount {
        return Err(Error::CrossDevice.into());
    }
    let files = call.state.mounts.writable(old_dir.mount)?;
    Ok(files::at(
        files,
        old_dir.node,
        old_path,
        last,
        |files, old| {
            files::at(
                files,
                new_dir.node,
                new_path,
                Last::Name,
                |files, new| match new {
                    Place::Directory(_) => Err(Error::Busy),
                    Place::Name {
                        dir,
                        name,
                        found,
                        slash,
                    } => act(
                        files,
                        old,
                        (
                            *dir,
                            name,
                            Target {
                                found: *found,
                                slash: *slash,
                            },
                        ),
                    ),
                },
            )
        },
    )?)
}
