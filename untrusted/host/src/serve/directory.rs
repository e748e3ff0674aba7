//! Host directories: files that are mounted unprotected (`docs/abi.md`, "Host files").
//!
//! The enclave is not believed either. A name is a single name; it is looked up relative to a directory that is open, and
//! links are never followed here, so nothing outside the mounted directory can be reached, whatever changes meanwhile. Only
//! regular files and directories are opened: no device, no pipe.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FallocateFlags, FileType, Mode, OFlags, RawDir, SeekFrom, Stat, Timespec,
    Timestamps, UTIME_OMIT, fallocate, fdatasync, fstat, fsync, ftruncate, linkat, mkdirat, openat,
    readlinkat, renameat, seek, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::{Errno, pread, pwrite};
use twine_abi::exchange::file::{ENTRY_LEN, ROOT, Status, TIME_UNCHANGED, access, kind};
use twine_abi::exchange::{HostCall, HostErrno};

use super::errno::of_file;
use super::{FileAccess, prefix};
use crate::error::Error;

type Answer = Result<u64, HostErrno>;

/// Nodes that are open at the same time, at most: below the usual limit of descriptors, of which a node takes two.
const NODES_MAX: usize = 10_000;

/// A directory that is mounted.
#[derive(Debug)]
pub struct HostDirectory {
    nodes: BTreeMap<u64, Node>,
    next: u64,
    access: FileAccess,
}

/// A file, directory or link that the enclave knows by number.
#[derive(Debug)]
struct Node {
    /// Opened with `O_PATH`: it names the inode and can do nothing else.
    place: OwnedFd,
    kind: FileType,
    /// For reading and writing, once that was asked for.
    open: Option<OwnedFd>,
}

