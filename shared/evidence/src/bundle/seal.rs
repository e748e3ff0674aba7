//! The provisioner's side: encrypting and signing.

use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;

use hpke::inout::InOutBuf;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{OpModeS, Serializable as _, single_shot_seal_inout_detached_with_rng};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};
use zeroize::Zeroizing;

use super::envelope::{Envelope, Header};
use super::payload::Payload;
use super::{Aead, KEY_LEN, Kdf, Kem, info};
use crate::error::Error;

/// Why nothing can be sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Unsealable {
    /// What is to be sealed breaks a rule of the format.
    Payload(Error),
    /// The request names a public key that is nobody's: a point of low order.
    Key,
}

/// Encrypts `payload` to the public key that the request's evidence names, and signs the whole. The evidence must have
/// been verified: whoever made the key reads the payload. `fresh` must be random and never used for anything else.
///
/// # Errors
/// [`Unsealable`].
pub fn seal(
    payload: &Payload<'_>,
    header: &Header<'_>,
    recipient: &[u8; KEY_LEN],
    provisioner: &SigningKey,
    fresh: [u8; KEY_LEN],
) -> Result<Vec<u8>, Unsealable> {
    let recipient = hpke::Deserializable::from_bytes(recipient).map_err(|_| Unsealable::Key)?;
    let mut bytes = payload.encode().map_err(Unsealable::Payload)?;
    let encoded = header.encode();
    let (encapsulated, tag) = single_shot_seal_inout_detached_with_rng::<Aead, Kdf, Kem>(
        &OpModeS::Base,
        &recipient,
        &info(header.request),
        InOutBuf::from(bytes.as_mut_slice()),
        &encoded,
        &mut Once(Some(Zeroizing::new(fresh))),
    )
    .map_err(|_| Unsealable::Key)?;
    bytes.extend_from_slice(&tag.to_bytes());
    let envelope = Envelope {
        header: &encoded,
        encapsulated: &encapsulated.to_bytes().into(),
        ciphertext: &bytes,
    };
    let signature: Signature = match provisioner.sign_prehash(&envelope.digest()) {
        Ok(signature) => signature,
        Err(_) => unreachable!("every hash of 32 bytes can be signed"),
    };
    Ok(envelope.encode(&signature.to_bytes().into()))
}

/// Randomness that is handed out once: the ephemeral key of an encapsulation needs 32 bytes and nothing more.
struct Once(Option<Zeroizing<[u8; KEY_LEN]>>);

impl TryRng for Once {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("an ephemeral key is drawn as bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("an ephemeral key is drawn as bytes")
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        match self.0.take() {
            Some(fresh) if into.len() == KEY_LEN => into.copy_from_slice(fresh.as_slice()),
            _ => unreachable!("an ephemeral key is 32 bytes, drawn once"),
        }
        Ok(())
    }
}

impl TryCryptoRng for Once {}

impl fmt::Display for Unsealable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payload(error) => error.fmt(f),
            Self::Key => f.write_str("the request names a public key that is nobody's"),
        }
    }
}

impl core::error::Error for Unsealable {}
