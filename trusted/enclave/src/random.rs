//! Randomness: the processor's, through a generator that forgets.
//!
//! RDSEED seeds a 256-bit key; RDRAND is mixed in, so that a fault in one does not decide alone. For every request the
//! key makes a ChaCha20 stream: its first 32 bytes become the next key, the rest is the answer ("fast key erasure", D. J.
//! Bernstein, 2017). Whoever reads the enclave's memory later learns nothing of earlier answers. The key is renewed from
//! RDSEED after [`RESEED_AFTER_LEN`] bytes. The host's randomness is never asked for.

use core::arch::x86_64::{_rdrand64_step, _rdseed64_step};

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use zeroize::Zeroizing;

use crate::fatal;
use crate::sync::Mutex;

/// Bytes between two seeds: far below ChaCha20's 2^70, often enough to recover from a leaked key.
const RESEED_AFTER_LEN: u64 = 1 << 20;

/// Attempts before the processor's generator counts as broken. Intel asks for 10 with RDRAND; RDSEED may run dry under
/// load, so it gets more, with a pause in between.
const ATTEMPTS: u32 = 1024;

const KEY_LEN: usize = 32;

static GENERATOR: Mutex<Generator> = Mutex::new(Generator {
    key: [0; KEY_LEN],
    left: 0,
});

struct Generator {
    key: [u8; KEY_LEN],
    /// Bytes until the next seed. Zero before the first.
    left: u64,
}

/// Fills `bytes` with random bytes.
pub(crate) fn fill(bytes: &mut [u8]) {
    GENERATOR.lock().fill(bytes);
}

impl Generator {
    fn fill(&mut self, bytes: &mut [u8]) {
        let len = bytes.len() as u64;
        if self.left < len {
            self.seed();
        }
        self.left = self.left.saturating_sub(len);
        // Erases itself when dropped.
        let mut stream = ChaCha20Rng::from_seed(self.key);
        stream.fill_bytes(&mut self.key);
        stream.fill_bytes(bytes);
    }

    /// Mixes fresh randomness of the processor into the key.
    fn seed(&mut self) {
        for chunk in self.key.chunks_mut(size_of::<u64>()) {
            let fresh = Zeroizing::new((seed_word() ^ random_word()).to_le_bytes());
            for (byte, fresh) in chunk.iter_mut().zip(fresh.iter()) {
                *byte ^= fresh;
            }
        }
        self.left = RESEED_AFTER_LEN;
    }
}

fn seed_word() -> u64 {
    // SAFETY: the image is built for processors with RDSEED; the instruction writes its operand only.
    retry("RDSEED", |word| unsafe { _rdseed64_step(word) })
}

fn random_word() -> u64 {
    // SAFETY: as for `seed_word`, with RDRAND.
    retry("RDRAND", |word| unsafe { _rdrand64_step(word) })
}

/// Repeats an instruction until it gives a word. An enclave without randomness does not go on.
fn retry(name: &str, step: impl Fn(&mut u64) -> i32) -> u64 {
    let mut word = 0;
    for _ in 0..ATTEMPTS {
        if step(&mut word) == 1 {
            return word;
        }
        core::hint::spin_loop();
    }
    fatal::kill(format_args!("the processor gives no randomness ({name})"))
}