impl HostDirectory {
    /// Opens the directory.
    ///
    /// # Errors
    /// [`Error::File`] if there is none.
    pub fn open(path: &Path, access: FileAccess) -> Result<Self, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let place = openat(CWD, path, flags, Mode::empty()).map_err(|errno| Error::File {
            path: path.to_owned(),
            source: errno.into(),
        })?;
        let root = Node {
            place,
            kind: FileType::Directory,
            open: None,
        };
        Ok(Self {
            nodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
            access,
        })
    }

    /// Answers a call on files; `args` without the mount.
    pub(super) fn serve(
        &mut self,
        call: HostCall,
        [first, second, third, fourth]: [u64; 4],
        payload: &mut [u8],
    ) -> Answer {
        match call {
            HostCall::FileLookup => {
                let name = front(payload, second)?.to_vec();
                self.lookup(first, &name, payload)
            }
            HostCall::FileRelease => self.release(first),
            HostCall::FileOpen => self.open_node(first, second),
            HostCall::FileCreate => self.create(first, front(payload, second)?),
            HostCall::FileCreateDirectory => self.create_directory(first, front(payload, second)?),
            HostCall::FileCreateLink => {
                let (name, target) = two(payload, second, third)?;
                self.create_link(first, name, target)
            }
            HostCall::FileLink => self.link(first, second, front(payload, third)?),
            HostCall::FileRemove => self.remove(first, front(payload, second)?, third),
            HostCall::FileRename => {
                let (from, to) = two(payload, third, fourth)?;
                self.rename((first, from), (second, to))
            }
            HostCall::FileReadLink => self.read_link(first, payload),
            HostCall::FileStatus => self.status(first, payload),
            HostCall::FileSetTimes => self.set_times(first, second, third),
            HostCall::FileSetSize => self.set_size(first, second),
            HostCall::FileAllocate => self.allocate(first, second, third),
            HostCall::FileRead => self.read(first, second, prefix(payload, third)?),
            HostCall::FileWrite => self.write(first, second, front(payload, third)?),
            HostCall::FileReadDirectory => self.read_directory(first, second, third, payload),
            HostCall::FileSync => self.sync(first, second),
            _ => Err(HostErrno::Invalid),
        }
    }

    fn lookup(&mut self, dir: u64, name: &[u8], payload: &mut [u8]) -> Answer {
        let number = self.reach(dir, name)?;
        self.status(number, payload)?;
        Ok(number)
    }

    fn release(&mut self, number: u64) -> Answer {
        if number != ROOT {
            self.nodes.remove(&number).ok_or(HostErrno::Invalid)?;
        }
        Ok(0)
    }

    fn open_node(&mut self, number: u64, wanted: u64) -> Answer {
        let write = wanted & access::WRITE != 0;
        if write {
            self.writable()?;
        }
        let node = self.node_mut(number)?;
        let flags = match node.kind {
            FileType::Directory if write => return Err(HostErrno::IsADirectory),
            FileType::Directory => OFlags::RDONLY | OFlags::DIRECTORY,
            FileType::RegularFile if write => OFlags::RDWR,
            FileType::RegularFile => OFlags::RDONLY,
            _ => return Err(HostErrno::NotSupported),
        };
        let enough = |open: &OwnedFd| !write || is_writable(open);
        if !node.open.as_ref().is_some_and(enough) {
            node.open = Some(reopen(&node.place, flags)?);
        }
        Ok(0)
    }

    fn create(&mut self, dir: u64, name: &[u8]) -> Answer {
        self.writable()?;
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o666);
        let file = openat(self.directory(dir)?, single(name)?, flags, mode).map_err(of_file)?;
        let place = reopen(&file, OFlags::PATH)?;
        self.add(Node {
            place,
            kind: FileType::RegularFile,
            open: Some(file),
        })
    }

    fn create_directory(&self, dir: u64, name: &[u8]) -> Answer {
        self.writable()?;
        done(mkdirat(
            self.directory(dir)?,
            single(name)?,
            Mode::from_raw_mode(0o777),
        ))
    }

    fn create_link(&self, dir: u64, name: &[u8], target: &[u8]) -> Answer {
        self.writable()?;
        done(symlinkat(target, self.directory(dir)?, single(name)?))
    }

    fn link(&self, number: u64, dir: u64, name: &[u8]) -> Answer {
        self.writable()?;
        let from = magic(&self.node(number)?.place);
        let (to, name) = (self.directory(dir)?, single(name)?);
        done(linkat(CWD, from, to, name, AtFlags::SYMLINK_FOLLOW))
    }

    fn remove(&self, dir: u64, name: &[u8], directory: u64) -> Answer {
        self.writable()?;
        let flags = match directory {
            0 => AtFlags::empty(),
            _ => AtFlags::REMOVEDIR,
        };
        done(unlinkat(self.directory(dir)?, single(name)?, flags))
    }

    fn rename(&self, from: (u64, &[u8]), to: (u64, &[u8])) -> Answer {
        self.writable()?;
        done(renameat(
            self.directory(from.0)?,
            single(from.1)?,
            self.directory(to.0)?,
            single(to.1)?,
        ))
    }

    fn read_link(&self, number: u64, payload: &mut [u8]) -> Answer {
        let target = readlinkat(&self.node(number)?.place, "", Vec::new()).map_err(of_file)?;
        let target = target.to_bytes();
        let room = payload
            .get_mut(..target.len())
            .ok_or(HostErrno::NameTooLong)?;
        room.copy_from_slice(target);
        Ok(target.len() as u64)
    }

    fn status(&self, number: u64, payload: &mut [u8]) -> Answer {
        let node = self.node(number)?;
        let stat = fstat(&node.place).map_err(of_file)?;
        let parent = match node.kind {
            _ if number == ROOT => stat.st_ino,
            FileType::Directory => {
                let above = statat(&node.place, "..", AtFlags::SYMLINK_NOFOLLOW);
                above.map_err(of_file)?.st_ino
            }
            _ => 0,
        };
        let status = status_of(&stat, parent);
        for (target, word) in payload.chunks_exact_mut(8).zip(status.words()) {
            target.copy_from_slice(&word.to_le_bytes());
        }
        Ok(0)
    }

    fn set_times(&self, number: u64, accessed: u64, modified: u64) -> Answer {
        self.writable()?;
        let times = Timestamps {
            last_access: timespec(accessed)?,
            last_modification: timespec(modified)?,
        };
        let path = magic(&self.node(number)?.place);
        done(utimensat(CWD, path, &times, AtFlags::empty()))
    }

    fn set_size(&self, number: u64, size: u64) -> Answer {
        self.writable()?;
        done(ftruncate(self.opened(number)?, size))
    }

    fn allocate(&self, number: u64, offset: u64, len: u64) -> Answer {
        self.writable()?;
        let file = self.opened(number)?;
        done(fallocate(file, FallocateFlags::empty(), offset, len))
    }

    fn read(&self, number: u64, offset: u64, into: &mut [u8]) -> Answer {
        let read = pread(self.opened(number)?, into, offset).map_err(of_file)?;
        Ok(read as u64)
    }

    fn write(&self, number: u64, offset: u64, data: &[u8]) -> Answer {
        self.writable()?;
        let written = pwrite(self.opened(number)?, data, offset).map_err(of_file)?;
        Ok(written as u64)
    }

    fn read_directory(&self, number: u64, cookie: u64, most: u64, payload: &mut [u8]) -> Answer {
        let dir = reopen(
            &self.node(number)?.place,
            OFlags::RDONLY | OFlags::DIRECTORY,
        )?;
        seek(&dir, SeekFrom::Start(cookie)).map_err(of_file)?;
        let mut buffer = [MaybeUninit::uninit(); 8 << 10];
        let mut entries = RawDir::new(&dir, &mut buffer);
        let (mut used, mut count) = (0, 0);
        while count < most {
            let Some(entry) = entries.next() else { break };
            let entry = entry.map_err(of_file)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let Some(room) = payload.get_mut(used..used + ENTRY_LEN + name.len()) else {
                break;
            };
            let (head, tail) = room.split_at_mut(ENTRY_LEN);
            let kind = kind_of(entry.file_type());
            let words = [
                entry.ino(),
                entry.next_entry_cookie(),
                kind | (name.len() as u64) << 32,
            ];
            for (target, word) in head.chunks_exact_mut(8).zip(words) {
                target.copy_from_slice(&word.to_le_bytes());
            }
            tail.copy_from_slice(name);
            used += room.len();
            count += 1;
        }
        Ok(used as u64)
    }

    fn sync(&self, number: u64, everything: u64) -> Answer {
        let node = self.node(number)?;
        match (&node.open, node.kind) {
            (Some(open), _) if everything == 0 => done(fdatasync(open)),
            (Some(open), _) => done(fsync(open)),
            (None, FileType::Directory) => {
                let open = reopen(&node.place, OFlags::RDONLY | OFlags::DIRECTORY)?;
                done(fsync(open))
            }
            (None, _) => Ok(0),
        }
    }

    /// A node for what a name stands for.
    fn reach(&mut self, dir: u64, name: &[u8]) -> Answer {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = openat(self.directory(dir)?, single(name)?, flags, Mode::empty());
        let place = place.map_err(of_file)?;
        let kind = FileType::from_raw_mode(fstat(&place).map_err(of_file)?.st_mode);
        self.add(Node {
            place,
            kind,
            open: None,
        })
    }

    fn add(&mut self, node: Node) -> Answer {
        if self.nodes.len() >= NODES_MAX {
            return Err(HostErrno::TooManyOpen);
        }
        let number = self.next;
        self.next += 1;
        self.nodes.insert(number, node);
        Ok(number)
    }

    fn node(&self, number: u64) -> Result<&Node, HostErrno> {
        self.nodes.get(&number).ok_or(HostErrno::Invalid)
    }

    fn node_mut(&mut self, number: u64) -> Result<&mut Node, HostErrno> {
        self.nodes.get_mut(&number).ok_or(HostErrno::Invalid)
    }

    fn directory(&self, number: u64) -> Result<BorrowedFd<'_>, HostErrno> {
        let node = self.node(number)?;
        match node.kind {
            FileType::Directory => Ok(node.place.as_fd()),
            _ => Err(HostErrno::NotADirectory),
        }
    }

    fn opened(&self, number: u64) -> Result<&OwnedFd, HostErrno> {
        self.node(number)?.open.as_ref().ok_or(HostErrno::Invalid)
    }

    const fn writable(&self) -> Result<(), HostErrno> {
        match self.access {
            FileAccess::Read => Err(HostErrno::ReadOnly),
            FileAccess::Write | FileAccess::Create => Ok(()),
        }
    }
}

