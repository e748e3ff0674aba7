//! Reading files.

use alloc::boxed::Box;
use core::ops::Range;

use super::Volume;
use crate::{
    codec::{Block, to_usize, zeroed},
    error::{Error, Result},
    file::Frame,
    format::{inode::FileKind, reference::Ref},
    limits::BLOCK_LEN,
};

/// Most blocks fetched by one store call: 64 KiB stays in the processor's second-level cache until it is decrypted.
const FETCH_BLOCKS: usize = 16;

impl Volume {
    /// Reads from `offset` on into `into` and returns how many bytes there were; fewer only at the end of the file.
    ///
    /// # Errors
    /// [`Error::IsADirectory`], [`Error::NotFound`], [`Error::Tampered`] or the store's.
    pub fn read(&mut self, ino: u64, offset: u64, into: &mut [u8]) -> Result<usize> {
        let file = self.file(ino)?;
        if file.current.kind == FileKind::Directory {
            return Err(Error::IsADirectory);
        }
        let len = to_usize(file.current.size.saturating_sub(offset)).min(into.len());
        let into = into.get_mut(..len).unwrap_or_default();
        self.read_within(ino, offset, into)?;
        Ok(len)
    }

    /// Reads into several buffers, one after the other.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_vectored(
        &mut self,
        ino: u64,
        offset: u64,
        into: &mut [&mut [u8]],
    ) -> Result<usize> {
        let mut total = 0;
        for part in into {
            let len = self.read(ino, offset.saturating_add(total as u64), part)?;
            total += len;
            if len < part.len() {
                break;
            }
        }
        Ok(total)
    }

    /// Fills `into` from bytes that lie below the size.
    fn read_within(&mut self, ino: u64, offset: u64, into: &mut [u8]) -> Result<()> {
        let (mut at, mut rest) = (offset, into);
        while !rest.is_empty() {
            let start = crate::codec::remainder(at, BLOCK_LEN);
            let len = if start == 0 && rest.len() >= BLOCK_LEN {
                self.read_run(ino, at / BLOCK_LEN as u64, rest)?
            } else {
                let len = rest.len().min(BLOCK_LEN - start);
                let part = rest.get_mut(..len).unwrap_or_default();
                self.read_part(ino, at / BLOCK_LEN as u64, start..start + len, part)?;
                len
            };
            at += len as u64;
            rest = rest.get_mut(len..).unwrap_or_default();
        }
        Ok(())
    }

    /// Reads part of one block.
    fn read_part(
        &mut self,
        ino: u64,
        block: u64,
        range: Range<usize>,
        into: &mut [u8],
    ) -> Result<()> {
        let file = self.file(ino)?;
        if let Some(Frame::Memory(frame)) = file.frames.get(&block) {
            into.copy_from_slice(frame.get(range).unwrap_or_default());
            return Ok(());
        }
        let plain =
            file.frames.is_empty() && file.sees_tree(block) && file.visible_inline().is_none();
        let (tree, before) = (file.tree, core::mem::replace(&mut file.last_read, block));
        if !plain {
            let contents = self.block(ino, block)?;
            into.copy_from_slice(contents.get(range).unwrap_or_default());
            return Ok(());
        }
        if let Some(contents) = self.blocks.get(&(ino, block)) {
            into.copy_from_slice(contents.get(range).unwrap_or_default());
            return Ok(());
        }
        let contents = self.medium.read(&tree, block)?;
        into.copy_from_slice(contents.get(range.clone()).unwrap_or_default());
        // Who reads whole blocks has a cache of its own; who reads parts comes back for the rest.
        if range.len() < BLOCK_LEN {
            self.blocks.insert((ino, block), contents);
            if before.wrapping_add(1) == block {
                self.blocks.demote(&(ino, before));
            }
        }
        Ok(())
    }

    /// Reads whole blocks that lie one after the other on the disk as well; at least one, whatever it is.
    fn read_run(&mut self, ino: u64, first: u64, into: &mut [u8]) -> Result<usize> {
        let wanted = (into.len() / BLOCK_LEN) as u64;
        let mut refs = [Ref::HOLE; FETCH_BLOCKS];
        let count = self.contiguous(ino, first, wanted.min(FETCH_BLOCKS as u64), &mut refs)?;
        let Some(start) = refs.first().filter(|_| count > 0).map(Ref::address) else {
            let part = into.get_mut(..BLOCK_LEN).unwrap_or_default();
            self.read_part(ino, first, 0..BLOCK_LEN, part)?;
            return Ok(BLOCK_LEN);
        };
        let mut scratch = core::mem::take(&mut self.scratch);
        scratch.resize(FETCH_BLOCKS * BLOCK_LEN, 0);
        let opened = self.fetch(
            ino,
            first,
            start,
            refs.get(..count).unwrap_or_default(),
            &mut scratch,
            into,
        );
        self.scratch = scratch;
        opened.map(|()| count * BLOCK_LEN)
    }

    /// Copies ciphertext in once, opens it in private memory, and only then shows it to the caller.
    fn fetch(
        &mut self,
        ino: u64,
        first: u64,
        start: u64,
        refs: &[Ref],
        scratch: &mut [u8],
        into: &mut [u8],
    ) -> Result<()> {
        let tree = self.file(ino)?.tree;
        let scratch = scratch
            .get_mut(..refs.len() * BLOCK_LEN)
            .unwrap_or_default();
        self.medium.disk.read_raw(start, scratch)?;
        let blocks = scratch
            .chunks_exact_mut(BLOCK_LEN)
            .zip(into.chunks_exact_mut(BLOCK_LEN));
        for ((index, at), (block, into)) in (first..).zip(refs).zip(blocks) {
            self.medium.disk.open(at, &tree.place(index), block)?;
            into.copy_from_slice(block);
        }
        Ok(())
    }

    /// References of blocks from `first` on, as long as they are committed, visible and consecutive on the disk.
    fn contiguous(&mut self, ino: u64, first: u64, wanted: u64, refs: &mut [Ref]) -> Result<usize> {
        let file = self.file(ino)?;
        let (tree, floor) = (file.tree, file.floor);
        let until = file
            .frames
            .range(first..)
            .next()
            .map_or(u64::MAX, |(&block, _)| block)
            .min(floor);
        if file.visible_inline().is_some() {
            return Ok(0);
        }
        let mut count = 0;
        for (slot, block) in refs.iter_mut().zip(first..until.min(first + wanted)) {
            *slot = self.medium.find(&tree, block)?;
            if !slot.is_block() || self.blocks.get(&(ino, block)).is_some() {
                break;
            }
            count += 1;
        }
        let start = refs.first().map_or(0, Ref::address);
        let consecutive = refs
            .iter()
            .take(count)
            .zip(start..)
            .take_while(|(at, address)| at.address() == *address);
        Ok(consecutive.count())
    }

    /// A copy of a block as the program sees it.
    pub(super) fn block(&mut self, ino: u64, block: u64) -> Result<Box<Block>> {
        let file = self.file(ino)?;
        let tree = file.tree;
        match file.frames.get(&block) {
            Some(Frame::Memory(frame)) => return Ok(frame.clone()),
            Some(Frame::Spilled(at)) => {
                let at = *at;
                return self.medium.disk.read(&at, &tree.place(block));
            }
            None => {}
        }
        if !file.sees_tree(block) {
            return Ok(zeroed());
        }
        if let Some(inline) = file.visible_inline() {
            let mut contents = zeroed();
            if block == 0 {
                contents
                    .iter_mut()
                    .zip(inline)
                    .for_each(|(to, from)| *to = *from);
            }
            return Ok(contents);
        }
        self.cached_block(&tree, block)
            .map(|contents| Box::new(*contents))
    }
}
