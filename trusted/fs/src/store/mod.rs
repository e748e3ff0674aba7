//! The untrusted disk, as a seam: six methods, and nothing they say is believed.
//!
//! Implementations are equals: [`MemoryStore`] and [`FileStore`] here, test stores that fail and record in
//! [`testing`], the enclave's exchange with its host elsewhere.

#[cfg(feature = "std")]
mod file;
#[cfg(feature = "std")]
mod memory;
#[cfg(feature = "std")]
pub mod testing;

use crate::error::Result;

#[cfg(feature = "std")]
pub use file::FileStore;
#[cfg(feature = "std")]
pub use memory::MemoryStore;

/// One contiguous stretch to write: the address of its first block, and whole blocks.
pub type Range<'a> = (u64, &'a [u8]);

/// The untrusted disk: numbered blocks of 4096 bytes that the host may lose, alter or replay.
///
/// Methods take `&self` because reads run while another thread flushes. An implementation copies host memory exactly
/// once per read and never returns a reference to it.
pub trait Store: Send + Sync {
    /// Copies consecutive blocks, from `first` on, into `into`, whose length is a multiple of 4096.
    ///
    /// # Errors
    /// [`Error::Host`](crate::Error::Host), also for blocks beyond the end.
    fn read(&self, first: u64, into: &mut [u8]) -> Result<()>;

    /// Writes ranges in any order. Durable only after [`flush`](Self::flush); until then any part of it may be lost.
    ///
    /// # Errors
    /// [`Error::Host`](crate::Error::Host) or [`Error::NoSpace`](crate::Error::NoSpace); any part may have been written.
    fn write(&self, ranges: &[Range<'_>]) -> Result<()>;

    /// Returns when everything written before is durable.
    ///
    /// # Errors
    /// [`Error::Host`](crate::Error::Host): nothing is known about what was written since the last flush.
    fn flush(&self) -> Result<()>;

    /// Whole blocks in the store.
    ///
    /// # Errors
    /// [`Error::Host`](crate::Error::Host).
    fn size(&self) -> Result<u64>;

    /// Grows or shrinks the store; new blocks may hold anything.
    ///
    /// # Errors
    /// [`Error::NoSpace`](crate::Error::NoSpace) or [`Error::Host`](crate::Error::Host).
    fn resize(&self, blocks: u64) -> Result<()>;

    /// Told that the block at `first` is about to be read: a store that can have it fetched meanwhile may do so, without
    /// waiting for it.
    fn prefetch(&self, first: u64) {
        let _ = first;
    }
}

impl<S: Store + ?Sized> Store for alloc::sync::Arc<S> {
    fn read(&self, first: u64, into: &mut [u8]) -> Result<()> {
        (**self).read(first, into)
    }

    fn write(&self, ranges: &[Range<'_>]) -> Result<()> {
        (**self).write(ranges)
    }

    fn flush(&self) -> Result<()> {
        (**self).flush()
    }

    fn size(&self) -> Result<u64> {
        (**self).size()
    }

    fn resize(&self, blocks: u64) -> Result<()> {
        (**self).resize(blocks)
    }

    fn prefetch(&self, first: u64) {
        (**self).prefetch(first);
    }
}
