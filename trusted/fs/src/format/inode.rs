//! Inodes (`docs/format.md`, section 5): 256 bytes each, 16 to a block of the inode table.

use alloc::vec::Vec;

use super::reference::{Kind, Ref};
use crate::{
    codec::{Reader, Writer, is_zero},
    error::{Result, malformed},
    limits::{FILE_LEN_MAX, INLINE_LEN_MAX, TREE_HEIGHT_MAX},
};

/// Length of an inode in bytes.
pub(crate) const INODE_LEN: usize = 256;

/// Inodes in one block of the table.
pub(crate) const INODES_PER_BLOCK: u64 = 16;

/// Length of the part that log records carry.
pub(crate) const ATTRIBUTES_LEN: usize = 64;

const _: () = assert!(
    INODE_LEN * 16 == 4096 && ATTRIBUTES_LEN == 64,
    "frozen: docs/format.md, section 5"
);

/// What an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
}

impl FileKind {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::File => 1,
            Self::Directory => 2,
            Self::Link => 3,
        }
    }

    pub(crate) fn from_number(number: u8) -> Result<Self> {
        match number {
            1 => Ok(Self::File),
            2 => Ok(Self::Directory),
            3 => Ok(Self::Link),
            _ => Err(malformed("no such kind of inode")),
        }
    }
}

/// Times of an inode, in nanoseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Last read, as far as the caller sets it: reads do not.
    pub accessed: u64,
    /// Last change of the contents.
    pub modified: u64,
    /// Last change of the inode.
    pub changed: u64,
    /// Creation.
    pub created: u64,
}

/// The attributes of an inode, and its contents if they are inline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inode {
    pub(crate) kind: FileKind,
    pub(crate) links: u32,
    pub(crate) size: u64,
    pub(crate) times: Times,
    pub(crate) parent: u64,
    pub(crate) inline: Option<Vec<u8>>,
}

/// The contents' tree as the inode table records it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) height: u8,
    pub(crate) root: Ref,
    /// Data blocks in the tree.
    pub(crate) blocks: u64,
}

impl Inode {
    /// Writes the 64 bytes that records carry too; those have no height and no number of blocks.
    pub(crate) fn write_attributes(&self, height: u8, blocks: u64, out: &mut Writer) {
        out.u8(self.kind.number())
            .u8(height)
            .u8(self.inline.is_some().into())
            .u8(0)
            .u32(self.links)
            .u64(self.size);
        let Times {
            accessed,
            modified,
            changed,
            created,
        } = self.times;
        out.u64(accessed)
            .u64(modified)
            .u64(changed)
            .u64(created)
            .u64(self.parent)
            .u64(blocks);
    }

    /// The inode as it stands in the table.
    pub(crate) fn encode(&self, tree: &Root) -> Vec<u8> {
        let mut out = Writer::new();
        self.write_attributes(tree.height, tree.blocks, &mut out);
        tree.root.write(out.at(ATTRIBUTES_LEN));
        out.zeros_to(128)
            .bytes(self.inline.as_deref().unwrap_or_default())
            .zeros_to(INODE_LEN);
        out.into_vec()
    }

    /// Reads the attributes; `None` is a free inode. The tree's shape and whether inline contents follow come along.
    pub(crate) fn read_attributes(from: &mut Reader<'_>) -> Result<Option<(Self, Root, bool)>> {
        let cut = || malformed("an inode is cut off");
        let number = |from: &mut Reader<'_>| from.u64().ok_or_else(cut);
        let (Some(kind), Some(height), Some(inline), Some(())) =
            (from.u8(), from.u8(), from.u8(), from.zeros(1))
        else {
            return Err(malformed("an inode's first bytes are out of range"));
        };
        let links = from.u32().ok_or_else(cut)?;
        let size = number(from)?;
        let times = Times {
            accessed: number(from)?,
            modified: number(from)?,
            changed: number(from)?,
            created: number(from)?,
        };
        let (parent, blocks) = (number(from)?, number(from)?);
        if kind == 0 {
            return Ok(None);
        }
        let inline_fits = inline == 0 || inline == 1 && size <= INLINE_LEN_MAX as u64;
        if !inline_fits || height > TREE_HEIGHT_MAX || size > FILE_LEN_MAX {
            return Err(malformed("an inode's attributes are out of range"));
        }
        let inode = Self {
            kind: FileKind::from_number(kind)?,
            links,
            size,
            times,
            parent,
            inline: None,
        };
        Ok(Some((
            inode,
            Root {
                height,
                blocks,
                root: Ref::HOLE,
            },
            inline == 1,
        )))
    }

    /// Decodes an inode of the table; `None` is a free one.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(Self, Root)>> {
        let cut = || malformed("an inode is out of range");
        let mut from = Reader::new(bytes);
        let Some((mut inode, mut tree, inline)) = Self::read_attributes(&mut from)? else {
            return Ok(None);
        };
        tree.root = Ref::read(
            &mut from,
            if tree.height == 0 {
                Kind::Data
            } else {
                Kind::Node
            },
        )?;
        from.zeros(32).ok_or_else(cut)?;
        if inline {
            inode.take_inline(&mut from)?;
        }
        if !is_zero(from.rest())
            || inline && !tree.root.is_hole()
            || tree.height > 0 && tree.root.is_hole()
        {
            return Err(cut());
        }
        Ok(Some((inode, tree)))
    }

    /// Reads the inline contents that follow the attributes.
    pub(crate) fn take_inline(&mut self, from: &mut Reader<'_>) -> Result<()> {
        let contents = from.bytes(crate::codec::to_usize(self.size));
        let contents = contents.ok_or_else(|| malformed("inline contents are cut off"))?;
        self.inline = Some(contents.to_vec());
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> Inode {
        Inode {
            kind: FileKind::File,
            links: 2,
            size: 5,
            times: Times {
                accessed: 1,
                modified: 2,
                changed: 3,
                created: 4,
            },
            parent: 0,
            inline: Some(b"hello".to_vec()),
        }
    }

    #[test]
    fn an_inode_comes_back_as_it_was_written() {
        let bytes = sample().encode(&Root::default());
        assert_eq!(
            Inode::decode(&bytes).unwrap(),
            Some((sample(), Root::default()))
        );
        assert_eq!(Inode::decode(&[0; INODE_LEN]).unwrap(), None);
    }

    #[test]
    fn the_reader_refuses_what_the_format_calls_zero() {
        let mut bytes = sample().encode(&Root::default());
        bytes[100] = 1;
        Inode::decode(&bytes).unwrap_err();
    }
}
