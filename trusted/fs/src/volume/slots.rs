//! Changing the key slots of a mounted volume, and the volume key itself.
//!
//! ```text
//! add, remove:  copy 1, flush ─► copy 0, flush ─► superblock that accepts no older slots
//! rekey:        copy 1 (new key), flush ─► superblock (new key) ─► copy 0 (new key), flush ─► superblock (new key)
//! ```
//!
//! A crash leaves a copy of the slots whose key opens a superblock, whatever the moment: before the first new superblock
//! that is copy 0 with the old key, afterwards copy 1 with the new one.

use zeroize::Zeroizing;

use super::Volume;
use crate::{
    crypto::{SlotSecret, VolumeKey},
    error::{Error, Result},
    slots::{COPIES, Holder, KeySlots, SlotKind},
};

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
        let holder = Holder {
            kind,
            parameters,
            secret,
        };
        self.check_writable()?;
        let mut slots = self.key_slots()?;
        let number = slots.add(&holder, &self.key, &*self.platform)?;
        self.write_slots(slots).map(|()| number)
    }

    /// Removes a slot. Whoever copied the volume before, and knows the secret, can still open that copy;
    /// [`rekey`](Self::rekey) keeps from them what is written from then on.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the slot is empty, or the store's.
    pub fn remove_slot(&mut self, number: usize) -> Result<()> {
        self.check_writable()?;
        let mut slots = self.key_slots()?;
        slots.remove(number)?;
        self.write_slots(slots)
    }

    /// Draws a new volume key and wraps it for these holders, and nobody else. Durable when it returns; a crash before leaves a
    /// volume that opens with the old key or with the new one, and the same contents.
    ///
    /// What is written from now on is sealed under keys that holders of the old key never saw. What lies there already is not:
    /// [`refresh`](Self::refresh) rewrites it.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] without holders, with too many, or with too long parameters; [`Error::Entropy`];
    /// otherwise as [`sync`](Self::sync).
    pub fn rekey(&mut self, holders: &[Holder<'_>]) -> Result<()> {
        self.check_writable()?;
        if holders.is_empty() {
            return Err(Error::InvalidArgument);
        }
        // Also makes sure that the epoch which ends here has sealed something: two cannot start at the same sequence.
        self.sync()?;
        self.checkpoint()?;
        let mut bytes = Zeroizing::new([0; 32]);
        self.platform.random(bytes.as_mut_slice())?;
        let key = VolumeKey::new(*bytes);
        let generation = self.next_slot_generation(&self.key_slots()?);
        let mut slots = KeySlots::empty(self.identity.uuid);
        for holder in holders {
            slots
                .add(holder, &key, &*self.platform)
                .map_err(|error| match error {
                    Error::NoSpace => Error::InvalidArgument,
                    other => other,
                })?;
        }
        slots.set_generation(generation);
        let area = slots.seal(&key);
        self.begin_epoch()?;
        self.write_slot_copy(COPIES[1], &area)?;
        self.key = key;
        self.identity.slot_generation = generation;
        self.checkpoint()?;
        self.write_slot_copy(COPIES[0], &area)?;
        // The other superblock is still the old key's.
        self.checkpoint()
    }

    /// The slots under the present key, authenticated; none yet if the volume never had any.
    ///
    /// # Errors
    /// [`Error::Tampered`] if neither copy belongs to this key, or the store's.
    pub fn key_slots(&self) -> Result<KeySlots> {
        let copies = KeySlots::copies(self.medium.disk.store())?;
        let identity = &self.identity;
        match KeySlots::sealed(&copies, &identity.uuid, &self.key) {
            Some(slots) => Ok(slots.clone()),
            None if identity.slot_generation == 0 => Ok(KeySlots::empty(identity.uuid)),
            None => Err(Error::Tampered { block: COPIES[0] }),
        }
    }

    fn write_slots(&mut self, mut slots: KeySlots) -> Result<()> {
        let generation = self.next_slot_generation(&slots);
        slots.set_generation(generation);
        let area = slots.seal(&self.key);
        self.write_slot_copy(COPIES[1], &area)?;
        self.write_slot_copy(COPIES[0], &area)?;
        self.identity.slot_generation = generation;
        self.checkpoint()
    }

    fn next_slot_generation(&self, own: &KeySlots) -> u64 {
        own.generation().max(self.identity.slot_generation) + 1
    }

    /// Writes one copy and flushes, so that a crash leaves at least the other one whole.
    fn write_slot_copy(&mut self, first: u64, area: &[u8]) -> Result<()> {
        self.medium.disk.store().write(&[(first, area)])?;
        self.medium.disk.flush()
    }
}
