//! What is known about files and the volume, and who has files open.

use super::Volume;
use crate::{
    error::{Error, Result},
    format::inode::{FileKind, Times},
    limits::BLOCK_LEN,
};

/// What is known about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Inode number: unique for the life of the volume.
    pub ino: u64,
    /// What it is.
    pub kind: FileKind,
    /// Names; 0 for a file that was removed while open. A directory has one.
    pub links: u32,
    /// Bytes; for a directory, of its buckets.
    pub size: u64,
    /// Committed blocks of 4096 bytes; 0 while contents are inline.
    pub blocks: u64,
    /// Times.
    pub times: Times,
    /// The directory that holds this directory; 0 for anything else.
    pub parent: u64,
}

/// How full the volume is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes the volume may grow to.
    pub capacity: u64,
    /// Bytes of the volume file now.
    pub size: u64,
    /// Bytes in use, also by uncommitted data that was spilled, or only free after the next checkpoint.
    pub used: u64,
    /// Bytes of uncommitted data in memory and spilled.
    pub uncommitted: u64,
}

impl Volume {
    /// What is known about a file.
    ///
    /// # Errors
    /// [`Error::NotFound`] or the store's.
    pub fn status(&mut self, ino: u64) -> Result<Status> {
        let file = self.file(ino)?;
        let inode = &file.current;
        let blocks = file.tree.top.blocks;
        let (kind, links, size, times, parent) = (
            inode.kind,
            inode.links,
            inode.size,
            inode.times,
            inode.parent,
        );
        Ok(Status {
            ino,
            kind,
            links,
            size,
            blocks,
            times,
            parent,
        })
    }

    /// Sets access and modification time; `None` leaves one as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::ReadOnly`] or the store's.
    pub fn set_times(
        &mut self,
        ino: u64,
        accessed: Option<u64>,
        modified: Option<u64>,
    ) -> Result<()> {
        self.check_writable()?;
        self.ensure_memory()?;
        let now = self.platform.now();
        let file = self.file(ino)?;
        let times = &mut file.current.times;
        times.accessed = accessed.unwrap_or(times.accessed);
        times.modified = modified.unwrap_or(times.modified);
        times.changed = now;
        file.changed = true;
        Ok(())
    }

    /// Keeps a file alive even if its last name is removed, until [`close_file`](Self::close_file).
    ///
    /// # Errors
    /// [`Error::NotFound`] or the store's.
    pub fn open_file(&mut self, ino: u64) -> Result<()> {
        let file = self.file(ino)?;
        file.opens = file.opens.checked_add(1).ok_or(Error::InvalidArgument)?;
        Ok(())
    }

    /// Ends one [`open_file`](Self::open_file). Does not sync.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it was not open. If the store fails while a removed file is freed, that is left to the next mount.
    pub fn close_file(&mut self, ino: u64) -> Result<()> {
        let file = self.file(ino)?;
        file.opens = file.opens.checked_sub(1).ok_or(Error::InvalidArgument)?;
        if file.opens == 0 && file.current.links == 0 {
            self.free_orphan(ino)?;
        }
        Ok(())
    }

    /// How full the volume is.
    pub fn statistics(&self) -> Statistics {
        let bytes = |blocks: u64| blocks * BLOCK_LEN as u64;
        Statistics {
            capacity: bytes(self.space.limit()),
            size: bytes(self.space.total()),
            used: bytes(self.space.taken()),
            uncommitted: bytes(self.usage.frames_in_memory + self.usage.frames_spilled),
        }
    }
}
