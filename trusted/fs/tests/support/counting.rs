//! A store that counts what reaches the host.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use twine_fs::{Error, MemoryStore, Range, Store};

use crate::BLOCK;

/// Memory with counters.
#[derive(Debug, Default)]
pub(crate) struct CountingStore {
    memory: MemoryStore,
    read: AtomicU64,
    written: AtomicU64,
    flushes: AtomicU64,
    foretold: AtomicU64,
    /// Blocks foretold and not read yet.
    expected: Mutex<BTreeSet<u64>>,
}

/// What happened so far: blocks read, blocks written, flushes, blocks foretold by `prefetch`, and those of them that were not
/// read afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) read: u64,
    pub(crate) written: u64,
    pub(crate) flushes: u64,
    pub(crate) foretold: u64,
    pub(crate) in_vain: usize,
}

impl CountingStore {
    pub(crate) fn counts(&self) -> Counts {
        let counts = [&self.read, &self.written, &self.flushes, &self.foretold];
        let [read, written, flushes, foretold] = counts.map(|count| count.load(Ordering::Relaxed));
        Counts {
            read,
            written,
            flushes,
            foretold,
            in_vain: self.expected.lock().unwrap().len(),
        }
    }
}

impl Store for CountingStore {
    fn read(&self, first: u64, into: &mut [u8]) -> Result<(), Error> {
        let blocks = into.len() / BLOCK;
        self.read.fetch_add(blocks as u64, Ordering::Relaxed);
        let mut expected = self.expected.lock().unwrap();
        expected.retain(|block| !(first..first + blocks as u64).contains(block));
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

    fn prefetch(&self, first: u64) {
        self.foretold.fetch_add(1, Ordering::Relaxed);
        self.expected.lock().unwrap().insert(first);
    }
}
