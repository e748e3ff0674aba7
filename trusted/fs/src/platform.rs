//! What the file system needs besides a disk: randomness and the time of day.

use crate::error::Result;

/// Randomness and time. Randomness must be the platform's best: fresh keys depend on it. Time is only shown to users.
pub trait Platform: Send + Sync {
    /// Fills `bytes` with unpredictable bytes.
    ///
    /// # Errors
    /// [`Error::Entropy`](crate::Error::Entropy).
    fn random(&self, bytes: &mut [u8]) -> Result<()>;

    /// Nanoseconds since 1970-01-01 UTC.
    fn now(&self) -> u64;
}

/// The operating system's randomness and clock.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug, Default)]
pub struct HostPlatform;

#[cfg(feature = "std")]
impl Platform for HostPlatform {
    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        use std::io::Read as _;
        // The kernel's generator never blocks after boot and never ends.
        std::fs::File::open("/dev/urandom")
            .and_then(|mut source| source.read_exact(bytes))
            .map_err(|_| crate::Error::Entropy)
    }

    fn now(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| {
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        })
    }
}
