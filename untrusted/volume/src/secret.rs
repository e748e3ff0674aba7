//! What unlocks a volume, and for whom a slot is made.

use twine_fs::{HostPlatform, KeySlots, Platform as _, SlotKind, SlotSecret, VolumeKey};
use twine_recovery::{PrivateKey, PublicKey};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::passphrase::Cost;

/// What unlocks a volume. Never a sealing key: those stay in enclaves.
#[derive(Debug)]
pub enum Secret {
    /// What somebody remembers.
    Passphrase(Passphrase),
    /// The private half of a recovery key.
    RecoveryKey(PrivateKey),
    /// What a provisioner sends to enclaves.
    Provisioned(ProvisionedKey),
}

/// A passphrase: any bytes. Wiped when dropped, never printed.
pub struct Passphrase(Zeroizing<Vec<u8>>);

/// What a provisioner sends to enclaves for a volume: 32 random bytes. Wiped when dropped, never printed.
pub struct ProvisionedKey(Zeroizing<[u8; 32]>);

/// Somebody for whom a slot shall be made.
#[derive(Debug)]
pub enum NewHolder<'a> {
    /// Whoever knows the passphrase.
    Passphrase(&'a Passphrase, Cost),
    /// The holder of the private half.
    Recovery(PublicKey),
    /// Whoever the provisioner sends the key to.
    Provisioned(&'a ProvisionedKey),
}

/// A slot's ingredients.
pub(crate) struct Lock {
    pub(crate) kind: SlotKind,
    pub(crate) parameters: Vec<u8>,
    pub(crate) secret: SlotSecret,
}

impl Passphrase {
    /// Takes the bytes.
    #[must_use]
    pub const fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

impl ProvisionedKey {
    /// Takes the bytes.
    #[must_use]
    pub const fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for ProvisionedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProvisionedKey(..)")
    }
}

impl Secret {
    /// What the secret is called in messages.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Passphrase(_) => "a passphrase",
            Self::RecoveryKey(_) => "this recovery key",
            Self::Provisioned(_) => "a provisioner's key",
        }
    }

    /// Opens the first slot that fits.
    pub(crate) fn unlock(&self, slots: &KeySlots) -> Unlocked {
        let mut outcome = Unlocked::NoSlot;
        for (number, slot) in slots.slots() {
            let secret = match self.of_slot(slots, number, slot) {
                Ok(Some(secret)) => secret,
                Ok(None) => continue,
                Err(error) => {
                    outcome = Unlocked::Unusable(error);
                    continue;
                }
            };
            match slots.unlock(number, &secret) {
                Ok(key) => return Unlocked::Slot(number, key),
                Err(error) => outcome = Unlocked::Refused(error),
            }
        }
        outcome
    }

    /// The secret for one slot; `None` if the slot is not for this kind of secret.
    fn of_slot(
        &self,
        slots: &KeySlots,
        number: usize,
        slot: &twine_fs::Slot,
    ) -> Result<Option<SlotSecret>> {
        match (self, slot.kind) {
            (Self::Passphrase(passphrase), SlotKind::Passphrase) => {
                let (cost, salt) =
                    Cost::of_slot(&slot.parameters).ok_or(Error::UnreasonableSlot { number })?;
                cost.secret(&passphrase.0, &salt).map(Some)
            }
            (Self::RecoveryKey(key), SlotKind::Recovery) => {
                let secret = key.decapsulate(&slots.uuid(), &slot.parameters);
                Ok(secret.map(|secret| SlotSecret::new(*secret)))
            }
            (Self::Provisioned(key), SlotKind::Provisioned) => Ok(Some(SlotSecret::new(*key.0))),
            _ => Ok(None),
        }
    }
}

/// What came of trying a secret on all slots.
pub(crate) enum Unlocked {
    Slot(usize, VolumeKey),
    /// A slot is for this kind of secret, and does not open.
    Refused(twine_fs::Error),
    /// A slot is for this kind of secret, and is not worth trying.
    Unusable(Error),
    /// No slot is for this kind of secret.
    NoSlot,
}

impl NewHolder<'_> {
    /// Makes what a slot of the volume `uuid` is locked with.
    ///
    /// # Errors
    /// [`Error::UnusablePublicKey`], [`Error::UnreasonableCost`], or no randomness.
    pub(crate) fn lock(&self, uuid: &[u8; 16]) -> Result<Lock> {
        match self {
            Self::Passphrase(passphrase, cost) => {
                let salt = random::<16>()?;
                Ok(Lock {
                    kind: SlotKind::Passphrase,
                    parameters: cost.parameters(salt),
                    secret: cost.secret(&passphrase.0, &salt)?,
                })
            }
            Self::Recovery(key) => {
                let sent = key.encapsulate(uuid, random()?);
                let sent = sent.ok_or(Error::UnusablePublicKey)?;
                Ok(Lock {
                    kind: SlotKind::Recovery,
                    parameters: sent.parameters.to_vec(),
                    secret: SlotSecret::new(*sent.secret),
                })
            }
            Self::Provisioned(key) => Ok(Lock {
                kind: SlotKind::Provisioned,
                parameters: Vec::new(),
                secret: SlotSecret::new(*key.0),
            }),
        }
    }
}

/// Draws a new recovery key.
///
/// # Errors
/// No randomness.
pub fn generate() -> Result<PrivateKey> {
    random().map(PrivateKey::new)
}

/// Bytes of the operating system's randomness.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let drawn = HostPlatform.random(&mut bytes);
    drawn.map(|()| bytes).map_err(Error::Entropy)
}
