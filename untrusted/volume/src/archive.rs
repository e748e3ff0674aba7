//! Taking a tree of files out of a volume as a tar stream (POSIX.1-2001, "pax").

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};
use twine_fs::{FileKind, Status};

use crate::error::{Error, Result, at, inside};
use crate::export::Summary;
use crate::tree::{check_depth, join};
use crate::volume::Volume;

impl Volume {
    /// Writes what lies in the directory `from` as a tar archive. `name` is what the stream is called in errors, `progress`
    /// is told the bytes that went by.
    ///
    /// # Errors
    /// [`Error::File`] for the stream, [`Error::Inside`], [`Error::ForbiddenName`], [`Error::TooDeep`].
    pub fn archive(
        &mut self,
        from: &[u8],
        to: impl Write,
        name: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Summary> {
        let dir = self.resolve(from)?;
        if self.status_of(dir, from)?.kind != FileKind::Directory {
            return Err(inside(from)(twine_fs::Error::NotADirectory));
        }
        let mut archive = Archive {
            volume: self,
            tar: Builder::new(to),
            name,
            progress,
            summary: Summary::default(),
            linked: HashMap::new(),
        };
        archive.directory(dir, &[])?;
        let mut to = archive.tar.into_inner().map_err(at(name))?;
        to.flush().map_err(at(name))?;
        Ok(archive.summary)
    }
}

struct Archive<'a, W: Write> {
    volume: &'a mut Volume,
    tar: Builder<W>,
    name: &'a Path,
    progress: &'a mut dyn FnMut(u64),
    summary: Summary,
    /// Files with several names: the first one.
    linked: HashMap<u64, PathBuf>,
}

impl<W: Write> Archive<'_, W> {
    fn directory(&mut self, dir: u64, path: &[u8]) -> Result<()> {
        check_depth(path)?;
        for entry in self.volume.entries(dir, path)? {
            let path = join(path, &entry.name);
            let status = self.volume.status_of(entry.ino, &path)?;
            self.entry(&status, &path)?;
            if status.kind == FileKind::Directory {
                self.directory(entry.ino, &path)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, status: &Status, path: &[u8]) -> Result<()> {
        let here = PathBuf::from(OsStr::from_bytes(path));
        let mut header = Header::new_gnu();
        header.set_mtime(status.times.modified / NANOSECONDS);
        header.set_size(0);
        let modified = exact(status.times.modified);
        let accessed = exact(status.times.accessed);
        let times = [
            ("mtime", modified.as_bytes()),
            ("atime", accessed.as_bytes()),
        ];
        self.tar
            .append_pax_extensions(times)
            .map_err(at(self.name))?;
        match status.kind {
            FileKind::Directory => {
                self.summary.directories += 1;
                header.set_entry_type(EntryType::Directory);
                header.set_mode(0o755);
                self.tar
                    .append_data(&mut header, &here, io::empty())
                    .map_err(at(self.name))
            }
            FileKind::Link => {
                self.summary.links += 1;
                let target = self.volume.fs.read_link(status.ino).map_err(inside(path))?;
                header.set_entry_type(EntryType::Symlink);
                header.set_mode(0o777);
                self.tar
                    .append_link(&mut header, &here, OsStr::from_bytes(&target))
                    .map_err(at(self.name))
            }
            FileKind::File => {
                self.summary.files += 1;
                header.set_mode(0o644);
                self.file(header, status, path, here)
            }
        }
    }

    fn file(
        &mut self,
        mut header: Header,
        status: &Status,
        path: &[u8],
        here: PathBuf,
    ) -> Result<()> {
        if let Some(first) = self.linked.get(&status.ino) {
            header.set_entry_type(EntryType::Link);
            return self
                .tar
                .append_link(&mut header, &here, first)
                .map_err(at(self.name));
        }
        header.set_entry_type(EntryType::Regular);
        header.set_size(status.size);
        let mut contents = Contents {
            volume: self.volume,
            ino: status.ino,
            path,
            offset: 0,
            failed: None,
            progress: self.progress,
        };
        let appended = self.tar.append_data(&mut header, &here, &mut contents);
        self.summary.bytes += contents.offset;
        if let Some(error) = contents.failed {
            return Err(error);
        }
        appended.map_err(at(self.name))?;
        if status.links > 1 {
            self.linked.insert(status.ino, here);
        }
        Ok(())
    }
}

/// A file's contents as a stream; the volume's own error is kept beside.
struct Contents<'a> {
    volume: &'a mut Volume,
    ino: u64,
    path: &'a [u8],
    offset: u64,
    failed: Option<Error>,
    progress: &'a mut dyn FnMut(u64),
}

impl Read for Contents<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.volume.fs.read(self.ino, self.offset, into) {
            Ok(len) => {
                self.offset += len as u64;
                (self.progress)(len as u64);
                Ok(len)
            }
            Err(error) => {
                self.failed = Some(inside(self.path)(error));
                Err(io::Error::other(error))
            }
        }
    }
}

const NANOSECONDS: u64 = 1_000_000_000;

/// A time with all its digits.
fn exact(time: u64) -> String {
    format!("{}.{:09}", time / NANOSECONDS, time % NANOSECONDS)
}
