//! Stores for tests: one that fails on command, one that writes down everything the host could ever see.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    vec::Vec,
};

use super::{MemoryStore, Range, Store};
use crate::{
    error::{Error, Result},
    limits::BLOCK_LEN,
};

/// Fails the n-th call, and from then on either succeeds again or fails for good.
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    /// Calls until the failure; negative: none is planned.
    countdown: AtomicI64,
    lasting: bool,
}

/// How long a planned failure lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// One call fails.
    Once,
    /// All calls from then on fail.
    Lasting,
}

impl<S: Store> FaultyStore<S> {
    /// Passes everything on until [`fail_after`](Self::fail_after).
    pub const fn new(inner: S, failure: Failure) -> Self {
        Self {
            inner,
            countdown: AtomicI64::new(-1),
            lasting: matches!(failure, Failure::Lasting),
        }
    }

    /// Lets `calls` calls pass, then fails.
    pub fn fail_after(&self, calls: i64) {
        self.countdown.store(calls, Ordering::Relaxed);
    }

    /// Stops failing.
    pub fn heal(&self) {
        self.countdown.store(-1, Ordering::Relaxed);
    }

    /// The store behind.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    fn check(&self) -> Result<()> {
        match self.countdown.load(Ordering::Relaxed) {
            0 => {
                self.countdown
                    .store(if self.lasting { 0 } else { -1 }, Ordering::Relaxed);
                Err(Error::Host(5))
            }
            calls if calls > 0 => {
                self.countdown.store(calls - 1, Ordering::Relaxed);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl<S: Store> Store for FaultyStore<S> {
    fn read(&self, first: u64, into: &mut [u8]) -> Result<()> {
        self.check()?;
        self.inner.read(first, into)
    }

    /// A failing write leaves the first half of its first range behind: the worst of both worlds.
    fn write(&self, ranges: &[Range<'_>]) -> Result<()> {
        let verdict = self.check();
        if let (Err(_), Some((first, data))) = (&verdict, ranges.first()) {
            let half = data
                .get(..data.len() / 2 / BLOCK_LEN * BLOCK_LEN)
                .unwrap_or_default();
            self.inner.write(&[(*first, half)])?;
        }
        verdict?;
        self.inner.write(ranges)
    }

    fn flush(&self) -> Result<()> {
        self.check()?;
        self.inner.flush()
    }

    fn size(&self) -> Result<u64> {
        self.check()?;
        self.inner.size()
    }

    fn resize(&self, blocks: u64) -> Result<()> {
        self.check()?;
        self.inner.resize(blocks)
    }
}

/// What a store was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Whole blocks were written at this address.
    Write(u64, Vec<u8>),
    /// Everything before is durable.
    Flush,
    /// The store has this many blocks from now on.
    Resize(u64),
    /// Not the store's: a note by the test, such as "the program's sync number 3 was acknowledged".
    Note(u64),
}

/// Passes everything on to memory and keeps every write, flush and resize in order.
#[derive(Debug, Default)]
pub struct RecordingStore {
    memory: MemoryStore,
    events: Mutex<Vec<Event>>,
}

impl RecordingStore {
    /// Adds the test's own event.
    pub fn note(&self, note: u64) {
        self.push(Event::Note(note));
    }

    /// A copy of what happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The memory behind.
    pub const fn memory(&self) -> &MemoryStore {
        &self.memory
    }

    fn push(&self, event: Event) {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }
}

impl Store for RecordingStore {
    fn read(&self, first: u64, into: &mut [u8]) -> Result<()> {
        self.memory.read(first, into)
    }

    fn write(&self, ranges: &[Range<'_>]) -> Result<()> {
        self.memory.write(ranges)?;
        ranges
            .iter()
            .for_each(|(first, data)| self.push(Event::Write(*first, data.to_vec())));
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.push(Event::Flush);
        Ok(())
    }

    fn size(&self) -> Result<u64> {
        self.memory.size()
    }

    fn resize(&self, blocks: u64) -> Result<()> {
        self.push(Event::Resize(blocks));
        self.memory.resize(blocks)
    }
}
