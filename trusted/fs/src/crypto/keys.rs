//! Keys and how they are derived (`docs/format.md`, section 1). Keys have no `Clone`, print nothing and are wiped.

use core::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::Suite;

/// The key of a volume: whoever has it can read and write everything.
pub struct VolumeKey(Zeroizing<[u8; 32]>);

/// What a key slot is locked with: a sealing key, a provisioned key, or one derived from a passphrase or a recovery key.
pub struct SlotSecret(Zeroizing<[u8; 32]>);

impl VolumeKey {
    /// Takes 32 bytes that must be uniformly random.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn superblock(
        &self,
        suite: Suite,
        uuid: &[u8; 16],
        salt: &[u8; 32],
    ) -> Zeroizing<[u8; 32]> {
        expand(
            salt,
            self.bytes(),
            &[
                b"twine-fs v1 superblock",
                uuid,
                &suite.number().to_le_bytes(),
            ],
        )
    }

    pub(crate) fn epoch(&self, uuid: &[u8; 16], random: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        expand(random, self.bytes(), &[b"twine-fs v1 epoch", uuid])
    }

    /// Seals the area of key slots, so that slots cannot be added or removed without the volume key.
    pub(crate) fn seal_slots(&self, uuid: &[u8; 16], area: &[u8]) -> [u8; 32] {
        let key: Zeroizing<[u8; 32]> = expand(uuid, self.bytes(), &[b"twine-fs v1 slot area"]);
        match Hmac::<Sha256>::new_from_slice(key.as_slice()) {
            Ok(mac) => mac.chain_update(area).finalize().into_bytes().into(),
            Err(_) => unreachable!("HMAC takes keys of any length"),
        }
    }
}

impl SlotSecret {
    /// Takes 32 bytes of high entropy: a derived key, never a passphrase itself.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The wrapping key and the check value of a slot, 32 bytes each.
    pub(crate) fn wrapping(
        &self,
        uuid: &[u8; 16],
        kind: u16,
        salt: &[u8; 32],
    ) -> Zeroizing<[u8; 64]> {
        expand(
            salt,
            self.0.as_slice(),
            &[b"twine-fs v1 slot", uuid, &kind.to_le_bytes()],
        )
    }
}

impl fmt::Debug for VolumeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VolumeKey(..)")
    }
}

impl fmt::Debug for SlotSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlotSecret(..)")
    }
}

/// The root of a commit: chains it to all before it (`docs/format.md`, section 6).
pub(crate) fn commit_root(previous: &[u8; 32], commit: u64, tag: &super::Tag) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"twine-fs v1 root")
        .chain_update(previous)
        .chain_update(commit.to_le_bytes())
        .chain_update(tag)
        .finalize()
        .into()
}

/// SHA-256.
pub(crate) fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Compares in constant time.
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

fn expand<const N: usize>(salt: &[u8], input: &[u8], info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    let mut key = Zeroizing::new([0; N]);
    let expanded =
        Hkdf::<Sha256>::new(Some(salt), input).expand_multi_info(info, key.as_mut_slice());
    assert!(expanded.is_ok(), "HKDF-SHA256 gives up to 8160 bytes");
    key
}
