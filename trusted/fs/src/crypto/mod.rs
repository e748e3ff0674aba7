//! The two cipher suites and the nonce discipline. No cryptography of our own: this wraps well-kept crates.
//!
//! A [`Nonce`] is consumed by sealing, and only [`Sequence`] makes them, so one cannot be used twice within a mount; the
//! fresh key of every mount covers the rest (`docs/format.md`, section 1).

pub(crate) mod keys;
#[cfg(all(debug_assertions, feature = "std"))]
mod ledger;

use alloc::sync::Arc;

use aegis::aegis128l::Aegis128L;
use aes_gcm::{Aes256Gcm, KeyInit as _, aead::AeadInOut as _};
use zeroize::Zeroizing;

use crate::{
    codec::Block,
    error::{Error, Result},
};
pub use keys::{SlotSecret, VolumeKey};

/// Length of an authentication tag in bytes.
pub(crate) const TAG_LEN: usize = 16;

/// An authentication tag.
pub(crate) type Tag = [u8; TAG_LEN];

/// The cipher of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Suite {
    /// AEGIS-128L (RFC 10032): the fastest.
    Aegis128L,
    /// AES-256-GCM (NIST SP 800-38D), for those who need a FIPS-approved cipher.
    Aes256Gcm,
}

impl Suite {
    /// The suite's number in the format.
    pub const fn number(self) -> u16 {
        match self {
            Self::Aegis128L => 1,
            Self::Aes256Gcm => 2,
        }
    }

    pub(crate) fn from_number(number: u16) -> Result<Self> {
        match number {
            1 => Ok(Self::Aegis128L),
            2 => Ok(Self::Aes256Gcm),
            other => Err(Error::Unsupported(other.into())),
        }
    }
}

/// The right to seal one block. Neither `Copy` nor `Clone`: sealing consumes it.
#[derive(Debug)]
pub(crate) struct Nonce(u64);

impl Nonce {
    /// The only nonce of a key that is derived for one message.
    pub(crate) const fn of_single_use_key() -> Self {
        Self(0)
    }

    pub(crate) const fn sequence(&self) -> u64 {
        self.0
    }
}

/// The volume's write sequence: hands out each number once.
#[derive(Debug)]
pub(crate) struct Sequence {
    next: u64,
}

impl Sequence {
    pub(crate) const fn starting_at(next: u64) -> Self {
        Self { next }
    }

    /// Every number handed out so far is smaller.
    pub(crate) const fn bound(&self) -> u64 {
        self.next
    }

    /// Raises the bound above a number found on the disk.
    pub(crate) const fn skip_past(&mut self, used: u64) {
        if used >= self.next {
            self.next = used.saturating_add(1);
        }
    }

    pub(crate) fn draw(&mut self) -> Nonce {
        let nonce = Nonce(self.next);
        self.next = self
            .next
            .checked_add(1)
            .unwrap_or_else(|| unreachable!("2^64 blocks were written"));
        nonce
    }
}

/// A key, ready for use in its suite.
#[derive(Clone)]
pub(crate) enum Cipher {
    Aegis128L(Zeroizing<[u8; 16]>),
    Aes256Gcm(Arc<Aes256Gcm>),
}

impl Cipher {
    pub(crate) fn new(suite: Suite, key: &[u8; 32]) -> Self {
        match suite {
            Suite::Aegis128L => {
                let mut half = Zeroizing::new([0; 16]);
                half.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
                Self::Aegis128L(half)
            }
            Suite::Aes256Gcm => Self::Aes256Gcm(Arc::new(Aes256Gcm::new(key.into()))),
        }
    }

    /// Encrypts in place and returns the tag.
    pub(crate) fn seal(&self, nonce: Nonce, associated: &[u8], bytes: &mut [u8]) -> Tag {
        let sequence = nonce.sequence();
        #[cfg(all(debug_assertions, feature = "std"))]
        ledger::record(self.ledger_name(), sequence);
        match self {
            Self::Aegis128L(key) => {
                let aegis = Aegis128L::new(key, &padded(sequence));
                match <&mut Block>::try_from(&mut *bytes) {
                    Ok(block) => aegis.encrypt_in_place(block, associated),
                    Err(_) => seal_odd(&aegis, associated, bytes),
                }
            }
            Self::Aes256Gcm(cipher) => {
                match cipher.encrypt_inout_detached(
                    &padded::<12>(sequence).into(),
                    associated,
                    bytes.into(),
                ) {
                    Ok(tag) => tag.into(),
                    Err(_) => unreachable!("a block is far shorter than the cipher's limit"),
                }
            }
        }
    }

    /// Decrypts in place. On failure the bytes are worthless and must not be used.
    ///
    /// # Errors
    /// `Err(())` if bytes, tag, sequence or associated data differ from what was sealed.
    pub(crate) fn open(
        &self,
        sequence: u64,
        associated: &[u8],
        bytes: &mut [u8],
        tag: &Tag,
    ) -> core::result::Result<(), ()> {
        match self {
            Self::Aegis128L(key) => {
                let aegis = Aegis128L::new(key, &padded(sequence));
                let opened = match <&mut Block>::try_from(&mut *bytes) {
                    Ok(block) => aegis.decrypt_in_place(block, tag, associated),
                    Err(_) => open_odd(&aegis, associated, bytes, tag),
                };
                opened.map_err(|_| ())
            }
            Self::Aes256Gcm(cipher) => cipher
                .decrypt_inout_detached(
                    &padded::<12>(sequence).into(),
                    associated,
                    bytes.into(),
                    tag.into(),
                )
                .map_err(|_| ()),
        }
    }

