//! The file a volume lies in, with positioned reads and writes.
//!
//! Not a memory map: another process may cut the file at any time, and touching a mapped page that is gone kills this one
//! (SIGBUS). A positioned read returns an error instead. Inside the enclave the trade is another: there a map saves an
//! exit for every read.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use twine_fs::limits::BLOCK_LEN;
use twine_fs::{Access, Error, Range, Result, Store};

/// A volume's file, open and locked.
#[derive(Debug)]
pub struct VolumeFile(File);

impl VolumeFile {
    /// Makes a new, empty file.
    ///
    /// # Errors
    /// `AlreadyExists` if there is a file of this name; otherwise what the operating system says.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        Self::lock(file, Access::ReadWrite)
    }

    /// Opens a file that is there. The lock, shared for reading only, is the operating system's advisory one: it keeps
    /// accidents away, not an adversary.
    ///
    /// # Errors
    /// `WouldBlock` if another process has the volume open and either of the two writes; `InvalidInput` if it is not a
    /// regular file; otherwise what the operating system says.
    pub fn open(path: &Path, access: Access) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(access == Access::ReadWrite)
            .open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        Self::lock(file, access)
    }

    fn lock(file: File, access: Access) -> io::Result<Self> {
        let locked = match access {
            Access::ReadWrite => file.try_lock(),
            Access::ReadOnly => file.try_lock_shared(),
        };
        match locked {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Store for VolumeFile {
    fn read(&self, first: u64, into: &mut [u8]) -> Result<()> {
        let at = position(first)?;
        self.0.read_exact_at(into, at).map_err(|error| host(&error))
    }

    fn write(&self, ranges: &[Range<'_>]) -> Result<()> {
        for (first, data) in ranges {
            let at = position(*first)?;
            self.0
                .write_all_at(data, at)
                .map_err(|error| host(&error))?;
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.0.sync_data().map_err(|error| host(&error))
    }

    fn size(&self) -> Result<u64> {
        let metadata = self.0.metadata().map_err(|error| host(&error))?;
        Ok(metadata.len() / BLOCK_LEN as u64)
    }

    /// Growing takes the space from the disk at once, so that a full disk shows here and not in a later write.
    fn resize(&self, blocks: u64) -> Result<()> {
        let (old, new) = (position(self.size()?)?, position(blocks)?);
        if new > old {
            match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), old, new - old) {
                // A file system that cannot reserve space.
                Err(Errno::OPNOTSUPP) => {}
                reserved => return reserved.map_err(|error| host(&error.into())),
            }
        }
        self.0.set_len(new).map_err(|error| host(&error))
    }
}

fn position(block: u64) -> Result<u64> {
    block.checked_mul(BLOCK_LEN as u64).ok_or(Error::NoSpace)
}

fn host(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Error::NoSpace
        }
        _ => Error::Host(error.raw_os_error().unwrap_or(EIO)),
    }
}

/// What an operating system says when a file ends too early: `EIO`.
const EIO: i32 = 5;
