//! Changing the contents of files in memory. Nothing here touches what a crash would leave.

use alloc::{collections::btree_map::Entry, vec::Vec};

use super::{Purpose, Volume, blocks_in};
use crate::{
    codec::{Block, BlockBox, is_zero, remainder, to_usize},
    error::{Error, Result},
    file::Frame,
    format::{inode::FileKind, reference::Ref},
    limits::{BLOCK_LEN, FAN_OUT, FILE_LEN_MAX, INLINE_LEN_MAX},
    space::{Space, Use},
    tree::{Medium, Tree},
};

/// Fewest blocks that are worth a store call of their own when there is no room for them in memory: 64 KiB.
const DIRECT_BLOCKS_MIN: usize = 16;

impl Volume {
    /// Writes all of `data` at `offset`; a gap before it reads as zeros.
    ///
    /// # Errors
    /// [`Error::NoSpace`], [`Error::FileTooLarge`], [`Error::IsADirectory`]: nothing was written then.
    /// [`Error::TooMuchUnsynced`], or the store's: a prefix of `data` may have been taken, and the size says which.
    pub fn write(&mut self, ino: u64, offset: u64, data: &[u8]) -> Result<()> {
        self.check_writable()?;
        self.ensure_memory()?;
        let end = offset
            .checked_add(data.len() as u64)
            .filter(|&end| end <= FILE_LEN_MAX);
        let end = end.ok_or(Error::FileTooLarge)?;
        self.expect_contents(ino)?;
        if data.is_empty() {
            return Ok(());
        }
        let cost = self.cost_of(ino, offset / BLOCK_LEN as u64, blocks_in(end))?;
        self.ensure_space(cost, Purpose::Store)?;
        self.materialise(ino, end)?;
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let (block, start) = (at / BLOCK_LEN as u64, remainder(at, BLOCK_LEN));
            let len = if start == 0 && rest.len() >= BLOCK_LEN {
                self.write_blocks(ino, block, rest)?
            } else {
                let part = rest.split_at(rest.len().min(BLOCK_LEN - start)).0;
                self.write_part(ino, block, start, part)?;
                part.len()
            };
            at += len as u64;
            rest = rest.get(len..).unwrap_or_default();
            self.extend_to(ino, at)?;
        }
        let now = self.platform.now();
        let file = self.file(ino)?;
        (file.current.times.modified, file.current.times.changed) = (now, now);
        Ok(())
    }

    /// Writes several buffers, one after the other.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_vectored(&mut self, ino: u64, offset: u64, parts: &[&[u8]]) -> Result<()> {
        let mut at = offset;
        for part in parts {
            self.write(ino, at, part)?;
            at = at.saturating_add(part.len() as u64);
        }
        Ok(())
    }

    /// Writes at the end of the file and returns where that was.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn append(&mut self, ino: u64, data: &[u8]) -> Result<u64> {
        let end = self.file(ino)?.current.size;
        self.write(ino, end, data).map(|()| end)
    }

    /// Cuts the file, or extends it by a hole.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn set_size(&mut self, ino: u64, size: u64) -> Result<()> {
        self.check_writable()?;
        self.ensure_memory()?;
        if size > FILE_LEN_MAX {
            return Err(Error::FileTooLarge);
        }
        self.expect_contents(ino)?;
        self.materialise(ino, size)?;
        let old = self.file(ino)?.current.size;
        let tail = remainder(size, BLOCK_LEN);
        if size < old && tail != 0 {
            // Bytes beyond the size must be zero, so that a later extension reads as zeros.
            self.clear_from(ino, size / BLOCK_LEN as u64, tail)?;
        }
        if size < old {
            self.drop_frames(ino, blocks_in(size))?;
        }
        let now = self.platform.now();
        let file = self.file(ino)?;
        if size < old {
            file.floor = file.floor.min(blocks_in(size));
        }
        file.current.size = size;
        (file.current.times.modified, file.current.times.changed) = (now, now);
        file.changed = true;
        Ok(())
    }

    /// Makes the file at least `offset + len` bytes long, if the volume has room for that many bytes now.
    ///
    /// Less than POSIX promises: nothing is reserved. Every overwrite takes a fresh block until the next checkpoint, so
    /// that a block of one's own would not keep a later write from [`Error::NoSpace`], and blocks of zeros are holes.
    ///
    /// # Errors
    /// As [`set_size`](Self::set_size).
    pub fn allocate(&mut self, ino: u64, offset: u64, len: u64) -> Result<()> {
        let end = offset
            .checked_add(len)
            .filter(|&end| end <= FILE_LEN_MAX)
            .ok_or(Error::FileTooLarge)?;
        self.check_writable()?;
        self.ensure_space(blocks_in(len), Purpose::Store)?;
        if end > self.file(ino)?.current.size {
            self.set_size(ino, end)
        } else {
            Ok(())
        }
    }

    fn expect_contents(&mut self, ino: u64) -> Result<()> {
        match self.file(ino)?.current.kind {
            FileKind::File => Ok(()),
            FileKind::Directory => Err(Error::IsADirectory),
            FileKind::Link => Err(Error::InvalidArgument),
        }
    }

    /// Turns inline contents into a block before the file outgrows the inode.
    fn materialise(&mut self, ino: u64, size: u64) -> Result<()> {
        let file = self.file(ino)?;
        let inline = file.visible_inline().is_some() && !file.frames.contains_key(&0);
        if inline && size > INLINE_LEN_MAX as u64 {
            self.frame(ino, 0, Purpose::Store)?;
        }
        Ok(())
    }

    fn write_part(&mut self, ino: u64, block: u64, start: usize, part: &[u8]) -> Result<()> {
        let frame = self.frame(ino, block, Purpose::Store)?;
        frame
            .get_mut(start..start + part.len())
            .unwrap_or_default()
            .copy_from_slice(part);
        Ok(())
    }

    /// Writes whole blocks, as many as there are up to one transfer, and returns the number of bytes. The space is reserved.
    fn write_blocks(&mut self, ino: u64, first: u64, data: &[u8]) -> Result<usize> {
        let (blocks, _) = data.as_chunks::<BLOCK_LEN>();
        let leaf = FAN_OUT - remainder(first, FAN_OUT);
        let blocks = blocks.get(..leaf).unwrap_or(blocks);
        let room = self
            .budget
            .dirty_blocks()
            .saturating_sub(self.usage.frames_in_memory);
        if blocks.len() as u64 > room && blocks.len() >= DIRECT_BLOCKS_MIN {
            self.write_through(ino, first, blocks)?;
            return Ok(blocks.len() * BLOCK_LEN);
        }
        let fitting = blocks.len().min(to_usize(room.max(1)));
        let blocks = blocks.get(..fitting).unwrap_or_default();
        self.make_room(ino)?;
        self.reserve_nodes(ino, first)?;
        let mut spilled = Vec::new();
        let Some(file) = self.files.get_mut(&ino) else {
            return Err(Error::NotFound);
        };
        for (index, contents) in (first..).zip(blocks) {
            match file.frames.entry(index) {
                Entry::Occupied(mut old) => match old.get_mut() {
                    Frame::Memory(frame) => **frame = *contents,
                    Frame::Spilled(at) => {
                        spilled.push(*at);
                        self.usage.frames_in_memory += 1;
                        old.insert(Frame::Memory(BlockBox::from(contents)));
                    }
                },
                Entry::Vacant(free) => {
                    self.usage.frames_in_memory += 1;
                    free.insert(Frame::Memory(BlockBox::from(contents)));
                }
            }
        }
        spilled.iter().try_for_each(|at| self.release_spilled(at))?;
        Ok(blocks.len() * BLOCK_LEN)
    }

    /// Seals blocks of one leaf to fresh places at once: there is no room for them in memory.
    fn write_through(&mut self, ino: u64, first: u64, blocks: &[Block]) -> Result<()> {
        if self.is_crowded() {
            return Err(Error::TooMuchUnsynced);
        }
        let tree = self.file(ino)?.tree;
        let (space, medium) = (&mut self.space, &mut self.medium);
        let sealed = seal_blocks(space, medium, &tree, (first..).zip(blocks))?;
        self.reserve_nodes(ino, first)?;
        self.usage.frames_spilled += sealed.len() as u64;
        let mut replaced = Vec::new();
        let frames = &mut self.file(ino)?.frames;
        for (block, at) in sealed {
            replaced.extend(frames.insert(block, Frame::Spilled(at)));
        }
        if let (Some(Frame::Spilled(first)), Some(Frame::Spilled(last))) =
            (replaced.first(), replaced.last())
            && last.address().wrapping_sub(first.address()) == replaced.len() as u64 - 1
        {
            // What is written next goes where these blocks were: the host has them in its page cache, and runs stay long.
            self.space.go_on_at(first.address());
        }
        for old in replaced {
            match old {
                Frame::Memory(_) => self.usage.frames_in_memory -= 1,
                Frame::Spilled(at) => self.release_spilled(&at)?,
            }
        }
        Ok(())
    }

    fn clear_from(&mut self, ino: u64, block: u64, start: usize) -> Result<()> {
        let contents = self.block(ino, block)?;
        if is_zero(contents.get(start..).unwrap_or_default()) {
            return Ok(());
        }
        let frame = self.frame(ino, block, Purpose::Remove)?;
        frame.get_mut(start..).unwrap_or_default().fill(0);
        Ok(())
    }

    fn extend_to(&mut self, ino: u64, end: u64) -> Result<()> {
        let file = self.file(ino)?;
        file.current.size = file.current.size.max(end);
        file.changed = true;
        Ok(())
    }

    /// The block as a frame in memory, to be changed.
    fn frame(&mut self, ino: u64, block: u64, purpose: Purpose) -> Result<&mut Block> {
        if !matches!(self.file(ino)?.frames.get(&block), Some(Frame::Memory(_))) {
            let contents = self.block(ino, block)?;
            self.put_frame(ino, block, contents, purpose)?;
        }
        match self.file(ino)?.frames.get_mut(&block) {
            Some(Frame::Memory(frame)) => Ok(frame),
            _ => Err(Error::NotFound),
        }
    }

    /// Replaces a block's contents.
    fn put_frame(
        &mut self,
        ino: u64,
        block: u64,
        contents: BlockBox,
        purpose: Purpose,
    ) -> Result<()> {
        let in_memory = matches!(self.file(ino)?.frames.get(&block), Some(Frame::Memory(_)));
        if !in_memory {
            let nodes = self.nodes_for(ino, block)?;
            self.ensure_space(1 + nodes, purpose)?;
            self.make_room(ino)?;
        }
        self.put_reserved(ino, block, contents)
    }

    /// As [`put_frame`](Self::put_frame), for a caller that made sure of the space.
    pub(super) fn put_reserved(&mut self, ino: u64, block: u64, contents: BlockBox) -> Result<()> {
        self.reserve_nodes(ino, block)?;
        let file = self.file(ino)?;
        let old = file.frames.insert(block, Frame::Memory(contents));
        match old {
            Some(Frame::Memory(_)) => return Ok(()),
            Some(Frame::Spilled(at)) => self.release_spilled(&at)?,
            None => {}
        }
        self.usage.frames_in_memory += 1;
        Ok(())
    }

    /// Counts the tree nodes that a new frame for this block may make dirty.
    fn reserve_nodes(&mut self, ino: u64, block: u64) -> Result<()> {
        let nodes = self.nodes_for(ino, block)?;
        self.file(ino)?.nodes_reserved += nodes;
        self.usage.nodes += nodes;
        Ok(())
    }

    /// Blocks that changing the blocks from `first` up to `end` may take, beyond what is reserved for them already.
    fn cost_of(&mut self, ino: u64, first: u64, end: u64) -> Result<u64> {
        let mut cost = end - first;
        let mut leaf = first;
        while leaf < end {
            cost += self.nodes_for(ino, leaf)?;
            leaf = leaf - leaf % FAN_OUT as u64 + FAN_OUT as u64;
        }
        let frames = &self.file(ino)?.frames;
        let held = |frame: &Frame| matches!(frame, Frame::Memory(_));
        let held = frames.range(first..end).filter(|(_, frame)| held(frame));
        Ok(cost - held.count() as u64)
    }

    /// Tree nodes that a frame for this block may make dirty, beyond those of its neighbours.
    pub(super) fn nodes_for(&mut self, ino: u64, block: u64) -> Result<u64> {
        let file = self.file(ino)?;
        let leaf = block - block % FAN_OUT as u64;
        let shared = file
            .frames
            .range(leaf..leaf + FAN_OUT as u64)
            .next()
            .is_some();
        let height = (64 - block.leading_zeros()).div_ceil(FAN_OUT.trailing_zeros()) + 1;
        Ok(if shared {
            0
        } else {
            height.max(file.tree.top.height.into()).into()
        })
    }

    /// Spills when memory for uncommitted data is used up.
    fn make_room(&mut self, ino: u64) -> Result<()> {
        if self.usage.frames_in_memory < self.budget.dirty_blocks() {
            return Ok(());
        }
        if self.is_crowded() {
            return Err(Error::TooMuchUnsynced);
        }
        let in_memory = |file: &crate::file::File| {
            file.frames
                .values()
                .filter(|frame| matches!(frame, Frame::Memory(_)))
                .count() as u64
        };
        let own = in_memory(self.file(ino)?);
        let largest = self
            .files
            .iter()
            .max_by_key(|(_, file)| in_memory(file))
            .map(|(&ino, _)| ino);
        self.spill(if own >= self.usage.frames_in_memory / 4 {
            ino
        } else {
            largest.unwrap_or(ino)
        })
    }

    /// Seals a file's uncommitted blocks to fresh places. No superblock and no record names them.
    pub(super) fn spill(&mut self, ino: u64) -> Result<()> {
        let file = self.files.get(&ino).ok_or(Error::NotFound)?;
        let waiting = file
            .frames
            .iter()
            .filter_map(|(&block, frame)| match frame {
                Frame::Memory(contents) => Some((block, &**contents)),
                Frame::Spilled(_) => None,
            });
        let (space, medium) = (&mut self.space, &mut self.medium);
        // If it fails, the frames are still in memory: nothing is lost, not even the space.
        let sealed = seal_blocks(space, medium, &file.tree, waiting)?;
        self.usage.frames_in_memory -= sealed.len() as u64;
        self.usage.frames_spilled += sealed.len() as u64;
        let frames = &mut self.file(ino)?.frames;
        for (block, at) in sealed {
            frames.insert(block, Frame::Spilled(at));
        }
        Ok(())
    }

    /// Forgets uncommitted blocks from `first` on.
    pub(super) fn drop_frames(&mut self, ino: u64, first: u64) -> Result<()> {
        let file = self.file(ino)?;
        let dropped = file.frames.split_off(&first);
        if file.frames.is_empty() {
            let nodes = core::mem::take(&mut file.nodes_reserved);
            self.usage.nodes -= nodes;
        }
        for frame in dropped.values() {
            match frame {
                Frame::Memory(_) => self.usage.frames_in_memory -= 1,
                Frame::Spilled(at) => self.release_spilled(at)?,
            }
        }
        Ok(())
    }

    fn release_spilled(&mut self, at: &Ref) -> Result<()> {
        self.usage.frames_spilled -= 1;
        if at.is_block() {
            self.space.take_back(&mut self.medium, at.address())
        } else {
            Ok(())
        }
    }
}

