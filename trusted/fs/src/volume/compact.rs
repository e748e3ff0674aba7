//! Making the volume file as short as its contents: what lies at the end moves to free places further down, then the end is cut.
//!
//! ```text
//! move: rewrite every block beyond the goal ─► checkpoint ─► again, while it helps
//! cut:  two checkpoints with the new length, so that both superblocks fit ─► cut the file
//! ```
//!
//! Every step is an ordinary commit, so a crash anywhere leaves a whole volume of one length or the other.

use alloc::vec::Vec;

use super::{Purpose, Volume};
use crate::{
    error::{Error, Result},
    format::{inode::INODES_PER_BLOCK, reference::Ref},
    limits::{GROWTH_BLOCKS_MIN, TRANSFER_BLOCKS},
    tree::Tree,
};

/// References of a tree in the order of a walk: a node comes before what is below it.
type Walked = Vec<(Ref, Option<u64>)>;

impl Volume {
    /// Gives unused space at the end of the volume file back to the host; returns by how many blocks the file became shorter.
    /// Contents do not change. Uncommitted changes are committed along.
    ///
    /// # Errors
    /// As [`sync_file`](Self::sync_file); stopping halfway is harmless.
    pub fn compact(&mut self) -> Result<u64> {
        self.sync()?;
        self.checkpoint()?;
        let before = self.medium.disk.store().size()?;
        let limit = self.space.confine(self.space.total());
        let moved = self.move_down();
        let cut = moved.and_then(|()| self.cut_end());
        self.space.confine(limit);
        cut?;
        Ok(before.saturating_sub(self.medium.disk.store().size()?))
    }

    /// Moves blocks below the goal until all are there or nothing helps.
    fn move_down(&mut self) -> Result<()> {
        let mut least = u64::MAX;
        loop {
            let goal = self.goal();
            let beyond = self.space.used_from(&mut self.medium, goal)?;
            if beyond == 0 || beyond >= least {
                return Ok(());
            }
            least = beyond;
            match self.move_some(goal) {
                // A volume that is nearly full has nowhere to move anything.
                Err(Error::NoSpace) => return Ok(()),
                moved => moved?,
            }
        }
    }

    /// Blocks that the volume needs: those in use, and room to write a checkpoint without growing again.
    fn goal(&self) -> u64 {
        (self.space.used() + self.need() + GROWTH_BLOCKS_MIN / 2).max(GROWTH_BLOCKS_MIN)
    }

    fn move_some(&mut self, goal: u64) -> Result<()> {
        self.space.rewind();
        for ino in self.all_inodes()? {
            let mut tree = self.file(ino)?.tree;
            let refs = self.walked(&tree)?;
            let data = blocks_beyond(&refs, goal);
            for part in data.chunks(TRANSFER_BLOCKS) {
                self.rewrite(ino, part)?;
                self.step()?;
            }
            if data.is_empty() && self.touch_nodes(&mut tree, &refs, goal)? {
                let file = self.file(ino)?;
                (file.tree, file.logged) = (tree, true);
            }
        }
        let mut table = self.table;
        let refs = self.walked(&table)?;
        self.touch_nodes(&mut table, &refs, goal)?;
        self.table = table;
        for ino in self.all_inodes()? {
            if self.medium.find(&table, ino / INODES_PER_BLOCK)?.address() >= goal {
                self.file(ino)?.changed = true;
            }
        }
        self.space.rewrite_beyond(&mut self.medium, goal)?;
        self.step()
    }

    /// Commits what was moved, so that its old places are free for the next step.
    fn step(&mut self) -> Result<()> {
        if self.space.free() < self.need() {
            return Err(Error::NoSpace);
        }
        self.space.rewind();
        self.sync()?;
        self.checkpoint()
    }

    fn walked(&mut self, tree: &Tree) -> Result<Walked> {
        let mut refs = Vec::new();
        self.medium.walk(tree, &mut refs)?;
        Ok(refs)
    }

    /// Makes the next checkpoint rewrite the nodes that lie beyond the goal; whether there are any.
    fn touch_nodes(&mut self, tree: &mut Tree, refs: &Walked, goal: u64) -> Result<bool> {
        let mut touched = false;
        for (position, (at, block)) in refs.iter().enumerate() {
            if block.is_none() && at.address() >= goal {
                // An empty node is not stored, so a block follows that lies below this one.
                let below = refs.iter().skip(position).find_map(|(_, block)| *block);
                if let Some(below) = below {
                    self.medium.prepare(tree, below)?;
                    touched = true;
                }
            }
        }
        Ok(touched)
    }

    /// Cuts the file behind the last block in use.
    fn cut_end(&mut self) -> Result<()> {
        let goal = self.goal();
        let end = self.space.end(&mut self.medium)?.max(goal);
        if end >= self.space.total() {
            return Ok(());
        }
        self.space.cut(end);
        for _ in 0..2 {
            self.space.rewind();
            self.checkpoint()?;
        }
        self.medium.disk.store().resize(self.space.total())
    }

    /// Turns committed blocks into uncommitted ones with the same contents.
    pub(super) fn rewrite(&mut self, ino: u64, blocks: &[u64]) -> Result<()> {
        for &block in blocks {
            let file = self.file(ino)?;
            if file.sees_tree(block) && !file.frames.contains_key(&block) {
                let contents = self.block(ino, block)?;
                let nodes = self.nodes_for(ino, block)?;
                self.ensure_space(1 + nodes, Purpose::Remove)?;
                self.put_reserved(ino, block, contents)?;
            }
        }
        self.file(ino)?.changed |= !blocks.is_empty();
        Ok(())
    }
}

fn blocks_beyond(refs: &Walked, goal: u64) -> Vec<u64> {
    refs.iter()
        .filter(|(at, _)| at.address() >= goal)
        .filter_map(|(_, block)| *block)
        .collect()
}
