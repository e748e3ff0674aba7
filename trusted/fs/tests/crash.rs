//! The crash simulator: a workload runs on a store that writes down every write and flush; then every image that a crash
//! could have left is mounted and compared with what the program had synced.
//!
//! A disk may, since the last flush, have kept any subset of the writes, in 512-byte sectors. An image is right if it
//! mounts and equals the state of the last acknowledged sync, or of a later one that was under way.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use support::{Random, TestPlatform, contents, key, open};
use twine_fs::{
    Access, Budget, Error, FileKind, Options, Range, Store, Suite, Volume,
    store::testing::{Event, RecordingStore},
};

const BLOCK: usize = 4096;
const SECTOR: usize = 512;

/// Everything a program can see of a volume: paths with contents.
type Tree = BTreeMap<Vec<u8>, Vec<u8>>;

fn tree(volume: &mut Volume) -> Result<Tree, Error> {
    let mut found = Tree::new();
    let mut waiting = vec![(Vec::new(), Volume::ROOT)];
    while let Some((path, dir)) = waiting.pop() {
        for entry in volume.read_directory(dir, 0, usize::MAX)? {
            let path = [&path[..], b"/", &entry.name].concat();
            match entry.kind {
                FileKind::Directory => {
                    found.insert(path.clone(), b"directory".to_vec());
                    waiting.push((path, entry.ino));
                }
                FileKind::File => drop(found.insert(path, contents(volume, entry.ino)?)),
                FileKind::Link => drop(found.insert(path, volume.read_link(entry.ino)?)),
            }
        }
    }
    Ok(found)
}

/// What the program knew at each moment: `states[n]` is what sync number n asks for.
struct Trace {
    events: Vec<Event>,
    states: Vec<Tree>,
    /// The image before the first event, and its state is `states[0]`.
    start: Vec<u8>,
}

/// Notes in the trace: sync n begins, sync n is acknowledged.
const fn begin(sync: usize) -> u64 {
    sync as u64 * 2
}

const fn acknowledged(sync: usize) -> u64 {
    sync as u64 * 2 + 1
}

/// Runs random operations with syncs of everything, and records.
fn record(seed: u64, syncs: usize, budget: Budget) -> Trace {
    let store = Arc::new(RecordingStore::default());
    let options = Options {
        budget,
        ..Options::default()
    };
    let mut volume = Volume::create(
        Box::new(Arc::clone(&store)),
        TestPlatform::boxed(),
        key(),
        Suite::Aegis128L,
        options,
    )
    .unwrap();
    let skipped = store.events().len();
    let start = store.memory().image();
    let mut states = vec![tree(&mut volume).unwrap()];
    let mut random = Random(seed);
    for sync in 1..=syncs {
        for _ in 0..random.below(6) + 1 {
            change(&mut volume, &mut random);
        }
        states.push(tree(&mut volume).unwrap());
        store.note(begin(sync));
        if random.below(12) == 0 {
            // A new mount: its first commit is a checkpoint.
            volume.sync().unwrap();
            store.note(acknowledged(sync));
            drop(volume);
            volume = open(
                Arc::clone(&store),
                Options {
                    budget,
                    ..Options::default()
                },
            )
            .unwrap();
        } else {
            volume.sync().unwrap();
            store.note(acknowledged(sync));
        }
    }
    volume.close().unwrap();
    Trace {
        events: store.events().split_off(skipped),
        states,
        start,
    }
}

fn change(volume: &mut Volume, random: &mut Random) {
    let name = format!("n{}", random.below(6)).into_bytes();
    let other = format!("n{}", random.below(6)).into_bytes();
    let found = volume.lookup(Volume::ROOT, &name).ok();
    // Refused operations are part of the workload: they must not change anything.
    let _ = match (random.below(10), found) {
        (0, _) => volume.create_directory(Volume::ROOT, &name).map(drop),
        (1, _) => volume.create_link(Volume::ROOT, &name, &other).map(drop),
        (2, _) => volume.remove_file(Volume::ROOT, &name),
        (3, _) => volume.rename(Volume::ROOT, &name, Volume::ROOT, &other),
        (4, Some(file)) => volume.link(file, Volume::ROOT, &other),
        (5, Some(file)) => volume.set_size(file, random.below(30_000)),
        (_, Some(file)) => {
            let len = [10, 100, 4096, 9000][random.below(4) as usize];
            volume.write(file, random.below(5) * 3000, &random.bytes(len))
        }
        (_, None) => volume.create_file(Volume::ROOT, &name).map(drop),
    };
}

