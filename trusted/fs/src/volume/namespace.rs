//! Names: creating, removing, renaming, linking. Each call happens entirely or not at all, and all are committed in order.

use alloc::{format, vec::Vec};

use super::{
    Purpose, Volume,
    directory::{Edit, check_name},
};
use crate::{
    codec::{BlockBox, to_usize},
    error::{Error, Result},
    file::File,
    format::{
        directory::Entry,
        ino,
        inode::{FileKind, Inode, Times},
    },
    limits::{LINK_TARGET_LEN_MAX, LINKS_MAX},
};

impl Volume {
    /// The root directory.
    pub const ROOT: u64 = ino::ROOT;

    /// Creates an empty file and returns its inode number.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::InvalidName`], [`Error::NameTooLong`], [`Error::NotADirectory`], [`Error::NoSpace`],
    /// [`Error::TooMuchUnsynced`], or the store's.
    pub fn create_file(&mut self, dir: u64, name: &[u8]) -> Result<u64> {
        self.create_inode(dir, name, FileKind::File)
    }

    /// Creates a directory.
    ///
    /// # Errors
    /// As [`create_file`](Self::create_file).
    pub fn create_directory(&mut self, dir: u64, name: &[u8]) -> Result<u64> {
        self.create_inode(dir, name, FileKind::Directory)
    }

    /// Creates a symbolic link to `target`, which is not interpreted.
    ///
    /// # Errors
    /// As [`create_file`](Self::create_file), and [`Error::InvalidArgument`] for an empty target.
    pub fn create_link(&mut self, dir: u64, name: &[u8], target: &[u8]) -> Result<u64> {
        if target.len() > LINK_TARGET_LEN_MAX {
            return Err(Error::NameTooLong);
        }
        if target.is_empty() {
            return Err(Error::InvalidArgument);
        }
        let created = self.create_inode(dir, name, FileKind::Link)?;
        let mut contents = BlockBox::zeroed();
        contents
            .iter_mut()
            .zip(target)
            .for_each(|(to, from)| *to = *from);
        self.put_reserved(created, 0, contents)?;
        self.file(created)?.current.size = target.len() as u64;
        Ok(created)
    }

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is none, [`Error::NotFound`], or the store's.
    pub fn read_link(&mut self, link: u64) -> Result<Vec<u8>> {
        let file = self.file(link)?;
        if file.current.kind != FileKind::Link {
            return Err(Error::InvalidArgument);
        }
        let size = to_usize(file.current.size);
        let block = self.block(link, 0)?;
        Ok(block.get(..size).unwrap_or_default().to_vec())
    }

    /// Gives a file another name.
    ///
    /// # Errors
    /// As [`create_file`](Self::create_file); [`Error::IsADirectory`], [`Error::TooManyLinks`].
    pub fn link(&mut self, existing: u64, dir: u64, name: &[u8]) -> Result<()> {
        self.check_new_name(dir, name)?;
        let file = self.file(existing)?;
        match file.current.kind {
            FileKind::Directory => return Err(Error::IsADirectory),
            _ if file.current.links >= LINKS_MAX => return Err(Error::TooManyLinks),
            // Removed, though still open: it must not come back.
            _ if file.current.links == 0 => return Err(Error::NotFound),
            _ => {}
        }
        let kind = file.current.kind;
        let mut edit = Edit::default();
        self.insert(&mut edit, dir, name, existing, kind)?;
        self.ensure_space_for(&edit, Purpose::Store)?;
        self.apply_edit(edit)?;
        self.touch(existing, |inode| inode.links += 1)
    }

