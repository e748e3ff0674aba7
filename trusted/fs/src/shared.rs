//! A volume that several threads use at a time.
//!
//! One lock guards the volume, and nothing slow happens under it: the two things that take long need little of a volume.
//!
//! - A **read** copies what is in memory and the references to what is not, under the lock; then it fetches and decrypts
//!   without. References name versions, so what it returns is what the file held at one moment. The space of a version may
//!   be given to another meanwhile; then a block does not verify, and the read starts over under the lock, where a block
//!   that does not verify *is* tampering.
//! - A **sync** writes its record under the lock and flushes without ([`flight`](crate::flight)). Syncs that arrive meanwhile
//!   wait, and then all go into one record: one of them leads.
//!
//! ```text
//! thread 1   write  sync ──[begin]──────── flush ────────[land]
//! thread 2      write  sync  waits ............................[begin]── flush ──[land]
//! thread 3        write  sync  waits ..........................  is committed along
//! thread 4           read  read  read  write  read
//! ```
//!
//! Reads of parts of blocks go through the cache and stay under the lock altogether.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

use crate::{
    disk::Health,
    error::Result,
    freshness::Mark,
    store::Store,
    sync::{Guard, Monitor},
    volume::{DirectoryEntry, Fetches, Statistics, Status, Volume, fetch},
};

/// A volume for several threads: [`Volume`]'s methods, by shared reference. Put it into an [`Arc`].
///
/// Every call is atomic towards every other: a read sees all of a write or nothing of it. What is not here is done with
/// [`with`](Self::with).
pub struct SharedVolume {
    store: Arc<dyn Store>,
    core: Monitor<Core>,
}

/// What the lock guards.
struct Core {
    volume: Volume,
    /// Files that wait for the next commit.
    gathering: Batch,
    /// Number of the batch that is gathering.
    number: u64,
    /// Whether a thread leads a commit.
    led: bool,
    /// How batches ended, until everybody who waited knows.
    outcomes: BTreeMap<u64, (Result<()>, u64)>,
}

/// Syncs that one commit answers.
#[derive(Default)]
struct Batch {
    inos: BTreeSet<u64>,
    waiting: u64,
}

impl SharedVolume {
    /// Shares a volume.
    pub fn new(volume: Volume) -> Self {
        Self {
            store: volume.shared_store(),
            core: Monitor::new(Core {
                volume,
                gathering: Batch::default(),
                number: 0,
                led: false,
                outcomes: BTreeMap::new(),
            }),
        }
    }

    /// The volume, for one owner again.
    pub fn into_inner(self) -> Volume {
        self.core.into_inner().volume
    }

    /// Runs `action` while nobody else uses the volume and no commit is under way.
    pub fn with<T>(&self, action: impl FnOnce(&mut Volume) -> T) -> T {
        let mut core = self.lock();
        // A failed flush has stopped writes by now; whoever led the commit reports it.
        let _ = core.volume.land();
        action(&mut core.volume)
    }

    /// As [`Volume::read`], and concurrent.
    ///
    /// # Errors
    /// As [`Volume::read`].
    pub fn read(&self, ino: u64, offset: u64, into: &mut [u8]) -> Result<usize> {
        let (mut missing, mut core) = (Fetches::default(), self.lock());
        let len = core.volume.locate(ino, offset, into, &mut missing)?;
        let keys = core.volume.keys();
        drop(core);
        match fetch(&*self.store, &keys, ino, &missing, into) {
            Ok(()) => Ok(len),
            // Nobody can move blocks while the lock is held: what fails now fails for good.
            Err(_) => self.lock().volume.read(ino, offset, into),
        }
    }

    /// As [`Volume::read_vectored`], and concurrent: all buffers are filled from one moment.
    ///
    /// # Errors
    /// As [`Volume::read`].
    pub fn read_vectored(&self, ino: u64, offset: u64, into: &mut [&mut [u8]]) -> Result<usize> {
        let mut core = self.lock();
        let (mut total, mut fetches) = (0, Vec::new());
        for part in into.iter_mut() {
            let mut missing = Fetches::default();
            let at = offset.saturating_add(total as u64);
            let len = core.volume.locate(ino, at, part, &mut missing)?;
            fetches.push(missing);
            total += len;
            if len < part.len() {
                break;
            }
        }
        let keys = core.volume.keys();
        drop(core);
        let opened = fetches
            .iter()
            .zip(into.iter_mut())
            .try_for_each(|(missing, part)| fetch(&*self.store, &keys, ino, missing, part));
        match opened {
            Ok(()) => Ok(total),
            // As in `read`.
            Err(_) => self.lock().volume.read_vectored(ino, offset, into),
        }
    }

