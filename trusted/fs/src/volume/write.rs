//! Changing the contents of files in memory. Nothing here touches what a crash would leave.

use alloc::{boxed::Box, vec::Vec};

use super::{Purpose, Volume, blocks_in};
use crate::{
    codec::{Block, block_from, is_zero, remainder},
    error::{Error, Result},
    file::Frame,
    format::{inode::FileKind, reference::Ref},
    limits::{BLOCK_LEN, FAN_OUT, FILE_LEN_MAX, INLINE_LEN_MAX},
    tree::Tree,
};

impl Volume {
    /// Writes all of `data` at `offset`; a gap before it reads as zeros.
    ///
    /// # Errors
    /// [`Error::NoSpace`], [`Error::FileTooLarge`], [`Error::TooMuchUnsynced`], [`Error::IsADirectory`], or the store's. On an
    /// error a prefix of `data` may have been taken, and the size says which.
    pub fn write(&mut self, ino: u64, offset: u64, data: &[u8]) -> Result<()> {
        self.check_writable()?;
        let end = offset
            .checked_add(data.len() as u64)
            .filter(|&end| end <= FILE_LEN_MAX);
        let end = end.ok_or(Error::FileTooLarge)?;
        self.expect_contents(ino)?;
        if data.is_empty() {
            return Ok(());
        }
        self.materialise(ino, end)?;
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let start = remainder(at, BLOCK_LEN);
            let (part, after) = rest.split_at(rest.len().min(BLOCK_LEN - start));
            self.write_part(ino, at / BLOCK_LEN as u64, start, part)?;
            at += part.len() as u64;
            rest = after;
            self.extend_to(ino, at)?;
        }
        let now = self.platform.now();
        let file = self.file(ino)?;
        (file.current.times.modified, file.current.times.changed) = (now, now);
        file.changed = true;
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
    /// Not a reservation: blocks of zeros are stored as holes, and other writes may take the room.
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
        if part.len() == BLOCK_LEN {
            return self.put_frame(ino, block, block_from(part), Purpose::Store);
        }
        let frame = self.frame(ino, block, Purpose::Store)?;
        frame
            .get_mut(start..start + part.len())
            .unwrap_or_default()
            .copy_from_slice(part);
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
        contents: Box<Block>,
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
    pub(super) fn put_reserved(
        &mut self,
        ino: u64,
        block: u64,
        contents: Box<Block>,
    ) -> Result<()> {
        let nodes = self.nodes_for(ino, block)?;
        let file = self.file(ino)?;
        let old = file.frames.insert(block, Frame::Memory(contents));
        file.nodes_reserved += nodes;
        self.usage.nodes += nodes;
        match old {
            Some(Frame::Memory(_)) => return Ok(()),
            Some(Frame::Spilled(at)) => self.release_spilled(&at)?,
            None => {}
        }
        self.usage.frames_in_memory += 1;
        Ok(())
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
        if self.usage.frames_spilled >= self.budget.spilled_blocks() {
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
        let tree = self.file(ino)?.tree;
        let waiting: Vec<u64> = self
            .file(ino)?
            .frames
            .iter()
            .filter(|(_, frame)| matches!(frame, Frame::Memory(_)))
            .map(|(&block, _)| block)
            .collect();
        let addresses = self
            .space
            .allocate_many(&mut self.medium, waiting.len() as u64)?;
        let sealed = match self.seal_frames(ino, &tree, &waiting, &addresses) {
            Ok(sealed) => sealed,
            Err(error) => {
                // The frames are still in memory: nothing is lost, not even the space.
                self.medium.disk.discard_staged();
                addresses
                    .iter()
                    .try_for_each(|&address| self.space.release(&mut self.medium, address))?;
                return Err(error);
            }
        };
        self.usage.frames_in_memory -= sealed.len() as u64;
        self.usage.frames_spilled += sealed.len() as u64;
        let frames = &mut self.file(ino)?.frames;
        frames.extend(
            sealed
                .into_iter()
                .map(|(block, at)| (block, Frame::Spilled(at))),
        );
        Ok(())
    }

    fn seal_frames(
        &mut self,
        ino: u64,
        tree: &Tree,
        blocks: &[u64],
        addresses: &[u64],
    ) -> Result<Vec<(u64, Ref)>> {
        let mut sealed = Vec::with_capacity(blocks.len());
        for (&block, &address) in blocks.iter().zip(addresses) {
            let Some(Frame::Memory(contents)) = self
                .files
                .get(&ino)
                .and_then(|file| file.frames.get(&block))
            else {
                continue;
            };
            if is_zero(&**contents) {
                self.space.release(&mut self.medium, address)?;
                sealed.push((block, Ref::HOLE));
            } else {
                sealed.push((
                    block,
                    self.medium
                        .disk
                        .seal(address, &tree.place(block), contents)?,
                ));
            }
        }
        self.medium.disk.write_staged()?;
        Ok(sealed)
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
            self.space.release(&mut self.medium, at.address())
        } else {
            Ok(())
        }
    }
}
