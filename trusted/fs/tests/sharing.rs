//! Several threads on one volume: every call is atomic towards every other, and a hostile host gains nothing from the race.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use support::{OwnFlush, Random, create, fresh, open};
use twine_fs::{
    Budget, Error, MemoryStore, Options, Range, Result, SharedVolume, Store, Volume,
    limits::BLOCK_LEN,
};

const BLOCKS: usize = 24;
const FILE_LEN: usize = BLOCKS * BLOCK_LEN;

/// Caches that hold next to nothing, and so little room that space must be won back by checkpoints all the time.
fn cramped() -> Options {
    let budget = Budget {
        nodes: 1,
        data: 1,
        uncommitted: 1,
        spilled: 1 << 20,
    };
    Options {
        budget,
        capacity: 6 << 20,
        ..Options::default()
    }
}

fn stamped(stamp: u64) -> Vec<u8> {
    stamp.to_le_bytes().repeat(FILE_LEN / 8)
}

/// The stamp that fills the buffer.
fn stamp_of(bytes: &[u8]) -> u64 {
    let stamp = bytes[..8].try_into().unwrap();
    let torn = bytes.chunks(8).position(|part| part != stamp);
    assert_eq!(torn, None, "a read saw parts of two writes");
    u64::from_le_bytes(stamp)
}

