//! The names in a directory in memory.
//!
//! Each entry has a serial number that is never used again. A listing goes by these numbers, so it neither repeats nor
//! misses what is there all the time, whatever comes and goes meanwhile.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::files::{DirectoryEntry, FileKind, Node};

/// What a name stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Child {
    /// The node.
    pub(super) node: Node,
    /// What it is.
    pub(super) kind: FileKind,
}

/// The names in a directory.
#[derive(Debug)]
pub(super) struct Names {
    /// The directory that holds this one.
    pub(super) parent: u64,
    serials: BTreeMap<Vec<u8>, u64>,
    children: BTreeMap<u64, (Vec<u8>, Child)>,
    next: u64,
}

/// What it takes to keep a name, beside twice its length: two entries of a tree, two allocations.
const NAME_COST_BYTES: u64 = 192;

impl Names {
    pub(super) const fn new(parent: u64) -> Self {
        Self {
            parent,
            serials: BTreeMap::new(),
            children: BTreeMap::new(),
            next: 0,
        }
    }

    /// Room that a name takes.
    pub(super) fn cost(name: &[u8]) -> u64 {
        NAME_COST_BYTES + 2 * u64::try_from(name.len()).unwrap_or(u64::MAX / 4)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    pub(super) fn find(&self, name: &[u8]) -> Option<Child> {
        let (_, child) = self.children.get(self.serials.get(name)?)?;
        Some(*child)
    }

    /// Adds a name that is not there.
    pub(super) fn insert(&mut self, name: &[u8], child: Child) {
        self.serials.insert(name.to_vec(), self.next);
        self.children.insert(self.next, (name.to_vec(), child));
        self.next += 1;
    }

    /// Lets a name that is there stand for something else.
    pub(super) fn replace(&mut self, name: &[u8], by: Child) {
        let serial = self.serials.get(name);
        if let Some((_, child)) = serial.and_then(|serial| self.children.get_mut(serial)) {
            *child = by;
        }
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Child> {
        let (_, child) = self.children.remove(&self.serials.remove(name)?)?;
        Some(child)
    }

    /// The entries from `cookie` on.
    pub(super) fn list(&self, cookie: u64) -> impl Iterator<Item = DirectoryEntry> {
        self.children
            .range(cookie..)
            .map(|(serial, (name, child))| DirectoryEntry {
                name: name.clone(),
                inode: child.node.0,
                kind: child.kind,
                next: serial + 1,
            })
    }
}
