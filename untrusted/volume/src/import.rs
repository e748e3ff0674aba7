//! Bringing a directory of this machine into a volume.
//!
//! Kept: names, contents, holes, symbolic links, hard links, times. Not kept: owners and permissions, which volumes do not
//! have. Not taken: devices, sockets and named pipes.
//!
//! A file appears whole or not at all, unless it has more than about 4 GiB: commits happen between files. So an import that
//! is cut short leaves a sound volume with the files that were done.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use twine_fs::FileKind;

use crate::error::{Error, Result, at, inside};
use crate::tree::{CHUNK_LEN, check_depth, components, join};
use crate::volume::{Volume, in_volume};

/// What to do with a file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it, and fail.
    Refuse,
    /// Replace it by what is imported. Directories are joined, never replaced.
    Replace,
}

/// What was imported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links.
    pub links: u64,
    /// Bytes of contents.
    pub bytes: u64,
    /// Devices, sockets and named pipes, which were left out.
    pub skipped: Vec<PathBuf>,
}

/// Bytes after which what was imported is committed.
const COMMIT_BYTES: u64 = 8 << 20;

/// Files after which what was imported is committed.
const COMMIT_FILES: u64 = 1024;

impl Volume {
    /// Imports what lies in `from` into the directory `to`, which is made if it is missing. `progress` is told the bytes that
    /// went by. Everything is durable when this returns.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Inside`], [`Error::Exists`], [`Error::TooDeep`], [`Error::Volume`]. What was imported before
    /// stays; a file that was not finished is removed.
    pub fn import(
        &mut self,
        from: &Path,
        to: &[u8],
        existing: Existing,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Summary> {
        let mut import = Import {
            volume: self,
            existing,
            progress,
            summary: Summary::default(),
            linked: HashMap::new(),
            uncommitted: (0, 0),
        };
        let imported = import.root(from, to);
        let summary = import.summary;
        // After a failure, too: what is done is done. The first error is the one that matters.
        let synced = self.fs.sync();
        imported?;
        synced.map_err(in_volume(self.path()))?;
        Ok(summary)
    }
}

struct Import<'a> {
    volume: &'a mut Volume,
    existing: Existing,
    progress: &'a mut dyn FnMut(u64),
    summary: Summary,
    /// Files with several names: device and inode here, inode in the volume.
    linked: HashMap<(u64, u64), u64>,
    /// Bytes and files since the last commit.
    uncommitted: (u64, u64),
}

