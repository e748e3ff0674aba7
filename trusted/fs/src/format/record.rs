//! Log records (`docs/format.md`, section 6): the head block and the stream of operations.

use alloc::{boxed::Box, vec::Vec};

use super::{
    inode::{Inode, Root},
    reference::{Kind, REF_LEN, Ref},
};
use crate::{
    codec::{Reader, Writer, to_usize},
    error::{Result, malformed},
    limits::{BLOCK_LEN, CONTINUATIONS_MAX, UPDATE_COUNT_MAX},
};

/// Plain bytes at the start of a head: tag and sequence.
pub(crate) const HEAD_PLAIN_LEN: usize = 24;

/// Sealed bytes of a head.
pub(crate) const HEAD_SEALED_LEN: usize = BLOCK_LEN - HEAD_PLAIN_LEN;

const HEAD_FIELDS_LEN: usize = 56;

const _: () = assert!(
    HEAD_PLAIN_LEN == 24 && HEAD_FIELDS_LEN == 56,
    "frozen: docs/format.md, section 6"
);

/// One change. A record's operations lead from the state of the commit before to its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Sets an inode's attributes and inline contents, or frees it.
    Inode { ino: u64, inode: Option<Box<Inode>> },
    /// Makes every block from `first` on a hole.
    Truncate { ino: u64, first: u64 },
    /// Sets consecutive blocks.
    Update {
        ino: u64,
        first: u64,
        refs: Vec<Ref>,
    },
}

impl Operation {
    /// Whether this frees an inode: then the attributes carry nothing.
    pub(crate) const fn frees_inode(&self) -> bool {
        matches!(self, Self::Inode { inode: None, .. })
    }

    /// Length in the stream, in bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Inode { inode, .. } => {
                let inline = inode.as_ref().and_then(|inode| inode.inline.as_deref());
                16 + super::inode::ATTRIBUTES_LEN
                    + inline.map_or(0, |bytes| bytes.len().next_multiple_of(8))
            }
            Self::Truncate { .. } => 24,
            Self::Update { refs, .. } => 24 + refs.len() * REF_LEN,
        }
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        match self {
            Self::Inode {
                ino,
                inode: Some(inode),
            } => {
                let inline = inode.inline.as_deref().unwrap_or_default();
                let inline_len =
                    u8::try_from(inline.len()).unwrap_or_else(|_| unreachable!("at most 128"));
                out.u8(1).u8(inline_len).u16(0).u32(0).u64(*ino);
                inode.write_attributes(0, 0, out);
                out.bytes(inline);
                let end = out.len().next_multiple_of(8);
                out.zeros_to(end);
            }
            Self::Inode { ino, inode: None } => {
                out.u64(1)
                    .u64(*ino)
                    .bytes(&[0; super::inode::ATTRIBUTES_LEN]);
            }
            Self::Truncate { ino, first } => {
                out.u64(2).u64(*ino).u64(*first);
            }
            Self::Update { ino, first, refs } => {
                let count =
                    u16::try_from(refs.len()).unwrap_or_else(|_| unreachable!("at most 4096"));
                out.u8(3).u8(0).u16(count).u32(0).u64(*ino).u64(*first);
                refs.iter().for_each(|entry| entry.write(out));
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self> {
        let cut = || malformed("a log operation is out of range");
        let (code, small, count) = (from.u8(), from.u8(), from.u16());
        from.zeros(4).ok_or_else(cut)?;
        let ino = from.u64().ok_or_else(cut)?;
        match (code, small, count) {
            (Some(1), Some(inline_len), Some(0)) => Self::read_inode(ino, inline_len.into(), from),
            (Some(2), Some(0), Some(0)) => Ok(Self::Truncate {
                ino,
                first: from.u64().ok_or_else(cut)?,
            }),
            (Some(3), Some(0), Some(count)) if (1..=UPDATE_COUNT_MAX).contains(&count.into()) => {
                let first = from.u64().ok_or_else(cut)?;
                let refs = (0..count)
                    .map(|_| Ref::read(from, Kind::Data))
                    .collect::<Result<_>>()?;
                Ok(Self::Update { ino, first, refs })
            }
            _ => Err(cut()),
        }
    }

    fn read_inode(ino: u64, inline_len: usize, from: &mut Reader<'_>) -> Result<Self> {
        let cut = || malformed("a log operation's inode is out of range");
        let Some((mut inode, tree, inline)) = Inode::read_attributes(from)? else {
            return Ok(Self::Inode { ino, inode: None });
        };
        let expected = if inline { to_usize(inode.size) } else { 0 };
        if tree != Root::default() || inline_len != expected {
            return Err(cut());
        }
        if inline {
            inode.take_inline(from)?;
        }
        from.zeros(inline_len.next_multiple_of(8) - inline_len)
            .ok_or_else(cut)?;
        Ok(Self::Inode {
            ino,
            inode: Some(Box::new(inode)),
        })
    }
}

/// Writes operations one after the other.
pub(crate) fn encode_operations(operations: &[Operation]) -> Vec<u8> {
    let mut out = Writer::new();
    for operation in operations {
        let end = out.len() + operation.len();
        operation.write(&mut out);
        out.at(end);
    }
    out.into_vec()
}

/// Reads a whole stream of operations.
pub(crate) fn decode_operations(bytes: &[u8]) -> Result<Vec<Operation>> {
    let mut from = Reader::new(bytes);
    let mut operations = Vec::new();
    while !from.rest().is_empty() {
        operations.push(Operation::read(&mut from)?);
    }
    Ok(operations)
}

/// The fields of a record's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) commit: u64,
    pub(crate) previous_root: [u8; 32],
    pub(crate) next: u64,
    pub(crate) continuations: Vec<Ref>,
    /// Length of the operations in bytes, head and continuations together.
    pub(crate) operations_len: usize,
}

