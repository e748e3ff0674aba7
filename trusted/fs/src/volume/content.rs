//! Reading files.
//!
//! A read has two halves. The first finds out, in one go, what the program sees: bytes in memory are copied, and for each
//! block on the disk its reference is noted. The second fetches and opens those blocks, and needs nothing of the volume
//! but its store and keys. References name one version of a block each, so the two halves together are a snapshot.

use alloc::{vec, vec::Vec};
use core::ops::Range;

use super::Volume;
use crate::{
    codec::{Block, BlockBox, remainder, to_usize},
    epochs::Keyring,
    error::{Error, Result},
    file::{File, Frame},
    format::{
        inode::FileKind,
        reference::{Kind, Place, Ref},
    },
    limits::{BLOCK_LEN, FAN_OUT},
    store::Store,
};

/// Most blocks fetched by one store call: 64 KiB stays in the processor's second-level cache until it is decrypted.
const FETCH_BLOCKS: usize = 16;

/// A whole block on the disk that a read asks for, and where in the caller's buffer it goes.
pub(crate) struct Fetch {
    at: Ref,
    index: u64,
    position: usize,
}

/// The blocks that a read asks for: mostly one, which allocates nothing.
#[derive(Default)]
pub(crate) enum Fetches {
    #[default]
    None,
    One(Fetch),
    Many(Vec<Fetch>),
}

impl Fetches {
    fn push(&mut self, next: Fetch) {
        *self = match core::mem::take(self) {
            Self::None => Self::One(next),
            Self::One(first) => Self::Many(vec![first, next]),
            Self::Many(mut all) => {
                all.push(next);
                Self::Many(all)
            }
        };
    }

    fn as_slice(&self) -> &[Fetch] {
        match self {
            Self::None => &[],
            Self::One(only) => core::slice::from_ref(only),
            Self::Many(all) => all,
        }
    }
}

impl Volume {
    /// Reads from `offset` on into `into` and returns how many bytes there were; fewer only at the end of the file.
    ///
    /// Blocks are decrypted in `into`, before they are known to be authentic: it must be memory that nobody else looks at
    /// until the call returns. If the call fails, `into` is wiped.
    ///
    /// # Errors
    /// [`Error::IsADirectory`], [`Error::NotFound`], [`Error::Tampered`] or the store's.
    pub fn read(&mut self, ino: u64, offset: u64, into: &mut [u8]) -> Result<usize> {
        let mut fetches = Fetches::default();
        let read = self.locate(ino, offset, into, &mut fetches);
        let disk = &mut self.medium.disk;
        let read = read.and_then(|len| {
            fetch(disk.store(), disk.epochs.keys(), ino, &fetches, into)
                .map_err(|(error, sequence)| disk.judge(error, sequence))
                .map(|()| len)
        });
        read.inspect_err(|_| into.fill(0))
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

    /// The first half of a read: fills `into` as far as memory has it, and notes which blocks are to be fetched.
    pub(crate) fn locate(
        &mut self,
        ino: u64,
        offset: u64,
        into: &mut [u8],
        fetches: &mut Fetches,
    ) -> Result<usize> {
        let file = self.file(ino)?;
        if file.current.kind == FileKind::Directory {
            return Err(Error::IsADirectory);
        }
        let len = to_usize(file.current.size.saturating_sub(offset)).min(into.len());
        let mut done = 0;
        while done < len {
            let at = offset + done as u64;
            let (block, start) = (at / BLOCK_LEN as u64, remainder(at, BLOCK_LEN));
            let rest = into.get_mut(done..len).unwrap_or_default();
            done += if start == 0 && rest.len() >= BLOCK_LEN {
                self.locate_leaf(ino, block, done, rest, fetches)?
            } else {
                let part_len = rest.len().min(BLOCK_LEN - start);
                let part = rest.get_mut(..part_len).unwrap_or_default();
                self.read_part(ino, block, start..start + part_len, part)?;
                part_len
            };
        }
        Ok(len)
    }

    /// Locates whole blocks that hang from one leaf of the tree; returns the number of bytes.
    fn locate_leaf(
        &mut self,
        ino: u64,
        first: u64,
        position: usize,
        into: &mut [u8],
        fetches: &mut Fetches,
    ) -> Result<usize> {
        let Some(file) = self.files.get(&ino) else {
            return Err(Error::NotFound);
        };
        // Only what has to be read anyway: the host sees where the store looks.
        let in_memory = file.frames.contains_key(&first)
            || !file.sees_tree(first)
            || self.blocks.contains(&(ino, first));
        if !in_memory {
            self.medium.prefetch(&file.tree, first);
        }
        let entries = self.medium.find_run(&file.tree, first)?;
        let count = FAN_OUT - remainder(first, FAN_OUT);
        let mut done = 0;
        for (index, into) in (first..).zip(into.chunks_exact_mut(BLOCK_LEN).take(count)) {
            let committed = entries.get(done / BLOCK_LEN).copied().unwrap_or_default();
            let at = match visible(file, index, &committed) {
                Visible::Memory(frame) => {
                    into.copy_from_slice(frame);
                    Ref::HOLE
                }
                Visible::Disk(at) if !at.is_hole() => match self.blocks.get(&(ino, index)) {
                    Some(cached) if at == committed => {
                        into.copy_from_slice(&**cached);
                        Ref::HOLE
                    }
                    _ => at,
                },
                Visible::Disk(_) => {
                    into.fill(0);
                    Ref::HOLE
                }
            };
            if !at.is_hole() {
                let position = position + done;
                fetches.push(Fetch {
                    at,
                    index,
                    position,
                });
            }
            done += BLOCK_LEN;
        }
        Ok(done)
    }

    /// Reads part of one block, through the cache: who reads parts comes back for the rest.
    fn read_part(
        &mut self,
        ino: u64,
        block: u64,
        range: Range<usize>,
        into: &mut [u8],
    ) -> Result<()> {
        let file = self.file(ino)?;
        let before = core::mem::replace(&mut file.last_read, block);
        if let Some(Frame::Memory(frame)) = file.frames.get(&block) {
            into.copy_from_slice(frame.get(range).unwrap_or_default());
            return Ok(());
        }
        let plain = !file.frames.contains_key(&block)
            && file.sees_tree(block)
            && file.visible_inline().is_none();
        if !plain {
            let contents = self.block(ino, block)?;
            into.copy_from_slice(contents.get(range).unwrap_or_default());
            return Ok(());
        }
        let tree = file.tree;
        let contents = self.cached_block(&tree, block)?;
        into.copy_from_slice(contents.get(range).unwrap_or_default());
        if before.wrapping_add(1) == block {
            // Read from front to back: what lies behind will not be needed soon.
            self.blocks.demote(&(ino, before));
        }
        Ok(())
    }

    /// A copy of a block as the program sees it.
    pub(super) fn block(&mut self, ino: u64, block: u64) -> Result<BlockBox> {
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
            return Ok(BlockBox::zeroed());
        }
        if let Some(inline) = file.visible_inline() {
            let mut contents = BlockBox::zeroed();
            if block == 0 {
                contents
                    .iter_mut()
                    .zip(inline)
                    .for_each(|(to, from)| *to = *from);
            }
            return Ok(contents);
        }
        self.cached_block(&tree, block).map(BlockBox::from)
    }
}

