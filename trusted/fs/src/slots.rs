//! Key slots (`docs/format.md`, section 8): the volume key, wrapped for each of those who may open the volume.
//!
//! A slot is locked with a [`SlotSecret`]. Where that comes from is the caller's business: a sealing key, a key delivered
//! after attestation, a passphrase through a slow hash. What the caller needs to find it again stands in the
//! slot's parameters, readable without any key.

use alloc::{borrow::ToOwned as _, vec::Vec};

use aes_gcm::{Aes256Gcm, KeyInit as _, aead::AeadInOut as _};
use zeroize::Zeroizing;

use crate::{
    codec::{Reader, Writer},
    crypto::{
        SlotSecret, Tag, VolumeKey,
        keys::{digest, same},
    },
    error::{Error, Result},
    limits::BLOCK_LEN,
    platform::Platform,
    store::Store,
};

/// Slots of a volume.
pub const SLOTS: usize = 31;

/// Longest parameters of a slot, in bytes.
pub const PARAMETERS_LEN_MAX: usize = 384;

const MAGIC: &[u8; 8] = b"TWINEKEY";
const UNIT_LEN: usize = 512;
const AREA_LEN: usize = 4 * BLOCK_LEN;
/// First block of each copy.
pub(crate) const COPIES: [u64; 2] = [2, 6];
const CHECKSUM_AT: usize = 40;
const SEAL_AT: usize = 72;
const TAMPERED: Error = Error::Tampered { block: 2 };

const _: () = {
    assert!(
        UNIT_LEN * (SLOTS + 1) == AREA_LEN,
        "frozen: docs/format.md, section 8"
    );
    assert!(
        CHECKSUM_AT == 40 && SEAL_AT == 72 && PARAMETERS_LEN_MAX == 384,
        "frozen: docs/format.md, section 8"
    );
};

/// Who can open a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum SlotKind {
    /// One enclave image, by its measurement.
    SealedToImage = 1,
    /// The images of one signer.
    SealedToSigner = 2,
    /// Whoever is given the secret after attestation.
    Provisioned = 3,
    /// The holder of an offline key.
    Recovery = 4,
    /// Whoever knows a passphrase. For tools.
    Passphrase = 5,
}

/// Somebody who shall be able to open the volume.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// Who it is.
    pub kind: SlotKind,
    /// What the holder needs to find the secret again; up to 384 bytes, readable by everybody.
    pub parameters: &'a [u8],
    /// What the slot is locked with.
    pub secret: &'a SlotSecret,
}

/// One wrapped key.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Who can open it.
    pub kind: SlotKind,
    /// What the holder needs to find the secret. Authenticated once the slot is opened; until then the host's word.
    pub parameters: Vec<u8>,
    salt: [u8; 32],
    check: [u8; 32],
    tag: Tag,
    wrapped: [u8; 32],
}

/// The slots of a volume, as read from the host: nothing in them is believed before [`unlock`](Self::unlock).
#[derive(Clone, Debug)]
pub struct KeySlots {
    uuid: [u8; 16],
    generation: u64,
    slots: [Option<Slot>; SLOTS],
    seal: [u8; 32],
}

impl KeySlots {
    /// Reads the slots.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the volume has none, or both copies are damaged; or the store's.
    pub fn read(store: &dyn Store) -> Result<Self> {
        Self::copies(store)?
            .into_iter()
            .next()
            .ok_or(Error::NotFound)
    }

    /// Reads both copies, newest first; one if they agree. While the volume key is being replaced they belong to different
    /// keys, and only one of the keys opens a superblock: try one after the other.
    ///
    /// # Errors
    /// The store's. Damaged copies are left out.
    pub fn copies(store: &dyn Store) -> Result<Vec<Self>> {
        let mut found: Vec<Self> = Vec::new();
        for first in COPIES {
            let mut area = alloc::vec![0; AREA_LEN];
            store.read(first, &mut area)?;
            found.extend(
                Self::decode(&area).filter(|new| found.iter().all(|old| old.seal != new.seal)),
            );
        }
        found.sort_by_key(|copy| core::cmp::Reverse(copy.generation));
        Ok(found)
    }

    /// The volume that the slots say they belong to.
    pub const fn uuid(&self) -> [u8; 16] {
        self.uuid
    }

