//! The full check: reads and verifies everything, and compares what is reachable with what is marked as used.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::Volume;
use crate::{
    error::Result,
    format::{
        ino,
        inode::{FileKind, INODES_PER_BLOCK},
        reference::Ref,
    },
    limits::FIXED_BLOCKS,
    tree::Tree,
};

/// Something that should not be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// A block is reachable twice.
    DoubleReference {
        /// Its address.
        block: u64,
    },
    /// A block is reachable but not marked as used: it could be overwritten.
    NotMarked {
        /// Its address.
        block: u64,
    },
    /// A block is marked as used but nothing reaches it. Harmless, and space lost.
    Leaked {
        /// Its address.
        block: u64,
    },
    /// A name leads to no inode.
    DanglingName {
        /// The directory.
        directory: u64,
        /// The inode that is not there.
        ino: u64,
    },
    /// An inode has another number of names than it says.
    WrongLinks {
        /// The inode.
        ino: u64,
        /// Names found.
        found: u32,
        /// Names recorded.
        recorded: u32,
    },
    /// An inode has no name at all.
    Unnamed {
        /// The inode.
        ino: u64,
    },
    /// An epoch's number of live blocks is wrong.
    WrongEpoch {
        /// First sequence of the epoch.
        first: u64,
        /// Live blocks found.
        found: u64,
        /// Live blocks recorded.
        recorded: u64,
    },
}

/// The result of a full check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was found to be wrong.
    pub findings: Vec<Finding>,
    /// Inodes in use.
    pub inodes: u64,
    /// Blocks that were read and verified.
    pub blocks: u64,
}

/// What the walk has seen so far.
#[derive(Default)]
struct Walk {
    seen: BTreeSet<u64>,
    epochs: BTreeMap<u64, u64>,
    names: BTreeMap<u64, u32>,
    report: Report,
}

impl Walk {
    fn reach(&mut self, at: &Ref, epochs: &[(u64, u64)]) {
        self.report.blocks += 1;
        if !self.seen.insert(at.address()) {
            self.report.findings.push(Finding::DoubleReference {
                block: at.address(),
            });
        }
        if let Some((first, _)) = epochs.iter().rev().find(|(first, _)| *first <= at.sequence) {
            *self.epochs.entry(*first).or_default() += 1;
        }
    }
}

impl Volume {
    /// Reads and verifies every block that the newest commit reaches, and compares with bitmap, names and epochs.
    ///
    /// Works on a volume without uncommitted changes.
    ///
    /// # Errors
    /// [`Error::Tampered`](crate::Error::Tampered) at the first block that does not verify, or the store's.
    pub fn check(&mut self) -> Result<Report> {
        let mut walk = Walk::default();
        for block in (0..FIXED_BLOCKS).chain([self.log.head]) {
            walk.seen.insert(block);
        }
        let epochs = self.medium.disk.epochs.census();
        for at in self.identity.epoch_list.clone() {
            walk.reach(&at, &epochs);
        }
        let (table, bitmap) = (self.table, self.space.tree);
        self.walk_tree(&table, &mut walk, &epochs)?;
        self.walk_tree(&bitmap, &mut walk, &epochs)?;
        for ino in self.all_inodes()? {
            walk.report.inodes += 1;
            let tree = self.file(ino)?.tree;
            self.walk_tree(&tree, &mut walk, &epochs)?;
            self.walk_names(ino, &mut walk)?;
        }
        self.compare_links(&mut walk)?;
        self.compare_space(&mut walk)?;
        for (first, recorded) in epochs {
            let found = walk.epochs.get(&first).copied().unwrap_or_default();
            if found != recorded {
                walk.report.findings.push(Finding::WrongEpoch {
                    first,
                    found,
                    recorded,
                });
            }
        }
        Ok(walk.report)
    }

    /// Numbers of all inodes in use, committed ones and those in memory.
    pub(super) fn all_inodes(&mut self) -> Result<Vec<u64>> {
        let mut all = BTreeSet::new();
        let table = self.table;
        for number in 0..self.next_ino.div_ceil(INODES_PER_BLOCK) {
            if self.medium.find(&table, number)?.is_hole() {
                continue;
            }
            for ino in number * INODES_PER_BLOCK..(number + 1) * INODES_PER_BLOCK {
                if !self.files.contains_key(&ino) && self.load(ino)?.is_some() {
                    all.insert(ino);
                }
            }
        }
        all.extend(
            self.files
                .iter()
                .filter(|(_, file)| !file.gone)
                .map(|(&ino, _)| ino),
        );
        Ok(all.into_iter().collect())
    }

    fn walk_tree(&mut self, tree: &Tree, walk: &mut Walk, epochs: &[(u64, u64)]) -> Result<()> {
        let mut refs = Vec::new();
        self.medium.walk(tree, &mut refs)?;
        for (at, block) in refs {
            walk.reach(&at, epochs);
            if let Some(index) = block {
                self.medium.disk.read(&at, &tree.place(index))?;
            }
        }
        Ok(())
    }

    fn walk_names(&mut self, dir: u64, walk: &mut Walk) -> Result<()> {
        if self.file(dir)?.current.kind != FileKind::Directory {
            return Ok(());
        }
        let mut cookie = 0;
        while let Some(entry) = self.read_directory(dir, cookie, 1)?.pop() {
            cookie = entry.next;
            let name_counts = u32::from(dir != ino::ORPHANS);
            *walk.names.entry(entry.ino).or_default() += name_counts;
            if self.file(entry.ino).is_err() {
                walk.report.findings.push(Finding::DanglingName {
                    directory: dir,
                    ino: entry.ino,
                });
            }
        }
        Ok(())
    }

    fn compare_links(&mut self, walk: &mut Walk) -> Result<()> {
        for ino in self.all_inodes()? {
            if ino == ino::ROOT || ino == ino::ORPHANS {
                continue;
            }
            let recorded = self.file(ino)?.current.links;
            match walk.names.get(&ino) {
                None => walk.report.findings.push(Finding::Unnamed { ino }),
                Some(&found) if found != recorded => {
                    walk.report.findings.push(Finding::WrongLinks {
                        ino,
                        found,
                        recorded,
                    });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn compare_space(&mut self, walk: &mut Walk) -> Result<()> {
        let marked = self.space.all_used(&mut self.medium)?;
        let not_marked = walk
            .seen
            .difference(&marked)
            .map(|&block| Finding::NotMarked { block });
        let leaked = marked
            .difference(&walk.seen)
            .map(|&block| Finding::Leaked { block });
        walk.report.findings.extend(not_marked.chain(leaked));
        Ok(())
    }
}