/// Where the contents of a block that the program sees are.
enum Visible<'a> {
    Memory(&'a Block),
    /// On the disk; a hole is zeros.
    Disk(Ref),
}

/// Looks through the layers of a file; `committed` is the tree's reference. Inline contents are not asked for here: a file
/// that has a whole block has none, or has them in a frame.
fn visible<'a>(file: &'a File, index: u64, committed: &Ref) -> Visible<'a> {
    if !file.frames.is_empty() {
        match file.frames.get(&index) {
            Some(Frame::Memory(frame)) => return Visible::Memory(frame),
            Some(Frame::Spilled(at)) => return Visible::Disk(*at),
            None => {}
        }
    }
    Visible::Disk(if file.sees_tree(index) {
        *committed
    } else {
        Ref::HOLE
    })
}

/// The second half of a read: copies ciphertext in, once, and opens it where it is.
///
/// # Errors
/// [`Error::Tampered`] if a block does not verify, or the store's, and the block's sequence. The caller wipes `into`.
pub(crate) fn fetch(
    store: &dyn Store,
    keys: &Keyring,
    ino: u64,
    fetches: &Fetches,
    into: &mut [u8],
) -> core::result::Result<(), (Error, u64)> {
    let mut rest = fetches.as_slice();
    while let Some(first) = rest.first() {
        let count = rest
            .iter()
            .zip(0..FETCH_BLOCKS)
            .take_while(|(next, step)| {
                next.at.address() == first.at.address() + *step as u64
                    && next.position == first.position + step * BLOCK_LEN
            })
            .count();
        let (run, after) = rest.split_at(count);
        let range = first.position..first.position + count * BLOCK_LEN;
        let into = into.get_mut(range).unwrap_or_default();
        store
            .read(first.at.address(), into)
            .map_err(|error| (error, first.at.sequence))?;
        for (block, bytes) in run.iter().zip(into.chunks_exact_mut(BLOCK_LEN)) {
            let place = Place::new(ino, Kind::Data, block.index);
            keys.open(&block.at, &place, bytes)
                .map_err(|error| (error, block.at.sequence))?;
        }
        rest = after;
    }
    Ok(())
}