/// How many continuation blocks operations of `len` bytes need; `None` if a record cannot hold them.
pub(crate) fn continuations_for(len: usize) -> Option<usize> {
    (0..=CONTINUATIONS_MAX).find(|&count| len <= in_head(count) + count * BLOCK_LEN)
}

/// Bytes of operations in a head with `continuations` references.
pub(crate) const fn in_head(continuations: usize) -> usize {
    HEAD_SEALED_LEN - HEAD_FIELDS_LEN - continuations * REF_LEN
}

impl Head {
    /// The sealed part of a head, with the first part of the operations.
    pub(crate) fn encode(&self, operations: &[u8]) -> Vec<u8> {
        let count = |len: usize| {
            u32::try_from(len).unwrap_or_else(|_| unreachable!("a record is below 1 MiB"))
        };
        let mut out = Writer::new();
        out.u64(self.commit)
            .bytes(&self.previous_root)
            .u64(self.next);
        out.u32(count(self.continuations.len()))
            .u32(count(self.operations_len))
            .at(HEAD_FIELDS_LEN);
        self.continuations
            .iter()
            .for_each(|entry| entry.write(&mut out));
        out.bytes(operations).zeros_to(HEAD_SEALED_LEN);
        out.into_vec()
    }

    /// Decodes the sealed part of a head; also returns the operations that stand in it.
    pub(crate) fn decode(sealed: &[u8]) -> Result<(Self, Vec<u8>)> {
        let cut = || malformed("a record's head is out of range");
        let mut from = Reader::new(sealed);
        let fields = (from.u64(), from.array(), from.u64(), from.u32(), from.u32());
        let (Some(commit), Some(previous_root), Some(next), Some(count), Some(len)) = fields else {
            return Err(cut());
        };
        let (count, operations_len) = (to_usize(count.into()), to_usize(len.into()));
        if count > CONTINUATIONS_MAX || operations_len > in_head(count) + count * BLOCK_LEN {
            return Err(cut());
        }
        let continuations: Vec<Ref> = (0..count)
            .map(|_| Ref::read(&mut from, Kind::RecordRest))
            .collect::<Result<_>>()?;
        if continuations.iter().any(Ref::is_hole) {
            return Err(cut());
        }
        let operations = from
            .bytes(operations_len.min(in_head(count)))
            .ok_or_else(cut)?
            .to_vec();
        Ok((
            Self {
                commit,
                previous_root,
                next,
                continuations,
                operations_len,
            },
            operations,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Operation> {
        let inode = Some(Box::new(super::super::inode::tests::sample()));
        let refs = alloc::vec![Ref::new([1; 16], 2, 300, Kind::Data), Ref::HOLE];
        alloc::vec![
            Operation::Truncate { ino: 17, first: 3 },
            Operation::Inode { ino: 17, inode },
            Operation::Update {
                ino: 17,
                first: 9,
                refs
            },
            Operation::Inode {
                ino: 18,
                inode: None
            },
        ]
    }

    #[test]
    fn operations_come_back_in_order() {
        let bytes = encode_operations(&samples());
        assert_eq!(decode_operations(&bytes).unwrap(), samples());
        assert!(bytes.len().is_multiple_of(8));
    }

    #[test]
    fn a_head_carries_what_fits_and_refuses_lengths_that_do_not() {
        let operations = encode_operations(&samples());
        let head = Head {
            commit: 3,
            previous_root: [5; 32],
            next: 77,
            continuations: Vec::new(),
            operations_len: operations.len(),
        };
        let mut sealed = head.encode(&operations);
        assert_eq!(Head::decode(&sealed).unwrap(), (head, operations));
        sealed[52..56].copy_from_slice(&5000u32.to_le_bytes());
        Head::decode(&sealed).unwrap_err();
    }

    #[test]
    fn a_record_grows_by_continuations_until_it_must_be_a_checkpoint() {
        assert_eq!(continuations_for(4016), Some(0));
        assert_eq!(continuations_for(4017), Some(1));
        assert_eq!(continuations_for(1 << 20), None);
    }
}
