//! Checkpoints: the trees are written, then a superblock that names them (`docs/format.md`, section 6).
//!
//! What is written is the committed state only. So anybody may cause a checkpoint at any time, for instance to get
//! space back, without making anything durable that the program did not ask for.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::Volume;
use crate::{
    codec::{BlockBox, is_zero, remainder},
    crypto::Tag,
    disk::Health,
    error::Result,
    format::{
        epochs::{self, ENTRIES_PER_BLOCK, Entry},
        ino,
        inode::{INODE_LEN, INODES_PER_BLOCK},
        reference::{Kind, Place, Ref},
        superblock::{self, Header, State},
    },
    freshness::Checkpoint,
    limits::{BLOCK_LEN, EPOCH_SEQUENCES_MAX},
};

impl Volume {
    /// Writes the committed state out and starts the log anew.
    pub(super) fn checkpoint(&mut self) -> Result<()> {
        // Two flushes at a time could hide a failure from each other; and the superblock continues the newest commit.
        self.land()?;
        self.check_writable()?;
        let written = self.write_checkpoint();
        if written.is_err() {
            // Some of it may be durable, and a superblock that seemed to fail may surface later.
            self.medium.disk.discard_staged();
            self.medium.disk.degrade(Health::WritesStopped);
        }
        let (commit, tag) = written?;
        self.space.release_held();
        self.log.records = 0;
        self.log.blocks = 0;
        self.log.open = true;
        // A file whose removal is not committed yet is still to be freed by the next commit.
        self.files
            .retain(|_, file| !(file.gone && file.logged && file.committed.is_none()));
        self.files.values_mut().for_each(|file| file.logged = false);
        self.advance(commit, &tag, Checkpoint::Yes)
    }

    fn write_checkpoint(&mut self) -> Result<(u64, Tag)> {
        self.turn_epochs()?;
        self.write_file_trees()?;
        self.write_table()?;
        // Records before this point matter no more, so their head's place is free, and a new one is kept.
        self.space.hold(&mut self.medium, self.log.head)?;
        self.log.head = self.space.allocate_one(&mut self.medium)?;
        let listed = self.place_epoch_list()?;
        self.space.write(&mut self.medium)?;
        self.write_epoch_list(&listed)?;
        self.medium.disk.write_staged()?;
        self.medium.disk.flush()?;
        self.write_superblock()
    }

    /// Forgets keys that nothing needs, and starts a new epoch when the current one has sealed enough.
    fn turn_epochs(&mut self) -> Result<()> {
        let epochs = &mut self.medium.disk.epochs;
        if self.usage.frames_spilled == 0 {
            epochs.prune();
        }
        let sealed = self.medium.disk.sequence.bound() - epochs.current();
        if sealed > EPOCH_SEQUENCES_MAX {
            self.begin_epoch()
        } else {
            Ok(())
        }
    }

    /// Everything from here on is sealed under a key that was never used before.
    pub(super) fn begin_epoch(&mut self) -> Result<()> {
        let mut random = Zeroizing::new([0; 32]);
        self.platform.random(random.as_mut_slice())?;
        let key = self.key.epoch(&self.identity.uuid, &random);
        self.medium
            .disk
            .epochs
            .begin(self.medium.disk.sequence.bound(), key)
    }

    fn write_file_trees(&mut self) -> Result<()> {
        for file in self.files.values_mut().filter(|file| file.logged) {
            self.medium.write_nodes(&mut file.tree, &mut self.space)?;
        }
        Ok(())
    }

    /// Writes the blocks of the inode table that changed.
    fn write_table(&mut self) -> Result<()> {
        let logged = self.files.iter().filter(|(_, file)| file.logged);
        let logged: Vec<u64> = logged.map(|(&ino, _)| ino).collect();
        let block_of = |ino: &u64| ino / INODES_PER_BLOCK;
        for inodes in logged.chunk_by(|one, next| block_of(one) == block_of(next)) {
            self.write_table_block(inodes)?;
        }
        let mut table = self.table;
        self.medium.write_nodes(&mut table, &mut self.space)?;
        self.table = table;
        Ok(())
    }

