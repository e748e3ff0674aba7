//! Protected volumes: whose key opens them, opening and making them.
//!
//! A volume has a random key of its own, wrapped in a slot for everybody who may have it: the program that the launch
//! document names (`seal`), or whoever holds the provisioner's key, and the holders of the document's recovery keys.
//!
//! When the runtime, the processor's microcode or the owner's document has become newer, the program's slot is made anew;
//! an older one then cannot open the volume any more.

mod migration;
mod seal;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;

use twine_fs::limits::FIXED_BLOCKS;
use twine_fs::{
    Access, KeySlots, Options, Slot, SlotKind, SlotSecret, Store, Suite, Volume, VolumeKey,
};
use twine_launch::{KeySource, LaunchDocument, Mount, RecoveryKey, VolumePolicy};
use twine_recovery::PublicKey;
use zeroize::Zeroizing;

pub(crate) use self::migration::{Mounted, hand_over, take_over};
pub(crate) use self::seal::migration_key;
use self::seal::{Parameters, Seal};
use crate::error::{Error, VolumeError};
use crate::identity::Identity;
use crate::platform::{OpenStore, Platform};

/// Keys that the provisioner brought, by the guest paths of their mounts.
pub(crate) type VolumeKeys = BTreeMap<String, Zeroizing<[u8; 32]>>;

/// Opens the volume behind a mount, or makes it if there is none and `policy` allows it.
///
/// # Errors
/// [`Error::Volume`].
pub(crate) fn open(
    platform: &mut dyn Platform,
    (identity, document): (&Identity, &LaunchDocument),
    keys: &VolumeKeys,
    position: usize,
    (mount, policy): (&Mount, &VolumePolicy),
) -> Result<Volume, Error> {
    let key = match policy.key {
        KeySource::Sealed { bound_to, runtime } => Some(Key::Sealed(Seal {
            identity,
            document,
            bound_to,
            runtime,
        })),
        KeySource::Provisioned => keys.get(&mount.guest).map(|key| Key::Provisioned(key)),
    };
    let access = if mount.read_only {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    };
    let opened = match key {
        Some(key) => Keyring {
            platform,
            key,
            recovery: &document.recovery,
            may_make: policy.create && access == Access::ReadWrite,
        }
        .open(position, access),
        None => Err(VolumeError::NoProvisionedKey),
    };
    opened.map_err(|reason| Error::Volume {
        guest: String::from(&*mount.guest),
        reason,
    })
}

/// What opens a volume for this program, and for whom else it is made.
struct Keyring<'a> {
    platform: &'a mut dyn Platform,
    key: Key<'a>,
    recovery: &'a [RecoveryKey],
    may_make: bool,
}