/// An image as layers over a shared base: a crash changes few sectors of it.
#[derive(Clone)]
struct Image {
    base: Arc<Vec<u8>>,
    sectors: BTreeMap<usize, Arc<[u8]>>,
    len: usize,
}

impl Image {
    fn new(bytes: &[u8]) -> Self {
        Self {
            base: Arc::new(bytes.to_vec()),
            sectors: BTreeMap::new(),
            len: bytes.len(),
        }
    }

    fn apply(&mut self, event: &Event, kept: impl Fn(usize) -> bool) {
        match event {
            Event::Write(first, data) => {
                let start = *first as usize * (BLOCK / SECTOR);
                self.len = self.len.max(start * SECTOR + data.len());
                for (number, sector) in data
                    .chunks(SECTOR)
                    .enumerate()
                    .filter(|(number, _)| kept(*number))
                {
                    self.sectors.insert(start + number, sector.into());
                }
            }
            Event::Resize(blocks) => self.len = self.len.max(*blocks as usize * BLOCK),
            Event::Flush | Event::Note(_) => {}
        }
    }

    fn flatten(&self) -> Vec<u8> {
        let mut bytes = self.base.to_vec();
        bytes.resize(self.len, 0);
        for (number, sector) in &self.sectors {
            bytes[number * SECTOR..][..SECTOR].copy_from_slice(sector);
        }
        bytes
    }
}

impl Store for Image {
    fn read(&self, first: u64, into: &mut [u8]) -> Result<(), Error> {
        let start = first as usize * BLOCK;
        if start + into.len() > self.len {
            return Err(Error::Host(22));
        }
        let under = self.base.get(start..).unwrap_or_default();
        let under = &under[..under.len().min(into.len())];
        into[..under.len()].copy_from_slice(under);
        into[under.len()..].fill(0);
        let range = start / SECTOR..(start + into.len()) / SECTOR;
        for (number, sector) in self.sectors.range(range) {
            into[number * SECTOR - start..][..SECTOR].copy_from_slice(sector);
        }
        Ok(())
    }

    fn write(&self, _: &[Range<'_>]) -> Result<(), Error> {
        panic!("a read-only mount writes nothing")
    }

    fn flush(&self) -> Result<(), Error> {
        panic!("a read-only mount writes nothing")
    }

    fn size(&self) -> Result<u64, Error> {
        Ok((self.len / BLOCK) as u64)
    }

    fn resize(&self, _: u64) -> Result<(), Error> {
        panic!("a read-only mount writes nothing")
    }
}

/// The disk during a replay of the trace: what is durable, and what may or may not be.
struct Disk {
    durable: Image,
    volatile: Vec<Event>,
}

impl Disk {
    fn new(start: &[u8]) -> Self {
        Self {
            durable: Image::new(start),
            volatile: Vec::new(),
        }
    }

    fn flush(&mut self) {
        for event in self.volatile.drain(..) {
            self.durable.apply(&event, |_| true);
        }
        if self.durable.sectors.len() > 512 {
            self.durable = Image::new(&self.durable.flatten());
        }
    }

