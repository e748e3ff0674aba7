//! Free space: one bit per block, loaded piecewise from a tree of bitmap blocks.
//!
//! A block is *used* (the next superblock will reach it), *held* (free for the next superblock, but the last one or the log
//! may still reach it: not to be overwritten before the next superblock is durable), *lent* (holds uncommitted data that was
//! spilled; free for every superblock, so that a crash gives it back) or free. Only used blocks are marked on the disk.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    codec::{Block, BlockBox, Writer},
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

/// What a block is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// A commit: it is used.
    Commit,
    /// Uncommitted data: it is lent.
    Spill,
}

/// The bits of one bitmap block, and those that are only in memory.
struct Chunk {
    used: Bits,
    held: Bits,
    lent: Bits,
    dirty: bool,
}

/// One bit for each block of a chunk. Takes no memory until one is set.
#[derive(Default)]
struct Bits {
    words: Vec<u64>,
    set: u32,
}

/// The free space of a volume.
pub(crate) struct Space {
    pub(crate) tree: Tree,
    chunks: BTreeMap<u64, Chunk>,
    total: u64,
    limit: u64,
    used: u64,
    held: u64,
    lent: u64,
    cursor: u64,
    /// Bitmap blocks to keep in memory, unless they have to stay.
    chunks_max: usize,
}

