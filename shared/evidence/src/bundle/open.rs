//! The enclave's side: one bundle, one key, and everything that must agree before anything in it is used.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;
use core::ops::Range;

use hpke::inout::InOutBuf;
use hpke::{HpkeError, Kem as _, OpModeR, Serializable as _, single_shot_open_inout_detached};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use zeroize::Zeroizing;

use super::envelope::{Envelope, Header};
use super::payload::Payload;
use super::{Aead, KEY_LEN, Kdf, Kem, TAG_LEN, info};
use crate::claims::sha256;
use crate::error::Error;

/// The private half of the key in a request: X25519, made for one request of one launch. Opening a bundle consumes it.
pub struct PrivateKey(Zeroizing<[u8; KEY_LEN]>);

/// What a bundle must be to be opened: by the enclave's own request, and by its launch document.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The provisioner's public key (SEC 1, compressed).
    pub provisioner: &'a [u8; 33],
    /// Whom it must be for.
    pub header: Header<'a>,
    /// SHA-256 of the confidential module; `None` if the module does not come in the bundle.
    pub module: Option<&'a [u8; 32]>,
    /// Names of the secrets.
    pub secrets: &'a [&'a str],
    /// Guest paths of the volumes whose keys come in the bundle.
    pub volume_keys: &'a [&'a str],
}

/// Why a bundle is not accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is no bundle. It was damaged on its way, or is something else.
    Form(Error),
    /// The launch document names a provisioner's key that is none. The document's author is to blame.
    ProvisionersKey,
    /// Somebody else than the provisioner that the launch document names signed it.
    OtherProvisioner,
    /// It answers another request: that of an earlier launch, or of another enclave. Somebody replays it.
    OtherRequest,
    /// It is for another launch document.
    OtherDocument,
    /// Its module was compiled for another engine profile; the profile.
    OtherEngine(String),
    /// It was not encrypted to the key in the request. The provisioner is to blame.
    Undecryptable,
    /// What is inside is not of the form that it must have. The provisioner is to blame.
    Payload(Error),
    /// It holds no module, and the launch document says that the module is confidential.
    ModuleMissing,
    /// It holds a module, and the launch document says that the module is not confidential.
    ModuleUnexpected,
    /// It does not hold a secret that the launch document names.
    SecretMissing(String),
    /// It holds a secret that the launch document does not name.
    SecretUnexpected(String),
    /// It does not hold the key of a volume that the launch document binds to the provisioner.
    VolumeKeyMissing(String),
    /// It holds a key for a volume that the launch document does not bind to the provisioner.
    VolumeKeyUnexpected(String),
    /// Its module is not the one that the launch document names.
    OtherModule {
        /// SHA-256 in the launch document.
        expected: [u8; 32],
        /// SHA-256 of the module.
        found: [u8; 32],
    },
}

impl PrivateKey {
    /// Takes 32 random bytes that were never used for anything else.
    #[must_use]
    pub const fn new(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self(bytes)
    }

    /// The public half, for the request.
    #[must_use]
    pub fn public(&self) -> [u8; KEY_LEN] {
        Kem::sk_to_pk(&self.scalar()).to_bytes().into()
    }

    fn scalar(&self) -> <Kem as hpke::Kem>::PrivateKey {
        match hpke::Deserializable::from_bytes(self.0.as_slice()) {
            Ok(scalar) => scalar,
            Err(_) => unreachable!("every 32 bytes are a private key of X25519"),
        }
    }
}

impl Expected<'_> {
    /// Opens a bundle, in place: the caller wipes `bundle` when the payload is used up, or was refused.
    ///
    /// # Errors
    /// [`Refusal`], in the order of its variants.
    pub fn open<'b>(&self, key: PrivateKey, bundle: &'b mut [u8]) -> Result<Payload<'b>, Refusal> {
        let (encapsulated, place) = self.check_envelope(bundle)?;
        let ciphertext = bundle.get_mut(place);
        let (plaintext, tag) = ciphertext
            .and_then(<[u8]>::split_last_chunk_mut::<TAG_LEN>)
            .ok_or(Refusal::Undecryptable)?;
        decrypt(&key, &encapsulated, &self.header, plaintext, tag)
            .map_err(|_| Refusal::Undecryptable)?;
        drop(key);
        let payload = Payload::parse(plaintext).map_err(Refusal::Payload)?;
        self.check_payload(&payload)?;
        Ok(payload)
    }

    /// Everything that can be checked without the key. Returns the encapsulated key, and where the ciphertext is.
    fn check_envelope(&self, bundle: &[u8]) -> Result<([u8; KEY_LEN], Range<usize>), Refusal> {
        let (envelope, signature, place) = Envelope::parse(bundle).map_err(Refusal::Form)?;
        let header = Header::parse(envelope.header).map_err(Refusal::Form)?;
        let provisioner = VerifyingKey::from_sec1_bytes(self.provisioner)
            .map_err(|_| Refusal::ProvisionersKey)?;
        Signature::from_slice(signature)
            .and_then(|signature| provisioner.verify_prehash(&envelope.digest(), &signature))
            .map_err(|_| Refusal::OtherProvisioner)?;
        if header.request != self.header.request {
            return Err(Refusal::OtherRequest);
        }
        if header.config_id != self.header.config_id {
            return Err(Refusal::OtherDocument);
        }
        if header.engine != self.header.engine {
            return Err(Refusal::OtherEngine(header.engine.into()));
        }
        Ok((*envelope.encapsulated, place))
    }

    fn check_payload(&self, payload: &Payload<'_>) -> Result<(), Refusal> {
        match (self.module, payload.module) {
            (Some(_), None) => return Err(Refusal::ModuleMissing),
            (None, Some(_)) => return Err(Refusal::ModuleUnexpected),
            _ => {}
        }
        if let Some(name) = missing(self.secrets, &payload.secrets) {
            return Err(Refusal::SecretMissing(name));
        }
        if let Some(name) = unexpected(self.secrets, &payload.secrets) {
            return Err(Refusal::SecretUnexpected(name));
        }
        if let Some(name) = missing(self.volume_keys, &payload.volume_keys) {
            return Err(Refusal::VolumeKeyMissing(name));
        }
        if let Some(name) = unexpected(self.volume_keys, &payload.volume_keys) {
            return Err(Refusal::VolumeKeyUnexpected(name));
        }
        match (self.module, payload.module.map(sha256)) {
            (Some(expected), Some(found)) if *expected != found => Err(Refusal::OtherModule {
                expected: *expected,
                found,
            }),
            _ => Ok(()),
        }
    }
}