/// The first `len` bytes of a payload.
fn front(payload: &[u8], len: u64) -> Result<&[u8], HostErrno> {
    let len = usize::try_from(len).map_err(|_| HostErrno::Invalid)?;
    payload.get(..len).ok_or(HostErrno::Invalid)
}

/// Two strings at the start of a payload.
fn two(payload: &[u8], first: u64, second: u64) -> Result<(&[u8], &[u8]), HostErrno> {
    let first = front(payload, first)?;
    let rest = payload.get(first.len()..).unwrap_or_default();
    Ok((first, front(rest, second)?))
}

/// A name that cannot lead anywhere else.
fn single(name: &[u8]) -> Result<&OsStr, HostErrno> {
    let leads_elsewhere = matches!(name, b"" | b"." | b"..") || name.contains(&b'/');
    if leads_elsewhere || name.contains(&0) {
        return Err(HostErrno::Invalid);
    }
    Ok(OsStr::from_bytes(name))
}

/// The kernel's own name for an open file: leads to the very inode, not by way of any directory.
fn magic(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn reopen(file: &OwnedFd, flags: OFlags) -> Result<OwnedFd, HostErrno> {
    openat(CWD, magic(file), flags | OFlags::CLOEXEC, Mode::empty()).map_err(of_file)
}

fn is_writable(file: &OwnedFd) -> bool {
    rustix::fs::fcntl_getfl(file).is_ok_and(|flags| flags.contains(OFlags::RDWR))
}

fn done(result: Result<(), Errno>) -> Answer {
    result.map(|()| 0).map_err(of_file)
}

fn kind_of(kind: FileType) -> u64 {
    match kind {
        FileType::RegularFile => kind::FILE,
        FileType::Directory => kind::DIRECTORY,
        FileType::Symlink => kind::LINK,
        _ => kind::OTHER,
    }
}

fn status_of(stat: &Stat, parent: u64) -> Status {
    Status {
        inode: stat.st_ino,
        kind: kind_of(FileType::from_raw_mode(stat.st_mode)),
        links: stat.st_nlink,
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        accessed: nanoseconds(stat.st_atime, stat.st_atime_nsec),
        modified: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        changed: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
        parent,
    }
}

/// Times before 1970 are 1970.
fn nanoseconds(seconds: i64, nanoseconds: u64) -> u64 {
    u64::try_from(seconds)
        .unwrap_or_default()
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}

fn timespec(time: u64) -> Result<Timespec, HostErrno> {
    if time == TIME_UNCHANGED {
        return Ok(Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        });
    }
    let (seconds, nanoseconds) = (time / 1_000_000_000, time % 1_000_000_000);
    Ok(Timespec {
        tv_sec: i64::try_from(seconds).map_err(|_| HostErrno::Invalid)?,
        tv_nsec: i64::try_from(nanoseconds).map_err(|_| HostErrno::Invalid)?,
    })
}

#[cfg(test)]
mod tests;