    /// The slots in use, with their numbers.
    pub fn slots(&self) -> impl Iterator<Item = (usize, &Slot)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(number, slot)| Some((number, slot.as_ref()?)))
    }

    /// Opens slot `number` and returns the volume key.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the slot is empty, [`Error::WrongKey`] if the secret is not this slot's,
    /// [`Error::Tampered`] if slots were added or removed by somebody without the volume key.
    pub fn unlock(&self, number: usize, secret: &SlotSecret) -> Result<VolumeKey> {
        let slot = self
            .slots
            .get(number)
            .and_then(Option::as_ref)
            .ok_or(Error::NotFound)?;
        let key = slot.unwrap_key(&self.uuid, secret)?;
        self.check_seal(&key)?;
        Ok(key)
    }

    /// At mount: the slots must be those of the volume, and not older than its superblock.
    pub(crate) fn verify(
        store: &dyn Store,
        uuid: &[u8; 16],
        least: u64,
        key: &VolumeKey,
    ) -> Result<()> {
        if least == 0 {
            return Ok(());
        }
        let found = Self::sealed(&Self::copies(store)?, uuid, key)
            .ok_or(TAMPERED)?
            .generation;
        if found < least {
            return Err(Error::RolledBack {
                found,
                expected: least,
            });
        }
        Ok(())
    }

    /// The newest of the copies that belongs to this volume and this key.
    pub(crate) fn sealed<'copies>(
        copies: &'copies [Self],
        uuid: &[u8; 16],
        key: &VolumeKey,
    ) -> Option<&'copies Self> {
        copies
            .iter()
            .find(|copy| copy.uuid == *uuid && copy.check_seal(key).is_ok())
    }

    fn check_seal(&self, key: &VolumeKey) -> Result<()> {
        let expected = key.seal_slots(&self.uuid, &self.encode([0; 32], [0; 32]));
        if same(&expected, &self.seal) {
            Ok(())
        } else {
            Err(TAMPERED)
        }
    }

    /// No slots yet.
    pub(crate) const fn empty(uuid: [u8; 16]) -> Self {
        Self {
            uuid,
            generation: 0,
            slots: [const { None }; SLOTS],
            seal: [0; 32],
        }
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) const fn set_generation(&mut self, generation: u64) {
        self.generation = generation;
    }

    /// Wraps a volume key into the first empty slot and returns its number.
    pub(crate) fn add(
        &mut self,
        holder: &Holder<'_>,
        key: &VolumeKey,
        platform: &dyn Platform,
    ) -> Result<usize> {
        let empty = self
            .slots
            .iter_mut()
            .enumerate()
            .find(|(_, slot)| slot.is_none());
        let (number, place) = empty.ok_or(Error::NoSpace)?;
        *place = Some(Slot::wrap(holder, &self.uuid, key, platform)?);
        Ok(number)
    }

    pub(crate) fn remove(&mut self, number: usize) -> Result<()> {
        let slot = self.slots.get_mut(number).ok_or(Error::NotFound)?;
        slot.take().map(drop).ok_or(Error::NotFound)
    }

    /// The bytes of a copy, sealed under `key`.
    pub(crate) fn seal(&mut self, key: &VolumeKey) -> Vec<u8> {
        self.seal = key.seal_slots(&self.uuid, &self.encode([0; 32], [0; 32]));
        let checksum = digest(&self.encode([0; 32], self.seal));
        self.encode(checksum, self.seal)
    }

    fn encode(&self, checksum: [u8; 32], seal: [u8; 32]) -> Vec<u8> {
        let mut out = Writer::new();
        out.bytes(MAGIC)
            .u32(1)
            .u32(0)
            .u64(self.generation)
            .bytes(&self.uuid);
        out.at(CHECKSUM_AT)
            .bytes(&checksum)
            .at(SEAL_AT)
            .bytes(&seal);
        for (number, slot) in (1..).zip(&self.slots) {
            out.zeros_to(number * UNIT_LEN);
            if let Some(slot) = slot {
                slot.encode(&mut out);
            }
        }
        out.zeros_to(AREA_LEN);
        out.into_vec()
    }

    fn decode(area: &[u8]) -> Option<Self> {
        let mut from = Reader::new(area);
        if from.array() != Some(*MAGIC) || from.u32() != Some(1) || from.u32() != Some(0) {
            return None;
        }
        let (generation, uuid) = (from.u64()?, from.array()?);
        let (checksum, seal) = (from.array()?, from.array()?);
        let mut slots = [const { None }; SLOTS];
        for (slot, unit) in slots.iter_mut().zip(area.chunks(UNIT_LEN).skip(1)) {
            *slot = Slot::decode(unit)?;
        }
        let found = Self {
            uuid,
            generation,
            slots,
            seal,
        };
        // Encoding again proves that every byte was understood.
        let whole = digest(&found.encode([0; 32], seal)) == checksum
            && found.encode(checksum, seal) == area;
        whole.then_some(found)
    }
}

