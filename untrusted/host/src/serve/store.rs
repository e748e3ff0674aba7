//! Block stores: the files of protected volumes (`docs/abi.md`, "Block stores"). All that passes is ciphertext.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use twine_abi::exchange::store::{BLOCK_LEN, BlockRange, RANGES_MAX, READ_BLOCKS_MAX, Spans};
use twine_abi::exchange::{HostCall, HostErrno, Span};

use super::errno::of_stream;
use super::map::FileMap;
use crate::error::Error;
use crate::launch::buffer::SharedBuffer;

/// Where the enclave puts blocks to be written: as many as the file system writes at once, and a few more.
const STAGING_LEN: usize = (256 + 64) * BLOCK_LEN;

const BLOCK: u64 = BLOCK_LEN as u64;

/// The file of a volume, open and locked.
#[derive(Debug)]
pub struct VolumeFile {
    path: PathBuf,
    file: File,
    map: Option<FileMap>,
    staging: SharedBuffer,
    made: bool,
    access: FileAccess,
}

/// What is done with a volume's file, or with the files of a directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FileAccess {
    /// It is read. Others may read a volume as well.
    Read,
    /// It is read and written; a volume by nobody else.
    Write,
    /// As [`FileAccess::Write`], and made if it is not there.
    Create,
}

impl VolumeFile {
    /// Opens and locks the file.
    ///
    /// # Errors
    /// [`Error::File`]; [`Error::VolumeInUse`] if another process has it.
    pub fn open(path: &Path, access: FileAccess) -> Result<Self, Error> {
        let failed = |source| Error::File {
            path: path.to_owned(),
            source,
        };
        let (file, made) = open(path, access).map_err(failed)?;
        let locked = match access {
            FileAccess::Read => file.try_lock_shared(),
            FileAccess::Write | FileAccess::Create => file.try_lock(),
        };
        locked.map_err(|error| match error {
            TryLockError::WouldBlock => Error::VolumeInUse {
                path: path.to_owned(),
            },
            TryLockError::Error(source) => failed(source),
        })?;
        let map = FileMap::new(&file)
            .inspect_err(|error| log::debug!("{}: no map: {error}", path.display()))
            .ok();
        Ok(Self {
            path: path.to_owned(),
            file,
            map,
            staging: SharedBuffer::zeroed(STAGING_LEN),
            made,
            access,
        })
    }

    /// Answers a call on a store; `args` without the mount.
    pub(super) fn serve(
        &mut self,
        call: HostCall,
        [first, second, ..]: [u64; 4],
        payload: &mut [u8],
    ) -> Result<u64, HostErrno> {
        match call {
            HostCall::StoreOpen => Ok(self.describe(payload)),
            HostCall::StoreRead => self.read(first, second, payload),
            HostCall::StoreWrite => self.write(first, second, payload),
            HostCall::StoreSize => self.size(),
            HostCall::StoreResize => self.resize(first),
            _ => Err(HostErrno::Invalid),
        }
    }

    fn describe(&mut self, payload: &mut [u8]) -> u64 {
        let spans = Spans {
            map: self.map.as_ref().map(FileMap::span).unwrap_or_default(),
            staging: Span {
                address: self.staging.address_mut(),
                len: STAGING_LEN as u64,
            },
        };
        let words = [
            spans.map.address,
            spans.map.len,
            spans.staging.address,
            spans.staging.len,
        ];
        for (target, word) in payload.chunks_exact_mut(size_of::<u64>()).zip(words) {
            target.copy_from_slice(&word.to_le_bytes());
        }
        self.made.into()
    }

    fn read(&self, first: u64, count: u64, payload: &mut [u8]) -> Result<u64, HostErrno> {
        let len = usize::try_from(count)
            .ok()
            .filter(|count| *count <= READ_BLOCKS_MAX)
            .ok_or(HostErrno::Invalid)?
            * BLOCK_LEN;
        let into = payload.get_mut(..len).ok_or(HostErrno::Invalid)?;
        self.file
            .read_exact_at(into, position(first)?)
            .map_err(|error| of_stream(&error))?;
        Ok(len as u64)
    }

