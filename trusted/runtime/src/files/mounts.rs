//! What is mounted where, and how open files refer to it.
//!
//! Each mount is a directory that the guest finds open from the start, descriptors 3, 4, … in order. A path is looked up
//! in the mount whose directory it starts at, and never leaves it: a mount *below* another one, such as `/tmp` beside
//! `/`, hides nothing. Programs see one tree all the same, because their libraries (wasi-libc, Rust's and Go's) pick the
//! mount with the longest prefix for each path; only a listing of `/` does not show `tmp` unless such a directory exists.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::files::{Error, FileSystem, Node, Result};
use crate::limits::MOUNTS_MAX;

/// A file system and where the guest finds it.
pub struct Mount {
    /// The guest's name for it, such as `/` or `/tmp`.
    pub path: String,
    /// The files.
    pub files: Box<dyn FileSystem>,
    /// What may be done with them.
    pub access: Access,
}

/// What may be done with files.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Access {
    /// Reading.
    ReadOnly,
    /// Reading and writing.
    #[default]
    ReadWrite,
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mount")
            .field("path", &self.path)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// A file of one of the mounts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct File {
    /// Which mount, counted from zero.
    pub(crate) mount: usize,
    /// Which file of it.
    pub(crate) node: Node,
}

/// All mounts of a run.
#[derive(Debug, Default)]
pub(crate) struct Mounts(Vec<Mount>);

impl Mounts {
    /// # Errors
    /// The rule that is broken.
    pub(crate) fn new(mounts: Vec<Mount>) -> core::result::Result<Self, String> {
        if mounts.len() > MOUNTS_MAX {
            return Err(format!("{} mounts, {MOUNTS_MAX} are allowed", mounts.len()));
        }
        for (index, mount) in mounts.iter().enumerate() {
            if mount.path.is_empty() || mount.path.contains('\0') {
                return Err(format!("{:?} is not a path to mount at", mount.path));
            }
            if mounts
                .iter()
                .skip(index + 1)
                .any(|other| other.path == mount.path)
            {
                return Err(format!("two mounts at {:?}", mount.path));
            }
        }
        Ok(Self(mounts))
    }

    /// The directories at the top, in order, held.
    pub(crate) fn hold_roots(&mut self) -> Result<Vec<File>> {
        let hold = |(mount, at): (usize, &mut Mount)| {
            let node = at.files.root();
            at.files.hold(node).map(|()| File { mount, node })
        };
        self.0.iter_mut().enumerate().map(hold).collect()
    }

    /// The guest's name for a mount.
    pub(crate) fn path(&self, mount: usize) -> Result<&str> {
        self.0
            .get(mount)
            .map(|mount| &*mount.path)
            .ok_or(Error::NotFound)
    }

    /// A file system, for what changes nothing.
    pub(crate) fn files(&mut self, mount: usize) -> Result<&mut dyn FileSystem> {
        match self.0.get_mut(mount) {
            Some(mount) => Ok(&mut *mount.files),
            None => Err(Error::NotFound),
        }
    }

    /// What may be done with a mount.
    pub(crate) fn access(&self, mount: usize) -> Access {
        self.0
            .get(mount)
            .map_or(Access::ReadOnly, |mount| mount.access)
    }

    /// A file system, for what changes it.
    pub(crate) fn writable(&mut self, mount: usize) -> Result<&mut dyn FileSystem> {
        match self.access(mount) {
            Access::ReadWrite => self.files(mount),
            Access::ReadOnly => Err(Error::ReadOnly),
        }
    }

    /// Gives up an open file.
    pub(crate) fn release(&mut self, file: File) {
        if let Ok(files) = self.files(file.mount) {
            files.release(file.node);
        }
    }

    /// What went wrong since the last call, with the mount's name before it.
    pub(crate) fn troubles(&mut self) -> Vec<String> {
        let told = |mount: &mut Mount| {
            let trouble = mount.files.trouble()?;
            Some(format!("{}: {trouble}", mount.path))
        };
        self.0.iter_mut().filter_map(told).collect()
    }

    /// Closes all file systems and returns what went wrong.
    pub(crate) fn close(&mut self) -> Vec<String> {
        let mut troubles = self.troubles();
        for mount in core::mem::take(&mut self.0) {
            // A mount that could only be read has nothing to lose.
            if mount.access == Access::ReadOnly {
                continue;
            }
            if let Err(reason) = mount.files.close() {
                troubles.push(format!(
                    "{}: what was not synced is lost: {reason}",
                    mount.path
                ));
            }
        }
        troubles
    }
}
