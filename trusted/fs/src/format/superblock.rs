//! The superblock (`docs/format.md`, section 3): plain header, sealed state.

use zeroize::Zeroizing;

use super::reference::{Kind, Ref};
use crate::{
    codec::{Block, BlockBox, Reader, Writer},
    crypto::{Cipher, Nonce, Suite, Tag, VolumeKey},
    error::{Error, Result, malformed},
    limits::{
        BLOCK_LEN, FIRST_FILE_INO, FIXED_BLOCKS, TREE_HEIGHT_MAX, VOLUME_BLOCKS_MAX,
        VOLUME_BLOCKS_MIN,
    },
};

const MAGIC: &[u8; 8] = b"TWINEFS\x1a";
const VERSION: u32 = 1;
const HEADER_LEN: usize = 96;
const SEALED_AT: usize = 112;
const STATE_LEN: usize = 248;

const _: () = assert!(
    HEADER_LEN == 96 && SEALED_AT == HEADER_LEN + 16 && STATE_LEN == 248 && VERSION == 1,
    "frozen: docs/format.md, section 3"
);

/// What anybody can read of a superblock. All of it is authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) suite: Suite,
    pub(crate) uuid: [u8; 16],
    pub(crate) generation: u64,
    pub(crate) salt: [u8; 32],
}

/// The root of everything: the state after one commit.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) commit: u64,
    pub(crate) previous_root: [u8; 32],
    pub(crate) next_sequence: u64,
    pub(crate) total_blocks: u64,
    pub(crate) used_blocks: u64,
    pub(crate) next_ino: u64,
    pub(crate) cursor: u64,
    pub(crate) log_head: u64,
    pub(crate) epoch_first: u64,
    pub(crate) epoch_live: u64,
    pub(crate) epoch_key: Zeroizing<[u8; 32]>,
    pub(crate) epoch_list: Ref,
    pub(crate) slot_generation: u64,
    pub(crate) table_height: u8,
    pub(crate) bitmap_height: u8,
    pub(crate) table_root: Ref,
    pub(crate) bitmap_root: Ref,
}

impl Header {
    fn encode(&self) -> Writer {
        let mut out = Writer::new();
        out.bytes(MAGIC)
            .u32(VERSION)
            .u16(self.suite.number())
            .u16(12);
        out.at(16).bytes(&self.uuid).u64(0).u64(0).u64(0);
        out.at(56)
            .u64(self.generation)
            .bytes(&self.salt)
            .at(HEADER_LEN);
        out
    }

    /// Reads the plain header. Nothing in it is believed until [`open`] has verified the tag.
    pub(crate) fn decode(block: &Block) -> Result<Self> {
        let mut from = Reader::new(block);
        if from.array() != Some(*MAGIC) {
            return Err(Error::NotAVolume);
        }
        let cut = || malformed("a superblock is cut off");
        let version = from.u32().ok_or_else(cut)?;
        if version != VERSION {
            return Err(Error::Unsupported(version.into()));
        }
        let suite = Suite::from_number(from.u16().ok_or_else(cut)?)?;
        if from.u16() != Some(12) {
            return Err(Error::Unsupported(12));
        }
        let uuid = from.array().ok_or_else(cut)?;
        let features = (from.u64(), from.u64(), from.u64());
        let (Some(_ignorable), Some(for_writers), Some(for_all)) = features else {
            return Err(cut());
        };
        // Writers are everybody here: a read-only mount of a volume with unknown writer features can come when one exists.
        if for_writers | for_all != 0 {
            return Err(Error::Unsupported(for_writers | for_all));
        }
        let (Some(generation), Some(salt)) = (from.u64(), from.array()) else {
            return Err(cut());
        };
        Ok(Self {
            suite,
            uuid,
            generation,
            salt,
        })
    }
}

/// Seals a superblock. The salt in `header` must be fresh: its key seals exactly this block.
pub(crate) fn seal(header: &Header, state: &State, key: &VolumeKey) -> (BlockBox, Tag) {
    let header_bytes = header.encode().into_vec();
    let mut sealed = state.encode().into_vec();
    sealed.resize(BLOCK_LEN - SEALED_AT, 0);
    let cipher = Cipher::new(
        header.suite,
        &key.superblock(header.suite, &header.uuid, &header.salt),
    );
    let tag = cipher.seal(Nonce::of_single_use_key(), &header_bytes, &mut sealed);
    let mut out = Writer::new();
    out.bytes(&header_bytes)
        .bytes(&tag)
        .at(SEALED_AT)
        .bytes(&sealed);
    (out.into_block(), tag)
}

/// Verifies and decrypts a superblock whose header was decoded before.
///
/// # Errors
/// [`Error::WrongKey`] if it does not authenticate: at this point a wrong key and tampering look alike.
pub(crate) fn open(header: &Header, block: &Block, key: &VolumeKey) -> Result<(State, Tag)> {
    let mut from = Reader::new(block);
    let parts = (from.bytes(HEADER_LEN), from.array());
    let (Some(header_bytes), Some(tag)) = parts else {
        return Err(Error::NotAVolume);
    };
    let mut state = Zeroizing::new(from.rest().to_vec());
    let cipher = Cipher::new(
        header.suite,
        &key.superblock(header.suite, &header.uuid, &header.salt),
    );
    cipher
        .open(0, header_bytes, &mut state, &tag)
        .map_err(|()| Error::WrongKey)?;
    Ok((State::decode(&state)?, tag))
}

