//! Directory buckets (`docs/format.md`, section 5): chains of entries that never move.

use alloc::vec::Vec;

use super::inode::FileKind;
use crate::{
    codec::{Block, Reader, is_zero, to_usize},
    crypto::keys::digest,
    error::{Result, malformed},
    limits::{BLOCK_LEN, NAME_LEN_MAX},
};

/// Bytes of an entry before the name.
const FIXED_LEN: usize = 12;

/// An entry, and where it stands in its bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) ino: u64,
    pub(crate) kind: FileKind,
    pub(crate) name: Vec<u8>,
    /// Byte position in the bucket, a multiple of 8.
    pub(crate) at: usize,
}

/// A stretch of a bucket: an entry or free space, and how much of it.
struct Stretch<'a> {
    at: usize,
    len: usize,
    ino: u64,
    kind: u8,
    name: &'a [u8],
}

impl Stretch<'_> {
    /// Bytes that the entry itself needs; the rest of the stretch is free.
    const fn taken(&self) -> usize {
        if self.ino == 0 {
            0
        } else {
            entry_len(self.name.len())
        }
    }
}

/// Where the buckets of level `level` start, in blocks.
pub(crate) const fn level_start(level: u32) -> u64 {
    ((1 << (4 * level)) - 1) / 15
}

const _: () = assert!(
    level_start(0) == 0 && level_start(1) == 1 && level_start(2) == 17 && level_start(3) == 273,
    "frozen: docs/format.md, section 5"
);

/// The hash that chooses buckets.
pub(crate) fn hash(name: &[u8]) -> u64 {
    let digest = digest(name);
    digest
        .first_chunk()
        .map_or(0, |first| u64::from_le_bytes(*first))
}

/// The bucket of a name with this hash in `level`.
pub(crate) const fn bucket(hash: u64, level: u32) -> u64 {
    level_start(level) + hash % (1 << (4 * level))
}

/// All entries of a bucket, in order.
pub(crate) fn entries(block: &Block) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for stretch in stretches(block)? {
        if stretch.ino != 0 {
            let kind = FileKind::from_number(stretch.kind)?;
            entries.push(Entry {
                ino: stretch.ino,
                kind,
                name: stretch.name.to_vec(),
                at: stretch.at,
            });
        }
    }
    Ok(entries)
}

/// The entry of that name, if it stands in this bucket.
pub(crate) fn find(block: &Block, name: &[u8]) -> Result<Option<Entry>> {
    let found = stretches(block)?
        .into_iter()
        .find(|stretch| stretch.ino != 0 && stretch.name == name);
    found
        .map(|stretch| {
            let kind = FileKind::from_number(stretch.kind)?;
            Ok(Entry {
                ino: stretch.ino,
                kind,
                name: name.to_vec(),
                at: stretch.at,
            })
        })
        .transpose()
}

/// Adds an entry if there is room; `false` if there is none.
pub(crate) fn insert(block: &mut Block, name: &[u8], ino: u64, kind: FileKind) -> Result<bool> {
    let needed = entry_len(name.len());
    let room = stretches(block)?
        .into_iter()
        .find(|stretch| stretch.len - stretch.taken() >= needed);
    let Some((at, len, taken)) = room.map(|stretch| (stretch.at, stretch.len, stretch.taken()))
    else {
        return Ok(false);
    };
    if taken > 0 {
        write_length(block, at, taken);
    }
    write_entry(block, at + taken, len - taken, (ino, kind.number(), name));
    Ok(true)
}

/// Points the entry at `at` to another inode.
pub(crate) fn replace(block: &mut Block, at: usize, ino: u64, kind: FileKind) {
    if let Some(field) = block.get_mut(at..at + 8) {
        field.copy_from_slice(&ino.to_le_bytes());
    }
    if let Some(field) = block.get_mut(at + 11) {
        *field = kind.number();
    }
}

/// Removes the entry at `at`. A bucket without entries becomes all zeros, that is, a hole.
pub(crate) fn remove(block: &mut Block, at: usize) -> Result<()> {
    let all = stretches(block)?;
    let empty = all
        .iter()
        .all(|stretch| stretch.ino == 0 || stretch.at == at);
    let before = all
        .iter()
        .rev()
        .find(|stretch| stretch.at < at)
        .map(|stretch| (stretch.at, stretch.len));
    let Some(len) = all
        .iter()
        .find(|stretch| stretch.at == at)
        .map(|stretch| stretch.len)
    else {
        return Err(malformed("a directory entry vanished"));
    };
    if empty {
        block.fill(0);
        return Ok(());
    }
    block.get_mut(at..at + len).unwrap_or_default().fill(0);
    match before {
        Some((before_at, before_len)) => write_length(block, before_at, before_len + len),
        None => write_length(block, at, len),
    }
    Ok(())
}

