//! Key slots (`docs/format.md`, section 8): the volume key, wrapped for each of those who may open the volume.
//!
//! A slot is locked with a [`SlotSecret`]. Where that comes from is the caller's business: a sealing key, a key delivered
//! after attestation, a passphrase through a slow hash. What the caller needs to find it again stands in the
//! slot's parameters, readable without any key.

use alloc::{borrow::ToOwned as _, vec::Vec};

use aes_gcm::{AeadInPlace as _, Aes256Gcm, KeyInit as _};
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
    volume::Volume,
};

/// Slots of a volume.
pub const SLOTS: usize = 31;

/// Longest parameters of a slot, in bytes.
pub const PARAMETERS_LEN_MAX: usize = 384;

const MAGIC: &[u8; 8] = b"TWINEKEY";
const UNIT_LEN: usize = 512;
const AREA_LEN: usize = 4 * BLOCK_LEN;
const COPIES: [u64; 2] = [2, 6];
const CHECKSUM_AT: usize = 40;
const SEAL_AT: usize = 72;

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
        let mut newest: Option<Self> = None;
        for first in COPIES {
            let mut area = alloc::vec![0; AREA_LEN];
            store.read(first, &mut area)?;
            if let Some(found) = Self::decode(&area)
                && newest
                    .as_ref()
                    .is_none_or(|newest| newest.generation < found.generation)
            {
                newest = Some(found);
            }
        }
        newest.ok_or(Error::NotFound)
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
        let tampered = Error::Tampered { block: 2 };
        let found = Self::read(store).map_err(|error| {
            if error == Error::NotFound {
                tampered
            } else {
                error
            }
        })?;
        found.check_seal(key)?;
        if found.uuid != *uuid {
            return Err(tampered);
        }
        if found.generation < least {
            return Err(Error::RolledBack {
                found: found.generation,
                expected: least,
            });
        }
        Ok(())
    }

    fn check_seal(&self, key: &VolumeKey) -> Result<()> {
        let expected = key.seal_slots(&self.uuid, &self.encode([0; 32], [0; 32]));
        if same(&expected, &self.seal) {
            Ok(())
        } else {
            Err(Error::Tampered { block: 2 })
        }
    }

    /// Seals the slots and writes both copies, one after the other: a crash leaves at least one whole.
    fn write(&mut self, store: &dyn Store, key: &VolumeKey) -> Result<()> {
        self.seal = key.seal_slots(&self.uuid, &self.encode([0; 32], [0; 32]));
        let checksum = digest(&self.encode([0; 32], self.seal));
        let area = self.encode(checksum, self.seal);
        for first in COPIES.into_iter().rev() {
            store.write(&[(first, &area)])?;
            store.flush()?;
        }
        Ok(())
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
        kind: SlotKind,
        parameters: &[u8],
        uuid: &[u8; 16],
        (secret, key): (&SlotSecret, &VolumeKey),
        platform: &dyn Platform,
    ) -> Result<Self> {
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
        match cipher.encrypt_in_place_detached(&[0; 12].into(), &associated, &mut slot.wrapped) {
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
        let opened = cipher.decrypt_in_place_detached(
            &nonce,
            &self.associated(),
            key.as_mut_slice(),
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

impl Volume {
    /// Wraps the volume key for another holder and returns the slot's number. Durable when it returns.
    ///
    /// # Errors
    /// [`Error::NoSpace`] if all slots are taken, [`Error::InvalidArgument`] for too long parameters, or the store's.
    pub fn add_slot(
        &mut self,
        kind: SlotKind,
        parameters: &[u8],
        secret: &SlotSecret,
    ) -> Result<usize> {
        self.change_slots(|slots, key, platform| {
            let number = slots
                .slots
                .iter()
                .position(Option::is_none)
                .ok_or(Error::NoSpace)?;
            let slot = Slot::wrap(kind, parameters, &slots.uuid, (secret, key), platform)?;
            if let Some(place) = slots.slots.get_mut(number) {
                *place = Some(slot);
            }
            Ok(number)
        })
    }

    /// Removes a slot. Whoever copied the volume before, and knows the secret, can still open that copy.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the slot is empty, or the store's.
    pub fn remove_slot(&mut self, number: usize) -> Result<()> {
        self.change_slots(|slots, _, _| {
            let slot = slots.slots.get_mut(number).ok_or(Error::NotFound)?;
            slot.take().map(drop).ok_or(Error::NotFound)
        })
    }

    fn change_slots<T>(
        &mut self,
        change: impl FnOnce(&mut KeySlots, &VolumeKey, &dyn Platform) -> Result<T>,
    ) -> Result<T> {
        let (uuid, generation) = self.slot_identity()?;
        let mut slots = match KeySlots::read(self.store()) {
            Ok(slots) => slots,
            Err(Error::NotFound) if generation == 0 => KeySlots {
                uuid,
                generation,
                slots: [const { None }; SLOTS],
                seal: [0; 32],
            },
            Err(error) => return Err(error),
        };
        if generation > 0 {
            slots.check_seal(self.volume_key())?;
        }
        let changed = change(&mut slots, self.volume_key(), self.platform())?;
        slots.generation = slots.generation.max(generation) + 1;
        slots.write(self.store(), self.volume_key())?;
        self.record_slot_generation(slots.generation)?;
        Ok(changed)
    }
}