    /// As [`Volume::sync_file`]; syncs of several threads share commits.
    ///
    /// # Errors
    /// As [`Volume::sync_file`]; if syncs shared a commit, each of them gets its error.
    pub fn sync_file(&self, ino: u64) -> Result<()> {
        self.commit(|volume| volume.unsynced(ino))
    }

    /// As [`Volume::sync`].
    ///
    /// # Errors
    /// As [`sync_file`](Self::sync_file).
    pub fn sync(&self) -> Result<()> {
        self.commit(|volume| volume.all_unsynced())
    }

    fn commit(&self, wanted: impl FnOnce(&mut Volume) -> Result<BTreeSet<u64>>) -> Result<()> {
        let mut core = self.lock();
        let wanted = wanted(&mut core.volume)?;
        core.gathering.inos.extend(wanted);
        core.gathering.waiting += 1;
        let number = core.number;
        // Even if nothing is dirty, what this thread wrote may be in the commit under way.
        while core.led && core.number == number {
            core = self.core.wait(core);
        }
        if core.number == number {
            core = self.lead(core);
        }
        loop {
            if let Some(result) = core.outcome(number) {
                return result;
            }
            core = self.core.wait(core);
        }
    }

    /// Commits the gathered batch for everybody who waits for it.
    fn lead<'a>(&'a self, mut core: Guard<'a, Core>) -> Guard<'a, Core> {
        core.led = true;
        let (number, batch) = (core.number, core::mem::take(&mut core.gathering));
        core.number += 1;
        let result = match core.volume.begin_commit(batch.inos) {
            Ok(Some(flight)) => {
                drop(core);
                flight.fly();
                core = self.lock();
                // Somebody who needed space may have landed it already.
                let _ = core.volume.land();
                flight.outcome().acknowledged
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        core.led = false;
        core.outcomes.insert(number, (result, batch.waiting));
        self.core.ring();
        core
    }

    fn lock(&self) -> Guard<'_, Core> {
        let mut core = self.core.lock();
        if self.core.is_poisoned() {
            // What a panic left half changed must not be committed, nor believed.
            core.volume.distrust(Health::MountAgain);
        }
        core
    }
}

impl Core {
    /// The outcome of a batch, once for everybody who waited.
    fn outcome(&mut self, number: u64) -> Option<Result<()>> {
        let (result, waiting) = self.outcomes.get_mut(&number)?;
        *waiting -= 1;
        let (result, last) = (*result, *waiting == 0);
        if last {
            self.outcomes.remove(&number);
        }
        Some(result)
    }
}

/// Methods that are short enough to run under the lock as they are.
macro_rules! under_the_lock {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {
        impl SharedVolume {
            $(
                #[doc = concat!("As [`Volume::", stringify!($name), "`].")]
                ///
                /// # Errors
                #[doc = concat!("As [`Volume::", stringify!($name), "`].")]
                pub fn $name(&self, $($argument: $kind),*) -> Result<$result> {
                    self.lock().volume.$name($($argument),*)
                }
            )*
        }
    };
}

under_the_lock! {
    write(ino: u64, offset: u64, data: &[u8]) -> ();
    write_vectored(ino: u64, offset: u64, parts: &[&[u8]]) -> ();
    append(ino: u64, data: &[u8]) -> u64;
    set_size(ino: u64, size: u64) -> ();
    allocate(ino: u64, offset: u64, len: u64) -> ();
    status(ino: u64) -> Status;
    set_times(ino: u64, accessed: Option<u64>, modified: Option<u64>) -> ();
    open_file(ino: u64) -> ();
    close_file(ino: u64) -> ();
    create_file(dir: u64, name: &[u8]) -> u64;
    create_directory(dir: u64, name: &[u8]) -> u64;
    create_link(dir: u64, name: &[u8], target: &[u8]) -> u64;
    read_link(link: u64) -> Vec<u8>;
    link(existing: u64, dir: u64, name: &[u8]) -> ();
    remove_file(dir: u64, name: &[u8]) -> ();
    remove_directory(dir: u64, name: &[u8]) -> ();
    rename(from_dir: u64, from: &[u8], to_dir: u64, to: &[u8]) -> ();
    read_directory(dir: u64, cookie: u64, count: usize) -> Vec<DirectoryEntry>;
    lookup(dir: u64, name: &[u8]) -> u64;
}

impl SharedVolume {
    /// As [`Volume::statistics`].
    pub fn statistics(&self) -> Statistics {
        self.lock().volume.statistics()
    }

    /// As [`Volume::mark`].
    pub fn mark(&self) -> Mark {
        self.lock().volume.mark()
    }
}