fn decrypt(
    key: &PrivateKey,
    encapsulated: &[u8; KEY_LEN],
    header: &Header<'_>,
    ciphertext: &mut [u8],
    tag: &[u8; TAG_LEN],
) -> Result<(), HpkeError> {
    single_shot_open_inout_detached::<Aead, Kdf, Kem>(
        &OpModeR::Base,
        &key.scalar(),
        &hpke::Deserializable::from_bytes(encapsulated)?,
        &info(header.request),
        InOutBuf::from(ciphertext),
        // Equal to the bundle's header, which has one encoding.
        &header.encode(),
        &hpke::Deserializable::from_bytes(tag)?,
    )
}

/// The first name that was expected and is not there.
fn missing<V>(expected: &[&str], found: &BTreeMap<&str, V>) -> Option<String> {
    let missing = expected.iter().find(|name| !found.contains_key(**name));
    missing.map(|name| String::from(*name))
}

/// The first name that is there and was not expected.
fn unexpected<V>(expected: &[&str], found: &BTreeMap<&str, V>) -> Option<String> {
    let unexpected = found.keys().find(|name| !expected.contains(name));
    unexpected.map(|name| String::from(*name))
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(error) => write!(
                f,
                "what the host brought is no bundle ({error}): it was damaged on its way, or is something else"
            ),
            Self::ProvisionersKey => {
                f.write_str("the launch document's key of the provisioner is no point of P-256")
            }
            Self::OtherProvisioner => f.write_str(
                "the bundle was not signed by the provisioner that the launch document names, or was changed since",
            ),
            Self::OtherRequest => f.write_str(
                "the bundle answers another request: an older one was replayed, or it is for another enclave; \
                 a bundle serves one launch",
            ),
            Self::OtherDocument => f.write_str(
                "the bundle is for another launch document: the provisioner answered with another --document",
            ),
            Self::OtherEngine(found) => write!(
                f,
                "the bundle is for the engine profile `{found}`, which is not this enclave's: provision with the \
                 same release"
            ),
            Self::Undecryptable => f.write_str(
                "the bundle cannot be decrypted, though the provisioner signed it: it was encrypted to another key",
            ),
            Self::Payload(error) => {
                write!(f, "the provisioner sealed what this release does not understand: {error}")
            }
            Self::ModuleMissing => f.write_str(
                "the bundle brings no module, and the launch document says that the module is confidential",
            ),
            Self::ModuleUnexpected => f.write_str(
                "the bundle brings a module, and the launch document does not say that the module is confidential",
            ),
            Self::SecretMissing(name) => write!(
                f,
                "the bundle lacks the secret `{name}`, which the launch document names"
            ),
            Self::SecretUnexpected(name) => write!(
                f,
                "the bundle brings the secret `{name}`, which the launch document does not name"
            ),
            Self::VolumeKeyMissing(guest) => write!(
                f,
                "the bundle lacks the key of the volume for {}, which the launch document binds to the provisioner",
                guest.escape_debug()
            ),
            Self::VolumeKeyUnexpected(guest) => write!(
                f,
                "the bundle brings a key of a volume for {}, which the launch document does not bind to the provisioner",
                guest.escape_debug()
            ),
            Self::OtherModule { expected, found } => write!(
                f,
                "the bundle's module is not the one that the launch document names: its SHA-256 is {}, the document's {}",
                Hex(found),
                Hex(expected)
            ),
        }
    }
}

impl core::error::Error for Refusal {}

struct Hex<'a>(&'a [u8; 32]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