    /// Writes the block of the inode table that holds these inodes.
    fn write_table_block(&mut self, inodes: &[u64]) -> Result<()> {
        let mut table = self.table;
        let number = inodes.first().map_or(0, |ino| ino / INODES_PER_BLOCK);
        let mut block = BlockBox::from(self.cached_block(&table, number)?);
        for ino in inodes {
            let at = remainder(*ino, 16) * INODE_LEN;
            let place = block.get_mut(at..at + INODE_LEN).unwrap_or_default();
            let file = self.files.get(ino);
            match file.and_then(|file| Some((file.committed.as_ref()?, &file.tree.top))) {
                Some((inode, top)) => place.copy_from_slice(&inode.encode(top)),
                None => place.fill(0),
            }
        }
        let new = if is_zero(&*block) {
            Ref::HOLE
        } else {
            let address = self.space.allocate_one(&mut self.medium)?;
            let sealed = self
                .medium
                .disk
                .seal(address, &table.place(number), &block)?;
            self.medium.disk.epochs.add_live(sealed.sequence);
            sealed
        };
        let old = self.medium.set(&mut table, number, new)?;
        self.table = table;
        self.space.discard(&mut self.medium, &old)?;
        self.blocks.insert((ino::TABLE, number), block);
        Ok(())
    }

    /// Takes addresses for the epoch list and gives the old list's back.
    fn place_epoch_list(&mut self) -> Result<Vec<u64>> {
        for old in core::mem::take(&mut self.identity.epoch_list) {
            self.space.discard(&mut self.medium, &old)?;
        }
        let blocks = self
            .medium
            .disk
            .epochs
            .older()
            .len()
            .div_ceil(ENTRIES_PER_BLOCK);
        self.space.allocate_many(&mut self.medium, blocks as u64)
    }

    /// Writes the epoch list, back to front: each block refers to the next.
    fn write_epoch_list(&mut self, addresses: &[u64]) -> Result<()> {
        let entries: Vec<Entry> = self.medium.disk.epochs.older();
        let mut next = Ref::HOLE;
        let parts = entries.chunks(ENTRIES_PER_BLOCK).zip(addresses).enumerate();
        for (index, (part, &address)) in parts.rev() {
            let block = epochs::encode(&next, part.iter());
            next = self.medium.disk.seal(
                address,
                &Place::new(ino::EPOCHS, Kind::Epochs, index as u64),
                &block,
            )?;
            self.medium.disk.epochs.add_live(next.sequence);
            self.identity.epoch_list.insert(0, next);
        }
        Ok(())
    }

    /// Writes the superblock of the next generation over the older one.
    fn write_superblock(&mut self) -> Result<(u64, Tag)> {
        let mut salt = [0; 32];
        self.platform.random(&mut salt)?;
        let generation = self.identity.generation + 1;
        let header = Header {
            suite: self.identity.suite,
            uuid: self.identity.uuid,
            generation,
            salt,
        };
        let state = self.state();
        let (block, tag) = superblock::seal(&header, &state, &self.key);
        self.medium
            .disk
            .store()
            .write(&[(generation % 2, block.as_slice())])?;
        self.medium.disk.flush()?;
        self.identity.generation = generation;
        Ok((state.commit, tag))
    }

    fn state(&self) -> State {
        let epoch = self.medium.disk.epochs.current_entry();
        State {
            commit: self.newest.commit + 1,
            previous_root: self.newest.root,
            next_sequence: self.medium.disk.sequence.bound(),
            total_blocks: self.space.total(),
            used_blocks: self.space.used(),
            next_ino: self.next_ino,
            cursor: self.space.cursor(),
            log_head: self.log.head,
            epoch_first: epoch.first,
            epoch_live: epoch.live,
            epoch_key: epoch.key,
            epoch_list: self
                .identity
                .epoch_list
                .first()
                .copied()
                .unwrap_or_default(),
            slot_generation: self.identity.slot_generation,
            table_height: self.table.top.height,
            bitmap_height: self.space.tree.top.height,
            table_root: self.table.top.root,
            bitmap_root: self.space.tree.top.root,
        }
    }
}

const _: () = assert!(INODE_LEN * 16 == BLOCK_LEN);
