//! Free space: one bit per block, loaded piecewise from a tree of bitmap blocks.
//!
//! A block is *used* (the next superblock will reach it), *held* (free for the next superblock, but the last one or the log
//! may still reach it: not to be overwritten before the next superblock is durable) or free.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    codec::{Block, Writer, zeroed},
    error::{Error, Result},
    format::{
        ino,
        inode::Root,
        reference::{Kind, Ref},
    },
    limits::{BLOCK_LEN, FAN_OUT, FIXED_BLOCKS, GROWTH_BLOCKS_MAX, GROWTH_BLOCKS_MIN},
    tree::{Medium, Tree},
};

/// Blocks that one bitmap block describes.
const CHUNK_BITS: u64 = 8 * BLOCK_LEN as u64;

/// The bits of one bitmap block.
struct Chunk {
    used: Vec<u64>,
    held: Vec<u64>,
    dirty: bool,
}

/// The free space of a volume.
pub(crate) struct Space {
    pub(crate) tree: Tree,
    chunks: BTreeMap<u64, Chunk>,
    total: u64,
    limit: u64,
    used: u64,
    held: u64,
    cursor: u64,
}

impl Space {
    pub(crate) fn new(top: Root, total: u64, limit: u64, used: u64, cursor: u64) -> Self {
        let tree = Tree {
            owner: ino::BITMAP,
            leaf: Kind::Bitmap,
            top,
        };
        Self {
            tree,
            chunks: BTreeMap::new(),
            total,
            limit: limit.max(total),
            used,
            held: 0,
            cursor,
        }
    }

    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// Blocks the volume may grow to.
    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) const fn used(&self) -> u64 {
        self.used
    }

    pub(crate) const fn held(&self) -> u64 {
        self.held
    }

    pub(crate) const fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Looks for free blocks from `address` on.
    pub(crate) const fn go_on_at(&mut self, address: u64) {
        self.cursor = address;
    }

    /// Blocks that can be taken without growing.
    pub(crate) const fn free(&self) -> u64 {
        self.total - self.used - self.held
    }

    /// Bitmap blocks and nodes that a checkpoint may have to write, at most.
    pub(crate) const fn checkpoint_cost(&self) -> u64 {
        let chunks = self.total.div_ceil(CHUNK_BITS);
        chunks + chunks.div_ceil(FAN_OUT as u64) * 2 + 2
    }

    /// Grows the store until `wanted` blocks are free, or as far as limit and host allow.
    pub(crate) fn grow_for(&mut self, medium: &Medium, wanted: u64) -> Result<()> {
        while self.free() < wanted {
            self.grow(medium)?;
        }
        Ok(())
    }

    /// Takes up to `wanted` consecutive blocks; returns the first and how many they are.
    pub(crate) fn allocate(&mut self, medium: &mut Medium, wanted: u64) -> Result<(u64, u64)> {
        let first = loop {
            let from = self.cursor.clamp(FIXED_BLOCKS, self.total);
            if let Some(found) = self.next_free(medium, from, self.total)? {
                break found;
            }
            // Prefer fresh space to the scattered remains of a nearly full volume.
            let crowded = self.free() < self.total / 4;
            if crowded && self.grow(medium).is_ok() {
                continue;
            }
            match self.next_free(medium, FIXED_BLOCKS, from)? {
                Some(found) => break found,
                None => self.grow(medium)?,
            }
        };
        let end = (first + wanted).min(self.total);
        let mut count = 0;
        while first + count < end {
            let taken = self.chunk(medium, first + count)?.take(first + count, end);
            (self.used, count) = (self.used + taken, count + taken);
            // A run goes on in the next bitmap block only from the end of this one.
            if taken == 0 || !(first + count).is_multiple_of(CHUNK_BITS) {
                break;
            }
        }
        self.cursor = (first + count).min(self.total - 1);
        Ok((first, count))
    }

    /// Takes `count` blocks, consecutive as far as possible. Takes none if it fails.
    pub(crate) fn allocate_many(&mut self, medium: &mut Medium, count: u64) -> Result<Vec<u64>> {
        let mut taken = Vec::new();
        while (taken.len() as u64) < count {
            match self.allocate(medium, count - taken.len() as u64) {
                Ok((first, run)) => taken.extend(first..first + run),
                Err(error) => {
                    taken
                        .iter()
                        .try_for_each(|&address| self.release(medium, address))?;
                    return Err(error);
                }
            }
        }
        Ok(taken)
    }

    pub(crate) fn allocate_one(&mut self, medium: &mut Medium) -> Result<u64> {
        self.allocate(medium, 1).map(|(address, _)| address)
    }

    /// Marks a block as used that recovery found in the log. Grows the view of the volume to contain it.
    pub(crate) fn claim(&mut self, medium: &mut Medium, address: u64) -> Result<()> {
        self.total = self.total.max(address + 1);
        self.limit = self.limit.max(self.total);
        self.set_used(medium, address)
    }

    /// Gives a block back whose last reference is gone: free after the next checkpoint.
    pub(crate) fn discard(&mut self, medium: &mut Medium, gone: &Ref) -> Result<()> {
        if !gone.is_block() {
            return Ok(());
        }
        medium.disk.epochs.remove_live(gone.sequence);
        self.hold(medium, gone.address())
    }

    /// Makes a used block held.
    pub(crate) fn hold(&mut self, medium: &mut Medium, address: u64) -> Result<()> {
        self.clear_used(medium, address)?;
        let chunk = self.chunk(medium, address)?;
        if chunk.set_held(address) {
            self.held += 1;
        }
        Ok(())
    }

    /// Gives a block back at once: no superblock and no record ever named it.
    pub(crate) fn release(&mut self, medium: &mut Medium, address: u64) -> Result<()> {
        self.clear_used(medium, address)
    }

    /// After a durable superblock: what was held is free.
    pub(crate) fn release_held(&mut self) {
        self.chunks
            .values_mut()
            .for_each(|chunk| chunk.held.fill(0));
        self.held = 0;
    }

    /// Writes the changed bitmap blocks and the nodes above them.
    ///
    /// Taking addresses for them changes bitmaps again, so addresses are taken first, until no further block
    /// becomes dirty, and only then anything is written.
    pub(crate) fn write(&mut self, medium: &mut Medium) -> Result<()> {
        let mut chunks: BTreeMap<u64, u64> = BTreeMap::new();
        let mut nodes: BTreeMap<(u64, u8, u64), u64> = BTreeMap::new();
        loop {
            let missing = self
                .dirty_chunks()
                .into_iter()
                .find(|number| !chunks.contains_key(number));
            if let Some(number) = missing {
                let mut tree = self.tree;
                medium.prepare(&mut tree, number)?;
                self.tree = tree;
                let old = medium.find(&tree, number)?;
                self.discard(medium, &old)?;
                chunks.insert(number, self.allocate_one(medium)?);
                continue;
            }
            let levels = 0..self.tree.top.height;
            let dirty: Vec<_> = levels
                .flat_map(|level| medium.dirty_in(&self.tree, level))
                .collect();
            let Some(key) = dirty.into_iter().find(|key| !nodes.contains_key(key)) else {
                break;
            };
            let old = medium.node_ref(&self.tree, key);
            self.discard(medium, &old)?;
            nodes.insert(key, self.allocate_one(medium)?);
        }
        self.write_chunks(medium, &chunks)?;
        let mut tree = self.tree;
        for (key, address) in nodes {
            medium.write_node(&mut tree, key, Some(address))?;
        }
        self.tree = tree;
        Ok(())
    }

    fn write_chunks(&mut self, medium: &mut Medium, addresses: &BTreeMap<u64, u64>) -> Result<()> {
        let mut tree = self.tree;
        for (&number, &address) in addresses {
            let Some(chunk) = self.chunks.get_mut(&number) else {
                continue;
            };
            chunk.dirty = false;
            let sealed = medium
                .disk
                .seal(address, &tree.place(number), &chunk.encode())?;
            medium.disk.epochs.add_live(sealed.sequence);
            medium.set(&mut tree, number, sealed)?;
        }
        self.tree = tree;
        Ok(())
    }

    /// Makes the next checkpoint rewrite every bitmap block that was sealed before `current`.
    pub(crate) fn rewrite_older(&mut self, medium: &mut Medium, current: u64) -> Result<()> {
        for number in 0..self.total.div_ceil(CHUNK_BITS) {
            let found = medium.find(&self.tree, number)?;
            if found.is_block() && found.sequence < current {
                self.chunk(medium, number * CHUNK_BITS)?.dirty = true;
            }
        }
        Ok(())
    }

    /// Every used block, for a full check.
    pub(crate) fn all_used(&mut self, medium: &mut Medium) -> Result<BTreeSet<u64>> {
        let mut all = BTreeSet::new();
        for address in 0..self.total {
            if self.chunk(medium, address)?.is_used(address) {
                all.insert(address);
            }
        }
        Ok(all)
    }

    fn dirty_chunks(&self) -> Vec<u64> {
        self.chunks
            .iter()
            .filter(|(_, chunk)| chunk.dirty)
            .map(|(&number, _)| number)
            .collect()
    }

    fn grow(&mut self, medium: &Medium) -> Result<()> {
        let step = (self.total / 4).clamp(GROWTH_BLOCKS_MIN, GROWTH_BLOCKS_MAX);
        let new = (self.total + step).min(self.limit);
        if new <= self.total {
            return Err(Error::NoSpace);
        }
        if medium.disk.store().size()? < new {
            medium.disk.store().resize(new)?;
        }
        self.total = new;
        Ok(())
    }

    fn next_free(&mut self, medium: &mut Medium, from: u64, end: u64) -> Result<Option<u64>> {
        let mut address = from;
        while address < end {
            let chunk = self.chunk(medium, address)?;
            match chunk.first_free(address) {
                Some(found) => return Ok((found < end).then_some(found)),
                None => address = (address / CHUNK_BITS + 1) * CHUNK_BITS,
            }
        }
        Ok(None)
    }

    fn set_used(&mut self, medium: &mut Medium, address: u64) -> Result<()> {
        if self.chunk(medium, address)?.set_used(address) {
            self.used += 1;
        }
        Ok(())
    }

    fn clear_used(&mut self, medium: &mut Medium, address: u64) -> Result<()> {
        if self.chunk(medium, address)?.clear_used(address) {
            self.used -= 1;
        }
        Ok(())
    }

    fn chunk(&mut self, medium: &mut Medium, address: u64) -> Result<&mut Chunk> {
        let number = address / CHUNK_BITS;
        if !self.chunks.contains_key(&number) {
            let found = medium.find(&self.tree, number)?;
            let block = medium.disk.read(&found, &self.tree.place(number))?;
            self.chunks.insert(number, Chunk::decode(&block));
        }
        self.chunks.get_mut(&number).ok_or(Error::NotFound)
    }
}

