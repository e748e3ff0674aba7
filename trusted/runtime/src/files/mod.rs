//! Files: what a mounted file system has to do, and what the runtime does with it. Nothing here knows WASI.
//!
//! ```text
//!   path ──► walk ──► Node ──► FileSystem ◄── Tmpfs            in the enclave's memory
//!              ▲                  ▲      ◄── ProtectedFiles    a volume of twine-fs
//!          Mounts: guest path, access    ◄── whatever else implements the trait
//! ```
//!
//! # Life of a node
//!
//! A [`Node`] is reached by name ([`FileSystem::lookup`], [`FileSystem::create_file`]) and is *held* from then on: it means
//! the same file until it was released as often as it was held, whatever happens to its names meanwhile. So a file
//! that was removed can be used while it is open, and an implementation that keeps something for each node (a handle on
//! the host, say) knows when to give it up. The root is always there.
//!
//! # What survives the end of the guest
//!
//! When a guest ends by itself, whatever its exit code, [`FileSystem::close`] makes everything durable, as on any Unix. When
//! it ends in the middle of something (a trap, a deadline, a host that misbehaves), a volume keeps what was last synced
//! and nothing else, as after a power failure: no state becomes durable that the program did not ask for, and a transaction
//! that was being written stays undone (`docs/decisions/0007-files-after-a-trap.md`). A volume on which tampering was met writes nothing any more.

mod mounts;
mod protected;
mod tmpfs;
mod walk;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::platform::Fault;

pub use mounts::{Access, Mount};
pub(crate) use mounts::{File, Mounts};
pub use protected::ProtectedFiles;
pub use tmpfs::{Tmpfs, TmpfsLimits};
pub(crate) use walk::{Last, Place, at, check as check_path};

/// Result of the calls on files.
pub type Result<T = ()> = core::result::Result<T, Error>;

/// A file, directory or symbolic link, by its number in one file system.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Node(pub u64);

/// What a node is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Something that only a host has: a device, a pipe, a socket.
    Other,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Found {
    /// The node, held.
    pub node: Node,
    /// What it is.
    pub kind: FileKind,
}

/// What is known about a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    /// The number that distinguishes it from all others of the file system, as long as it exists.
    pub inode: u64,
    /// What it is.
    pub kind: FileKind,
    /// How many names it has. A directory has one.
    pub links: u64,
    /// Length in bytes; of a link, of its target.
    pub size: u64,
    /// When it was last read, as far as anybody keeps that: nanoseconds since 1970-01-01 UTC, as the others.
    pub accessed: u64,
    /// When its contents last changed.
    pub modified: u64,
    /// When anything about it last changed.
    pub changed: u64,
    /// Of a directory: the inode number of the one that holds it; the root holds itself.
    pub parent: u64,
}

/// One name in a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DirectoryEntry {
    /// The name: not empty, neither "." nor "..", without '/' and NUL.
    pub name: Vec<u8>,
    /// What [`Status::inode`] would be.
    pub inode: u64,
    /// What it is.
    pub kind: FileKind,
    /// Where to go on reading after this entry.
    pub next: u64,
}

/// What a sync makes durable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// The contents, and what is needed to read them.
    Contents,
    /// The contents and all attributes.
    Everything,
}

/// A file system that can be mounted. See the [module](self) for the life of a node.
///
/// Names that come in are those of [`DirectoryEntry::name`], at most 255 bytes of UTF-8. `dir` may also be a node
/// that is no directory ([`Error::NotADirectory`]) or one that has been removed ([`Error::NotFound`]).
pub trait FileSystem {
    /// The directory at the top.
    fn root(&self) -> Node;

    /// What `name` in `dir` stands for; a link is not followed. The node is held.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotADirectory`] and the others.
    fn lookup(&mut self, dir: Node, name: &[u8]) -> Result<Found>;

    /// Holds a node that is held already, or the root.
    ///
    /// # Errors
    /// [`Error::TooManyOpen`].
    fn hold(&mut self, node: Node) -> Result;

    /// Gives one hold up. If it is the last, and the file has no name any more, the file is gone.
    fn release(&mut self, node: Node);

    /// Makes sure that a file or directory may be used so. Comes before everything that reads or writes its contents; a file
    /// that [`create_file`](Self::create_file) made can be read and written at once.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::ReadOnly`], [`Error::NotSupported`] for what is [`FileKind::Other`].
    fn open(&mut self, node: Node, access: Access) -> Result;

    /// Creates an empty file, which is held.
    ///
    /// # Errors
    /// [`Error::Exists`] and the others.
    fn create_file(&mut self, dir: Node, name: &[u8]) -> Result<Node>;

    /// Creates an empty directory.
    ///
    /// # Errors
    /// [`Error::Exists`] and the others.
    fn create_directory(&mut self, dir: Node, name: &[u8]) -> Result;

    /// Creates a symbolic link to `target`, which is not interpreted.
    ///
    /// # Errors
    /// [`Error::Exists`] and the others.
    fn create_link(&mut self, dir: Node, name: &[u8], target: &[u8]) -> Result;