const fn entry_len(name_len: usize) -> usize {
    (FIXED_LEN + name_len).next_multiple_of(8)
}

fn write_length(block: &mut Block, at: usize, len: usize) {
    let len = u16::try_from(len).unwrap_or_else(|_| unreachable!("a bucket is 4096 bytes"));
    if let Some(field) = block.get_mut(at + 8..at + 10) {
        field.copy_from_slice(&len.to_le_bytes());
    }
}

fn write_entry(block: &mut Block, at: usize, len: usize, (ino, kind, name): (u64, u8, &[u8])) {
    let mut bytes = ino.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[0, 0, u8::try_from(name.len()).unwrap_or(u8::MAX), kind]);
    bytes.extend_from_slice(name);
    if let Some(field) = block.get_mut(at..at + bytes.len()) {
        field.copy_from_slice(&bytes);
    }
    write_length(block, at, len);
}

/// Splits a bucket into its stretches and checks them: they fill it exactly, names are names.
fn stretches(block: &Block) -> Result<Vec<Stretch<'_>>> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < BLOCK_LEN {
        let stretch =
            stretch_at(block, at).ok_or_else(|| malformed("a directory bucket is out of range"))?;
        at += stretch.len;
        all.push(stretch);
    }
    Ok(all)
}

fn stretch_at(block: &Block, at: usize) -> Option<Stretch<'_>> {
    let mut from = Reader::new(block.get(at..)?);
    let (ino, len, name_len, kind) = (from.u64()?, from.u16()?, from.u8()?, from.u8()?);
    if len == 0 {
        let free = ino == 0 && is_zero(block.get(at..)?);
        return free.then_some(Stretch {
            at,
            len: BLOCK_LEN - at,
            ino: 0,
            kind: 0,
            name: &[],
        });
    }
    let (len, name) = (to_usize(len.into()), from.bytes(name_len.into())?);
    let fits = len.is_multiple_of(8) && at + len <= BLOCK_LEN && len >= entry_len(name.len());
    let sound = if ino == 0 {
        name.is_empty() && kind == 0
    } else {
        is_name(name)
    };
    (fits && sound).then_some(Stretch {
        at,
        len,
        ino,
        kind,
        name,
    })
}

/// Whether these bytes may be a name in a directory.
pub(crate) fn is_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name.len() <= NAME_LEN_MAX
        && name != b"."
        && name != b".."
        && !name.iter().any(|byte| b"/\0".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::BlockBox;

    #[test]
    fn entries_are_found_until_they_are_removed_and_never_move() {
        let mut block = BlockBox::zeroed();
        for (ino, name) in [(20, &b"one"[..]), (21, b"two"), (22, b"three")] {
            assert!(insert(&mut block, name, ino, FileKind::File).unwrap());
        }
        let three = find(&block, b"three").unwrap().unwrap();
        let two = find(&block, b"two").unwrap().unwrap();
        remove(&mut block, two.at).unwrap();
        assert_eq!(find(&block, b"two").unwrap(), None);
        assert_eq!(find(&block, b"three").unwrap(), Some(three));
        assert!(insert(&mut block, b"2", 23, FileKind::Link).unwrap());
        assert_eq!(
            find(&block, b"2").unwrap().unwrap().at,
            two.at,
            "the gap is used again"
        );
    }

    #[test]
    fn removing_all_entries_leaves_a_hole() {
        let mut block = BlockBox::zeroed();
        insert(&mut block, b"a", 20, FileKind::File).unwrap();
        insert(&mut block, b"b", 21, FileKind::File).unwrap();
        for name in [b"a", b"b"] {
            let at = find(&block, name).unwrap().unwrap().at;
            remove(&mut block, at).unwrap();
        }
        assert!(is_zero(&*block));
    }

    #[test]
    fn a_full_bucket_says_so() {
        let mut block = BlockBox::zeroed();
        let names = (0..1000u32).map(|number| alloc::format!("name-{number:04}"));
        let held = names
            .take_while(|name| insert(&mut block, name.as_bytes(), 20, FileKind::File).unwrap())
            .count();
        assert_eq!(held, 4096 / 24);
        assert_eq!(entries(&block).unwrap().len(), held);
    }
}
