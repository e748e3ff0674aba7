//! Passphrases: from what a person remembers to the secret of a key slot (`docs/format.md`, section 8).

use argon2::{Algorithm, Argon2, Params, Version};
use twine_fs::SlotSecret;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// How much work it is to try one passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Bytes of the salt.
const SALT_LEN: usize = 16;

/// Bytes of a passphrase slot's parameters.
const PARAMETERS_LEN: usize = 32;

/// Least memory one may choose. Below it a graphics card tries many passphrases at once.
const MEMORY_KIB_MIN: u32 = 8 << 10;

/// Most memory that a slot may ask for: what every machine of today has.
const MEMORY_KIB_MAX: u32 = 1 << 20;

/// Most memory times passes that a slot may ask for, in KiB: some seconds. The numbers in a slot are the host's word.
const WORK_KIB_MAX: u64 = 4 << 20;

/// Most lanes that a slot may ask for.
const LANES_MAX: u32 = 16;

impl Default for Cost {
    /// 256 MiB, three passes, one lane: under a second, and above what RFC 9106 recommends for machines short of memory
    /// (64 MiB, three passes).
    fn default() -> Self {
        Self {
            memory_kib: 256 << 10,
            passes: 3,
            lanes: 1,
        }
    }
}

impl Cost {
    /// Three passes over this many bytes.
    ///
    /// # Errors
    /// [`Error::UnreasonableCost`] unless they lie between 8 MiB and 1 GiB.
    pub fn of_memory(bytes: u64) -> Result<Self> {
        u32::try_from(bytes >> 10)
            .ok()
            .filter(|kib| (MEMORY_KIB_MIN..=MEMORY_KIB_MAX).contains(kib))
            .map(|memory_kib| Self {
                memory_kib,
                ..Self::default()
            })
            .ok_or(Error::UnreasonableCost)
    }

    /// Bytes of memory.
    #[must_use]
    pub const fn memory(self) -> u64 {
        (self.memory_kib as u64) << 10
    }

    /// Passes over the memory.
    #[must_use]
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// The parameters of a slot with this cost and salt.
    #[must_use]
    pub fn parameters(self, salt: [u8; SALT_LEN]) -> Vec<u8> {
        let mut parameters = Vec::with_capacity(PARAMETERS_LEN);
        for number in [self.memory_kib, self.passes, self.lanes, 0] {
            parameters.extend(number.to_le_bytes());
        }
        parameters.extend(salt);
        parameters
    }

    /// Reads a slot's parameters; `None` if they are malformed or ask for too much.
    #[must_use]
    pub fn of_slot(parameters: &[u8]) -> Option<(Self, [u8; SALT_LEN])> {
        let (numbers, salt) = parameters.split_last_chunk::<SALT_LEN>()?;
        let (numbers, rest) = numbers.as_chunks::<4>();
        let [memory_kib, passes, lanes, 0] = *numbers
            .iter()
            .map(|number| u32::from_le_bytes(*number))
            .collect::<Vec<_>>()
        else {
            return None;
        };
        let bounded = (1..=LANES_MAX).contains(&lanes)
            && (8 * lanes..=MEMORY_KIB_MAX).contains(&memory_kib)
            && passes > 0
            && u64::from(memory_kib) * u64::from(passes) <= WORK_KIB_MAX;
        let cost = Self {
            memory_kib,
            passes,
            lanes,
        };
        (rest.is_empty() && bounded).then_some((cost, *salt))
    }

    /// The secret of a slot.
    ///
    /// # Errors
    /// [`Error::UnreasonableCost`] if the machine has too little memory for it.
    pub fn secret(self, passphrase: &[u8], salt: &[u8; SALT_LEN]) -> Result<SlotSecret> {
        let parameters = Params::new(self.memory_kib, self.passes, self.lanes, Some(32));
        let parameters = parameters.map_err(|_| Error::UnreasonableCost)?;
        let mut secret = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
            .hash_password_into(passphrase, salt, secret.as_mut_slice())
            .map_err(|_| Error::UnreasonableCost)?;
        Ok(SlotSecret::new(*secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(numbers: [u32; 4]) -> Vec<u8> {
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        bytes.extend([7; 16]);
        bytes
    }

    #[test]
    fn parameters_are_read_as_written() {
        let cost = Cost::of_memory(16 << 20).unwrap();
        let parameters = cost.parameters([9; 16]);
        assert_eq!(parameters.len(), PARAMETERS_LEN);
        assert_eq!(Cost::of_slot(&parameters), Some((cost, [9; 16])));
    }

    #[test]
    fn a_volume_cannot_ask_for_all_the_memory_or_all_the_time() {
        for numbers in [
            [u32::MAX, 1, 1, 0],
            [(1 << 20) + 1, 1, 1, 0],
            [1 << 20, 5, 1, 0],
            [8192, u32::MAX, 1, 0],
            [8192, 0, 1, 0],
            [8192, 1, 0, 0],
            [8192, 1, 17, 0],
            [15, 1, 2, 0],
            [8192, 1, 1, 1],
        ] {
            assert_eq!(Cost::of_slot(&with(numbers)), None, "{numbers:?}");
        }
        assert!(Cost::of_slot(&with([1 << 20, 4, 16, 0])).is_some());
        let sound = with([8192, 1, 1, 0]);
        for len in 0..sound.len() {
            assert_eq!(Cost::of_slot(&sound[..len]), None, "{len} bytes");
        }
        assert_eq!(Cost::of_slot(&[&sound[..], &[0]].concat()), None);
    }

    #[test]
    fn nobody_chooses_a_cost_that_nobody_reads() {
        for bytes in [0, (8 << 20) - 1, (1 << 30) + (1 << 10), u64::MAX] {
            assert!(matches!(
                Cost::of_memory(bytes),
                Err(Error::UnreasonableCost)
            ));
        }
        for bytes in [8 << 20, 1 << 30] {
            let cost = Cost::of_memory(bytes).unwrap();
            assert!(Cost::of_slot(&cost.parameters([0; 16])).is_some());
        }
    }
}