    /// Removes a name of a file or symbolic link. Its contents live on while it is open.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IsADirectory`], or the store's.
    pub fn remove_file(&mut self, dir: u64, name: &[u8]) -> Result<()> {
        let found = self.existing(dir, name)?;
        if found.1.kind == FileKind::Directory {
            return Err(Error::IsADirectory);
        }
        self.remove_name(dir, &found)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotADirectory`], [`Error::NotEmpty`], or the store's.
    pub fn remove_directory(&mut self, dir: u64, name: &[u8]) -> Result<()> {
        let found = self.existing(dir, name)?;
        if found.1.kind != FileKind::Directory {
            return Err(Error::NotADirectory);
        }
        if !self.is_empty_directory(found.1.ino)? {
            return Err(Error::NotEmpty);
        }
        self.remove_name(dir, &found)
    }

    /// Gives what is called `from` the name `to`, replacing what has that name now. Atomic, also in a crash.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::IsADirectory`], [`Error::NotADirectory`] or [`Error::NotEmpty`] if the one cannot replace the
    /// other; [`Error::InvalidArgument`] for a directory that would move into itself; otherwise as [`create_file`](Self::create_file).
    pub fn rename(&mut self, from_dir: u64, from: &[u8], to_dir: u64, to: &[u8]) -> Result<()> {
        check_name(to)?;
        let source = self.existing(from_dir, from)?;
        self.live_directory(to_dir)?;
        let (moved, kind) = (source.1.ino, source.1.kind);
        let target = self.find(&Edit::default(), to_dir, to)?;
        if target.as_ref().is_some_and(|(_, entry)| entry.ino == moved) {
            return Ok(());
        }
        if kind == FileKind::Directory && self.is_within(to_dir, moved)? {
            return Err(Error::InvalidArgument);
        }
        let mut edit = Edit::default();
        let mut replaced = None;
        if let Some(target) = target {
            self.check_replaceable(kind, &target.1)?;
            self.replace(&mut edit, to_dir, &target, moved, kind)?;
            replaced = Some(target.1.ino);
        } else {
            self.insert(&mut edit, to_dir, to, moved, kind)?;
        }
        // Looked for again: the insertion may share the bucket, but entries never move.
        self.remove(&mut edit, from_dir, &source)?;
        if let Some(replaced) = replaced {
            self.keep_if_open(&mut edit, replaced)?;
        }
        self.file(moved)?;
        self.ensure_space_for(&edit, Purpose::Store)?;
        self.apply_edit(edit)?;
        if let Some(replaced) = replaced {
            self.drop_link(replaced)?;
        }
        self.touch(moved, |inode| {
            if inode.kind == FileKind::Directory {
                inode.parent = to_dir;
            }
        })
    }

    fn create_inode(&mut self, dir: u64, name: &[u8], kind: FileKind) -> Result<u64> {
        self.check_new_name(dir, name)?;
        let created = self.next_ino;
        let mut edit = Edit::default();
        self.insert(&mut edit, dir, name, created, kind)?;
        self.ensure_space_for(&edit, Purpose::Store)?;
        self.apply_edit(edit)?;
        self.next_ino += 1;
        let parent = if kind == FileKind::Directory { dir } else { 0 };
        self.add_inode(created, kind, parent);
        Ok(created)
    }

    /// Brings a new inode into being, in memory.
    pub(super) fn add_inode(&mut self, created: u64, kind: FileKind, parent: u64) {
        let now = self.platform.now();
        let times = Times {
            accessed: now,
            modified: now,
            changed: now,
            created: now,
        };
        let inode = Inode {
            kind,
            links: 1,
            size: 0,
            times,
            parent,
            inline: None,
        };
        self.files.insert(
            created,
            File {
                changed: true,
                ..File::fresh(created, inode)
            },
        );
        self.pending.insert(created);
    }

    fn remove_name(&mut self, dir: u64, found: &(u64, Entry)) -> Result<()> {
        let ino = found.1.ino;
        self.file(ino)?;
        let mut edit = Edit::default();
        self.remove(&mut edit, dir, found)?;
        self.keep_if_open(&mut edit, ino)?;
        self.ensure_space_for(&edit, Purpose::Remove)?;
        self.apply_edit(edit)?;
        self.drop_link(ino)
    }

