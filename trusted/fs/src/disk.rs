//! Sealed blocks on the untrusted store: opens what references name, seals into a staging area, flushes, and
//! remembers when trust or durability was lost.

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use crate::{
    codec::{Block, BlockBox},
    crypto::Sequence,
    epochs::Epochs,
    error::{Error, Result},
    format::reference::{Place, Ref},
    limits::{BLOCK_LEN, TRANSFER_BLOCKS},
    store::Store,
};

/// What a mount may still be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Sound,
    /// A flush or superblock failed: what is durable is unknown. Memory is still right.
    WritesStopped,
    /// A durable commit could not be mirrored in memory. The disk is right.
    MountAgain,
    /// A block did not authenticate.
    Poisoned,
}

/// The store, the keys and the sequence.
pub(crate) struct Disk {
    store: Arc<dyn Store>,
    pub(crate) epochs: Epochs,
    pub(crate) sequence: Sequence,
    health: Health,
    /// Every smaller sequence was flushed, as far as it was written.
    durable: u64,
    /// After a failed flush: the host may have lost what was sealed with this sequence or a later one.
    lost: Option<u64>,
    staging: Staging,
}

/// Sealed blocks that wait to be written, contiguous where their addresses are.
#[derive(Default)]
struct Staging {
    bytes: Vec<u8>,
    /// First address and number of blocks, in the order of `bytes`.
    runs: Vec<(u64, usize)>,
}

/// A place in the staging area that will be filled later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reserved {
    position: usize,
    address: u64,
}

