//! Recovery slots (`docs/format.md`, section 8): locked for the holder of an offline key, by anybody who has its public half.
//!
//! HPKE (RFC 9180) gives the slot's secret to both sides: the sender gets it with the public key and fresh randomness, the
//! holder with the private key and what the sender left in the slot's parameters. Nothing else is sent, so the export-only
//! mode suffices, and no cipher comes in.
//!
//! A crate of its own, so that the file system does without public keys, and both the enclave and the host's tools can
//! make such slots.
//!
//! ```
//! use twine_recovery::PrivateKey;
//!
//! # let (random, fresh) = ([1; 32], [2; 32]);
//! let offline = PrivateKey::new(random);
//! let uuid = [7; 16];
//! let sent = offline.public().encapsulate(&uuid, fresh).unwrap();
//! assert_eq!(offline.decapsulate(&uuid, &sent.parameters), Some(sent.secret));
//! ```

#![no_std]
#![forbid(unsafe_code)]

use core::{convert::Infallible, fmt};

use hpke::{
    Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _,
    aead::ExportOnlyAead,
    kdf::HkdfSha256,
    kem::X25519HkdfSha256,
    rand_core::{TryCryptoRng, TryRng},
};
use zeroize::Zeroizing;

/// Bytes of a key, private or public, and of a slot's secret.
pub const KEY_LEN: usize = 32;

/// Bytes of a slot's parameters: the recipient's public key and the encapsulated key.
pub const PARAMETERS_LEN: usize = 2 * KEY_LEN;

const LABEL: &[u8; 20] = b"twine-fs v1 recovery";
const EXPORT: &[u8; 11] = b"slot secret";

const _: () = assert!(
    PARAMETERS_LEN == 64 && KEY_LEN == 32,
    "frozen: docs/format.md, section 8"
);

/// The private half of a recovery key: X25519 (RFC 7748). Kept offline.
pub struct PrivateKey(Zeroizing<[u8; KEY_LEN]>);

/// The public half of a recovery key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; KEY_LEN]);

/// What locks a recovery slot, and what its holder needs to find it again.
pub struct Sent {
    /// The slot's parameters.
    pub parameters: [u8; PARAMETERS_LEN],
    /// The slot's secret.
    pub secret: Zeroizing<[u8; KEY_LEN]>,
}

impl PrivateKey {
    /// Takes 32 random bytes.
    pub fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes. Whoever has them opens every volume with a slot for this key.
    pub fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(X25519HkdfSha256::sk_to_pk(&self.scalar()).to_bytes().into())
    }

    /// The secret of a slot of the volume `uuid`, from the slot's parameters; `None` if they are not for this key. The
    /// parameters may come from anybody: a wrong secret does not open the slot.
    pub fn decapsulate(
        &self,
        uuid: &[u8; 16],
        parameters: &[u8],
    ) -> Option<Zeroizing<[u8; KEY_LEN]>> {
        let recipient = PublicKey::of_slot(parameters)?;
        if recipient != self.public() {
            return None;
        }
        let sent = parameters.get(KEY_LEN..)?;
        let context = hpke::setup_receiver::<ExportOnlyAead, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.scalar(),
            &hpke::Deserializable::from_bytes(sent).ok()?,
            &info(uuid),
        );
        let mut secret = Zeroizing::new([0; KEY_LEN]);
        let exported = context.ok()?.export(EXPORT, secret.as_mut_slice());
        exported.is_ok().then_some(secret)
    }

    fn scalar(&self) -> <X25519HkdfSha256 as hpke::Kem>::PrivateKey {
        match hpke::Deserializable::from_bytes(self.0.as_slice()) {
            Ok(scalar) => scalar,
            Err(_) => unreachable!("every 32 bytes are a private key of X25519"),
        }
    }
}

impl PublicKey {
    /// Takes a public key of X25519 (RFC 7748).
    pub const fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// For whom a recovery slot is, by its parameters; `None` if they are no such slot's. Until the slot is opened this is
    /// the host's word.
    pub fn of_slot(parameters: &[u8]) -> Option<Self> {
        let recipient = parameters.first_chunk()?;
        (parameters.len() == PARAMETERS_LEN).then_some(Self(*recipient))
    }

