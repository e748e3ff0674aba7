//! Commits: one log record, one flush (`docs/format.md`, section 6).
//!
//! ```text
//! plan ──► seal ──► write [head | rest | data] ──► apply to the trees in memory ──► flush
//!   │ too large, or first of this mount   │ fails: nothing happened, try again
//!   └──────────────► write data ──► apply ──► checkpoint
//! ```
//!
//! The flush needs nothing of the volume ([`Flight`]): other threads read and write meanwhile.

use alloc::{collections::BTreeSet, sync::Arc, vec::Vec};

use super::{
    Volume,
    plan::{Plan, fill_in},
};
use crate::{
    codec::Writer,
    crypto::{Tag, keys::commit_root},
    disk::Health,
    error::{Error, Result},
    file::{File, Frame},
    flight::Flight,
    format::{
        ino,
        record::{Head, Operation, continuations_for, encode_operations, in_head},
        reference::{Kind, Place},
    },
    freshness::{Checkpoint, Mark},
    limits::{BLOCK_LEN, CONTINUATIONS_MAX, LOG_BLOCKS_MAX, LOG_RECORDS_MAX, TRANSFER_BLOCKS},
};

impl Volume {
    /// Makes a file durable: its contents, and every change of names so far, in order. Other files' contents stay uncommitted,
    /// except those of files whose names changed.
    ///
    /// # Errors
    /// The store's; nothing is lost in memory then. After a failed flush, [`Error::WritesStopped`] from then on.
    pub fn sync_file(&mut self, ino: u64) -> Result<()> {
        let wanted = self.unsynced(ino)?;
        self.commit(wanted)
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// As [`sync_file`](Self::sync_file).
    pub fn sync(&mut self) -> Result<()> {
        let wanted = self.all_unsynced()?;
        self.commit(wanted)
    }

    /// Makes everything durable and writes a checkpoint, so that the next mount has no log to read.
    ///
    /// # Errors
    /// As [`sync_file`](Self::sync_file).
    pub fn close(mut self) -> Result<()> {
        self.sync()?;
        if self.log.open && self.log.records > 0 {
            self.checkpoint()
        } else {
            Ok(())
        }
    }

    /// What [`sync_file`](Self::sync_file) has to commit.
    pub(crate) fn unsynced(&mut self, ino: u64) -> Result<BTreeSet<u64>> {
        self.check_writable()?;
        self.file(ino)?;
        Ok(core::iter::once(ino).collect())
    }

    /// What [`sync`](Self::sync) has to commit.
    pub(crate) fn all_unsynced(&self) -> Result<BTreeSet<u64>> {
        self.check_writable()?;
        let dirty = self.files.iter().filter(|(_, file)| file.is_dirty());
        Ok(dirty.map(|(&ino, _)| ino).collect())
    }

    fn commit(&mut self, inos: BTreeSet<u64>) -> Result<()> {
        let Some(flight) = self.begin_commit(inos)? else {
            return Ok(());
        };
        flight.fly();
        self.land()
    }

    /// Commits up to the flush, and returns what is still to be flown and [landed](Self::land); `None` if nothing is.
    pub(crate) fn begin_commit(&mut self, mut inos: BTreeSet<u64>) -> Result<Option<Arc<Flight>>> {
        self.land()?;
        self.check_writable()?;
        inos.extend(&self.pending);
        inos.retain(|ino| self.files.get(ino).is_some_and(File::is_dirty));
        if inos.is_empty() {
            return self.settle_commit(&inos).map(|()| None);
        }
        self.spill_large(&inos)?;
        let plan = self.plan(&inos)?;
        let continuations = continuations_for(plan.operations.iter().map(Operation::len).sum());
        match continuations.filter(|_| self.log_has_room()) {
            Some(continuations) => self.begin_record(plan, continuations, &inos).map(Some),
            None => self.commit_checkpoint(plan, &inos).map(|()| None),
        }
    }

    /// Waits for the commit on its way, if there is one, and draws the consequences.
    ///
    /// # Errors
    /// The flush's or the anchor's; writes are stopped then.
    pub(crate) fn land(&mut self) -> Result<()> {
        let Some(flight) = self.flight.take() else {
            return Ok(());
        };
        let outcome = flight.outcome();
        self.medium.disk.flushed(flight.bound, outcome.flushed);
        if outcome.flushed.is_ok() {
            self.newest = flight.mark;
        }
        if outcome.acknowledged.is_err() {
            // A second commit on top of an unanchored one would look like a fork at the next mount.
            self.medium.disk.degrade(Health::WritesStopped);
        }
        outcome.acknowledged
    }

    fn log_has_room(&self) -> bool {
        // Dirty nodes are pinned, those of this commit too: half of the node budget is kept for reading.
        let pinned = self.medium.dirty_nodes() + self.usage.nodes;
        let room_for_nodes = pinned < self.budget.node_blocks() / 2 + 8;
        self.log.open
            && self.log.records < LOG_RECORDS_MAX
            && self.log.blocks < LOG_BLOCKS_MAX
            && room_for_nodes
            && !self.space.is_crowded()
            && !self.is_crowded()
    }

    /// Keeps the staging area small: what a large commit carries is written out before the record.
    fn spill_large(&mut self, inos: &BTreeSet<u64>) -> Result<()> {
        if self.usage.frames_in_memory > TRANSFER_BLOCKS as u64 {
            for &ino in inos {
                if self
                    .files
                    .get(&ino)
                    .is_some_and(|file| !file.gone && file.frames.len() > 16)
                {
                    self.spill(ino)?;
                }
            }
        }
        Ok(())
    }

    /// Commits by a record, up to the flush.
    fn begin_record(
        &mut self,
        mut plan: Plan,
        continuations: usize,
        inos: &BTreeSet<u64>,
    ) -> Result<Arc<Flight>> {
        self.prepare_nodes(&plan)?;
        let wanted = continuations + plan.fresh.len() + 1;
        let addresses = self.space.allocate_many(&mut self.medium, wanted as u64)?;
        let written = self.write_record(&mut plan, continuations, &addresses);
        let (tag, head) = match written {
            Ok(written) => written,
            Err(error) => {
                // The record never became valid, so nothing refers to these blocks.
                addresses
                    .iter()
                    .try_for_each(|&address| self.space.release(&mut self.medium, address))?;
                return Err(error);
            }
        };
        let applied = self.apply_all(&plan.operations, &head);
        let settled = applied.and_then(|()| self.settle_commit(inos));
        if settled.is_err() {
            self.medium.disk.degrade(Health::MountAgain);
        }
        settled?;
        self.log.records += 1;
        self.log.blocks += wanted as u64;
        let mark = Mark {
            commit: head.commit,
            root: commit_root(&self.newest.root, head.commit, &tag),
        };
        let disk = &self.medium.disk;
        let flight = Flight::new(
            disk.shared_store(),
            Arc::clone(&self.freshness),
            mark,
            disk.sequence.bound(),
        );
        let flight = Arc::new(flight);
        self.flight = Some(Arc::clone(&flight));
        Ok(flight)
    }

    /// Seals and writes a record with its data in one call.
    fn write_record(
        &mut self,
        plan: &mut Plan,
        continuations: usize,
        addresses: &[u64],
    ) -> Result<(Tag, Head)> {
        let Some((&next, body)) = addresses.split_last() else {
            return Err(Error::NoSpace);
        };
        let (rest, data) = body.split_at(continuations);
        let disk = &mut self.medium.disk;
        let head_room = disk.reserve(self.log.head);
        let rest_rooms: Vec<_> = rest.iter().map(|&address| disk.reserve(address)).collect();
        for (fresh, &address) in plan.fresh.iter().zip(data) {
            let Some(file) = self.files.get(&fresh.ino) else {
                continue;
            };
            if let Some(Frame::Memory(contents)) = file.frames.get(&fresh.block) {
                let sealed =
                    self.medium
                        .disk
                        .stage(address, &file.tree.place(fresh.block), contents);
                fill_in(&mut plan.operations, fresh, sealed);
            }
        }
        let operations = encode_operations(&plan.operations);
        let (first, remaining) = operations.split_at(operations.len().min(in_head(continuations)));
        let commit = self.newest.commit + 1;
        let disk = &mut self.medium.disk;
        let parts = remaining
            .chunks(BLOCK_LEN)
            .chain(core::iter::repeat(&[][..]));
        let sealed = rest_rooms
            .into_iter()
            .zip(parts)
            .zip(0..)
            .map(|((room, part), position)| {
                let mut block = Writer::new();
                block.bytes(part);
                disk.seal_into(
                    room,
                    &continuation_place(commit, position),
                    &block.into_block(),
                )
            });
        let head = Head {
            commit,
            previous_root: self.newest.root,
            next,
            continuations: sealed.collect(),
            operations_len: operations.len(),
        };
        let tag = disk.seal_head(head_room, &head_place(commit), &head.encode(first));
        disk.write_staged()?;
        Ok((tag, head))
    }

    /// Commits by a checkpoint: the data goes out first, unreachable until the superblock names it.
    fn commit_checkpoint(&mut self, mut plan: Plan, inos: &BTreeSet<u64>) -> Result<()> {
        let addresses = self
            .space
            .allocate_many(&mut self.medium, plan.fresh.len() as u64)?;
        let sealed = self.seal_data(&mut plan, &addresses);
        if let Err(error) = sealed {
            self.medium.disk.discard_staged();
            addresses
                .iter()
                .try_for_each(|&address| self.space.release(&mut self.medium, address))?;
            return Err(error);
        }
        let applied = plan.operations.iter().try_for_each(|operation| {
            self.apply(operation)
                .and_then(|()| self.write_leaves(operation))
        });
        if applied.is_err() {
            self.medium.disk.degrade(Health::MountAgain);
        }
        applied?;
        self.settle_commit(inos)?;
        self.checkpoint()
    }

    /// Writes leaves out as soon as they have changed, if memory has no room for all of them. Blocks are set in order, so that
    /// each is written once.
    fn write_leaves(&mut self, operation: &Operation) -> Result<()> {
        let Operation::Update { ino, .. } = operation else {
            return Ok(());
        };
        if self.medium.dirty_nodes() < self.budget.node_blocks() / 2 {
            return Ok(());
        }
        let file = self.files.get_mut(ino).ok_or(Error::NotFound)?;
        self.medium
            .write_level(&mut file.tree, 0, &mut self.space)?;
        // What is dropped from memory has to be there when it is read again.
        self.medium.disk.write_staged()
    }

    fn seal_data(&mut self, plan: &mut Plan, addresses: &[u64]) -> Result<()> {
        for (fresh, &address) in plan.fresh.iter().zip(addresses) {
            let Some(file) = self.files.get(&fresh.ino) else {
                continue;
            };
            if let Some(Frame::Memory(contents)) = file.frames.get(&fresh.block) {
                let sealed =
                    self.medium
                        .disk
                        .seal(address, &file.tree.place(fresh.block), contents)?;
                fill_in(&mut plan.operations, fresh, sealed);
            }
        }
        self.medium.disk.write_staged()
    }

    /// After a commit was applied: what was uncommitted is committed.
    fn settle_commit(&mut self, inos: &BTreeSet<u64>) -> Result<()> {
        for &ino in inos {
            let Some(file) = self.files.get_mut(&ino) else {
                continue;
            };
            self.usage.nodes -= core::mem::take(&mut file.nodes_reserved);
            (file.floor, file.changed) = (u64::MAX, false);
            let in_blocks = file
                .committed
                .as_ref()
                .is_some_and(|inode| inode.inline.is_none() && inode.size > 0);
            for (block, frame) in core::mem::take(&mut file.frames) {
                match frame {
                    Frame::Memory(contents) => {
                        self.usage.frames_in_memory -= 1;
                        if in_blocks {
                            self.blocks.insert((ino, block), contents);
                        }
                    }
                    Frame::Spilled(at) => {
                        self.usage.frames_spilled -= 1;
                        if !in_blocks && at.is_block() {
                            self.space.take_back(&mut self.medium, at.address())?;
                        }
                    }
                }
            }
        }
        for ino in core::mem::take(&mut self.pending) {
            if self
                .files
                .get(&ino)
                .is_some_and(|file| file.gone && !file.logged)
            {
                self.files.remove(&ino);
            }
        }
        Ok(())
    }

    /// A commit is durable: chain it and tell the anchor.
    pub(super) fn advance(&mut self, commit: u64, tag: &Tag, checkpoint: Checkpoint) -> Result<()> {
        self.newest = Mark {
            commit,
            root: commit_root(&self.newest.root, commit, tag),
        };
        let told = self.freshness.committed(self.newest, checkpoint);
        if told.is_err() {
            // A second commit on top of an unanchored one would look like a fork at the next mount.
            self.medium.disk.degrade(Health::WritesStopped);
        }
        told
    }
}

pub(super) const fn head_place(commit: u64) -> Place {
    Place::new(ino::LOG, Kind::RecordHead, commit)
}

pub(super) const fn continuation_place(commit: u64, position: u64) -> Place {
    Place::new(ino::LOG, Kind::RecordRest, commit * 256 + position)
}

const _: () = assert!(
    CONTINUATIONS_MAX < 256,
    "positions of continuations must not collide"
);
