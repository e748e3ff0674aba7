//! A volume of `twine-fs` as a file system of the guest.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::mem;

use twine_fs::{Error as VolumeError, Volume};

use crate::files::{
    Access, DirectoryEntry, Error, FileKind, FileSystem, Found, Node, Result, Scope, Status,
};

/// A protected volume.
pub struct ProtectedFiles {
    volume: Volume,
    /// What went wrong and has not been told yet.
    trouble: Option<VolumeError>,
    /// What kinds of trouble have been told.
    told: Vec<mem::Discriminant<VolumeError>>,
}

impl ProtectedFiles {
    /// Takes over a mounted volume.
    pub fn new(volume: Volume) -> Self {
        Self {
            volume,
            trouble: None,
            told: Vec::new(),
        }
    }

    /// Does something with the volume, and puts what goes wrong into the guest's words.
    fn with<T>(&mut self, act: impl FnOnce(&mut Volume) -> twine_fs::Result<T>) -> Result<T> {
        act(&mut self.volume).map_err(|error| self.failed(error))
    }

    fn failed(&mut self, error: VolumeError) -> Error {
        match error {
            VolumeError::NotFound => Error::NotFound,
            VolumeError::Exists => Error::Exists,
            VolumeError::NotADirectory => Error::NotADirectory,
            VolumeError::IsADirectory => Error::IsADirectory,
            VolumeError::NotEmpty => Error::NotEmpty,
            VolumeError::NameTooLong => Error::NameTooLong,
            VolumeError::FileTooLarge => Error::TooLarge,
            VolumeError::TooManyLinks => Error::TooManyLinks,
            VolumeError::InvalidName | VolumeError::InvalidArgument => Error::Invalid,
            VolumeError::ReadOnly => Error::ReadOnly,
            VolumeError::NoSpace => Error::NoSpace,
            VolumeError::TooMuchUnsynced => {
                self.note(error);
                Error::NoSpace
            }
            error => {
                self.note(error);
                Error::Io
            }
        }
    }

    /// Keeps an error until somebody asks. Until then, a later one is most likely what the first one led to.
    fn note(&mut self, error: VolumeError) {
        let kind = mem::discriminant(&error);
        if self.trouble.is_none() && !self.told.contains(&kind) {
            self.told.push(kind);
            self.trouble = Some(error);
        }
    }
}

impl FileSystem for ProtectedFiles {
    fn root(&self) -> Node {
        Node(Volume::ROOT)
    }

    fn lookup(&mut self, dir: Node, name: &[u8]) -> Result<Found> {
        self.with(|volume| {
            let ino = volume.lookup(dir.0, name)?;
            let kind = kind(volume.status(ino)?.kind);
            volume.open_file(ino)?;
            let node = Node(ino);
            Ok(Found { node, kind })
        })
    }

    fn hold(&mut self, node: Node) -> Result {
        self.with(|volume| volume.open_file(node.0))
    }

    fn release(&mut self, node: Node) {
        // If freeing a removed file fails, the next mount does it.
        let _ = self.with(|volume| volume.close_file(node.0));
    }

    fn open(&mut self, _: Node, _: Access) -> Result {
        Ok(())
    }

    fn create_file(&mut self, dir: Node, name: &[u8]) -> Result<Node> {
        self.with(|volume| {
            let ino = volume.create_file(dir.0, name)?;
            volume.open_file(ino)?;
            Ok(Node(ino))
        })
    }

    fn create_directory(&mut self, dir: Node, name: &[u8]) -> Result {
        self.with(|volume| volume.create_directory(dir.0, name).map(drop))
    }

    fn create_link(&mut self, dir: Node, name: &[u8], target: &[u8]) -> Result {
        self.with(|volume| volume.create_link(dir.0, name, target).map(drop))
    }

    fn link(&mut self, node: Node, dir: Node, name: &[u8]) -> Result {
        match self.with(|volume| volume.link(node.0, dir.0, name)) {
            Err(Error::IsADirectory) => Err(Error::NotPermitted),
            linked => linked,
        }
    }

    fn remove_file(&mut self, dir: Node, name: &[u8]) -> Result {
        self.with(|volume| volume.remove_file(dir.0, name))
    }

    fn remove_directory(&mut self, dir: Node, name: &[u8]) -> Result {
        self.with(|volume| volume.remove_directory(dir.0, name))
    }

    fn rename(&mut self, from_dir: Node, from: &[u8], to_dir: Node, to: &[u8]) -> Result {
        self.with(|volume| volume.rename(from_dir.0, from, to_dir.0, to))
    }

    fn read_link(&mut self, node: Node) -> Result<Vec<u8>> {
        self.with(|volume| volume.read_link(node.0))
    }

    fn status(&mut self, node: Node) -> Result<Status> {
        let status = self.with(|volume| volume.status(node.0))?;
        Ok(Status {
            inode: status.ino,
            kind: kind(status.kind),
            links: status.links.into(),
            size: status.size,
            accessed: status.times.accessed,
            modified: status.times.modified,
            changed: status.times.changed,
            parent: status.parent,
        })
    }

    fn set_times(&mut self, node: Node, accessed: Option<u64>, modified: Option<u64>) -> Result {
        self.with(|volume| volume.set_times(node.0, accessed, modified))
    }

    fn set_size(&mut self, node: Node, size: u64) -> Result {
        self.with(|volume| volume.set_size(node.0, size))
    }

    fn allocate(&mut self, node: Node, offset: u64, len: u64) -> Result {
        self.with(|volume| volume.allocate(node.0, offset, len))
    }

    fn read(&mut self, node: Node, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.with(|volume| volume.read(node.0, offset, into))
    }

    fn write(&mut self, node: Node, offset: u64, data: &[u8]) -> Result<usize> {
        let before = self.status(node)?.size;
        let Err(error) = self.volume.write(node.0, offset, data) else {
            return Ok(data.len());
        };
        // What was taken before there was no room is in the file, and the guest has to know how much. Nothing else that
        // fails is worth going on from.
        let full = matches!(error, VolumeError::NoSpace | VolumeError::TooMuchUnsynced);
        let error = self.failed(error);
        let after = self.status(node)?.size;
        match usize::try_from(after.saturating_sub(offset)) {
            Ok(taken) if full && after > before && taken > 0 => Ok(taken.min(data.len())),
            _ => Err(error),
        }
    }

    fn read_directory(
        &mut self,
        dir: Node,
        cookie: u64,
        count: usize,
    ) -> Result<Vec<DirectoryEntry>> {
        let entries = self.with(|volume| volume.read_directory(dir.0, cookie, count))?;
        let entry = |entry: twine_fs::DirectoryEntry| DirectoryEntry {
            name: entry.name,
            inode: entry.ino,
            kind: kind(entry.kind),
            next: entry.next,
        };
        Ok(entries.into_iter().map(entry).collect())
    }

    fn sync(&mut self, node: Node, _: Scope) -> Result {
        self.with(|volume| volume.sync_file(node.0))
    }

    fn trouble(&mut self) -> Option<String> {
        let error = self.trouble.take()?;
        Some(format!("the protected volume: {error}"))
    }

    fn close(self: Box<Self>) -> core::result::Result<(), String> {
        self.volume.close().map_err(|error| error.to_string())
    }
}

const fn kind(kind: twine_fs::FileKind) -> FileKind {
    match kind {
        twine_fs::FileKind::File => FileKind::File,
        twine_fs::FileKind::Directory => FileKind::Directory,
        twine_fs::FileKind::Link => FileKind::Link,
    }
}
