//! Protected volumes: whose key opens them, opening and making them.
//!
//! ```text
//!   launch document: bound_to, runtime ──► KEYREQUEST ──EGETKEY, twice──► HKDF ──► slot secret ──► volume key
//!                                              ▲
//!   slot parameters: versions, key ids ────────┘  (docs/format.md, section 8)
//! ```
//!
//! A slot is derived with the versions at its making. When the runtime or the processor's microcode has become newer, the
//! slot is made anew; an older one then cannot open the volume any more.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hkdf::Hkdf;
use sha2::Sha256;
use twine_abi::sgx::{AttributeFlags, Attributes, KeyName, KeyPolicy, KeyRequest, MiscSelect};
use twine_fs::limits::FIXED_BLOCKS;
use twine_fs::{
    Access, KeySlots, Options, Slot, SlotKind, SlotSecret, Store, Suite, Volume, VolumeKey,
};
use twine_launch::{Binding, KeySource, LaunchDocument, Mount, RuntimeBinding, VolumePolicy};
use zeroize::Zeroizing;

use crate::error::{Error, VolumeError};
use crate::identity::Identity;
use crate::platform::{OpenStore, Platform};

/// Opens the volume behind a mount, or makes it if there is none and `policy` allows it.
///
/// # Errors
/// [`Error::Volume`].
pub(crate) fn open(
    platform: &mut dyn Platform,
    (identity, document): (&Identity, &LaunchDocument),
    position: usize,
    mount: &Mount,
    policy: &VolumePolicy,
) -> Result<Volume, Error> {
    let KeySource::Sealed { bound_to, runtime } = policy.key else {
        return Err(Error::Unenforced("provisioning"));
    };
    let keyring = Keyring {
        platform,
        identity,
        document,
        may_create: policy.create,
        bound_to,
        runtime,
    };
    let access = if mount.read_only {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    };
    keyring
        .open(position, access)
        .map_err(|reason| Error::Volume {
            guest: String::from(&*mount.guest),
            reason,
        })
}

/// The keys that this program in this runtime can have.
struct Keyring<'a> {
    platform: &'a mut dyn Platform,
    identity: &'a Identity,
    document: &'a LaunchDocument,
    may_create: bool,
    bound_to: Binding,
    runtime: RuntimeBinding,
}