    /// A file that loses its last name while it is open goes to the directory of orphans, so that a crash does not leak it.
    fn keep_if_open(&mut self, edit: &mut Edit, ino: u64) -> Result<()> {
        let file = self.file(ino)?;
        let kind = file.current.kind;
        let last = file.current.links == 1 && file.opens > 0;
        if last {
            self.insert(edit, ino::ORPHANS, &orphan_name(ino), ino, kind)
        } else {
            Ok(())
        }
    }

    fn drop_link(&mut self, ino: u64) -> Result<()> {
        self.touch(ino, |inode| inode.links = inode.links.saturating_sub(1))?;
        let file = self.file(ino)?;
        if file.current.links == 0 && file.opens == 0 {
            self.free_inode(ino)
        } else {
            Ok(())
        }
    }

    /// Marks an inode for removal with the next commit.
    pub(super) fn free_inode(&mut self, ino: u64) -> Result<()> {
        self.drop_frames(ino, 0)?;
        let file = self.file(ino)?;
        file.gone = true;
        self.pending.insert(ino);
        Ok(())
    }

    /// Removes an orphan for good: it was closed, or left over by a crash.
    pub(super) fn free_orphan(&mut self, ino: u64) -> Result<()> {
        let mut edit = Edit::default();
        if let Some(found) = self.find(&edit, ino::ORPHANS, &orphan_name(ino))? {
            self.remove(&mut edit, ino::ORPHANS, &found)?;
        }
        self.ensure_space_for(&edit, Purpose::Remove)?;
        self.apply_edit(edit)?;
        self.free_inode(ino)
    }

    /// Changes attributes as part of a change of names.
    fn touch(&mut self, ino: u64, change: impl FnOnce(&mut Inode)) -> Result<()> {
        let now = self.platform.now();
        let file = self.file(ino)?;
        change(&mut file.current);
        file.current.times.changed = now;
        file.changed = true;
        self.pending.insert(ino);
        Ok(())
    }

    fn check_new_name(&mut self, dir: u64, name: &[u8]) -> Result<()> {
        check_name(name)?;
        self.check_writable()?;
        self.ensure_memory()?;
        self.live_directory(dir)?;
        if self.find(&Edit::default(), dir, name)?.is_some() {
            Err(Error::Exists)
        } else {
            Ok(())
        }
    }

    fn existing(&mut self, dir: u64, name: &[u8]) -> Result<(u64, Entry)> {
        check_name(name)?;
        self.check_writable()?;
        self.ensure_memory()?;
        self.directory_size(dir)?;
        self.find(&Edit::default(), dir, name)?
            .ok_or(Error::NotFound)
    }

    /// A directory that still has a name: a removed one takes no new entries.
    fn live_directory(&mut self, dir: u64) -> Result<()> {
        self.directory_size(dir)?;
        if self.file(dir)?.current.links == 0 {
            Err(Error::NotFound)
        } else {
            Ok(())
        }
    }

    fn check_replaceable(&mut self, kind: FileKind, target: &Entry) -> Result<()> {
        match (kind, target.kind) {
            (FileKind::Directory, FileKind::Directory)
                if self.is_empty_directory(target.ino)? =>
            {
                Ok(())
            }
            (FileKind::Directory, FileKind::Directory) => Err(Error::NotEmpty),
            (FileKind::Directory, _) => Err(Error::NotADirectory),
            (_, FileKind::Directory) => Err(Error::IsADirectory),
            _ => Ok(()),
        }
    }

    /// Whether `dir` is `above` or lies somewhere below it.
    fn is_within(&mut self, dir: u64, above: u64) -> Result<bool> {
        let mut at = dir;
        while at != above && at != ino::ROOT {
            at = self.file(at)?.current.parent;
        }
        Ok(at == above)
    }
}

fn orphan_name(ino: u64) -> Vec<u8> {
    format!("{ino:016x}").into_bytes()
}
