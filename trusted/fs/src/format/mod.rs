//! The byte layouts of `docs/format.md`, one file per structure. Decoding takes any bytes and ends in a value or an error.

pub(crate) mod directory;
pub(crate) mod epochs;
pub(crate) mod inode;
pub(crate) mod node;
pub(crate) mod record;
pub(crate) mod reference;
pub(crate) mod superblock;

/// Owners of blocks that are not files, and the two files with fixed numbers.
pub(crate) mod ino {
    /// The inode table.
    pub(crate) const TABLE: u64 = 1;
    /// The bitmap.
    pub(crate) const BITMAP: u64 = 2;
    /// The epoch list.
    pub(crate) const EPOCHS: u64 = 3;
    /// The log.
    pub(crate) const LOG: u64 = 4;
    /// The directory of orphans.
    pub(crate) const ORPHANS: u64 = 8;
    /// The root directory.
    pub(crate) const ROOT: u64 = 9;
}