impl Space {
    pub(crate) fn new(
        top: Root,
        (total, limit): (u64, u64),
        used: u64,
        cursor: u64,
        chunks_max: usize,
    ) -> Self {
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
            lent: 0,
            cursor,
            chunks_max,
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

    /// Blocks that nothing may be written to before the next checkpoint or commit.
    pub(crate) const fn taken(&self) -> u64 {
        self.used + self.held + self.lent
    }

    /// Whether bitmap blocks that cannot be dropped from memory before a checkpoint use up the budget.
    pub(crate) fn is_crowded(&self) -> bool {
        let pinned = self.chunks.values().filter(|chunk| chunk.is_pinned());
        pinned.count() > self.chunks_max
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
        self.total - self.taken()
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
    pub(crate) fn allocate(
        &mut self,
        medium: &mut Medium,
        wanted: u64,
        purpose: Use,
    ) -> Result<(u64, u64)> {
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
            let chunk = self.chunk(medium, first + count)?;
            let taken = chunk.take(first + count, end, purpose);
            count += taken;
            match purpose {
                Use::Commit => self.used += taken,
                Use::Spill => self.lent += taken,
            }
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
            match self.allocate(medium, count - taken.len() as u64, Use::Commit) {
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
        self.allocate(medium, 1, Use::Commit)
            .map(|(address, _)| address)
    }

    /// Marks a block as used that recovery found in the log. Grows the view of the volume to contain it.
    pub(crate) fn claim(&mut self, medium: &mut Medium, address: u64) -> Result<()> {
        self.total = self.total.max(address + 1);
        self.limit = self.limit.max(self.total);
        self.set_used(medium, address)
    }

    /// A block is now committed: if it was lent, it is used.
    pub(crate) fn commit(&mut self, medium: &mut Medium, address: u64) -> Result<()> {
        self.take_back(medium, address)?;
        self.set_used(medium, address)
    }

    /// Gives a lent block back: no superblock and no record ever named it.
    pub(crate) fn take_back(&mut self, medium: &mut Medium, address: u64) -> Result<()> {
        if self.lent > 0 && self.chunk(medium, address)?.lent.clear(address) {
            self.lent -= 1;
        }
        Ok(())
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
        if chunk.held.set(address) {
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
            .for_each(|chunk| chunk.held = Bits::default());
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

    /// Limits growth to `limit` blocks from now on and returns the limit before.
    pub(crate) fn confine(&mut self, limit: u64) -> u64 {
        core::mem::replace(&mut self.limit, limit.max(self.total))
    }

    /// Takes free blocks from the beginning of the volume next.
    pub(crate) const fn rewind(&mut self) {
        self.cursor = FIXED_BLOCKS;
    }

    /// Makes the volume end at `total`, behind which nothing is used.
    pub(crate) const fn cut(&mut self, total: u64) {
        self.total = total;
        self.limit = total;
    }

    /// Used blocks from `first` on.
    pub(crate) fn used_from(&mut self, medium: &mut Medium, first: u64) -> Result<u64> {
        let mut used = 0;
        for address in first..self.total {
            used += u64::from(self.chunk(medium, address)?.used.has(address));
        }
        Ok(used)
    }

    /// Where the last used block ends.
    pub(crate) fn end(&mut self, medium: &mut Medium) -> Result<u64> {
        for address in (0..self.total).rev() {
            if self.chunk(medium, address)?.used.has(address) {
                return Ok(address + 1);
            }
        }
        Ok(0)
    }

    /// Makes the next checkpoint rewrite every bitmap block and node that lies at `goal` or beyond.
    pub(crate) fn rewrite_beyond(&mut self, medium: &mut Medium, goal: u64) -> Result<()> {
        let mut refs = Vec::new();
        medium.walk(&self.tree, &mut refs)?;
        for (position, (at, _)) in refs.iter().enumerate() {
            let number = refs.iter().skip(position).find_map(|(_, number)| *number);
            if let Some(number) = number.filter(|_| at.address() >= goal) {
                // Writing a bitmap block rewrites the nodes above it.
                self.chunk(medium, number * CHUNK_BITS)?.dirty = true;
            }
        }
        Ok(())
    }

    /// Every used block, for a full check.
    pub(crate) fn all_used(&mut self, medium: &mut Medium) -> Result<BTreeSet<u64>> {
        let mut all = BTreeSet::new();
        for address in 0..self.total {
            if self.chunk(medium, address)?.used.has(address) {
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
        let chunk = self.chunk(medium, address)?;
        if chunk.used.set(address) {
            chunk.dirty = true;
            self.used += 1;
        }
        Ok(())
    }

    fn clear_used(&mut self, medium: &mut Medium, address: u64) -> Result<()> {
        let chunk = self.chunk(medium, address)?;
        if chunk.used.clear(address) {
            chunk.dirty = true;
            self.used -= 1;
        }
        Ok(())
    }

    fn chunk(&mut self, medium: &mut Medium, address: u64) -> Result<&mut Chunk> {
        let number = address / CHUNK_BITS;
        if !self.chunks.contains_key(&number) {
            let found = medium.find(&self.tree, number)?;
            let block = medium.disk.read(&found, &self.tree.place(number))?;
            self.evict(number);
            self.chunks.insert(number, Chunk::decode(&block));
        }
        self.chunks.get_mut(&number).ok_or(Error::NotFound)
    }

    /// Makes room for one more bitmap block: the first after it that may go, in a round.
    fn evict(&mut self, newcomer: u64) {
        if self.chunks.len() >= self.chunks_max {
            let round = self.chunks.range(newcomer..).chain(&self.chunks);
            let mut idle = round.filter(|(_, chunk)| !chunk.is_pinned());
            if let Some(number) = idle.next().map(|(&number, _)| number) {
                self.chunks.remove(&number);
            }
        }
    }
}

impl Chunk {
    fn decode(block: &Block) -> Self {
        let words = block.as_chunks::<8>().0.iter();
        let words: Vec<u64> = words.map(|word| u64::from_le_bytes(*word)).collect();
        let set = words.iter().map(|word| word.count_ones()).sum();
        Self {
            used: Bits { words, set },
            held: Bits::default(),
            lent: Bits::default(),
            dirty: false,
        }
    }

    fn encode(&self) -> BlockBox {
        let mut out = Writer::new();
        for word in &self.used.words {
            out.u64(*word);
        }
        out.into_block()
    }

    /// Whether memory holds what the disk does not.
    const fn is_pinned(&self) -> bool {
        self.dirty || self.held.set > 0 || self.lent.set > 0
    }

    /// Free blocks among the 64 of a word.
    fn free_in(&self, word: usize) -> u64 {
        !(self.used.word(word) | self.held.word(word) | self.lent.word(word))
    }

    /// The first free block at or after `address`, within this chunk.
    fn first_free(&self, address: u64) -> Option<u64> {
        let base = address - address % CHUNK_BITS;
        let (first, bit) = position(address);
        let mut mask = !(bit - 1);
        for word in first..WORDS {
            let free = self.free_in(word) & mask;
            if free != 0 {
                return Some(base + word as u64 * 64 + u64::from(free.trailing_zeros()));
            }
            mask = u64::MAX;
        }
        None
    }

    /// Takes free blocks from `address` on, up to `end`, the first one that is not free, or the end of this chunk; returns how
    /// many.
    fn take(&mut self, address: u64, end: u64, purpose: Use) -> u64 {
        let mut at = address;
        for word in position(address).0..WORDS {
            let shift = at % 64;
            let run = u64::from((self.free_in(word) >> shift).trailing_ones()).min(end - at);
            if run > 0 {
                let bits = (u64::MAX >> (64 - run)) << shift;
                match purpose {
                    Use::Commit => self.used.set_all(word, bits),
                    Use::Spill => self.lent.set_all(word, bits),
                }
            }
            at += run;
            if run < 64 - shift {
                break;
            }
        }
        self.dirty |= purpose == Use::Commit && at > address;
        at - address
    }
}

impl Bits {
    fn word(&self, word: usize) -> u64 {
        self.words.get(word).copied().unwrap_or_default()
    }

    fn has(&self, address: u64) -> bool {
        let (word, bit) = position(address);
        self.word(word) & bit != 0
    }

    /// Sets bits that are not set.
    fn set_all(&mut self, word: usize, bits: u64) {
        if self.words.is_empty() {
            self.words.resize(WORDS, 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word |= bits;
            self.set += bits.count_ones();
        }
    }

    /// Returns whether the bit changed.
    fn set(&mut self, address: u64) -> bool {
        let (word, bit) = position(address);
        let changes = self.word(word) & bit == 0;
        if changes {
            self.set_all(word, bit);
        }
        changes
    }

    /// Returns whether the bit changed.
    fn clear(&mut self, address: u64) -> bool {
        let (number, bit) = position(address);
        match self.words.get_mut(number) {
            Some(word) if *word & bit != 0 => {
                *word &= !bit;
                self.set -= 1;
                true
            }
            _ => false,
        }
    }
}

/// Words in a bitmap block.
const WORDS: usize = BLOCK_LEN / 8;

fn position(address: u64) -> (usize, u64) {
    (
        crate::codec::to_usize(address % CHUNK_BITS / 64),
        1 << (address % 64),
    )
}
