//! A store that counts what reaches the host.

use std::sync::atomic::{AtomicU64, Ordering};

use twine_fs::{Error, MemoryStore, Range, Store};

use crate::BLOCK;

/// Memory with counters.
#[derive(Debug, Default)]
pub(crate) struct CountingStore {
    memory: MemoryStore,
    read: AtomicU64,
    written: AtomicU64,
    flushes: AtomicU64,
}

/// What happened so far: blocks read, blocks written, flushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) read: u64,
    pub(crate) written: u64,
    pub(crate) flushes: u64,
}

impl CountingStore {
    pub(crate) fn counts(&self) -> Counts {
        let [read, written, flushes] =
            [&self.read, &self.written, &self.flushes].map(|count| count.load(Ordering::Relaxed));
        Counts {
            read,
            written,
            flushes,
        }
    }
}

impl Store for CountingStore {
    fn read(&self, first: u64, into: &mut [u8]) -> Result<(), Error> {
        let blocks = into.len() / BLOCK;
        self.read.fetch_add(blocks as u64, Ordering::Relaxed);
        self.memory.read(first, into)
    }

    fn write(&self, ranges: &[Range<'_>]) -> Result<(), Error> {
        let blocks: usize = ranges.iter().map(|(_, data)| data.len() / BLOCK).sum();
        self.written.fetch_add(blocks as u64, Ordering::Relaxed);
        self.memory.write(ranges)
    }

    fn flush(&self) -> Result<(), Error> {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        self.memory.flush()
    }

    fn size(&self) -> Result<u64, Error> {
        self.memory.size()
    }

    fn resize(&self, blocks: u64) -> Result<(), Error> {
        self.memory.resize(blocks)
    }
}