impl Chunk {
    fn decode(block: &Block) -> Self {
        let used: Vec<u64> = block
            .as_chunks::<8>()
            .0
            .iter()
            .map(|word| u64::from_le_bytes(*word))
            .collect();
        let held = alloc::vec![0; used.len()];
        Self {
            used,
            held,
            dirty: false,
        }
    }

    fn encode(&self) -> alloc::boxed::Box<Block> {
        let mut out = Writer::new();
        for word in &self.used {
            out.u64(*word);
        }
        if out.len() == BLOCK_LEN {
            out.into_block()
        } else {
            zeroed()
        }
    }

    /// The first free block at or after `address`, within this chunk.
    fn first_free(&self, address: u64) -> Option<u64> {
        let (base, bit) = (address - address % CHUNK_BITS, address % CHUNK_BITS);
        let mut mask = u64::MAX << (bit % 64);
        let words = self
            .used
            .iter()
            .zip(&self.held)
            .enumerate()
            .skip(crate::codec::to_usize(bit / 64));
        for (number, (used, held)) in words {
            let free = !(used | held) & mask;
            if free != 0 {
                return Some(base + number as u64 * 64 + u64::from(free.trailing_zeros()));
            }
            mask = u64::MAX;
        }
        None
    }

    /// Marks free blocks from `address` on as used, up to `end`, the first one that is not free, or the end of this chunk;
    /// returns how many.
    fn take(&mut self, address: u64, end: u64) -> u64 {
        let mut at = address;
        for (used, held) in self
            .used
            .iter_mut()
            .zip(&self.held)
            .skip(crate::codec::to_usize(address % CHUNK_BITS / 64))
        {
            let shift = at % 64;
            let free = !(*used | held) >> shift;
            let run = u64::from(free.trailing_ones()).min(end - at);
            if run > 0 {
                *used |= (u64::MAX >> (64 - run)) << shift;
            }
            at += run;
            if run < 64 - shift {
                break;
            }
        }
        self.dirty |= at > address;
        at - address
    }

    fn is_used(&self, address: u64) -> bool {
        let (word, bit) = position(address);
        self.used.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Returns whether the bit changed.
    fn set_used(&mut self, address: u64) -> bool {
        let changed = change(&mut self.used, address, |word, bit| word | bit);
        self.dirty |= changed;
        changed
    }

    fn clear_used(&mut self, address: u64) -> bool {
        let changed = change(&mut self.used, address, |word, bit| word & !bit);
        self.dirty |= changed;
        changed
    }

    fn set_held(&mut self, address: u64) -> bool {
        change(&mut self.held, address, |word, bit| word | bit)
    }
}

fn position(address: u64) -> (usize, u64) {
    (
        crate::codec::to_usize(address % CHUNK_BITS / 64),
        1 << (address % 64),
    )
}

fn change(words: &mut [u64], address: u64, to: impl Fn(u64, u64) -> u64) -> bool {
    let (word, bit) = position(address);
    let Some(word) = words.get_mut(word) else {
        return false;
    };
    let old = core::mem::replace(word, to(*word, bit));
    old != *word
}
