//! Directories as sparse files of buckets, and edits: changes to several directories that happen together or not at all.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{Purpose, Volume};
use crate::{
    codec::{Block, BlockBox},
    disk::Health,
    error::{Error, Result, malformed},
    format::{
        directory::{self, Entry, bucket, level_start},
        inode::FileKind,
    },
    limits::{BLOCK_LEN, DIRECTORY_LEVELS_MAX, NAME_LEN_MAX},
};

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The name: any bytes but '/' and NUL.
    pub name: Vec<u8>,
    /// The inode it names.
    pub ino: u64,
    /// What that is.
    pub kind: FileKind,
    /// Where to go on reading after this entry; stays valid while other names come and go.
    pub next: u64,
}

/// Changed buckets, gathered before any of them becomes visible.
#[derive(Default)]
pub(super) struct Edit {
    blocks: BTreeMap<(u64, u64), BlockBox>,
    sizes: BTreeMap<u64, u64>,
}

/// Positions in a bucket that a cookie can name: entries start at multiples of 8.
const POSITIONS: u64 = BLOCK_LEN as u64 / 8;

impl Volume {
    /// Reads entries from `cookie` on (0 is the start), at most `count`. The entries "." and ".." are not stored: a caller that
    /// shows them takes the parent from [`status`](Self::status).
    ///
    /// # Errors
    /// [`Error::NotADirectory`], [`Error::NotFound`], [`Error::Tampered`] or the store's.
    pub fn read_directory(
        &mut self,
        dir: u64,
        cookie: u64,
        count: usize,
    ) -> Result<Vec<DirectoryEntry>> {
        let size = self.directory_size(dir)?;
        let (mut block, mut position) = (cookie / POSITIONS, cookie % POSITIONS);
        let mut found = Vec::new();
        while block < size / BLOCK_LEN as u64 && found.len() < count {
            for entry in directory::entries(&*self.block(dir, block)?)? {
                let at = entry.at as u64 / 8;
                if at >= position && found.len() < count {
                    let next = block * POSITIONS + at + 1;
                    found.push(DirectoryEntry {
                        name: entry.name,
                        ino: entry.ino,
                        kind: entry.kind,
                        next,
                    });
                }
            }
            (block, position) = (block + 1, 0);
        }
        Ok(found)
    }

    /// Finds a name.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none; otherwise as [`read_directory`](Self::read_directory).
    pub fn lookup(&mut self, dir: u64, name: &[u8]) -> Result<u64> {
        check_name(name)?;
        self.directory_size(dir)?;
        let (_, entry) = self
            .find(&Edit::default(), dir, name)?
            .ok_or(Error::NotFound)?;
        Ok(entry.ino)
    }

    pub(super) fn directory_size(&mut self, dir: u64) -> Result<u64> {
        let file = self.file(dir)?;
        if file.current.kind == FileKind::Directory {
            Ok(file.current.size)
        } else {
            Err(Error::NotADirectory)
        }
    }

    /// The bucket and entry of a name, with the edit's changes.
    pub(super) fn find(
        &mut self,
        edit: &Edit,
        dir: u64,
        name: &[u8],
    ) -> Result<Option<(u64, Entry)>> {
        let hash = directory::hash(name);
        for level in 0..self.levels(edit, dir)? {
            let number = bucket(hash, level);
            let found = match edit.blocks.get(&(dir, number)) {
                Some(block) => directory::find(block, name)?,
                None => directory::find(&*self.block(dir, number)?, name)?,
            };
            if let Some(entry) = found {
                return Ok(Some((number, entry)));
            }
        }
        Ok(None)
    }

    /// Adds a name that is not there yet.
    pub(super) fn insert(
        &mut self,
        edit: &mut Edit,
        dir: u64,
        name: &[u8],
        ino: u64,
        kind: FileKind,
    ) -> Result<()> {
        let hash = directory::hash(name);
        let levels = self.levels(edit, dir)?;
        for level in 0..=levels.min(DIRECTORY_LEVELS_MAX - 1) {
            let number = bucket(hash, level);
            if directory::insert(self.edited(edit, dir, number)?, name, ino, kind)? {
                if level == levels {
                    edit.sizes
                        .insert(dir, level_start(level + 1) * BLOCK_LEN as u64);
                }
                return Ok(());
            }
        }
        Err(Error::NoSpace)
    }

    /// Removes an entry that [`find`](Self::find) returned.
    pub(super) fn remove(
        &mut self,
        edit: &mut Edit,
        dir: u64,
        (number, entry): &(u64, Entry),
    ) -> Result<()> {
        directory::remove(self.edited(edit, dir, *number)?, entry.at)
    }

    /// Points an entry that [`find`](Self::find) returned to another inode.
    pub(super) fn replace(
        &mut self,
        edit: &mut Edit,
        dir: u64,
        (number, entry): &(u64, Entry),
        ino: u64,
        kind: FileKind,
    ) -> Result<()> {
        directory::replace(self.edited(edit, dir, *number)?, entry.at, ino, kind);
        Ok(())
    }

    pub(super) fn is_empty_directory(&mut self, dir: u64) -> Result<bool> {
        self.read_directory(dir, 0, 1)
            .map(|entries| entries.is_empty())
    }

    /// Makes sure that the edit and one new inode can be committed.
    pub(super) fn ensure_space_for(&mut self, edit: &Edit, purpose: Purpose) -> Result<()> {
        let mut blocks = 2;
        for &(dir, number) in edit.blocks.keys() {
            blocks += 1 + self.nodes_for(dir, number)?;
        }
        self.ensure_space(blocks, purpose)
    }

    /// Makes the edit visible. The caller made sure of the space.
    pub(super) fn apply_edit(&mut self, edit: Edit) -> Result<()> {
        let applied = self.try_apply_edit(edit);
        if applied.is_err() {
            // Half an edit must never be committed.
            self.medium.disk.degrade(Health::MountAgain);
        }
        applied
    }

    fn try_apply_edit(&mut self, edit: Edit) -> Result<()> {
        let now = self.platform.now();
        for ((dir, number), contents) in edit.blocks {
            self.put_reserved(dir, number, contents)?;
            let file = self.file(dir)?;
            (
                file.current.times.modified,
                file.current.times.changed,
                file.changed,
            ) = (now, now, true);
            self.pending.insert(dir);
        }
        for (dir, size) in edit.sizes {
            self.file(dir)?.current.size = size;
        }
        Ok(())
    }

    fn levels(&mut self, edit: &Edit, dir: u64) -> Result<u32> {
        let size = match edit.sizes.get(&dir) {
            Some(&size) => size,
            None => self.directory_size(dir)?,
        };
        let levels = (0..=DIRECTORY_LEVELS_MAX)
            .find(|&levels| level_start(levels) * BLOCK_LEN as u64 == size);
        levels.ok_or_else(|| malformed("a directory's size is not the end of a level"))
    }

    fn edited<'edit>(
        &mut self,
        edit: &'edit mut Edit,
        dir: u64,
        number: u64,
    ) -> Result<&'edit mut Block> {
        let contents = match edit.blocks.remove(&(dir, number)) {
            Some(contents) => contents,
            None => self.block(dir, number)?,
        };
        Ok(edit.blocks.entry((dir, number)).or_insert(contents))
    }
}

pub(super) fn check_name(name: &[u8]) -> Result<()> {
    if name.len() > NAME_LEN_MAX {
        return Err(Error::NameTooLong);
    }
    if directory::is_name(name) {
        Ok(())
    } else {
        Err(Error::InvalidName)
    }
}
