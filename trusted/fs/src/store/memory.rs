//! A store in memory: for tests, and for volumes that need not outlive the process.

use std::{
    sync::{PoisonError, RwLock},
    vec::Vec,
};

use super::{Range, Store};
use crate::{
    codec::to_usize,
    error::{Error, Result},
    limits::BLOCK_LEN,
};

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    bytes: RwLock<Vec<u8>>,
}

impl MemoryStore {
    /// A store that holds a copy of an image.
    pub fn from_image(image: &[u8]) -> Self {
        Self {
            bytes: RwLock::new(image.to_vec()),
        }
    }

    /// A copy of everything.
    pub fn image(&self) -> Vec<u8> {
        self.bytes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Changes the bytes behind the reader's back, as a host may.
    pub fn tamper(&self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.bytes.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Store for MemoryStore {
    fn read(&self, first: u64, into: &mut [u8]) -> Result<()> {
        let bytes = self.bytes.read().unwrap_or_else(PoisonError::into_inner);
        let start = to_usize(first).saturating_mul(BLOCK_LEN);
        let from = bytes
            .get(start..start.saturating_add(into.len()))
            .ok_or(Error::Host(OUT_OF_RANGE))?;
        into.copy_from_slice(from);
        Ok(())
    }

    fn write(&self, ranges: &[Range<'_>]) -> Result<()> {
        let mut bytes = self.bytes.write().unwrap_or_else(PoisonError::into_inner);
        for (first, data) in ranges {
            let start = to_usize(*first).saturating_mul(BLOCK_LEN);
            let into = bytes
                .get_mut(start..start.saturating_add(data.len()))
                .ok_or(Error::Host(OUT_OF_RANGE))?;
            into.copy_from_slice(data);
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn size(&self) -> Result<u64> {
        Ok((self
            .bytes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
            / BLOCK_LEN) as u64)
    }

    fn resize(&self, blocks: u64) -> Result<()> {
        let len = to_usize(blocks)
            .checked_mul(BLOCK_LEN)
            .ok_or(Error::NoSpace)?;
        self.bytes
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .resize(len, 0);
        Ok(())
    }
}

/// What an operating system would say: `EINVAL`.
const OUT_OF_RANGE: i32 = 22;