#[test]
fn a_read_sees_all_of_a_write_or_nothing_of_it() {
    let store = Arc::new(MemoryStore::default());
    let mut volume = create(Arc::clone(&store), cramped());
    let files: Vec<u64> = (0..3)
        .map(|number| {
            let name = format!("file-{number}");
            let file = volume.create_file(Volume::ROOT, name.as_bytes()).unwrap();
            volume.open_file(file).unwrap();
            volume.write(file, 0, &stamped(1)).unwrap();
            file
        })
        .collect();
    volume.sync().unwrap();
    let (shared, files) = (&SharedVolume::new(volume), &files);
    let (running, reads) = (&AtomicBool::new(true), &AtomicU64::new(0));
    thread::scope(|scope| {
        for reader in 0..2 {
            scope.spawn(move || {
                let (mut random, mut bytes) = (Random(reader), vec![0; FILE_LEN]);
                let mut newest = [0; 3];
                while running.load(Ordering::Relaxed) {
                    let choice = random.below(3) as usize;
                    // Whole blocks only, or a part of one at either end.
                    let skipped = [0, 8, BLOCK_LEN, BLOCK_LEN + 8][random.below(4) as usize];
                    let part = &mut bytes[skipped..];
                    let len = shared.read(files[choice], skipped as u64, part).unwrap();
                    assert_eq!(len, part.len());
                    let stamp = stamp_of(part);
                    assert!(
                        stamp >= newest[choice],
                        "a read saw an older write than the one before"
                    );
                    newest[choice] = stamp;
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let writers: Vec<_> = files
            .iter()
            .map(|&file| {
                scope.spawn(move || {
                    for stamp in 2..400 {
                        shared.write(file, 0, &stamped(stamp)).unwrap();
                        if stamp % 3 == 0 {
                            shared.sync_file(file).unwrap();
                        }
                    }
                })
            })
            .collect();
        let names = scope.spawn(move || {
            for round in 0..200u64 {
                let (one, two) = (b"one".as_slice(), b"two".as_slice());
                let file = shared.create_file(Volume::ROOT, one).unwrap();
                shared.write(file, 0, &stamped(round)).unwrap();
                shared.rename(Volume::ROOT, one, Volume::ROOT, two).unwrap();
                assert_eq!(shared.lookup(Volume::ROOT, two), Ok(file));
                if round % 5 == 0 {
                    shared.sync().unwrap();
                }
                shared.remove_file(Volume::ROOT, two).unwrap();
            }
        });
        for thread in writers.into_iter().chain([names]) {
            let ended = thread.join();
            running.store(
                ended.is_ok() && running.load(Ordering::Relaxed),
                Ordering::Relaxed,
            );
            ended.unwrap();
        }
        running.store(false, Ordering::Relaxed);
    });
    assert!(reads.load(Ordering::Relaxed) > 0);
    shared.sync().unwrap();
    let mut reopened = open(Arc::clone(&store), Options::default()).unwrap();
    support::assert_clean(&mut reopened);
    for &file in files {
        assert_eq!(
            stamp_of(&support::contents(&mut reopened, file).unwrap()),
            399
        );
    }
}

/// What happens in the middle of the next read.
type Interruption = Box<dyn FnOnce() + Send>;

/// A store in memory that lets something happen while a read is under way, as another thread might.
#[derive(Default)]
struct InterruptedStore {
    memory: MemoryStore,
    next: Mutex<Option<Interruption>>,
}

impl Store for InterruptedStore {
    fn read(&self, first: u64, into: &mut [u8]) -> Result<()> {
        let interruption = self.next.lock().unwrap().take();
        if let Some(interruption) = interruption {
            interruption();
        }
        self.memory.read(first, into)
    }

    fn write(&self, ranges: &[Range<'_>]) -> Result<()> {
        self.memory.write(ranges)
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn size(&self) -> Result<u64> {
        self.memory.size()
    }

    fn resize(&self, blocks: u64) -> Result<()> {
        self.memory.resize(blocks)
    }
}

fn interrupted() -> (Arc<InterruptedStore>, Arc<SharedVolume>, u64) {
    let store = Arc::new(InterruptedStore::default());
    let options = Options {
        capacity: 2 << 20,
        ..Options::default()
    };
    let mut volume = create(Arc::clone(&store), options);
    let file = volume.create_file(Volume::ROOT, b"file").unwrap();
    volume.write(file, 0, &stamped(1)).unwrap();
    volume.close().unwrap();
    let options = Options {
        capacity: 2 << 20,
        ..Options::default()
    };
    let mut volume = open(Arc::clone(&store), options).unwrap();
    // The file is known and its leaf is cached: the next store read is the data's.
    assert_eq!(volume.read(file, 0, &mut [0; BLOCK_LEN]), Ok(BLOCK_LEN));
    (store, Arc::new(SharedVolume::new(volume)), file)
}

#[test]
fn a_read_whose_blocks_went_to_others_meanwhile_starts_over() {
    let (store, shared, file) = interrupted();
    let others = Arc::clone(&shared);
    *store.next.lock().unwrap() = Some(Box::new(move || {
        others.write(file, 0, &stamped(2)).unwrap();
        // Commits, and frees the old blocks with two checkpoints.
        others.with(Volume::refresh).unwrap();
        others.with(Volume::refresh).unwrap();
        // Goes over all of the free space, the old blocks included.
        for round in 0..30 {
            let filler = others.create_file(Volume::ROOT, &[b'a' + round]).unwrap();
            others.write(filler, 0, &stamped(9)).unwrap();
            others.sync_file(filler).unwrap();
            others.remove_file(Volume::ROOT, &[b'a' + round]).unwrap();
        }
    }));
    let mut bytes = vec![0; FILE_LEN];
    assert_eq!(shared.read(file, 0, &mut bytes), Ok(FILE_LEN));
    assert_eq!(stamp_of(&bytes), 2);
    assert!(
        store.next.lock().unwrap().is_none(),
        "the interruption took place"
    );
}

#[test]
fn a_block_that_was_tampered_with_during_a_read_is_reported_and_wiped() {
    let (store, shared, file) = interrupted();
    let host = Arc::clone(&store);
    *store.next.lock().unwrap() = Some(Box::new(move || {
        // Every block but the superblocks, slots and what follows them at once.
        host.memory.tamper(|bytes| {
            bytes[16 * BLOCK_LEN..]
                .iter_mut()
                .for_each(|byte| *byte ^= 1)
        });
    }));
    let mut bytes = vec![0xee; FILE_LEN];
    let read = shared.read(file, 0, &mut bytes);
    assert!(matches!(read, Err(Error::Tampered { .. })), "{read:?}");
    assert_eq!(bytes, vec![0; FILE_LEN], "nothing of it is shown");
    assert_eq!(shared.read(file, 0, &mut bytes), Err(Error::Poisoned));
}

#[test]
fn a_host_that_flips_bits_during_reads_never_shows_wrong_data() {
    let (mut survived, mut caught) = (0, 0);
    for round in 0..20 {
        let (mut volume, store) = fresh();
        let file = volume.create_file(Volume::ROOT, b"file").unwrap();
        volume.write(file, 0, &stamped(7)).unwrap();
        volume.close().unwrap();
        let volume = open(Arc::clone(&store), Options::default()).unwrap();
        let (shared, store, running) = (&SharedVolume::new(volume), &store, &AtomicBool::new(true));
        let results: Vec<Result<u64>> = thread::scope(|scope| {
            scope.spawn(move || {
                let mut random = Random(round);
                while running.load(Ordering::Relaxed) {
                    let (at, bit) = (random.next() as usize, 1 << random.below(8));
                    let flip = |bytes: &mut Vec<u8>| {
                        let at = at % bytes.len();
                        bytes[at] ^= bit;
                    };
                    store.tamper(flip);
                    store.tamper(flip);
                }
            });
            let readers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(move || {
                        let mut bytes = vec![0; FILE_LEN];
                        for _ in 0..100 {
                            shared.read(file, 0, &mut bytes)?;
                            assert_eq!(stamp_of(&bytes), 7);
                        }
                        Ok(100)
                    })
                })
                .collect();
            let results = readers.into_iter().map(|reader| reader.join().unwrap());
            let results = results.collect();
            running.store(false, Ordering::Relaxed);
            results
        });
        for result in results {
            match result {
                Ok(_) => survived += 1,
                Err(Error::Tampered { .. } | Error::Poisoned) => caught += 1,
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert_eq!(survived + caught, 40);
}

/// A host whose failed flush loses everything that was written since the last one; it fails while `fails` says so.
fn forgetful(fails: &Arc<AtomicBool>) -> Arc<OwnFlush<MemoryStore>> {
    let (fails, durable) = (Arc::clone(fails), Mutex::new(Vec::new()));
    OwnFlush::new(MemoryStore::default(), move |memory| {
        let mut durable = durable.lock().unwrap();
        if fails.load(Ordering::Relaxed) {
            memory.tamper(|bytes| bytes[..durable.len()].copy_from_slice(&durable));
            return Err(Error::Host(5));
        }
        *durable = memory.image();
        Ok(())
    })
}

#[test]
fn what_a_failed_flush_lost_is_not_called_tampering() {
    let fails = Arc::new(AtomicBool::new(false));
    let store = forgetful(&fails);
    let mut volume = create(Arc::clone(&store), cramped());
    let old = volume.create_file(Volume::ROOT, b"old").unwrap();
    let new = volume.create_file(Volume::ROOT, b"new").unwrap();
    volume.write(old, 0, &stamped(1)).unwrap();
    volume.write(new, 0, &stamped(1)).unwrap();
    volume.sync().unwrap();
    let shared = SharedVolume::new(volume);
    shared.write(new, 0, &stamped(2)).unwrap();
    fails.store(true, Ordering::Relaxed);
    assert_eq!(shared.sync(), Err(Error::Host(5)));
    assert_eq!(shared.sync(), Err(Error::WritesStopped));
    let mut bytes = vec![0; FILE_LEN];
    assert_eq!(shared.read(old, 0, &mut bytes), Ok(FILE_LEN));
    assert_eq!(stamp_of(&bytes), 1);
    assert_eq!(shared.read(new, 0, &mut bytes), Err(Error::MountAgain));
    drop(shared);
    fails.store(false, Ordering::Relaxed);
    let mut reopened = open(store, cramped()).unwrap();
    assert_eq!(stamp_of(&support::contents(&mut reopened, new).unwrap()), 1);
}
