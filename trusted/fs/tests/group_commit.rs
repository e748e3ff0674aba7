//! Syncs of several threads share flushes, and none is acknowledged before its data is durable.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use support::{OwnFlush, Random, create, open};
use twine_fs::{
    Budget, Error, MemoryStore, Options, SharedVolume, Store as _, Volume,
    limits::BLOCK_LEN,
    store::testing::{Event, RecordingStore},
};

const THREADS: u64 = 8;
const SYNCS: u64 = 25;

/// A store that takes its time to flush. What is written meanwhile is not covered by the flush.
fn slow() -> Arc<OwnFlush<RecordingStore>> {
    OwnFlush::new(RecordingStore::default(), |store| {
        store.flush()?;
        thread::sleep(Duration::from_millis(2));
        Ok(())
    })
}

fn tight() -> Options {
    let budget = Budget {
        uncommitted: 1,
        ..Budget::default()
    };
    Options {
        budget,
        capacity: 8 << 20,
        ..Options::default()
    }
}

/// Runs the threads: each writes its number of syncs so far over its whole file, syncs, and notes that it was acknowledged.
fn run(store: &Arc<OwnFlush<RecordingStore>>) -> Vec<u64> {
    let mut volume = create(Arc::clone(store), tight());
    let files: Vec<u64> = (0..THREADS)
        .map(|thread| {
            volume
                .create_file(Volume::ROOT, &[b'a' + thread as u8])
                .unwrap()
        })
        .collect();
    volume.sync().unwrap();
    store.inner.note(0);
    let (shared, store) = (&SharedVolume::new(volume), store);
    thread::scope(|scope| {
        for (thread, &file) in (0..).zip(&files) {
            scope.spawn(move || {
                for sync in 1..=SYNCS {
                    let len = 3 * BLOCK_LEN + thread as usize;
                    shared.write(file, 0, &vec![sync as u8; len]).unwrap();
                    shared.sync_file(file).unwrap();
                    store.inner.note(thread << 32 | sync);
                }
            });
        }
    });
    files
}

#[test]
fn syncs_of_several_threads_share_flushes() {
    let store = slow();
    run(&store);
    let events = store.inner.events();
    let begin = events.iter().position(|event| *event == Event::Note(0));
    let flushes = events[begin.unwrap()..]
        .iter()
        .filter(|event| **event == Event::Flush)
        .count() as u64;
    // The thread that led a commit comes too late for the next one, so flushes carry seven syncs and one in turns.
    let syncs = THREADS * SYNCS;
    assert!(flushes * 3 < syncs, "{flushes} flushes for {syncs} syncs");
}

#[test]
fn whatever_was_acknowledged_survives_a_crash_at_any_moment() {
    let store = slow();
    let files = run(&store);
    let events = store.inner.events();
    let mut disk = Disk::default();
    let (mut acknowledged, mut ready, mut random) = (vec![0; THREADS as usize], false, Random(5));
    for event in &events {
        disk.happens(event);
        if let Event::Note(note) = event {
            ready = true;
            acknowledged[(note >> 32) as usize] = note & 0xffff_ffff;
        }
        if ready && random.below(4) == 0 {
            check(&disk.crash(&mut random), &files, &acknowledged);
        }
    }
    assert_eq!(acknowledged, vec![SYNCS; THREADS as usize]);
}

fn check(image: &[u8], files: &[u64], acknowledged: &[u64]) {
    let mut volume = open(MemoryStore::from_image(image), support::read_only()).unwrap();
    for (&file, &least) in files.iter().zip(acknowledged) {
        let bytes = support::contents(&mut volume, file).unwrap();
        let found = bytes.first().copied().unwrap_or(0);
        assert!(
            bytes.iter().all(|&byte| byte == found),
            "a commit holds whole writes only"
        );
        assert!(
            u64::from(found) >= least,
            "{found} is older than {least}, which was acknowledged"
        );
    }
}

/// What the host has durably, and what it may still lose.
#[derive(Default)]
struct Disk {
    durable: Vec<u8>,
    pending: Vec<(u64, Vec<u8>)>,
}

impl Disk {
    fn happens(&mut self, event: &Event) {
        match event {
            Event::Write(first, data) => self.pending.push((*first, data.clone())),
            Event::Resize(blocks) => self.durable.resize(*blocks as usize * BLOCK_LEN, 0),
            Event::Flush => {
                for (first, data) in self.pending.drain(..) {
                    put(&mut self.durable, first, &data);
                }
            }
            Event::Note(_) => {}
        }
    }

    /// An image that a crash may leave: of what is not durable, any blocks made it.
    fn crash(&self, random: &mut Random) -> Vec<u8> {
        let mut image = self.durable.clone();
        for (first, data) in &self.pending {
            for (block, bytes) in (*first..).zip(data.chunks(BLOCK_LEN)) {
                if random.below(2) == 0 {
                    put(&mut image, block, bytes);
                }
            }
        }
        image
    }
}

fn put(image: &mut [u8], first: u64, data: &[u8]) {
    let start = first as usize * BLOCK_LEN;
    image[start..start + data.len()].copy_from_slice(data);
}

#[test]
fn a_failed_flush_is_reported_to_every_sync_that_shared_it() {
    let flushes = AtomicU64::new(0);
    let store = OwnFlush::new(MemoryStore::default(), move |_| {
        thread::sleep(Duration::from_millis(1));
        if flushes.fetch_add(1, Ordering::Relaxed) < 12 {
            Ok(())
        } else {
            Err(Error::Host(5))
        }
    });
    let shared = &SharedVolume::new(create(Arc::clone(&store), tight()));
    let durable: Vec<(u64, u64)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || {
                    let name = [b'a' + thread as u8];
                    let file = shared.create_file(Volume::ROOT, &name).unwrap();
                    for sync in 1.. {
                        let written = shared.write(file, 0, &[sync as u8; BLOCK_LEN]);
                        match written.and_then(|()| shared.sync_file(file)) {
                            Ok(()) => {}
                            Err(Error::Host(5) | Error::WritesStopped) => return (file, sync - 1),
                            Err(other) => unreachable!("{other}"),
                        }
                    }
                    unreachable!("the store fails in the end")
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let mut reopened = open(Arc::clone(&store), support::read_only()).unwrap();
    for (file, least) in durable {
        if least > 0 {
            let bytes = support::contents(&mut reopened, file).unwrap();
            assert!(
                u64::from(bytes[0]) >= least,
                "what was acknowledged is there"
            );
        }
    }
}