/// What opens a volume for this program.
enum Key<'a> {
    Sealed(Seal<'a>),
    Provisioned(&'a [u8; 32]),
}

/// The volume key, from the first slot that is ours.
struct Unlocked {
    key: VolumeKey,
    /// The slot's number, if it is to be made anew.
    outdated: Option<usize>,
}

impl Keyring<'_> {
    fn open(&mut self, position: usize, access: Access) -> Result<Volume, VolumeError> {
        let opened = self
            .platform
            .open_store(position)
            .map_err(VolumeError::Store)?;
        match (opened.made, self.may_make) {
            (false, _) => self.mount(opened, access),
            (true, true) => self.make(opened),
            (true, false) => Err(VolumeError::Missing),
        }
    }

    fn make(&mut self, opened: OpenStore) -> Result<Volume, VolumeError> {
        let mut key = Zeroizing::new([0; 32]);
        self.platform.random(key.as_mut_slice());
        let mut volume = Volume::create(
            opened.store,
            self.platform.services(),
            VolumeKey::new(*key),
            Suite::Aegis128L,
            Options::default(),
        )?;
        self.add_own_slot(&mut volume)?;
        self.add_recovery_slots(&mut volume)?;
        Ok(volume)
    }

    fn mount(&mut self, opened: OpenStore, access: Access) -> Result<Volume, VolumeError> {
        let store: Arc<dyn Store> = Arc::from(opened.store);
        if store.size()? < FIXED_BLOCKS {
            return Err(VolumeError::NoSlots);
        }
        let mut refused = VolumeError::NoSlots;
        // While the volume's key is being replaced, two copies of the slots belong to different keys.
        for slots in KeySlots::copies(&*store)? {
            let Unlocked { key, outdated } = match self.unlock(&slots) {
                Ok(unlocked) => unlocked,
                Err(error) => {
                    refused = error;
                    continue;
                }
            };
            let options = Options {
                access,
                ..Options::default()
            };
            let shared = Box::new(Arc::clone(&store));
            match Volume::open(shared, self.platform.services(), key, options) {
                // The slots' seal says that the key is the volume's.
                Err(twine_fs::Error::WrongKey) => {
                    refused = VolumeError::FileSystem(twine_fs::Error::Tampered { block: 0 });
                }
                volume => {
                    let mut volume = volume?;
                    if access == Access::ReadWrite {
                        self.renew(&mut volume, outdated)?;
                    }
                    return Ok(volume);
                }
            }
        }
        Err(refused)
    }

    fn unlock(&mut self, slots: &KeySlots) -> Result<Unlocked, VolumeError> {
        // What is in the way, from the slot that came closest.
        let mut refused = None;
        for (number, slot) in slots.slots() {
            let candidate = match self.candidate(slot) {
                Ok(Some(candidate)) => candidate,
                Ok(None) => continue,
                Err(refusal) => {
                    refused = refused.max(Some(refusal));
                    continue;
                }
            };
            match slots.unlock(number, &candidate.secret) {
                Ok(key) => match candidate.newer_document {
                    Some(sealed) => refused = Some(InTheWay::NewerDocument(sealed)),
                    None => {
                        let outdated = candidate.outdated.then_some(number);
                        return Ok(Unlocked { key, outdated });
                    }
                },
                Err(twine_fs::Error::WrongKey) => refused = refused.max(Some(InTheWay::Program)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(match refused {
            Some(refusal) => self.explain(refusal),
            None => VolumeError::NotForUs(slots.slots().map(|(_, slot)| slot.kind).collect()),
        })
    }

    /// What might open the slot; nothing if it is not of our kind.
    fn candidate(&mut self, slot: &Slot) -> Result<Option<Candidate>, InTheWay> {
        match &self.key {
            Key::Provisioned(key) if slot.kind == SlotKind::Provisioned => Ok(Some(Candidate {
                secret: SlotSecret::new(**key),
                outdated: false,
                newer_document: None,
            })),
            Key::Sealed(seal) if slot.kind == seal.kind() => {
                let parameters = Parameters::decode(&slot.parameters);
                match parameters.filter(|parameters| parameters.bound_to == seal.bound_to) {
                    None => Ok(None),
                    Some(parameters) => match seal.access(&mut *self.platform, &parameters) {
                        seal::Access::Newer => Err(InTheWay::NewerRuntime),
                        seal::Access::Elsewhere => Err(InTheWay::Place),
                        seal::Access::Ours(secret) => Ok(Some(Candidate {
                            secret,
                            outdated: seal.is_outdated(&parameters),
                            newer_document: seal.newer_document(&parameters),
                        })),
                    },
                }
            }
            Key::Sealed(_) | Key::Provisioned(_) => Ok(None),
        }
    }

    fn explain(&self, refusal: InTheWay) -> VolumeError {
        match (refusal, &self.key) {
            (InTheWay::Place, _) => VolumeError::Elsewhere,
            (InTheWay::Program, Key::Sealed(seal)) => VolumeError::OtherProgram(seal.bound_to),
            (InTheWay::Program, Key::Provisioned(_)) => VolumeError::OtherProvisionedKey,
            (InTheWay::NewerRuntime, _) => VolumeError::Newer,
            (InTheWay::NewerDocument(sealed), _) => VolumeError::NewerDocument(sealed),
        }
    }

    /// Brings the slots up to date, adding before removing: whatever fails in between, nobody is locked out.
    fn renew(&mut self, volume: &mut Volume, outdated: Option<usize>) -> Result<(), VolumeError> {
        if let Some(number) = outdated {
            self.add_own_slot(volume)?;
            volume.remove_slot(number)?;
        }
        self.add_recovery_slots(volume)
    }

    fn add_own_slot(&mut self, volume: &mut Volume) -> Result<(), VolumeError> {
        match &self.key {
            Key::Provisioned(key) => {
                add_slot(volume, SlotKind::Provisioned, &[], &SlotSecret::new(**key))
            }
            Key::Sealed(seal) => {
                let (parameters, secret) =
                    seal.make(&mut *self.platform).ok_or(VolumeError::Newer)?;
                add_slot(volume, seal.kind(), &parameters.encode(), &secret)
            }
        }
    }

    /// Adds a slot for each of the document's recovery keys that has none.
    fn add_recovery_slots(&mut self, volume: &mut Volume) -> Result<(), VolumeError> {
        if self.recovery.is_empty() {
            return Ok(());
        }
        let slots = volume.key_slots()?;
        for key in self.recovery {
            let recipient = PublicKey::new(key.0);
            let is_theirs = |slot: &Slot| {
                slot.kind == SlotKind::Recovery
                    && PublicKey::of_slot(&slot.parameters) == Some(recipient)
            };
            if slots.slots().any(|(_, slot)| is_theirs(slot)) {
                continue;
            }
            let mut fresh = Zeroizing::new([0; 32]);
            self.platform.random(fresh.as_mut_slice());
            let sent = recipient.encapsulate(&volume.uuid(), *fresh);
            let sent = sent.ok_or(VolumeError::RecoveryKey(*key))?;
            let secret = SlotSecret::new(*sent.secret);
            add_slot(volume, SlotKind::Recovery, &sent.parameters, &secret)?;
        }
        Ok(())
    }
}

fn add_slot(
    volume: &mut Volume,
    kind: SlotKind,
    parameters: &[u8],
    secret: &SlotSecret,
) -> Result<(), VolumeError> {
    match volume.add_slot(kind, parameters, secret) {
        Ok(_) => Ok(()),
        Err(twine_fs::Error::NoSpace) => Err(VolumeError::NoFreeSlot),
        Err(error) => Err(error.into()),
    }
}

/// What might open a slot.
struct Candidate {
    secret: SlotSecret,
    outdated: bool,
    newer_document: Option<u16>,
}

/// Why a slot does not open, the closest to opening last.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum InTheWay {
    Place,
    Program,
    NewerRuntime,
    NewerDocument(u16),
}

impl From<twine_fs::Error> for VolumeError {
    fn from(error: twine_fs::Error) -> Self {
        Self::FileSystem(error)
    }
}