    /// What a crash may leave: all volatile writes up to some point, or a random choice of their sectors.
    fn images(&self, random: &mut Random, choices: usize) -> Vec<Image> {
        let mut images = vec![self.durable.clone()];
        let mut image = self.durable.clone();
        for event in &self.volatile {
            image.apply(event, |_| true);
            images.push(image.clone());
        }
        for choice in 0..choices {
            let mut image = self.durable.clone();
            let torn = random.below(self.volatile.len().max(1) as u64) as usize;
            for (number, event) in self.volatile.iter().enumerate() {
                let seed = random.next();
                match choice % 3 {
                    // One write is torn, the others arrived.
                    0 => image.apply(event, |sector| {
                        number != torn || (seed >> (sector % 64)) & 1 == 1
                    }),
                    // Some writes arrived, in whatever order, the others not at all.
                    1 => image.apply(event, |_| seed & 1 == 1),
                    // Any sector of any write.
                    _ => image.apply(event, |sector| (seed >> (sector % 64)) & 1 == 1),
                }
            }
            images.push(image);
        }
        images
    }
}

/// Mounts an image and tells which synced states it may be; panics if it does not mount.
fn verdict(image: Image, trace: &Trace, allowed: core::ops::RangeInclusive<usize>) {
    let options = Options {
        access: Access::ReadOnly,
        ..Options::default()
    };
    let mut volume = open(image, options)
        .unwrap_or_else(|error| panic!("after sync {} acknowledged: {error}", allowed.start()));
    let found =
        tree(&mut volume).unwrap_or_else(|error| panic!("after sync {}: {error}", allowed.start()));
    assert!(
        trace.states[allowed.clone()].contains(&found),
        "the state after a crash is none of the syncs {allowed:?}: {:?}",
        found
            .iter()
            .map(|(path, bytes)| (String::from_utf8_lossy(path), bytes.len()))
            .collect::<Vec<_>>()
    );
}

/// Replays a trace and tries every crash. Returns how many images were mounted.
fn torture(trace: &Trace, random: &mut Random, choices: usize) -> usize {
    let mut disk = Disk::new(&trace.start);
    let (mut synced, mut asked, mut images) = (0, 0, 0);
    for event in &trace.events {
        match event {
            Event::Note(note) if note % 2 == 0 => asked = *note as usize / 2,
            Event::Note(note) => synced = *note as usize / 2,
            Event::Flush => disk.flush(),
            event => disk.volatile.push(event.clone()),
        }
        if !matches!(event, Event::Write(..) | Event::Flush) {
            continue;
        }
        for image in disk.images(random, choices) {
            verdict(image, trace, synced..=asked.max(synced));
            images += 1;
        }
    }
    images
}

fn small() -> Budget {
    Budget {
        uncommitted: 16 * BLOCK,
        data: 16 * BLOCK,
        nodes: 16 * BLOCK,
        ..Budget::default()
    }
}

/// How much to do: `TWINE_TORTURE=n` multiplies the work of a normal run.
fn effort() -> u64 {
    std::env::var("TWINE_TORTURE")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
}

#[test]
fn every_crash_leaves_the_last_acknowledged_state_or_the_one_under_way() {
    let wanted = 200_000 * effort() as usize;
    let (mut images, mut seed) = (0, 0);
    while images < wanted {
        seed += 1;
        let trace = record(
            seed,
            25,
            if seed % 2 == 0 {
                small()
            } else {
                Budget::default()
            },
        );
        images += torture(&trace, &mut Random(seed << 32), 6);
    }
    println!("{images} images of {seed} workloads");
}

/// Recovery writes nothing, so what is left to show is a crash in the first commit after one.
#[test]
fn a_crash_after_a_crash_loses_nothing_either() {
    for seed in 0..8 * effort() {
        let trace = record(1000 + seed, 12, small());
        let cut = trace.events.len() / 2 + seed as usize % 7;
        let mut disk = Disk::new(&trace.start);
        let mut synced = 0;
        for event in &trace.events[..cut] {
            match event {
                Event::Note(note) if note % 2 == 1 => synced = *note as usize / 2,
                Event::Flush => disk.flush(),
                event => disk.volatile.push(event.clone()),
            }
        }
        let crashed = disk.images(&mut Random(seed), 1).pop().unwrap().flatten();
        let store = Arc::new(RecordingStore::default());
        store.resize((crashed.len() / BLOCK) as u64).unwrap();
        store.memory().tamper(|bytes| *bytes = crashed.clone());
        let mut volume = open(Arc::clone(&store), Options::default()).unwrap();
        let recovered = tree(&mut volume).unwrap();
        assert!(trace.states[synced..].contains(&recovered));
        let mut random = Random(seed);
        change(&mut volume, &mut random);
        volume.create_file(Volume::ROOT, b"second").unwrap();
        let then = tree(&mut volume).unwrap();
        let skipped = store.events().len();
        volume.sync().unwrap();
        let events = store.events().split_off(skipped);
        let mut notes = vec![Event::Note(begin(1))];
        notes.extend(events);
        notes.push(Event::Note(acknowledged(1)));
        let second = Trace {
            events: notes,
            states: vec![recovered, then],
            start: crashed,
        };
        torture(&second, &mut random, 12);
    }
}

/// The transient-snapshot attack (CVE-2022-27499): the host keeps every image it ever saw, whatever was flushed or not.
#[test]
fn every_image_the_host_ever_saw_is_a_state_the_program_asked_for() {
    let mut images = 0;
    for seed in 0..20 * effort() {
        let trace = record(5000 + seed, 20, small());
        let states: BTreeSet<&Tree> = trace.states.iter().collect();
        let mut image = Image::new(&trace.start);
        for event in &trace.events {
            image.apply(event, |_| true);
            let options = Options {
                access: Access::ReadOnly,
                ..Options::default()
            };
            let Ok(mut volume) = open(image.clone(), options) else {
                continue;
            };
            if let Ok(found) = tree(&mut volume) {
                assert!(
                    states.contains(&found),
                    "the host saw a state that was never synced"
                );
                images += 1;
            }
        }
    }
    assert!(
        images > 500,
        "the test must find mountable images, not only broken ones: {images}"
    );
}
