//! Blocks of the epoch list (`docs/format.md`, section 4).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::reference::{Kind, Ref};
use crate::{
    codec::{Block, BlockBox, Reader, Writer},
    error::{Result, malformed},
};

/// Entries in one block of the list.
pub(crate) const ENTRIES_PER_BLOCK: usize = 84;

const _: () = assert!(
    64 + ENTRIES_PER_BLOCK * 48 == 4096,
    "frozen: docs/format.md, section 4"
);

/// An older epoch: the sequences from `first` on, up to the next epoch, were sealed under `key`.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) first: u64,
    pub(crate) live: u64,
    pub(crate) key: Zeroizing<[u8; 32]>,
}

pub(crate) fn encode<'a>(
    next: &Ref,
    entries: impl ExactSizeIterator<Item = &'a Entry>,
) -> BlockBox {
    let mut out = Writer::new();
    next.write(&mut out);
    out.u64(entries.len() as u64).zeros_to(64);
    for entry in entries {
        out.u64(entry.first).u64(entry.live).bytes(&*entry.key);
    }
    out.into_block()
}

/// Decodes one block of the list into its successor and its entries.
pub(crate) fn decode(block: &Block) -> Result<(Ref, Vec<Entry>)> {
    let cut = || malformed("a block of the epoch list is out of range");
    let mut from = Reader::new(block);
    let next = Ref::read(&mut from, Kind::Epochs)?;
    let count = from
        .u64()
        .filter(|&count| count <= ENTRIES_PER_BLOCK as u64)
        .ok_or_else(cut)?;
    from.zeros(24).ok_or_else(cut)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let (Some(first), Some(live), Some(key)) = (from.u64(), from.u64(), from.array()) else {
            return Err(cut());
        };
        entries.push(Entry {
            first,
            live,
            key: Zeroizing::new(key),
        });
    }
    if crate::codec::is_zero(from.rest()) {
        Ok((next, entries))
    } else {
        Err(cut())
    }
}
