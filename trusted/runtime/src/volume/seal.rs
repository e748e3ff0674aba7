//! Slots sealed by the processor (`docs/format.md`, section 8): for whom, and what opens them.
//!
//! ```text
//!   launch document: bound_to, runtime ──► KEYREQUEST ──EGETKEY, twice──► HKDF ──► slot secret ──► volume key
//!                                              ▲                  └─────► HKDF ──► place
//!   slot parameters: versions, key ids ────────┘
//! ```
//!
//! A slot is derived with the versions at its making. The *place* tells a slot of this machine and runtime from others, so
//! that a refusal can say what is in the way; nothing depends on it.

use alloc::vec::Vec;

use hkdf::Hkdf;
use sha2::Sha256;
use twine_abi::sgx::{AttributeFlags, Attributes, KeyName, KeyPolicy, KeyRequest, MiscSelect};
use twine_fs::{SlotKind, SlotSecret};
use twine_launch::{Binding, LaunchDocument, RuntimeBinding};
use twine_recovery::PrivateKey;
use zeroize::Zeroizing;

use crate::identity::Identity;
use crate::platform::Platform;

/// For whom slots are sealed: a program in runtimes.
#[derive(Clone, Copy)]
pub(super) struct Seal<'a> {
    pub(super) identity: &'a Identity,
    pub(super) document: &'a LaunchDocument,
    pub(super) bound_to: Binding,
    pub(super) runtime: RuntimeBinding,
}

/// What this program can do with a slot that was sealed to its kind of runtime.
pub(super) enum Access {
    /// It was sealed in this place: if the secret does not open it, for another program.
    Ours(SlotSecret),
    /// It was sealed on another machine, or in another runtime.
    Elsewhere,
    /// The processor refuses the keys: a newer runtime, or newer microcode, sealed it.
    Newer,
}