    /// Gives a file or symbolic link another name.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::NotPermitted`] for a directory, and the others.
    fn link(&mut self, node: Node, dir: Node, name: &[u8]) -> Result;

    /// Removes a name of a file or symbolic link.
    ///
    /// # Errors
    /// [`Error::IsADirectory`] and the others.
    fn remove_file(&mut self, dir: Node, name: &[u8]) -> Result;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// [`Error::NotEmpty`], [`Error::NotADirectory`] and the others.
    fn remove_directory(&mut self, dir: Node, name: &[u8]) -> Result;

    /// Gives what is called `from` the name `to` and replaces what has that name now, at once. Does nothing if both
    /// names stand for the same node.
    ///
    /// # Errors
    /// [`Error::IsADirectory`], [`Error::NotADirectory`], [`Error::NotEmpty`] if one cannot replace the other;
    /// [`Error::Invalid`] for a directory that would move into itself; and the others.
    fn rename(&mut self, from_dir: Node, from: &[u8], to_dir: Node, to: &[u8]) -> Result;

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is none.
    fn read_link(&mut self, node: Node) -> Result<Vec<u8>>;

    /// What is known about a node.
    ///
    /// # Errors
    /// Those of the storage.
    fn status(&mut self, node: Node) -> Result<Status>;

    /// Sets times; `None` leaves one as it is.
    ///
    /// # Errors
    /// Those of the storage.
    fn set_times(&mut self, node: Node, accessed: Option<u64>, modified: Option<u64>) -> Result;

    /// Cuts a file, or extends it by zeros.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::NoSpace`] and the others.
    fn set_size(&mut self, node: Node, size: u64) -> Result;

    /// Makes a file at least `offset + len` bytes long, if there is room for `len` bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::NoSpace`], [`Error::NotSupported`].
    fn allocate(&mut self, node: Node, offset: u64, len: u64) -> Result;

    /// Reads from `offset` on and returns how many bytes there were: fewer than asked for only at the end of the file. On an
    /// error `into` may hold anything.
    ///
    /// # Errors
    /// Those of the storage.
    fn read(&mut self, node: Node, offset: u64, into: &mut [u8]) -> Result<usize>;

    /// Writes at `offset` and returns how much was taken: all, or as much as there was room for, but not nothing.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::NoSpace`] and those of the storage.
    fn write(&mut self, node: Node, offset: u64, data: &[u8]) -> Result<usize>;

    /// Writes at the end, as [`write`](Self::write) does, and returns where that was, too.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn append(&mut self, node: Node, data: &[u8]) -> Result<(u64, usize)> {
        let end = self.status(node)?.size;
        Ok((end, self.write(node, end, data)?))
    }

    /// At most `count` entries of a directory from `cookie` on, which is zero or some entry's
    /// [`next`](DirectoryEntry::next). An entry that is there from the first call to the last is listed exactly once,
    /// whatever is created and removed meanwhile. No entries are the end.
    ///
    /// # Errors
    /// [`Error::NotADirectory`] and those of the storage.
    fn read_directory(
        &mut self,
        dir: Node,
        cookie: u64,
        count: usize,
    ) -> Result<Vec<DirectoryEntry>>;

    /// Makes a file or directory durable.
    ///
    /// # Errors
    /// Those of the storage.
    fn sync(&mut self, node: Node, scope: Scope) -> Result;

    /// What has gone wrong since the last call, for whoever runs the guest, who sees only [`Error::Io`]: who is to blame and
    /// what can be done. Each kind of trouble is told once.
    fn trouble(&mut self) -> Option<String> {
        None
    }

    /// Makes everything durable: the last call. Nothing is held any more.
    ///
    /// # Errors
    /// Why unsynced changes are lost, for whoever runs the guest.
    fn close(self: Box<Self>) -> core::result::Result<(), String>;
}

/// Why a call on files failed. Each variant is one errno of the guest's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Error {
    /// There is no such name.
    NotFound,
    /// The name exists.
    Exists,
    /// A directory was needed.
    NotADirectory,
    /// A directory cannot be used here.
    IsADirectory,
    /// The directory has entries.
    NotEmpty,
    /// A name or path is too long.
    NameTooLong,
    /// A path is not UTF-8.
    NotUtf8,
    /// Too many symbolic links on the way.
    Loop,
    /// The path leaves the directory that it starts at.
    Escapes,
    /// An argument makes no sense.
    Invalid,
    /// The directory is in use.
    Busy,
    /// Something full: the storage, or what the guest may have of it.
    NoSpace,
    /// The file would be longer than the longest.
    TooLarge,
    /// The file would have too many names.
    TooManyLinks,
    /// Too many nodes are held.
    TooManyOpen,
    /// The mount can only be read.
    ReadOnly,
    /// The host's access control forbids it.
    Denied,
    /// No file system does this with such a node.
    NotPermitted,
    /// This file system does not do it.
    NotSupported,
    /// Two mounts are involved.
    CrossDevice,
    /// No memory.
    NoMemory,
    /// The storage failed; [`FileSystem::trouble`] tells why.
    Io,
    /// The world outside did not do as asked.
    Fault(Fault),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