    fn write(&self, count: u64, flush: u64, payload: &[u8]) -> Result<u64, HostErrno> {
        if self.access == FileAccess::Read && (count > 0 || flush > 0) {
            return Err(HostErrno::Invalid);
        }
        let mut staged = self.staging.bytes();
        for range in ranges(payload, count)? {
            let len = usize::try_from(range.blocks)
                .ok()
                .and_then(|blocks| blocks.checked_mul(BLOCK_LEN))
                .ok_or(HostErrno::Invalid)?;
            let (data, rest) = staged.split_at_checked(len).ok_or(HostErrno::Invalid)?;
            self.file
                .write_all_at(data, position(range.first)?)
                .map_err(|error| of_stream(&error))?;
            staged = rest;
        }
        if flush != 0 {
            self.file.sync_data().map_err(|error| of_stream(&error))?;
        }
        Ok(0)
    }

    fn size(&self) -> Result<u64, HostErrno> {
        let metadata = self.file.metadata().map_err(|error| of_stream(&error))?;
        Ok(metadata.len() / BLOCK)
    }

    fn resize(&self, blocks: u64) -> Result<u64, HostErrno> {
        let (old, new) = (self.size()? * BLOCK, position(blocks)?);
        if self.access == FileAccess::Read {
            return Err(HostErrno::Invalid);
        }
        let set_len = || self.file.set_len(new).map_err(|error| of_stream(&error));
        if new <= old {
            set_len()?;
            return Ok(0);
        }
        // Space is set aside now, so that a full disk shows here and not when something is to be made durable.
        match fallocate(&self.file, FallocateFlags::empty(), old, new - old) {
            Ok(()) => Ok(0),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => set_len().map(|()| 0),
            Err(errno) => Err(of_stream(&errno.into())),
        }
    }
}

impl Drop for VolumeFile {
    /// A launch that failed before there was anything in the file leaves none behind.
    fn drop(&mut self) {
        if self.made && self.size() == Ok(0) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn open(path: &Path, access: FileAccess) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).write(access != FileAccess::Read);
    if access == FileAccess::Create {
        match options.clone().create_new(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|file| (file, true)),
        }
    }
    options.open(path).map(|file| (file, false))
}

fn ranges(payload: &[u8], count: u64) -> Result<impl Iterator<Item = BlockRange>, HostErrno> {
    let len = usize::try_from(count)
        .ok()
        .filter(|count| *count <= RANGES_MAX)
        .ok_or(HostErrno::Invalid)?
        * size_of::<BlockRange>();
    let bytes = payload.get(..len).ok_or(HostErrno::Invalid)?;
    Ok(bytes.as_chunks::<16>().0.iter().map(|range| {
        let [first, blocks] = *range.as_chunks::<8>().0 else {
            unreachable!("16 bytes are two words")
        };
        BlockRange {
            first: u64::from_le_bytes(first),
            blocks: u64::from_le_bytes(blocks),
        }
    }))
}