impl Keyring<'_> {
    fn open(mut self, position: usize, access: Access) -> Result<Volume, VolumeError> {
        let opened = self
            .platform
            .open_store(position)
            .map_err(VolumeError::Store)?;
        let may_make = self.may_create && access == Access::ReadWrite;
        match (opened.made, may_make) {
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
        self.add_slot(&mut volume)?;
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
            let (number, key, outdated) = match self.unlock(&slots) {
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
                    if outdated && access == Access::ReadWrite {
                        self.add_slot(&mut volume)?;
                        volume.remove_slot(number)?;
                    }
                    return Ok(volume);
                }
            }
        }
        Err(refused)
    }

    /// The volume key, from the first slot that is ours: its number, the key, whether older versions made it.
    fn unlock(&mut self, slots: &KeySlots) -> Result<(usize, VolumeKey, bool), VolumeError> {
        let mut newer = false;
        for (number, slot) in slots.slots() {
            let Some(parameters) = self.parameters_of(slot) else {
                continue;
            };
            let Some(secret) = self.secret(&parameters) else {
                newer = true;
                continue;
            };
            match slots.unlock(number, &secret) {
                Ok(key) => return Ok((number, key, parameters != self.current(&parameters))),
                Err(twine_fs::Error::WrongKey) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if newer {
            return Err(VolumeError::Newer);
        }
        Err(VolumeError::NotForUs(
            slots.slots().map(|(_, slot)| slot.kind).collect(),
        ))
    }

    fn add_slot(&mut self, volume: &mut Volume) -> Result<(), VolumeError> {
        let mut parameters = Parameters {
            bound_to: self.bound_to,
            isv_svn: self.identity.isv_svn,
            config_svn: self.identity.config_svn,
            cpu_svn: self.identity.cpu_svn,
            key_ids: [[0; 32]; 2],
        };
        for id in &mut parameters.key_ids {
            self.platform.random(id);
        }
        let secret = self.secret(&parameters).ok_or(VolumeError::Newer)?;
        volume.add_slot(self.kind(), &parameters.encode(), &secret)?;
        Ok(())
    }

    /// The slot's parameters, if it is of the policy's kind.
    fn parameters_of(&self, slot: &Slot) -> Option<Parameters> {
        (slot.kind == self.kind())
            .then(|| Parameters::decode(&slot.parameters))
            .flatten()
            .filter(|parameters| parameters.bound_to == self.bound_to)
    }

    const fn kind(&self) -> SlotKind {
        match self.runtime {
            RuntimeBinding::Image => SlotKind::SealedToImage,
            RuntimeBinding::Signer => SlotKind::SealedToSigner,
        }
    }

    /// The parameters with today's versions.
    fn current(&self, parameters: &Parameters) -> Parameters {
        Parameters {
            isv_svn: self.identity.isv_svn,
            config_svn: self.identity.config_svn,
            cpu_svn: self.identity.cpu_svn,
            ..parameters.clone()
        }
    }

    /// What opens the slot with these parameters; `None` if the processor refuses.
    ///
    /// The processor's keys have 128 bits, so there are two.
    fn secret(&mut self, parameters: &Parameters) -> Option<SlotSecret> {
        let mut input = Zeroizing::new([0; 32]);
        for (half, id) in input.chunks_exact_mut(16).zip(&parameters.key_ids) {
            let key = self.platform.key(&self.request(parameters, id))?;
            half.copy_from_slice(&*key);
        }
        let program: &[u8] = match parameters.bound_to {
            Binding::Module => &self.document.module.sha256.0,
            // CONFIGID stands in the request.
            Binding::Document | Binding::Owner => &[],
        };
        let mut secret = Zeroizing::new([0; 32]);
        let expanded = Hkdf::<Sha256>::new(Some(&parameters.encode()), input.as_slice())
            .expand_multi_info(&[INFO, program], secret.as_mut_slice());
        assert!(expanded.is_ok(), "HKDF-SHA256 gives up to 8160 bytes");
        Some(SlotSecret::new(*secret))
    }

    fn request(&self, parameters: &Parameters, id: &[u8; 32]) -> KeyRequest {
        let runtime = match self.runtime {
            RuntimeBinding::Image => KeyPolicy::MRENCLAVE,
            RuntimeBinding::Signer => KeyPolicy::MRSIGNER,
        };
        let (program, config_svn) = match parameters.bound_to {
            Binding::Module => (KeyPolicy::from_bits(0), 0),
            Binding::Document | Binding::Owner => (KeyPolicy::CONFIGID, parameters.config_svn),
        };
        KeyRequest {
            key_name: KeyName::Seal as u16,
            key_policy: runtime.union(program),
            isv_svn: parameters.isv_svn,
            cpu_svn: parameters.cpu_svn,
            attribute_mask: ATTRIBUTES,
            misc_mask: !MiscSelect::EXINFO.bits(),
            config_svn,
            key_id: *id,
            ..KeyRequest::ZERO
        }
    }
}

impl From<twine_fs::Error> for VolumeError {
    fn from(error: twine_fs::Error) -> Self {
        Self::FileSystem(error)
    }
}

/// What the derivation of a sealed slot's secret needs besides the enclave (`docs/format.md`, section 8).
#[derive(Clone, Debug, Eq, PartialEq)]
struct Parameters {
    bound_to: Binding,
    isv_svn: u16,
    config_svn: u16,
    cpu_svn: [u8; 16],
    key_ids: [[u8; 32]; 2],
}

impl Parameters {
    fn encode(&self) -> Vec<u8> {
        let bound_to = match self.bound_to {
            Binding::Module => 1,
            Binding::Document | Binding::Owner => 2,
        };
        let mut out = Vec::with_capacity(PARAMETERS_LEN);
        out.extend([PARAMETERS_FORM, bound_to]);
        out.extend(self.isv_svn.to_le_bytes());
        out.extend(self.config_svn.to_le_bytes());
        out.extend([0; 2]);
        out.extend(self.cpu_svn);
        out.extend(self.key_ids.as_flattened());
        out
    }

    /// `None` if the bytes are not a form that this release knows.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; PARAMETERS_LEN] = bytes.try_into().ok()?;
        let (head, rest) = bytes.split_first_chunk::<8>()?;
        let [form, bound_to, i0, i1, c0, c1, 0, 0] = *head else {
            return None;
        };
        let (cpu_svn, ids) = rest.split_first_chunk()?;
        let (first, second) = ids.split_first_chunk()?;
        let bound_to = match bound_to {
            1 => Binding::Module,
            2 => Binding::Document,
            _ => return None,
        };
        (form == PARAMETERS_FORM).then_some(Self {
            bound_to,
            isv_svn: u16::from_le_bytes([i0, i1]),
            config_svn: u16::from_le_bytes([c0, c1]),
            cpu_svn: *cpu_svn,
            key_ids: [*first, second.try_into().ok()?],
        })
    }
}

const PARAMETERS_FORM: u8 = 1;
const PARAMETERS_LEN: usize = 88;

const INFO: &[u8] = b"twine volume slot 1";

/// The key depends on every attribute but AEX-Notify, which the processor may turn on for its own reasons.
const ATTRIBUTES: Attributes = Attributes {
    flags: AttributeFlags::from_bits(!AttributeFlags::AEXNOTIFY.bits()),
    xfrm: u64::MAX,
};