impl Slot {
    fn wrap(
        holder: &Holder<'_>,
        uuid: &[u8; 16],
        key: &VolumeKey,
        platform: &dyn Platform,
    ) -> Result<Self> {
        let Holder {
            kind,
            parameters,
            secret,
        } = *holder;
        if parameters.len() > PARAMETERS_LEN_MAX {
            return Err(Error::InvalidArgument);
        }
        let mut salt = [0; 32];
        platform.random(&mut salt)?;
        let keys = secret.wrapping(uuid, kind as u16, &salt);
        let (cipher, check) = split(&keys);
        let parameters = parameters.to_owned();
        let mut slot = Self {
            kind,
            parameters,
            salt,
            check,
            tag: [0; 16],
            wrapped: *key.bytes(),
        };
        let associated = slot.associated();
        match cipher.encrypt_inout_detached(
            &[0; 12].into(),
            &associated,
            slot.wrapped.as_mut_slice().into(),
        ) {
            Ok(tag) => slot.tag = tag.into(),
            Err(_) => unreachable!("32 bytes are below the cipher's limit"),
        }
        Ok(slot)
    }

    fn unwrap_key(&self, uuid: &[u8; 16], secret: &SlotSecret) -> Result<VolumeKey> {
        let keys = secret.wrapping(uuid, self.kind as u16, &self.salt);
        let (cipher, check) = split(&keys);
        // The cipher alone does not commit to its key: the check value does.
        if !same(&check, &self.check) {
            return Err(Error::WrongKey);
        }
        let mut key = Zeroizing::new(self.wrapped);
        let nonce = [0; 12].into();
        let opened = cipher.decrypt_inout_detached(
            &nonce,
            &self.associated(),
            key.as_mut_slice().into(),
            &self.tag.into(),
        );
        opened
            .map(|()| VolumeKey::new(*key))
            .map_err(|_| Error::WrongKey)
    }

    /// Bytes 0 to 71 and the parameters.
    fn associated(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.write_front(&mut out);
        out.bytes(&self.parameters);
        out.into_vec()
    }

    fn write_front(&self, out: &mut Writer) {
        let len = u16::try_from(self.parameters.len()).unwrap_or(u16::MAX);
        out.u16(self.kind as u16)
            .u16(len)
            .u32(0)
            .bytes(&self.salt)
            .bytes(&self.check);
    }

    fn encode(&self, out: &mut Writer) {
        self.write_front(out);
        out.bytes(&self.tag)
            .bytes(&self.wrapped)
            .bytes(&[0; 8])
            .bytes(&self.parameters);
    }

    /// `None`: not a slot; `Some(None)`: an empty one.
    fn decode(unit: &[u8]) -> Option<Option<Self>> {
        let mut from = Reader::new(unit);
        let (kind, len) = (from.u16()?, from.u16()?);
        from.zeros(4)?;
        let kind = match kind {
            0 => return Some(None),
            1 => SlotKind::SealedToImage,
            2 => SlotKind::SealedToSigner,
            3 => SlotKind::Provisioned,
            4 => SlotKind::Recovery,
            5 => SlotKind::Passphrase,
            _ => return None,
        };
        let (salt, check, tag, wrapped) =
            (from.array()?, from.array()?, from.array()?, from.array()?);
        from.zeros(8)?;
        let parameters = from.bytes(len.into())?.to_owned();
        Some(Some(Self {
            kind,
            parameters,
            salt,
            check,
            tag,
            wrapped,
        }))
    }
}

/// Decodes any bytes, for the fuzzer.
pub(crate) fn fuzz_decode(bytes: &[u8]) {
    drop(KeySlots::decode(bytes));
}

/// The wrapping cipher and the check value from the derived bytes.
fn split(keys: &[u8; 64]) -> (Aes256Gcm, [u8; 32]) {
    let (mut key, mut check) = (Zeroizing::new([0; 32]), [0; 32]);
    let targets = key.iter_mut().chain(&mut check);
    targets.zip(keys).for_each(|(to, from)| *to = *from);
    (Aes256Gcm::new((&*key).into()), check)
}
