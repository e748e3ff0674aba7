//! A volume's key on its way to another image: by a slot for a key of that image's, which this volume keeps until the other
//! has made its own.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use twine_fs::{Access, KeySlots, Options, Slot, SlotKind, SlotSecret, Store, Volume};
use twine_launch::{Binding, LaunchDocument, RuntimeBinding};
use twine_recovery::{KEY_LEN, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use super::seal::{Parameters, Seal};
use super::{Key, Keyring, add_slot};
use crate::error::{Error, VolumeError};
use crate::identity::Identity;
use crate::platform::Platform;

/// A mounted volume that belongs to the image.
#[derive(Clone, Copy)]
pub(crate) struct Mounted<'a> {
    pub(crate) position: usize,
    pub(crate) guest: &'a str,
    pub(crate) bound_to: Binding,
}

impl Mounted<'_> {
    fn keyring<'a>(
        &self,
        platform: &'a mut dyn Platform,
        (identity, document): (&'a Identity, &'a LaunchDocument),
    ) -> Keyring<'a> {
        Keyring {
            platform,
            key: Key::Sealed(Seal {
                identity,
                document,
                bound_to: self.bound_to,
                runtime: RuntimeBinding::Image,
            }),
            recovery: &document.recovery,
            may_make: false,
        }
    }

    fn refused(&self) -> impl FnOnce(VolumeError) -> Error {
        let guest = String::from(self.guest);
        |reason| Error::Volume { guest, reason }
    }
}

/// Adds a slot for `recipient`, in place of an earlier one, and returns the public key that it was made with for this once.
///
/// # Errors
/// [`Error::Volume`].
pub(crate) fn hand_over(
    platform: &mut dyn Platform,
    program: (&Identity, &LaunchDocument),
    mounted: Mounted<'_>,
    recipient: PublicKey,
) -> Result<[u8; KEY_LEN], Error> {
    let mut keyring = mounted.keyring(platform, program);
    let added = keyring.open(mounted.position, Access::ReadWrite);
    added
        .and_then(|mut volume| keyring.add_slot_for(&mut volume, recipient))
        .map_err(mounted.refused())
}

/// Opens the volume by a slot for `key` that was made with one of the keys in `made`, makes a slot for this image, and removes
/// that slot and the other image's.
///
/// # Errors
/// [`Error::Volume`].
pub(crate) fn take_over(
    platform: &mut dyn Platform,
    program: (&Identity, &LaunchDocument),
    mounted: Mounted<'_>,
    key: &PrivateKey,
    made: &[[u8; KEY_LEN]],
) -> Result<(), Error> {
    let mut keyring = mounted.keyring(platform, program);
    keyring.take(mounted, key, made).map_err(mounted.refused())
}

impl Keyring<'_> {
    fn add_slot_for(
        &mut self,
        volume: &mut Volume,
        recipient: PublicKey,
    ) -> Result<[u8; KEY_LEN], VolumeError> {
        let slots = volume.key_slots()?;
        for (number, slot) in slots.slots() {
            if made_with(slot).is_some_and(|(theirs, _)| theirs == recipient) {
                volume.remove_slot(number)?;
            }
        }
        let mut fresh = Zeroizing::new([0; KEY_LEN]);
        self.platform.random(fresh.as_mut_slice());
        let sent = recipient.encapsulate(&volume.uuid(), *fresh);
        let sent = sent.ok_or(VolumeError::NotHandedOver)?;
        let secret = SlotSecret::new(*sent.secret);
        add_slot(volume, SlotKind::Recovery, &sent.parameters, &secret)?;
        let [_, made_with] = *sent.parameters.as_chunks().0 else {
            unreachable!("parameters of a slot are two keys");
        };
        Ok(made_with)
    }

    fn take(
        &mut self,
        mounted: Mounted<'_>,
        key: &PrivateKey,
        made: &[[u8; KEY_LEN]],
    ) -> Result<(), VolumeError> {
        let opened = self.platform.open_store(mounted.position);
        let store: Arc<dyn Store> = Arc::from(opened.map_err(VolumeError::Store)?.store);
        let copies = KeySlots::copies(&*store)?;
        let handed_over = copies.iter().find_map(|slots| {
            let mut all = slots.slots();
            let (number, slot) = all.find(|(_, slot)| {
                made_with(slot)
                    .is_some_and(|(theirs, once)| theirs == key.public() && made.contains(&once))
            })?;
            let secret = key.decapsulate(&slots.uuid(), &slot.parameters)?;
            Some((slots, number, secret))
        });
        let (slots, number, secret) = handed_over.ok_or(VolumeError::NotHandedOver)?;
        let volume_key = slots.unlock(number, &SlotSecret::new(*secret))?;
        let services = self.platform.services();
        let mut volume = Volume::open(
            Box::new(Arc::clone(&store)),
            services,
            volume_key,
            Options::default(),
        )?;
        let is_outdated = |slot: &Slot| {
            slot.kind == SlotKind::SealedToImage
                && Parameters::decode(&slot.parameters)
                    .is_some_and(|parameters| parameters.bound_to == mounted.bound_to)
        };
        let slots = volume.key_slots()?;
        let outdated = slots.slots().filter(|(_, slot)| is_outdated(slot));
        let outdated: Vec<usize> = outdated.map(|(number, _)| number).collect();
        self.add_own_slot(&mut volume)?;
        self.add_recovery_slots(&mut volume)?;
        // Last: whatever fails before, the old image can still open it.
        outdated
            .into_iter()
            .chain([number])
            .try_for_each(|number| volume.remove_slot(number))?;
        Ok(())
    }
}

/// For whom a slot for a public key is, and the key that it was made with for this once.
fn made_with(slot: &Slot) -> Option<(PublicKey, [u8; KEY_LEN])> {
    if slot.kind != SlotKind::Recovery {
        return None;
    }
    let recipient = PublicKey::of_slot(&slot.parameters)?;
    let once = slot.parameters.last_chunk()?;
    Some((recipient, *once))
}
