//! A file in memory: its committed state, and above it what the program changed since.
//!
//! ```text
//! what the program sees  =  frames  over  (tree below `floor`, zeros above)
//! what a crash leaves    =  tree, committed inode
//! ```
//!
//! The tree only ever mirrors a commit. That is the whole defence against transient snapshots: no checkpoint, whoever
//! triggers it, can write what the program has not asked to commit.

use alloc::collections::BTreeMap;

use crate::{
    codec::BlockBox,
    format::{
        inode::{Inode, Root},
        reference::{Kind, Ref},
    },
    tree::Tree,
};

/// An uncommitted block.
pub(crate) enum Frame {
    /// In memory.
    Memory(BlockBox),
    /// Sealed on the disk under memory pressure; only this reference knows it. A hole is a block of zeros.
    Spilled(Ref),
}

/// A file, directory or symbolic link in memory.
pub(crate) struct File {
    /// The attributes the program sees. Inline contents stand in `committed` or in a frame, never here.
    pub(crate) current: Inode,
    /// The attributes as of the last commit; `None` if the inode is free there.
    pub(crate) committed: Option<Inode>,
    /// The contents as of the last commit.
    pub(crate) tree: Tree,
    pub(crate) frames: BTreeMap<u64, Frame>,
    /// Committed blocks from here on are gone.
    pub(crate) floor: u64,
    /// Whether attributes differ from the committed ones.
    pub(crate) changed: bool,
    /// Removed: the next commit frees the inode.
    pub(crate) gone: bool,
    /// How often it is open.
    pub(crate) opens: u32,
    /// Committed by the log, but not yet by a superblock.
    pub(crate) logged: bool,
    /// Tree nodes that committing the frames may make dirty, at most.
    pub(crate) nodes_reserved: u64,
    /// The block read last, to recognise sequential reading.
    pub(crate) last_read: u64,
}

impl File {
    /// A file as it stands in the inode table.
    pub(crate) fn loaded(ino: u64, inode: Inode, top: Root) -> Self {
        let tree = Tree {
            owner: ino,
            leaf: Kind::Data,
            top,
        };
        let current = Inode {
            inline: None,
            ..inode.clone()
        };
        Self {
            committed: Some(inode),
            tree,
            ..Self::fresh(ino, current)
        }
    }

    /// A file that no commit knows yet.
    pub(crate) fn fresh(ino: u64, current: Inode) -> Self {
        Self {
            current,
            committed: None,
            tree: Tree::empty(ino, Kind::Data),
            frames: BTreeMap::new(),
            floor: u64::MAX,
            changed: false,
            gone: false,
            opens: 0,
            logged: false,
            nodes_reserved: 0,
            last_read: u64::MAX,
        }
    }

    /// Whether a commit of this file would change anything.
    pub(crate) fn is_dirty(&self) -> bool {
        // A file that was created and removed between two commits never existed.
        let never_existed = self.gone && self.committed.is_none();
        !never_existed
            && (self.changed || self.gone || !self.frames.is_empty() || self.floor != u64::MAX)
    }

    /// Whether it can be dropped from memory and read again.
    pub(crate) fn is_idle(&self) -> bool {
        self.opens == 0 && !self.logged && !self.is_dirty()
    }

    /// The inline contents, if the program still sees them.
    pub(crate) fn visible_inline(&self) -> Option<&[u8]> {
        let inline = self.committed.as_ref()?.inline.as_deref()?;
        (self.floor > 0).then_some(inline)
    }

    /// Whether the committed tree is visible at this block.
    pub(crate) const fn sees_tree(&self, block: u64) -> bool {
        block < self.floor
    }
}
