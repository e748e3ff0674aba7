//! Old keys: rewriting what they sealed, so that they can be forgotten.

use alloc::vec::Vec;

use super::Volume;
use crate::{
    error::Result,
    format::{inode::INODES_PER_BLOCK, reference::Ref},
    limits::TRANSFER_BLOCKS,
};

impl Volume {
    /// Rewrites up to about 256 data blocks that an older mount sealed; returns how many, 0 when none is left and the older
    /// keys are forgotten. Contents do not change. Uncommitted changes are committed along.
    ///
    /// For volumes that have seen very many mounts ([`EPOCHS_MAX`](crate::limits::EPOCHS_MAX)).
    ///
    /// # Errors
    /// As [`sync_file`](Self::sync_file); stopping halfway is harmless.
    pub fn refresh(&mut self) -> Result<usize> {
        self.check_writable()?;
        let current = self.medium.disk.epochs.current();
        let mut rewritten = 0;
        for ino in self.all_inodes()? {
            rewritten += self.refresh_file(ino, current)?;
            if rewritten >= TRANSFER_BLOCKS {
                break;
            }
        }
        if rewritten == 0 {
            self.refresh_table(current)?;
            self.space.rewrite_older(&mut self.medium, current)?;
        }
        self.sync()?;
        self.checkpoint()?;
        if rewritten == 0 {
            // The epochs that lost their last block with this checkpoint leave the list with the next.
            self.checkpoint()?;
        }
        Ok(rewritten)
    }

    /// Turns old blocks into uncommitted ones with the same contents.
    fn refresh_file(&mut self, ino: u64, current: u64) -> Result<usize> {
        let tree = self.file(ino)?.tree;
        let mut refs: Vec<(Ref, Option<u64>)> = Vec::new();
        self.medium.walk(&tree, &mut refs)?;
        let old = refs
            .into_iter()
            .filter(|(at, _)| at.sequence < current)
            .filter_map(|(_, block)| block);
        let old: Vec<u64> = old.take(TRANSFER_BLOCKS).collect();
        self.rewrite(ino, &old)?;
        Ok(old.len())
    }

    /// Touches one inode in every old block of the inode table, so that the next checkpoint rewrites the block.
    fn refresh_table(&mut self, current: u64) -> Result<()> {
        let table = self.table;
        let mut done = None;
        for ino in self.all_inodes()? {
            let block = ino / INODES_PER_BLOCK;
            if done.replace(block) != Some(block)
                && self.medium.find(&table, block)?.sequence < current
            {
                self.file(ino)?.changed = true;
            }
        }
        Ok(())
    }

    /// Keys that blocks of the volume depend on: one for each mount that wrote what is still there.
    pub fn epochs(&self) -> usize {
        self.medium.disk.epochs.len()
    }
}