fn position(block: u64) -> Result<u64, HostErrno> {
    block
        .checked_mul(BLOCK)
        .filter(|position| i64::try_from(*position).is_ok())
        .ok_or(HostErrno::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [u8; BLOCK_LEN] = [0xa; BLOCK_LEN];
    const B: [u8; BLOCK_LEN] = [0xb; BLOCK_LEN];

    fn volume(access: FileAccess) -> (tempfile::TempDir, VolumeFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v");
        if access != FileAccess::Create {
            fs::write(&path, [A, B].concat()).unwrap();
        }
        let volume = VolumeFile::open(&path, access).unwrap();
        (folder, volume)
    }

    /// Ranges as the enclave writes them.
    fn payload(ranges: &[(u64, u64)]) -> Vec<u8> {
        let words = ranges.iter().flat_map(|(first, blocks)| [*first, *blocks]);
        words.flat_map(u64::to_le_bytes).collect()
    }

    #[test]
    fn ranges_are_written_from_the_staging_area_in_their_order() {
        let (_folder, mut volume) = volume(FileAccess::Create);
        assert_eq!(volume.resize(4), Ok(0));
        let staged = [A, B, A].concat();
        volume.staging.bytes_mut()[..staged.len()].copy_from_slice(&staged);
        assert_eq!(volume.write(2, 1, &payload(&[(3, 1), (0, 2)])), Ok(0));
        let mut read = vec![0; 4 * BLOCK_LEN];
        assert_eq!(volume.read(0, 4, &mut read), Ok(read.len() as u64));
        assert_eq!(read, [B, A, [0; BLOCK_LEN], A].concat());
    }

    #[test]
    fn requests_that_make_no_sense_are_refused_and_change_nothing() {
        let (folder, volume) = volume(FileAccess::Write);
        let mut room = vec![0; 64 << 10];
        let invalid = Err(HostErrno::Invalid);
        assert_eq!(volume.read(0, 17, &mut room), invalid);
        assert_eq!(volume.read(u64::MAX, 1, &mut room), invalid);
        assert_eq!(
            volume.read(2, 1, &mut room),
            Err(HostErrno::Io),
            "behind the end"
        );
        assert_eq!(volume.write(u64::MAX, 0, &room), invalid);
        assert_eq!(volume.write(1, 0, &payload(&[(u64::MAX, 1)])), invalid);
        assert_eq!(volume.write(1, 0, &payload(&[(0, u64::MAX)])), invalid);
        assert_eq!(
            volume.write(2, 0, &payload(&[(0, 1)])),
            invalid,
            "one range is missing"
        );
        assert_eq!(volume.resize(u64::MAX), invalid);
        assert_eq!(fs::read(folder.path().join("v")).unwrap(), [A, B].concat());
    }

    #[test]
    fn a_volume_to_be_read_is_not_written() {
        let (folder, volume) = volume(FileAccess::Read);
        assert_eq!(
            volume.write(1, 0, &payload(&[(0, 1)])),
            Err(HostErrno::Invalid)
        );
        assert_eq!(volume.resize(1), Err(HostErrno::Invalid));
        assert_eq!(fs::read(folder.path().join("v")).unwrap(), [A, B].concat());
    }

    #[test]
    fn a_volume_has_one_writer_or_many_readers() {
        let (folder, writer) = volume(FileAccess::Write);
        let path = folder.path().join("v");
        for access in [FileAccess::Read, FileAccess::Write, FileAccess::Create] {
            let second = VolumeFile::open(&path, access);
            assert!(
                matches!(second, Err(Error::VolumeInUse { .. })),
                "{second:?}"
            );
        }
        drop(writer);
        let readers = [0; 2].map(|_| VolumeFile::open(&path, FileAccess::Read).unwrap());
        assert!(matches!(
            VolumeFile::open(&path, FileAccess::Write),
            Err(Error::VolumeInUse { .. })
        ));
        drop(readers);
    }

    #[test]
    fn a_file_that_nothing_was_written_to_does_not_stay() {
        let (folder, empty) = volume(FileAccess::Create);
        let path = folder.path().join("v");
        assert!(path.exists());
        drop(empty);
        assert!(!path.exists());
        let full = VolumeFile::open(&path, FileAccess::Create).unwrap();
        full.resize(1).unwrap();
        drop(full);
        assert_eq!(fs::metadata(&path).unwrap().len(), BLOCK_LEN as u64);
    }

    #[test]
    fn the_enclave_is_told_where_the_map_and_the_staging_area_lie() {
        let (_folder, mut volume) = volume(FileAccess::Create);
        let mut payload = [0; 32];
        assert_eq!(
            volume.describe(&mut payload),
            1,
            "the file was made just now"
        );
        let words: Vec<u64> = payload
            .as_chunks()
            .0
            .iter()
            .map(|word| u64::from_le_bytes(*word))
            .collect();
        assert_eq!(words[1], 1 << 40);
        assert_eq!((words[2] % 8, words[3]), (0, STAGING_LEN as u64));
    }
}
