//! Old keys: rewriting what they sealed, so that they can be forgotten.

use alloc::vec::Vec;

use super::Volume;
use crate::{
    error::{Error, Result},
    format::{ino, inode::INODES_PER_BLOCK},
    limits::{REFRESH_BLOCKS, TRANSFER_BLOCKS},
};

/// How far rewriting has come: whatever lies before was sealed in the epoch that starts at `epoch`, or later.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refreshed {
    epoch: u64,
    ino: u64,
    block: u64,
}

impl Volume {
    /// Rewrites up to 2048 data blocks that an older mount sealed; returns how many, 0 when none is left and the older
    /// keys are forgotten. Contents do not change. Uncommitted changes are committed along.
    ///
    /// For volumes that have seen very many mounts ([`EPOCHS_MAX`](crate::limits::EPOCHS_MAX)), and after a new volume key.
    ///
    /// # Errors
    /// As [`sync_file`](Self::sync_file); stopping halfway is harmless.
    pub fn refresh(&mut self) -> Result<usize> {
        self.check_writable()?;
        let current = self.medium.disk.epochs.current();
        if self.refreshed.epoch != current {
            self.refreshed = Refreshed {
                epoch: current,
                ino: ino::ORPHANS,
                block: 0,
            };
        }
        let rewritten = self.refresh_files(current)?;
        if rewritten == 0 {
            self.refresh_table(current)?;
            self.space.rewrite_older(&mut self.medium, current)?;
        }
        self.sync()?;
        self.checkpoint()?;
        if rewritten == 0 {
            // The epochs that lost their last block with this checkpoint leave the list with the next.
            self.checkpoint()?;
            // What was spilled under an older epoch may have been committed behind the place reached.
            self.refreshed = Refreshed::default();
        }
        Ok(rewritten)
    }

    /// Goes on where the last call stopped, so that all calls together look at each block once.
    fn refresh_files(&mut self, current: u64) -> Result<usize> {
        let mut rewritten = 0;
        while self.refreshed.ino < self.next_ino && rewritten < REFRESH_BLOCKS {
            let Refreshed { ino, block, .. } = self.refreshed;
            let (old, next) = match self.file(ino) {
                Ok(_) => self.old_blocks(ino, block, current)?,
                Err(Error::NotFound) => (Vec::new(), None),
                Err(error) => return Err(error),
            };
            let done = if old.is_empty() {
                Ok(())
            } else {
                self.rewrite(ino, &old)
            };
            match done {
                // Room comes back with the commit of what was rewritten so far.
                Err(Error::NoSpace) if rewritten > 0 => break,
                done => done?,
            }
            rewritten += old.len();
            self.refreshed.block = next.unwrap_or(0);
            self.refreshed.ino += u64::from(next.is_none());
        }
        Ok(rewritten)
    }

    /// Some blocks from `first` on that an older epoch sealed, and where to go on; `None` at the end of the file.
    fn old_blocks(
        &mut self,
        ino: u64,
        first: u64,
        current: u64,
    ) -> Result<(Vec<u64>, Option<u64>)> {
        let file = self.file(ino)?;
        let (tree, end) = (file.tree, super::blocks_in(file.current.size));
        let mut old = Vec::new();
        let end = if tree.top.root.is_hole() { first } else { end };
        for block in first..end {
            let at = self.medium.find(&tree, block)?;
            if at.is_block() && at.sequence < current {
                old.push(block);
            }
            if old.len() >= TRANSFER_BLOCKS {
                return Ok((old, Some(block + 1)));
            }
        }
        Ok((old, None))
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