/// Seals blocks of a file to fresh places, consecutive as far as possible, and writes them out; zeros become holes.
///
/// # Errors
/// The store's, or [`Error::NoSpace`]: no space is taken then.
fn seal_blocks<'a>(
    space: &mut Space,
    medium: &mut Medium,
    tree: &Tree,
    blocks: impl Iterator<Item = (u64, &'a Block)> + Clone,
) -> Result<Vec<(u64, Ref)>> {
    let (mut sealed, mut taken, mut free) = (Vec::new(), Vec::new(), 0..0);
    let mut wanted = blocks.clone().count() as u64;
    let seal_all = || {
        for (block, contents) in blocks {
            let at = if is_zero(contents) {
                Ref::HOLE
            } else {
                if free.is_empty() {
                    let (first, count) = space.allocate(medium, wanted, Use::Spill)?;
                    taken.push(first..first + count);
                    free = first..first + count;
                }
                let address = free.next().ok_or(Error::NoSpace)?;
                medium.disk.seal(address, &tree.place(block), contents)?
            };
            sealed.push((block, at));
            wanted -= 1;
        }
        medium.disk.write_staged()
    };
    let written = seal_all();
    if written.is_err() {
        medium.disk.discard_staged();
        taken
            .into_iter()
            .flatten()
            .try_for_each(|address| space.take_back(medium, address))?;
    } else {
        free.try_for_each(|unused| space.take_back(medium, unused))?;
    }
    written.map(|()| sealed)
}