impl Seal<'_> {
    pub(super) const fn kind(&self) -> SlotKind {
        match self.runtime {
            RuntimeBinding::Image => SlotKind::SealedToImage,
            RuntimeBinding::Signer => SlotKind::SealedToSigner,
        }
    }

    /// Parameters of a new slot, and its secret; `None` if the processor refuses what it says of itself.
    pub(super) fn make(&self, platform: &mut dyn Platform) -> Option<(Parameters, SlotSecret)> {
        let mut parameters = Parameters {
            bound_to: self.bound_to,
            isv_svn: self.identity.isv_svn,
            version: self.version(),
            cpu_svn: self.identity.cpu_svn,
            key_ids: [[0; 32]; 2],
            place: [0; 16],
        };
        for id in &mut parameters.key_ids {
            platform.random(id);
        }
        parameters.place = self.place(platform, &parameters)?;
        let secret = self.secret(platform, &parameters)?;
        Some((parameters, secret))
    }

    /// Whether a slot with these parameters can be opened, and with what.
    pub(super) fn access(&self, platform: &mut dyn Platform, parameters: &Parameters) -> Access {
        match self.place(platform, parameters) {
            None => Access::Newer,
            Some(place) if place != parameters.place => Access::Elsewhere,
            Some(_) => self
                .secret(platform, parameters)
                .map_or(Access::Newer, Access::Ours),
        }
    }

    /// Whether older versions made the slot.
    pub(super) fn is_outdated(&self, parameters: &Parameters) -> bool {
        let Identity {
            isv_svn, cpu_svn, ..
        } = self.identity;
        (parameters.isv_svn, parameters.version, &parameters.cpu_svn)
            != (*isv_svn, self.version(), cpu_svn)
    }

    /// The version that made the slot, if it is higher than ours and that matters.
    pub(super) const fn newer_document(&self, parameters: &Parameters) -> Option<u16> {
        match self.bound_to {
            Binding::Owner if parameters.version > self.identity.config_svn => {
                Some(parameters.version)
            }
            _ => None,
        }
    }

    /// The version that a slot of ours is marked with. One that is bound to the module opens under any document.
    const fn version(&self) -> u16 {
        match self.bound_to {
            Binding::Module => 0,
            Binding::Document | Binding::Owner => self.identity.config_svn,
        }
    }

    /// What opens the slot. The processor's keys have 128 bits, so there are two.
    fn secret(&self, platform: &mut dyn Platform, parameters: &Parameters) -> Option<SlotSecret> {
        let program = match parameters.bound_to {
            Binding::Document => KeyPolicy::CONFIGID,
            Binding::Module | Binding::Owner => KeyPolicy::from_bits(0),
        };
        let mut input = Zeroizing::new([0; 32]);
        for (half, id) in input.chunks_exact_mut(16).zip(&parameters.key_ids) {
            let key = platform.key(&self.request(parameters, id, program))?;
            half.copy_from_slice(&*key);
        }
        let application = &self.document.application.name;
        let program: [&[u8]; 2] = match (parameters.bound_to, &self.document.owner) {
            (Binding::Module, _) => [&self.document.module.sha256.0, &[]],
            (Binding::Owner, Some(owner)) => [&owner.key.0, application.as_bytes()],
            // CONFIGID stands in the request.
            (Binding::Document, _) => [&[], &[]],
            (Binding::Owner, None) => unreachable!("no valid document binds to an owner it lacks"),
        };
        let [first, second] = program;
        let mut secret = Zeroizing::new([0; 32]);
        let expanded = Hkdf::<Sha256>::new(Some(&parameters.encode()), input.as_slice())
            .expand_multi_info(&[SECRET, first, second], secret.as_mut_slice());
        assert!(expanded.is_ok(), "HKDF-SHA256 gives up to 8160 bytes");
        Some(SlotSecret::new(*secret))
    }

    /// What the first key is known by, whatever the program. Public: it stands in the slot.
    fn place(&self, platform: &mut dyn Platform, parameters: &Parameters) -> Option<[u8; 16]> {
        let [id, _] = &parameters.key_ids;
        let nobody = KeyPolicy::from_bits(0);
        let key = platform.key(&self.request(parameters, id, nobody))?;
        let mut place = [0; 16];
        let expanded = Hkdf::<Sha256>::new(Some(&parameters.head()), &*key)
            .expand_multi_info(&[PLACE], &mut place);
        assert!(expanded.is_ok(), "HKDF-SHA256 gives up to 8160 bytes");
        Some(place)
    }

    fn request(&self, parameters: &Parameters, id: &[u8; 32], program: KeyPolicy) -> KeyRequest {
        let runtime = match self.runtime {
            RuntimeBinding::Image => KeyPolicy::MRENCLAVE,
            RuntimeBinding::Signer => KeyPolicy::MRSIGNER,
        };
        let config_svn = if program.contains(KeyPolicy::CONFIGID) {
            parameters.version
        } else {
            0
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

/// The key by which this image, with this document, takes volumes over from another; `None` if the processor refuses what it
/// says of itself.
pub(crate) fn migration_key(
    platform: &mut dyn Platform,
    identity: &Identity,
) -> Option<PrivateKey> {
    let mut input = Zeroizing::new([0; 32]);
    for (half, number) in input.chunks_exact_mut(16).zip(0..) {
        let key = platform.key(&KeyRequest {
            key_name: KeyName::Seal as u16,
            key_policy: KeyPolicy::MRENCLAVE.union(KeyPolicy::CONFIGID),
            isv_svn: identity.isv_svn,
            cpu_svn: identity.cpu_svn,
            attribute_mask: ATTRIBUTES,
            misc_mask: !MiscSelect::EXINFO.bits(),
            config_svn: identity.config_svn,
            key_id: [number; 32],
            ..KeyRequest::ZERO
        })?;
        half.copy_from_slice(&*key);
    }
    let mut secret = Zeroizing::new([0; 32]);
    let expanded = Hkdf::<Sha256>::new(None, input.as_slice())
        .expand_multi_info(&[MIGRATION], secret.as_mut_slice());
    assert!(expanded.is_ok(), "HKDF-SHA256 gives up to 8160 bytes");
    Some(PrivateKey::new(*secret))
}

/// What the derivation of a sealed slot's secret needs besides the enclave (`docs/format.md`, section 8).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Parameters {
    pub(super) bound_to: Binding,
    isv_svn: u16,
    version: u16,
    cpu_svn: [u8; 16],
    key_ids: [[u8; 32]; 2],
    place: [u8; 16],
}

impl Parameters {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = self.head();
        out.extend(self.place);
        out
    }

    /// All but the place.
    fn head(&self) -> Vec<u8> {
        let bound_to = match self.bound_to {
            Binding::Module => 1,
            Binding::Document => 2,
            Binding::Owner => 3,
        };
        let mut out = Vec::with_capacity(PARAMETERS_LEN);
        out.extend([PARAMETERS_FORM, bound_to]);
        out.extend(self.isv_svn.to_le_bytes());
        out.extend(self.version.to_le_bytes());
        out.extend([0; 2]);
        out.extend(self.cpu_svn);
        out.extend(self.key_ids.as_flattened());
        out
    }

    /// `None` if the bytes are not a form that this release knows.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; PARAMETERS_LEN] = bytes.try_into().ok()?;
        let (head, rest) = bytes.split_first_chunk::<8>()?;
        let [PARAMETERS_FORM, bound_to, i0, i1, v0, v1, 0, 0] = *head else {
            return None;
        };
        let (cpu_svn, rest) = rest.split_first_chunk()?;
        let (first, rest) = rest.split_first_chunk()?;
        let (second, place) = rest.split_first_chunk()?;
        Some(Self {
            bound_to: match bound_to {
                1 => Binding::Module,
                2 => Binding::Document,
                3 => Binding::Owner,
                _ => return None,
            },
            isv_svn: u16::from_le_bytes([i0, i1]),
            version: u16::from_le_bytes([v0, v1]),
            cpu_svn: *cpu_svn,
            key_ids: [*first, *second],
            place: place.try_into().ok()?,
        })
    }
}

const PARAMETERS_FORM: u8 = 2;
const PARAMETERS_LEN: usize = 104;

const SECRET: &[u8] = b"twine volume slot 2";
const PLACE: &[u8] = b"twine volume place 2";
const MIGRATION: &[u8] = b"twine migration key 1";

/// The key depends on every attribute but AEX-Notify, which the processor may turn on for its own reasons.
const ATTRIBUTES: Attributes = Attributes {
    flags: AttributeFlags::from_bits(!AttributeFlags::AEXNOTIFY.bits()),
    xfrm: u64::MAX,
};