    /// A secret that only the holder of the private key can find again, for a slot of the volume `uuid`. `fresh` must be
    /// random and never used for anything else.
    ///
    /// `None` if this is a point of low order, which is nobody's key.
    pub fn encapsulate(&self, uuid: &[u8; 16], fresh: [u8; KEY_LEN]) -> Option<Sent> {
        let recipient = <X25519HkdfSha256 as hpke::Kem>::PublicKey::from_bytes(&self.0).ok()?;
        let (encapsulated, context) =
            hpke::setup_sender_with_rng::<ExportOnlyAead, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &recipient,
                &info(uuid),
                &mut Once(Some(Zeroizing::new(fresh))),
            )
            .ok()?;
        let mut secret = Zeroizing::new([0; KEY_LEN]);
        context.export(EXPORT, secret.as_mut_slice()).ok()?;
        let mut parameters = [0; PARAMETERS_LEN];
        let encapsulated = encapsulated.to_bytes();
        parameters
            .iter_mut()
            .zip(self.0.iter().chain(encapsulated.as_slice()))
            .for_each(|(to, from)| *to = *from);
        Some(Sent { parameters, secret })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sent(..)")
    }
}

fn info(uuid: &[u8; 16]) -> [u8; LABEL.len() + 16] {
    let mut info = [0; LABEL.len() + 16];
    info.iter_mut()
        .zip(LABEL.iter().chain(uuid))
        .for_each(|(to, from)| *to = *from);
    info
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> PrivateKey {
        PrivateKey::new([byte; 32])
    }

    fn sent(uuid: u8) -> Sent {
        let sent = key(1).public().encapsulate(&[uuid; 16], [uuid; 32]);
        sent.unwrap()
    }

    #[test]
    fn only_the_private_key_and_only_for_this_volume_finds_the_secret() {
        let Sent { parameters, secret } = sent(7);
        let find = |byte, uuid| key(byte).decapsulate(&[uuid; 16], &parameters);
        assert_eq!(find(1, 7), Some(secret.clone()));
        assert_eq!(find(2, 7), None);
        assert_ne!(find(1, 8), Some(secret));
    }

    #[test]
    fn changed_parameters_never_give_the_secret() {
        let Sent { parameters, secret } = sent(9);
        for bit in 0..PARAMETERS_LEN * 8 {
            let mut changed = parameters;
            changed[bit / 8] ^= 1 << (bit % 8);
            let found = key(1).decapsulate(&[9; 16], &changed);
            assert_ne!(found, Some(secret.clone()), "bit {bit}");
        }
        assert_eq!(key(1).decapsulate(&[9; 16], &parameters[1..]), None);
    }

    #[test]
    fn every_encapsulation_has_a_secret_of_its_own() {
        let (one, other) = (sent(1), sent(2));
        assert_ne!(one.secret, other.secret);
        assert_ne!(one.parameters[32..], other.parameters[32..]);
    }

    #[test]
    fn a_point_of_low_order_is_nobodys_key() {
        let mut one = [0; 32];
        one[0] = 1;
        for bytes in [[0; 32], one] {
            assert!(
                PublicKey::new(bytes)
                    .encapsulate(&[7; 16], [3; 32])
                    .is_none()
            );
        }
        let mut parameters = [0; PARAMETERS_LEN];
        parameters[..32].copy_from_slice(key(1).public().bytes());
        assert_eq!(key(1).decapsulate(&[7; 16], &parameters), None);
    }

    /// RFC 7748, section 6.1: Alice's keys.
    #[test]
    fn keys_are_those_of_x25519() {
        let private = *b"\x77\x07\x6d\x0a\x73\x18\xa5\x7d\x3c\x16\xc1\x72\x51\xb2\x66\x45\
            \xdf\x4c\x2f\x87\xeb\xc0\x99\x2a\xb1\x77\xfb\xa5\x1d\xb9\x2c\x2a";
        let public = *b"\x85\x20\xf0\x09\x89\x30\xa7\x54\x74\x8b\x7d\xdc\xb4\x3e\xf7\x5a\
            \x0d\xbf\x3a\x0d\x26\x38\x1a\xf4\xeb\xa4\xa9\x8e\xaa\x9b\x4e\x6a";
        assert_eq!(*PrivateKey::new(private).public().bytes(), public);
    }
}