    /// Something that tells keys apart without being one.
    #[cfg(all(debug_assertions, feature = "std"))]
    fn ledger_name(&self) -> Tag {
        let mut probe = [0; TAG_LEN];
        match self {
            Self::Aegis128L(key) => {
                Aegis128L::<TAG_LEN>::new(key, &[0xff; 16]).encrypt_in_place(&mut probe, &[])
            }
            Self::Aes256Gcm(cipher) => {
                let nonce = [0xff; 12].into();
                cipher
                    .encrypt_inout_detached(&nonce, &[], probe.as_mut_slice().into())
                    .map_or(probe, Into::into)
            }
        }
    }
}

/// Seals anything but a whole block. Those have `encrypt_in_place` for themselves: if all its callers pass the same length, the
/// compiler keeps AEGIS in registers; otherwise every 32 bytes take a detour over the stack, and a block three times as long.
fn seal_odd(aegis: &Aegis128L<TAG_LEN>, associated: &[u8], bytes: &mut [u8]) -> Tag {
    let mut sealing = aegis.encryptor(associated);
    sealing.update_in_place(bytes);
    sealing.finalize()
}

/// Opens anything but a whole block; see [`seal_odd`].
fn open_odd(
    aegis: &Aegis128L<TAG_LEN>,
    associated: &[u8],
    bytes: &mut [u8],
    tag: &Tag,
) -> core::result::Result<(), aegis::Error> {
    let sealed = bytes.to_vec();
    let mut opening = aegis.decryptor(associated, bytes);
    opening.update(&sealed)?;
    opening.finalize(tag).map(|_| ())
}

/// A sequence as a nonce of `N` bytes.
fn padded<const N: usize>(sequence: u64) -> [u8; N] {
    let mut nonce = [0; N];
    if let Some(start) = nonce.first_chunk_mut::<8>() {
        *start = sequence.to_le_bytes();
    }
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed_and_opened(suite: Suite) {
        let cipher = Cipher::new(suite, &[0x11; 32]);
        let mut bytes = *b"sixteen bytes ok";
        let tag = cipher.seal(Sequence::starting_at(7).draw(), b"place", &mut bytes);
        assert_ne!(&bytes, b"sixteen bytes ok");
        for (sequence, place) in [(8, &b"place"[..]), (7, b"plaice")] {
            let mut copy = bytes;
            cipher.open(sequence, place, &mut copy, &tag).unwrap_err();
        }
        cipher.open(7, b"place", &mut bytes, &tag).unwrap();
        assert_eq!(&bytes, b"sixteen bytes ok");
    }

    #[test]
    fn both_suites_open_what_they_sealed_and_nothing_else() {
        sealed_and_opened(Suite::Aegis128L);
        sealed_and_opened(Suite::Aes256Gcm);
    }

    /// RFC 10032 (AEGIS), appendix "AEGIS-128L Test Vectors", vector 1, 128-bit tag.
    #[test]
    fn suite_1_matches_the_rfc() {
        let mut key = [0; 16];
        key[0] = 0x10;
        key[1] = 0x01;
        let mut nonce = [0; 16];
        nonce[0] = 0x10;
        nonce[2] = 0x02;
        let mut bytes = [0; 16];
        let tag = Aegis128L::<16>::new(&key, &nonce).encrypt_in_place(&mut bytes, &[]);
        assert_eq!(
            bytes,
            0xc1c0_e58b_d913_006f_eba0_0f4b_3cc3_594e_u128
                .swap_bytes()
                .to_le_bytes()
        );
        assert_eq!(
            tag,
            0xabe0_ece8_0c24_868a_226a_35d1_6bda_e37a_u128
                .swap_bytes()
                .to_le_bytes()
        );
    }

    /// The GCM specification (McGrew and Viega), test case 14: AES-256, zero key, nonce and block.
    #[test]
    fn suite_2_matches_the_specification() {
        let cipher = Cipher::new(Suite::Aes256Gcm, &[0; 32]);
        let mut bytes = [0; 16];
        let tag = cipher.seal(Nonce::of_single_use_key(), &[], &mut bytes);
        assert_eq!(
            bytes,
            0xcea7_403d_4d60_6b6e_074e_c5d3_baf3_9d18_u128
                .swap_bytes()
                .to_le_bytes()
        );
        assert_eq!(
            tag,
            0xd0d1_c8a7_9999_6bf0_265b_98b5_d48a_b919_u128
                .swap_bytes()
                .to_le_bytes()
        );
    }

    #[cfg(debug_assertions)]
    #[test]
    #[should_panic(expected = "nonce was used twice")]
    fn the_ledger_stops_a_repeated_nonce() {
        let cipher = Cipher::new(Suite::Aegis128L, &[0x5a; 32]);
        cipher.seal(Nonce(3), &[], &mut [0; 8]);
        cipher.seal(Nonce(3), &[], &mut [1; 8]);
    }
}