impl Import<'_> {
    fn root(&mut self, from: &Path, to: &[u8]) -> Result<()> {
        let (mut dir, mut path) = (twine_fs::Volume::ROOT, Vec::new());
        for name in components(to) {
            dir = self.directory_at(dir, &path, name)?;
            path = join(&path, name);
        }
        self.directory(from, dir, &path)
    }

    /// The directory of that name, made if it is missing.
    fn directory_at(&mut self, parent: u64, path: &[u8], name: &[u8]) -> Result<u64> {
        let path = join(path, name);
        match self.volume.fs.lookup(parent, name) {
            Ok(found) if self.volume.status_of(found, &path)?.kind == FileKind::Directory => {
                Ok(found)
            }
            Ok(_) => Err(inside(&path)(twine_fs::Error::NotADirectory)),
            Err(twine_fs::Error::NotFound) => {
                let made = self.volume.fs.create_directory(parent, name);
                made.map_err(inside(&path))
            }
            Err(error) => Err(inside(&path)(error)),
        }
    }

    fn directory(&mut self, from: &Path, dir: u64, path: &[u8]) -> Result<()> {
        check_depth(path)?;
        let mut names = Vec::new();
        for entry in fs::read_dir(from).map_err(at(from))? {
            names.push(entry.map_err(at(from))?.file_name());
        }
        names.sort();
        for name in names {
            self.entry(&from.join(&name), dir, path, &name)?;
        }
        let metadata = fs::symlink_metadata(from).map_err(at(from))?;
        self.set_times(dir, path, &metadata)
    }

    fn entry(&mut self, from: &Path, dir: u64, path: &[u8], name: &OsStr) -> Result<()> {
        let name = name.as_bytes();
        let metadata = fs::symlink_metadata(from).map_err(at(from))?;
        let kind = metadata.file_type();
        if kind.is_dir() {
            let made = self.directory_at(dir, path, name)?;
            self.summary.directories += 1;
            return self.directory(from, made, &join(path, name));
        }
        if !kind.is_file() && !kind.is_symlink() {
            self.summary.skipped.push(from.to_owned());
            return Ok(());
        }
        let path = join(path, name);
        self.make_way(dir, &path, name)?;
        if kind.is_symlink() {
            self.link(from, dir, &path, name, &metadata)?;
        } else {
            self.file(from, dir, &path, name, &metadata)?;
        }
        self.uncommitted.1 += 1;
        if self.uncommitted.0 >= COMMIT_BYTES || self.uncommitted.1 >= COMMIT_FILES {
            self.commit()?;
        }
        Ok(())
    }

    /// Deals with what has the name already.
    fn make_way(&mut self, dir: u64, path: &[u8], name: &[u8]) -> Result<()> {
        let fs = &mut self.volume.fs;
        match (fs.lookup(dir, name), self.existing) {
            (Err(twine_fs::Error::NotFound), _) => Ok(()),
            (Ok(_), Existing::Refuse) => Err(Error::Exists {
                path: path.to_owned(),
            }),
            (Ok(_), Existing::Replace) => fs.remove_file(dir, name).map_err(inside(path)),
            (Err(error), _) => Err(inside(path)(error)),
        }
    }

    fn link(
        &mut self,
        from: &Path,
        dir: u64,
        path: &[u8],
        name: &[u8],
        metadata: &Metadata,
    ) -> Result<()> {
        let target = fs::read_link(from).map_err(at(from))?;
        let target = target.as_os_str().as_bytes();
        let made = self.volume.fs.create_link(dir, name, target);
        self.summary.links += 1;
        self.set_times(made.map_err(inside(path))?, path, metadata)
    }

    fn file(
        &mut self,
        from: &Path,
        dir: u64,
        path: &[u8],
        name: &[u8],
        metadata: &Metadata,
    ) -> Result<()> {
        let identity = (metadata.dev(), metadata.ino());
        if let Some(&made) = self.linked.get(&identity) {
            self.summary.files += 1;
            return self.volume.fs.link(made, dir, name).map_err(inside(path));
        }
        // It may have become something else since: a link is not followed, a named pipe not waited for.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = fs::OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(from)
            .map_err(at(from))?;
        let made = self
            .volume
            .fs
            .create_file(dir, name)
            .map_err(inside(path))?;
        if let Err(error) = self.contents(file, from, made, path) {
            // Half a file would look like a whole one. If even that fails, the first error still says why.
            let _ = self.volume.fs.remove_file(dir, name);
            return Err(error);
        }
        if metadata.nlink() > 1 {
            self.linked.insert(identity, made);
        }
        self.summary.files += 1;
        self.set_times(made, path, metadata)
    }

    fn contents(&mut self, mut file: File, from: &Path, made: u64, path: &[u8]) -> Result<()> {
        let mut chunk = vec![0; CHUNK_LEN];
        let mut offset = 0;
        loop {
            let len = file.read(&mut chunk).map_err(at(from))?;
            if len == 0 {
                let sized = self.volume.fs.set_size(made, offset);
                return sized.map_err(inside(path));
            }
            let bytes = chunk.get(..len).unwrap_or_default();
            // What is zero stays a hole, and takes no room on the way.
            if bytes.iter().any(|&byte| byte != 0) {
                self.write(made, offset, bytes, path)?;
            }
            offset += len as u64;
            self.uncommitted.0 += len as u64;
            self.summary.bytes += len as u64;
            (self.progress)(len as u64);
        }
    }

    fn write(&mut self, made: u64, offset: u64, bytes: &[u8], path: &[u8]) -> Result<()> {
        let written = match self.volume.fs.write(made, offset, bytes) {
            Err(twine_fs::Error::TooMuchUnsynced) => {
                self.commit()?;
                self.volume.fs.write(made, offset, bytes)
            }
            written => written,
        };
        written.map_err(inside(path))
    }

    fn set_times(&mut self, ino: u64, path: &[u8], metadata: &Metadata) -> Result<()> {
        let accessed = nanoseconds(metadata.atime(), metadata.atime_nsec());
        let modified = nanoseconds(metadata.mtime(), metadata.mtime_nsec());
        self.volume
            .fs
            .set_times(ino, Some(accessed), Some(modified))
            .map_err(inside(path))
    }

    fn commit(&mut self) -> Result<()> {
        self.uncommitted = (0, 0);
        let path = self.volume.path().to_owned();
        self.volume.fs.sync().map_err(in_volume(&path))
    }
}

/// Nanoseconds since 1970, which is as early as a volume can say.
fn nanoseconds(seconds: i64, nanoseconds: i64) -> u64 {
    let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    u64::try_from(total.max(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_a_volume_cannot_hold_become_the_nearest() {
        assert_eq!(nanoseconds(1, 5), 1_000_000_005);
        assert_eq!(nanoseconds(-1, 999_999_999), 0);
        assert_eq!(nanoseconds(i64::MAX, 0), u64::MAX);
    }
}