impl State {
    fn encode(&self) -> Writer {
        let mut out = Writer::new();
        out.u64(self.commit).bytes(&self.previous_root).at(40);
        out.u64(self.next_sequence)
            .u64(self.total_blocks)
            .u64(self.used_blocks)
            .u64(self.next_ino);
        out.at(72).u64(self.cursor).u64(self.log_head);
        out.at(88)
            .u64(self.epoch_first)
            .u64(self.epoch_live)
            .bytes(&*self.epoch_key);
        self.epoch_list.write(out.at(136));
        out.u64(self.slot_generation)
            .at(176)
            .u8(self.table_height)
            .u8(self.bitmap_height)
            .zeros_to(184);
        self.table_root.write(&mut out);
        self.bitmap_root.write(&mut out);
        out.at(STATE_LEN);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut from = Reader::new(bytes);
        let state = Self::fields(&mut from)?;
        let in_volume = |address| (FIXED_BLOCKS..state.total_blocks).contains(&address);
        let sound = is_zero_rest(&from)
            && (VOLUME_BLOCKS_MIN..=VOLUME_BLOCKS_MAX).contains(&state.total_blocks)
            && state.used_blocks <= state.total_blocks
            && state.commit > 0
            && state.next_ino >= FIRST_FILE_INO
            && in_volume(state.log_head)
            && in_volume(state.cursor)
            && state.epoch_first < state.next_sequence
            && state.table_height.max(state.bitmap_height) <= TREE_HEIGHT_MAX;
        if sound {
            Ok(state)
        } else {
            Err(malformed("a superblock's fields are out of range"))
        }
    }

    fn fields(from: &mut Reader<'_>) -> Result<Self> {
        let cut = || malformed("a superblock is cut off");
        let number = |from: &mut Reader<'_>| from.u64().ok_or_else(cut);
        Ok(Self {
            commit: number(from)?,
            previous_root: from.array().ok_or_else(cut)?,
            next_sequence: number(from)?,
            total_blocks: number(from)?,
            used_blocks: number(from)?,
            next_ino: number(from)?,
            cursor: number(from)?,
            log_head: number(from)?,
            epoch_first: number(from)?,
            epoch_live: number(from)?,
            epoch_key: Zeroizing::new(from.array().ok_or_else(cut)?),
            epoch_list: Ref::read(from, Kind::Epochs)?,
            slot_generation: number(from)?,
            table_height: from.u8().ok_or_else(cut)?,
            bitmap_height: from.u8().ok_or_else(cut)?,
            table_root: {
                from.zeros(6).ok_or_else(cut)?;
                // A tree of height 0 refers to its only block, not to a node.
                Ref::read(&mut from.clone(), Kind::Node)
                    .or_else(|_| Ref::read(&mut from.clone(), Kind::Inodes))?
            },
            bitmap_root: {
                from.bytes(super::reference::REF_LEN).ok_or_else(cut)?;
                Ref::read(&mut from.clone(), Kind::Node)
                    .or_else(|_| Ref::read(&mut from.clone(), Kind::Bitmap))?
            },
        })
        .and_then(|state| {
            from.bytes(super::reference::REF_LEN)
                .map(|_| state)
                .ok_or_else(cut)
        })
    }
}

fn is_zero_rest(from: &Reader<'_>) -> bool {
    crate::codec::is_zero(from.rest())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> (Header, State, VolumeKey) {
        let header = Header {
            suite: Suite::Aegis128L,
            uuid: [1; 16],
            generation: 8,
            salt: [2; 32],
        };
        let state = State {
            commit: 5,
            previous_root: [3; 32],
            next_sequence: 77,
            total_blocks: 64,
            used_blocks: 20,
            next_ino: 16,
            cursor: 30,
            log_head: 31,
            epoch_first: 4,
            epoch_live: 6,
            epoch_key: Zeroizing::new([9; 32]),
            epoch_list: Ref::HOLE,
            slot_generation: 1,
            table_height: 0,
            bitmap_height: 1,
            table_root: Ref::new([4; 16], 5, 40, Kind::Inodes),
            bitmap_root: Ref::new([4; 16], 6, 41, Kind::Node),
        };
        (header, state, VolumeKey::new([7; 32]))
    }

    #[test]
    fn a_superblock_opens_to_what_was_sealed() {
        let (header, state, key) = sample();
        let (block, tag) = seal(&header, &state, &key);
        assert_eq!(Header::decode(&block).unwrap(), header);
        let (back, back_tag) = open(&header, &block, &key).unwrap();
        assert!(back == state && back_tag == tag);
    }

    #[test]
    fn no_changed_bit_passes() {
        let (_, state, key) = sample();
        // Its own salt: the ledger of nonces is shared by the whole process.
        let header = Header {
            salt: [8; 32],
            ..sample().0
        };
        let (block, _) = seal(&header, &state, &key);
        for bit in (0..BLOCK_LEN * 8).step_by(7) {
            let mut changed = block.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let result = Header::decode(&changed).and_then(|header| open(&header, &changed, &key));
            assert!(result.is_err(), "bit {bit} passed");
        }
    }
}
