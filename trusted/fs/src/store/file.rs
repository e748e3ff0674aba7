//! A store in a file, with positioned I/O.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
};

use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

use super::{Range, Store};
use crate::{
    error::{Error, Result},
    limits::BLOCK_LEN,
};

/// A store in a file. Keep it to one writer: the lock is the operating system's advisory one.
#[derive(Debug)]
pub struct FileStore {
    file: File,
}

impl FileStore {
    /// Opens a file for reading and writing, creates it if it is missing, and locks it.
    ///
    /// # Errors
    /// What the operating system says; `WouldBlock` if another process holds the lock.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        file.try_lock()?;
        Ok(Self { file })
    }

    /// Opens a file for reading only, without a lock.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn open_read_only(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::open(path)?,
        })
    }
}

impl Store for FileStore {
    fn read(&self, first: u64, into: &mut [u8]) -> Result<()> {
        self.file
            .read_exact_at(into, position(first)?)
            .map_err(host)
    }

    fn write(&self, ranges: &[Range<'_>]) -> Result<()> {
        ranges.iter().try_for_each(|(first, data)| {
            self.file
                .write_all_at(data, position(*first)?)
                .map_err(host)
        })
    }

    fn flush(&self) -> Result<()> {
        self.file.sync_data().map_err(host)
    }

    fn size(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(host)?.len() / BLOCK_LEN as u64)
    }

    /// Growing takes room on the disk, so that a full one is noticed by whoever writes, not by a later flush.
    fn resize(&self, blocks: u64) -> Result<()> {
        let (old, new) = (self.file.metadata().map_err(host)?.len(), position(blocks)?);
        if new > old {
            match fallocate(&self.file, FallocateFlags::empty(), old, new - old) {
                // Not every file system can; there the length is all there is.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
                taken => return taken.map_err(|error| host(error.into())),
            }
        }
        self.file.set_len(new).map_err(host)
    }
}

fn position(block: u64) -> Result<u64> {
    block.checked_mul(BLOCK_LEN as u64).ok_or(Error::NoSpace)
}

fn host(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Error::NoSpace
        }
        _ => Error::Host(error.raw_os_error().unwrap_or(5)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn growing_takes_room_on_the_disk_or_says_that_there_is_none() {
        let name = std::format!("twine-fs-store-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let store = FileStore::open(&path).unwrap();
        store.resize(256).unwrap();
        let taken = std::fs::metadata(&path).unwrap().blocks() * 512;
        assert!(taken >= 256 * BLOCK_LEN as u64, "{taken} bytes");
        // 4 EiB: more than any disk has.
        assert_eq!(store.resize(1 << 50), Err(Error::NoSpace));
        assert_eq!(store.size(), Ok(256));
        store.resize(16).unwrap();
        assert_eq!(store.size(), Ok(16));
        std::fs::remove_file(&path).unwrap();
    }
}
