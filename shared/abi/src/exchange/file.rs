//! Files of the host, in a directory that is mounted unprotected: the [`HostCall`]s from [`HostCall::FileLookup`] on.
//!
//! A *node* is a file, directory or link that the host keeps open for the enclave, by a number of the host's choice, until
//! it was released as often as it was held. Names are single names: paths are walked in the enclave.

#[cfg(doc)]
use super::HostCall;

/// How [`HostCall::FileOpen`] is to open a node.
pub mod access {
    /// To read it.
    pub const READ: u64 = 1;
    /// To write it.
    pub const WRITE: u64 = 2;
}

/// A time that [`HostCall::FileSetTimes`] leaves as it is.
pub const TIME_UNCHANGED: u64 = u64::MAX;

/// The node of the directory that is mounted. The host's others are larger.
pub const ROOT: u64 = 1;

/// What the host says of a node.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Status {
    /// Inode number.
    pub inode: u64,
    /// A [`kind`].
    pub kind: u64,
    /// How many names it has.
    pub links: u64,
    /// Length in bytes.
    pub size: u64,
    /// Last access, nanoseconds since 1970, as the others.
    pub accessed: u64,
    /// Last change of the contents.
    pub modified: u64,
    /// Last change of anything.
    pub changed: u64,
    /// Of a directory: the inode number of the one above it.
    pub parent: u64,
}

impl Status {
    /// Words of the structure.
    pub const WORDS: usize = size_of::<Self>() / size_of::<u64>();

    /// The structure as words, in their order.
    #[must_use]
    pub const fn words(&self) -> [u64; Self::WORDS] {
        [
            self.inode,
            self.kind,
            self.links,
            self.size,
            self.accessed,
            self.modified,
            self.changed,
            self.parent,
        ]
    }

    /// The structure from its words.
    #[must_use]
    pub const fn from_words(words: [u64; Self::WORDS]) -> Self {
        let [
            inode,
            kind,
            links,
            size,
            accessed,
            modified,
            changed,
            parent,
        ] = words;
        Self {
            inode,
            kind,
            links,
            size,
            accessed,
            modified,
            changed,
            parent,
        }
    }
}

/// Kinds of nodes in the host's answers.
pub mod kind {
    /// A regular file.
    pub const FILE: u64 = 1;
    /// A directory.
    pub const DIRECTORY: u64 = 2;
    /// A symbolic link.
    pub const LINK: u64 = 3;
    /// Anything else.
    pub const OTHER: u64 = 4;
}

/// What stands before each name in the answer to [`HostCall::FileReadDirectory`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Entry {
    /// Inode number.
    pub inode: u64,
    /// The cookie behind this entry.
    pub next: u64,
    /// A [`kind`].
    pub kind: u32,
    /// Length of the name in bytes.
    pub name_len: u32,
}

/// Bytes of a [`Entry`].
pub const ENTRY_LEN: usize = 24;

const _: () = assert!(size_of::<Entry>() == ENTRY_LEN && size_of::<Status>() == 64);
