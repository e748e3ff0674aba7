//! References to blocks, and what a block is bound to (`docs/format.md`, section 2).

use crate::{
    codec::{Reader, Writer},
    crypto::{TAG_LEN, Tag},
    error::{Result, malformed},
    limits::{FAN_OUT, FIXED_BLOCKS},
};

/// Length of a reference in bytes.
pub(crate) const REF_LEN: usize = 32;

/// What a block holds; its number is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Kind {
    Data = 1,
    Node = 2,
    Inodes = 3,
    Bitmap = 4,
    Epochs = 5,
    RecordHead = 6,
    RecordRest = 7,
}

const _: () = assert!(
    Kind::Data as u8 == 1
        && Kind::Node as u8 == 2
        && Kind::RecordRest as u8 == 7
        && REF_LEN * FAN_OUT == 4096,
    "frozen: docs/format.md, section 2"
);

/// A block's place in the structure: who owns it, and as which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) owner: u64,
    pub(crate) index: u64,
    pub(crate) kind: Kind,
    pub(crate) level: u8,
}

impl Place {
    pub(crate) const fn new(owner: u64, kind: Kind, index: u64) -> Self {
        Self {
            owner,
            index,
            kind,
            level: 0,
        }
    }

    /// The additional authenticated data of the block at this place and address.
    pub(crate) fn associated(&self, address: u64) -> [u8; 32] {
        let tail = u64::from(self.kind as u8) | u64::from(self.level) << 8;
        let fields = [address, self.owner, self.index, tail];
        let mut bytes = [0; 32];
        bytes
            .as_chunks_mut::<8>()
            .0
            .iter_mut()
            .zip(fields)
            .for_each(|(to, field)| *to = field.to_le_bytes());
        bytes
    }
}

/// An authenticated reference: where a block lies, and the tag and nonce it must open with. Aligned so that each lies in one
/// line of the processor's cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(align(32))]
pub(crate) struct Ref {
    pub(crate) tag: Tag,
    pub(crate) sequence: u64,
    /// Address (48 bits) and kind (8 bits), as in the format; zero is a hole.
    packed: u64,
}

impl Ref {
    /// Nothing there: reads as zeros.
    pub(crate) const HOLE: Self = Self {
        tag: [0; TAG_LEN],
        sequence: 0,
        packed: 0,
    };

    /// Only in memory: a node that has never been written and is in the cache. Its address 1 can never be a block's.
    pub(crate) const UNWRITTEN: Self = Self {
        tag: [0; TAG_LEN],
        sequence: 0,
        packed: 1,
    };

    pub(crate) fn new(tag: Tag, sequence: u64, address: u64, kind: Kind) -> Self {
        assert!(address >> 48 == 0, "an address has 48 bits");
        Self {
            tag,
            sequence,
            packed: address | (kind as u64) << 48,
        }
    }

    pub(crate) const fn address(&self) -> u64 {
        self.packed & 0xffff_ffff_ffff
    }

    pub(crate) fn is_hole(&self) -> bool {
        *self == Self::HOLE
    }

    pub(crate) fn is_unwritten(&self) -> bool {
        *self == Self::UNWRITTEN
    }

    /// Whether this names a block on the disk.
    pub(crate) const fn is_block(&self) -> bool {
        self.address() >= FIXED_BLOCKS
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        assert!(!self.is_unwritten(), "a node is written before its parent");
        out.bytes(&self.tag).u64(self.sequence).u64(self.packed);
    }

    /// Reads a reference to a block of `kind`, or a hole.
    pub(crate) fn read(from: &mut Reader<'_>, kind: Kind) -> Result<Self> {
        let fields = (from.array(), from.u64(), from.u64());
        let (Some(tag), Some(sequence), Some(packed)) = fields else {
            return Err(malformed("a reference is cut off"));
        };
        let found = Self {
            tag,
            sequence,
            packed,
        };
        if found.is_hole() || found.is_block() && packed >> 48 == kind as u64 {
            return Ok(found);
        }
        Err(malformed("a reference names no block of the right kind"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_bound_byte_by_byte_as_the_format_says() {
        let place = Place {
            owner: 0x0203,
            index: 0x0405,
            kind: Kind::Node,
            level: 6,
        };
        let mut expected = [0; 32];
        expected[0] = 1;
        (expected[8], expected[9], expected[16], expected[17]) = (3, 2, 5, 4);
        (expected[24], expected[25]) = (2, 6);
        assert_eq!(place.associated(1), expected);
    }
}
