//! Little-endian fields, read from and written to byte strings. Nothing here panics on foreign bytes.

use alloc::{boxed::Box, vec::Vec};
use core::ops::{Deref, DerefMut};

use crate::limits::BLOCK_LEN;

/// The contents of one block.
pub type Block = [u8; BLOCK_LEN];

/// A block on the heap. It starts where a line of the processor's cache does: to and from any other place, a block takes up to
/// one and a half times as long to copy.
#[derive(Clone)]
pub(crate) struct BlockBox(Box<Lines>);

#[derive(Clone)]
#[repr(align(64))]
struct Lines(Block);

impl BlockBox {
    pub(crate) fn zeroed() -> Self {
        Self(Box::new(Lines([0; BLOCK_LEN])))
    }
}

impl From<&Block> for BlockBox {
    fn from(contents: &Block) -> Self {
        Self(Box::new(Lines(*contents)))
    }
}

impl Deref for BlockBox {
    type Target = Block;

    fn deref(&self) -> &Block {
        &self.0.0
    }
}

impl DerefMut for BlockBox {
    fn deref_mut(&mut self) -> &mut Block {
        &mut self.0.0
    }
}

/// Whether all bytes are zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    // Cache lines first: this runs over every block that is committed, and most show at their start that they are not zero.
    let (lines, rest) = bytes.as_chunks::<64>();
    lines
        .iter()
        .all(|line| line.iter().fold(0, |any, byte| any | byte) == 0)
        && rest.iter().all(|&byte| byte == 0)
}

/// A length or position in memory. Exact: `limits.rs` asserts that addresses have 64 bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "usize has 64 bits: asserted in limits.rs"
)]
pub(crate) const fn to_usize(value: u64) -> usize {
    value as usize
}

/// Position of a value in a node or block: the remainder by a small divisor.
pub(crate) const fn remainder(value: u64, divisor: usize) -> usize {
    to_usize(value % divisor as u64)
}

/// Reads fields one after the other; every method returns `None` past the end.
#[derive(Clone)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Skips bytes that must be zero.
    pub(crate) fn zeros(&mut self, len: usize) -> Option<()> {
        is_zero(self.bytes(len)?).then_some(())
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }
}

/// Builds a byte string of known length, field after field.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(BLOCK_LEN))
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    /// Appends zeros up to `position`, which must not lie behind the end.
    pub(crate) fn zeros_to(&mut self, position: usize) -> &mut Self {
        assert!(
            self.0.len() <= position,
            "a field overran its place in the format"
        );
        self.0.resize(position, 0);
        self
    }

    /// Asserts that the next field lies where the format says.
    pub(crate) fn at(&mut self, position: usize) -> &mut Self {
        assert!(
            self.0.len() == position,
            "a field left its place in the format"
        );
        self
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_vec(self) -> Vec<u8> {
        self.0
    }

    /// The bytes as one block, padded with zeros.
    pub(crate) fn into_block(mut self) -> BlockBox {
        self.zeros_to(BLOCK_LEN);
        match self.0.first_chunk() {
            Some(contents) => BlockBox::from(contents),
            None => unreachable!("filled up just now"),
        }
    }
}