impl Disk {
    pub(crate) fn new(store: Box<dyn Store>, epochs: Epochs, sequence: Sequence) -> Self {
        Self {
            store: store.into(),
            epochs,
            durable: sequence.bound(),
            lost: None,
            sequence,
            health: Health::Sound,
            staging: Staging::default(),
        }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The store, for those who use it while the volume does something else.
    pub(crate) fn shared_store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// Lowers the health; it never recovers.
    pub(crate) fn degrade(&mut self, to: Health) {
        let rank = |health| match health {
            Health::Sound => 0,
            Health::WritesStopped => 1,
            Health::MountAgain => 2,
            Health::Poisoned => 3,
        };
        if rank(to) > rank(self.health) {
            self.health = to;
        }
    }

    /// # Errors
    /// If reads can no longer be answered truthfully.
    pub(crate) const fn check_readable(&self) -> Result<()> {
        match self.health {
            Health::Poisoned => Err(Error::Poisoned),
            Health::MountAgain => Err(Error::MountAgain),
            Health::Sound | Health::WritesStopped => Ok(()),
        }
    }

    /// # Errors
    /// If nothing may be written any more.
    pub(crate) const fn check_writable(&self) -> Result<()> {
        match self.health {
            Health::WritesStopped => Err(Error::WritesStopped),
            _ => self.check_readable(),
        }
    }

    /// Reads and opens the block that `at` names; a hole is zeros.
    ///
    /// # Errors
    /// [`Error::Tampered`], which poisons the mount, or the store's.
    pub(crate) fn read(&mut self, at: &Ref, place: &Place) -> Result<BlockBox> {
        let mut block = BlockBox::zeroed();
        if !at.is_hole() {
            self.store.read(at.address(), block.as_mut_slice())?;
            self.open(at, place, block.as_mut_slice())?;
        }
        Ok(block)
    }

    /// Reads consecutive ciphertext blocks without opening them.
    pub(crate) fn read_raw(&self, first: u64, into: &mut [u8]) -> Result<()> {
        self.store.read(first, into)
    }

    /// Opens one block in place.
    fn open(&mut self, at: &Ref, place: &Place, bytes: &mut [u8]) -> Result<()> {
        self.try_open(at, place, bytes)
            .map_err(|error| self.judge(error, at.sequence))
    }

    /// Draws the consequence of a failed read of the block with that sequence: one that does not authenticate poisons the
    /// mount, unless a failed flush explains it.
    pub(crate) fn judge(&mut self, error: Error, sequence: u64) -> Error {
        if !matches!(error, Error::Tampered { .. }) {
            return error;
        }
        if self.lost.is_some_and(|lost| sequence >= lost) {
            self.degrade(Health::MountAgain);
            return Error::MountAgain;
        }
        self.degrade(Health::Poisoned);
        error
    }

    /// As [`open`](Self::open), for blocks that may rightly be torn: the log's tail.
    pub(crate) fn try_open(&self, at: &Ref, place: &Place, bytes: &mut [u8]) -> Result<()> {
        self.epochs.keys().open(at, place, bytes)
    }

    /// Reserves room for a block in the staging area, to be filled before it is written out.
    pub(crate) fn reserve(&mut self, address: u64) -> Reserved {
        let position = self.staging.bytes.len();
        self.staging.bytes.resize(position + BLOCK_LEN, 0);
        self.staging.extend_runs(address);
        Reserved { position, address }
    }

    /// Seals a block at the end of the staging area, for the caller to write out, and returns the reference to it.
    pub(crate) fn stage(&mut self, address: u64, place: &Place, block: &Block) -> Ref {
        let position = self.staging.bytes.len();
        self.staging.bytes.extend_from_slice(block);
        self.staging.extend_runs(address);
        self.seal_room(Reserved { position, address }, place)
    }

    /// Seals a block into its reserved room and returns the reference to it.
    pub(crate) fn seal_into(&mut self, room: Reserved, place: &Place, block: &Block) -> Ref {
        self.staging.room(room.position).copy_from_slice(block);
        self.seal_room(room, place)
    }

    fn seal_room(&mut self, room: Reserved, place: &Place) -> Ref {
        let nonce = self.sequence.draw();
        let sequence = nonce.sequence();
        let tag = self.epochs.sealing().seal(
            nonce,
            &place.associated(room.address),
            self.staging.room(room.position),
        );
        Ref::new(tag, sequence, room.address, place.kind)
    }

    /// Seals the head of a log record, whose tag and sequence stand in front of it.
    pub(crate) fn seal_head(
        &mut self,
        room: Reserved,
        place: &Place,
        sealed: &[u8],
    ) -> crate::crypto::Tag {
        let nonce = self.sequence.draw();
        let sequence = nonce.sequence();
        let (plain, body) = self
            .staging
            .room(room.position)
            .split_at_mut(crate::format::record::HEAD_PLAIN_LEN);
        body.copy_from_slice(sealed);
        let tag = self
            .epochs
            .sealing()
            .seal(nonce, &place.associated(room.address), body);
        plain
            .iter_mut()
            .zip(tag.iter().chain(&sequence.to_le_bytes()))
            .for_each(|(to, from)| *to = *from);
        tag
    }

    /// Seals a block for `address`; writes the staging area out when enough has gathered. Not durable.
    pub(crate) fn seal(&mut self, address: u64, place: &Place, block: &Block) -> Result<Ref> {
        let sealed = self.stage(address, place, block);
        if self.staging.bytes.len() >= TRANSFER_BLOCKS * BLOCK_LEN {
            self.write_staged()?;
        }
        Ok(sealed)
    }

    /// Writes out the staging area in one call. Not durable.
    pub(crate) fn write_staged(&mut self) -> Result<()> {
        let staging = core::mem::take(&mut self.staging);
        if staging.runs.is_empty() {
            return Ok(());
        }
        let mut rest = staging.bytes.as_slice();
        let mut ranges = Vec::with_capacity(staging.runs.len());
        for (first, count) in &staging.runs {
            let (run, after) = rest.split_at(count * BLOCK_LEN);
            ranges.push((*first, run));
            rest = after;
        }
        let written = self.store.write(&ranges);
        drop(ranges);
        self.staging.take_room_of(staging);
        written
    }

    /// Forgets what was staged.
    pub(crate) fn discard_staged(&mut self) {
        let staging = core::mem::take(&mut self.staging);
        self.staging.take_room_of(staging);
    }

    /// Makes everything written durable.
    ///
    /// # Errors
    /// The store's; writes are stopped then, because nobody knows what is on the disk.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let bound = self.sequence.bound();
        let flushed = self.store.flush();
        self.flushed(bound, flushed);
        flushed
    }

    /// Takes the result of a flush over that covers all sequences below `bound`.
    pub(crate) fn flushed(&mut self, bound: u64, result: Result<()>) {
        if result.is_ok() {
            self.durable = bound;
        } else {
            self.lost.get_or_insert(self.durable);
            self.degrade(Health::WritesStopped);
        }
    }
}

impl Staging {
    /// The block that was just added goes to `address`.
    fn extend_runs(&mut self, address: u64) {
        match self.runs.last_mut() {
            Some((first, count)) if *first + *count as u64 == address => *count += 1,
            _ => self.runs.push((address, 1)),
        }
    }

    fn room(&mut self, position: usize) -> &mut [u8] {
        match self.bytes.get_mut(position..position + BLOCK_LEN) {
            Some(room) => room,
            None => unreachable!("reserved before, and written out only when filled"),
        }
    }

    /// Keeps the allocations of a staging area that was written out.
    fn take_room_of(&mut self, mut written: Self) {
        written.bytes.clear();
        written.runs.clear();
        *self = written;
    }
}
