//! Taking a tree of files out of a volume, into a directory of this machine.
//!
//! Nothing outside the target is ever written, whoever wrote the volume: every name is created anew, relative to its
//! directory's descriptor, refused if it could lead elsewhere, and no symbolic link is followed. Links are made as they are;
//! where they lead is for whoever reads them to judge.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps};
use twine_fs::{DirectoryEntry, FileKind, Status};

use crate::error::{Error, Result, at, call, inside};
use crate::tree::{check_depth, join};
use crate::volume::Volume;

/// What was exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links.
    pub links: u64,
    /// Bytes of contents.
    pub bytes: u64,
}

impl Volume {
    /// Exports what lies in the directory `from` into `to`, which must be missing or empty. `progress` is told the bytes
    /// that went by.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::NotEmpty`], [`Error::Inside`], [`Error::ForbiddenName`], [`Error::TooDeep`]. What was
    /// exported before stays.
    pub fn export(
        &mut self,
        from: &[u8],
        to: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Summary> {
        let dir = self.resolve(from)?;
        let status = self.status_of(dir, from)?;
        if status.kind != FileKind::Directory {
            return Err(inside(from)(twine_fs::Error::NotADirectory));
        }
        let root = new_or_empty(to)?;
        let mut export = Export {
            volume: self,
            root: root.as_fd(),
            to,
            progress,
            summary: Summary::default(),
            linked: HashMap::new(),
        };
        export.directory(root.as_fd(), dir, &[])?;
        set_times(root.as_fd(), None, &status).map_err(call(to))?;
        Ok(export.summary)
    }
}

fn new_or_empty(path: &Path) -> Result<OwnedFd> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(at(path)(error));
        }
        _ => {}
    }
    if fs::read_dir(path).map_err(at(path))?.next().is_some() {
        return Err(Error::NotEmpty(path.to_owned()));
    }
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(call(path))
}

struct Export<'a> {
    volume: &'a mut Volume,
    root: rustix::fd::BorrowedFd<'a>,
    to: &'a Path,
    progress: &'a mut dyn FnMut(u64),
    summary: Summary,
    /// Files with several names: where the first one went, from the target on.
    linked: HashMap<u64, PathBuf>,
}

impl Export<'_> {
    fn directory(&mut self, target: impl AsFd, dir: u64, path: &[u8]) -> Result<()> {
        check_depth(path)?;
        for entry in self.volume.entries(dir, path)? {
            self.entry(&target, &entry, &join(path, &entry.name))?;
        }
        Ok(())
    }

    fn entry(&mut self, target: impl AsFd, entry: &DirectoryEntry, path: &[u8]) -> Result<()> {
        let name = OsStr::from_bytes(&entry.name);
        let status = self.volume.status_of(entry.ino, path)?;
        let here = self.to.join(OsStr::from_bytes(path));
        match status.kind {
            FileKind::Directory => {
                rustix::fs::mkdirat(&target, name, Mode::from(0o777)).map_err(call(&here))?;
                let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let made = rustix::fs::openat(&target, name, flags, Mode::empty());
                self.directory(made.map_err(call(&here))?, entry.ino, path)?;
                self.summary.directories += 1;
            }
            FileKind::Link => {
                let link = self.volume.fs.read_link(entry.ino).map_err(inside(path))?;
                rustix::fs::symlinkat(OsStr::from_bytes(&link), &target, name)
                    .map_err(call(&here))?;
                self.summary.links += 1;
            }
            FileKind::File => {
                self.summary.files += 1;
                if self.file(&target, name, &status, path, &here)? == Made::AnotherName {
                    return Ok(());
                }
            }
        }
        set_times(target.as_fd(), Some(name), &status).map_err(call(&here))
    }

    fn file(
        &mut self,
        target: impl AsFd,
        name: &OsStr,
        status: &Status,
        path: &[u8],
        here: &Path,
    ) -> Result<Made> {
        if let Some(first) = self.linked.get(&status.ino) {
            rustix::fs::linkat(self.root, first, &target, name, AtFlags::empty())
                .map_err(call(here))?;
            return Ok(Made::AnotherName);
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let made = rustix::fs::openat(&target, name, flags | OFlags::CLOEXEC, Mode::from(0o666));
        let made = File::from(made.map_err(call(here))?);
        made.set_len(status.size).map_err(at(here))?;
        let progress = &mut *self.progress;
        let len = self.volume.copy_out(status.ino, path, |offset, bytes| {
            progress(bytes.len() as u64);
            // What was never written is a hole, there as here.
            if bytes.iter().all(|&byte| byte == 0) {
                return Ok(());
            }
            made.write_all_at(bytes, offset).map_err(at(here))
        })?;
        self.summary.bytes += len;
        if status.links > 1 {
            let first = PathBuf::from(OsStr::from_bytes(path));
            self.linked.insert(status.ino, first);
        }
        Ok(Made::File)
    }
}

/// What came of a file.
#[derive(PartialEq, Eq)]
enum Made {
    File,
    AnotherName,
}

/// Sets access and modification time of what is called `name` in the directory, or of the directory itself.
fn set_times(
    dir: rustix::fd::BorrowedFd<'_>,
    name: Option<&OsStr>,
    status: &Status,
) -> rustix::io::Result<()> {
    let times = Timestamps {
        last_access: time(status.times.accessed),
        last_modification: time(status.times.modified),
    };
    match name {
        Some(name) => rustix::fs::utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW),
        None => rustix::fs::futimens(dir, &times),
    }
}

fn time(nanoseconds: u64) -> Timespec {
    Timespec {
        tv_sec: (nanoseconds / 1_000_000_000).cast_signed(),
        tv_nsec: (nanoseconds % 1_000_000_000).cast_signed(),
    }
}
