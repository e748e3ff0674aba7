//! Directories: which ones are there from the start, and what is in them.

use wasmtime::Linker;

use crate::descriptors::{OpenDirectory, Origin, Resource};
use crate::files::{DirectoryEntry, FileKind, FileSystem, Node, Status};
use crate::limits::DIRECTORY_ENTRIES_MAX;
use crate::state::State;
use crate::wasi::call::{Call, Result, define};
use crate::wasi::memory::{GuestMemory, GuestRange, offset};
use crate::wasi::rights::directory_with;
use crate::wasi::types::{Errno, right};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define!(linker;
        fd_prestat_get(fd: u32, stat: u32),
        fd_prestat_dir_name(fd: u32, path: u32, len: u32),
        fd_readdir(fd: u32, buffer: u32, len: u32, cookie: u64, used: u32),
    );
    Ok(())
}

/// ```text
/// offset  size  field
///      0     1  kind: 0, a directory
///      4     4  length of its name
/// ```
// Programs try one number after the other, from 3, until this call says EBADF.
fn fd_prestat_get(call: &mut Call<'_>, fd: u32, stat: u32) -> Result {
    let path = call.state.mounts.path(mount(call, fd)?)?;
    let len = u32::try_from(path.len()).map_err(|_| Errno::Overflow)?;
    Ok(call.memory.write_u64(stat, u64::from(len) << 32)?)
}

fn fd_prestat_dir_name(call: &mut Call<'_>, fd: u32, path: u32, len: u32) -> Result {
    directory_with(call, fd, 0)?;
    let name = call.state.mounts.path(mount(call, fd)?)?.as_bytes();
    if usize::try_from(len).is_ok_and(|len| len < name.len()) {
        return Err(Errno::Nametoolong.into());
    }
    Ok(call.memory.write(path, name)?)
}

fn mount(call: &Call<'_>, fd: u32) -> Result<usize> {
    match call.state.descriptors.entry(fd)?.resource {
        Resource::Directory(OpenDirectory {
            file,
            origin: Origin::Mount,
        }) => Ok(file.mount),
        _ => Err(Errno::Badf.into()),
    }
}

/// Lists "." and ".." before what the file system knows. The last entry is cut off where the buffer ends, so a guest that
/// finds the buffer full asks again, from that entry on.
fn fd_readdir(
    call: &mut Call<'_>,
    fd: u32,
    buffer: u32,
    len: u32,
    cookie: u64,
    used: u32,
) -> Result {
    let dir = directory_with(call, fd, right::FD_READDIR)?;
    call.memory.write_u32(used, 0)?;
    call.memory.slice(GuestRange {
        address: buffer,
        len,
    })?;
    let files = call.state.mounts.files(dir.mount)?;
    let mut list = List {
        memory: &mut call.memory,
        at: buffer,
        left: len,
    };
    list.fill(files, dir.node, cookie)?;
    let left = list.left;
    Ok(call.memory.write_u32(used, len - left)?)
}

/// What is left of the buffer.
struct List<'a, 'b> {
    memory: &'a mut GuestMemory<'b>,
    at: u32,
    left: u32,
}

impl List<'_, '_> {
    fn fill(&mut self, files: &mut dyn FileSystem, dir: Node, mut cookie: u64) -> Result {
        // The open directory may have been removed; a guest that lists it finds nothing else then.
        let status = files.status(dir)?;
        while let Some(entry) = dots(&status, cookie).filter(|_| self.left > 0) {
            cookie = entry.next;
            self.push(&entry)?;
        }
        // Full already, maybe before the second of the two: `cookie` means nothing to the file system then.
        while self.left > 0 {
            let count = usize::try_from(self.left).unwrap_or(usize::MAX) / HEADER_LEN + 1;
            let entries =
                files.read_directory(dir, cookie - DOTS, count.min(DIRECTORY_ENTRIES_MAX))?;
            if entries.is_empty() {
                break;
            }
            for mut entry in entries {
                cookie = entry.next.checked_add(DOTS).ok_or(Errno::Overflow)?;
                entry.next = cookie;
                self.push(&entry)?;
            }
        }
        Ok(())
    }

    /// ```text
    /// offset  size  field
    ///      0     8  cookie of the next entry
    ///      8     8  inode
    ///     16     4  length of the name
    ///     20     1  filetype
    ///     24        name
    /// ```
    fn push(&mut self, entry: &DirectoryEntry) -> Result {
        let len = u32::try_from(entry.name.len()).map_err(|_| Errno::Overflow)?;
        let words = [
            entry.next,
            entry.inode,
            u64::from(len) | u64::from(u8::from(entry.kind)) << 32,
        ];
        self.push_bytes(words.map(u64::to_le_bytes).as_flattened())?;
        self.push_bytes(&entry.name)
    }

    fn push_bytes(&mut self, bytes: &[u8]) -> Result {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX);
        let bytes = bytes.get(..room).unwrap_or(bytes);
        self.memory.write(self.at, bytes)?;
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::Overflow)?;
        self.at = offset(self.at, len)?;
        self.left = self.left.saturating_sub(len);
        Ok(())
    }
}

/// The entry that `cookie` stands for if it is one of the two that no file system lists.
fn dots(dir: &Status, cookie: u64) -> Option<DirectoryEntry> {
    let (name, inode) = match cookie {
        0 => (&b"."[..], dir.inode),
        1 => (&b".."[..], dir.parent),
        _ => return None,
    };
    Some(DirectoryEntry {
        name: name.to_vec(),
        inode,
        kind: FileKind::Directory,
        next: cookie + 1,
    })
}

/// Cookies of the guest's that are not the file system's own.
const DOTS: u64 = 2;

/// Length of an entry without its name.
const HEADER_LEN: usize = 24;
