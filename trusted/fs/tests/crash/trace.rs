//! What a program does to a volume, written down: the store's events, and the state that each sync asks for.

use std::{collections::BTreeMap, sync::Arc};

use twine_fs::{
    Budget, Error, FileKind, MemoryStore, Options, Volume,
    store::testing::{Event, RecordingStore},
};

use crate::{
    BLOCK,
    support::{Random, contents, create, open, read_only},
};

/// Everything a program can see of a volume: paths with contents.
pub(crate) type Tree = BTreeMap<Vec<u8>, Vec<u8>>;

pub(crate) fn tree(volume: &mut Volume) -> Result<Tree, Error> {
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
pub(crate) struct Trace {
    pub(crate) events: Vec<Event>,
    pub(crate) states: Vec<Tree>,
    /// The image before the first event, and its state is `states[0]`.
    pub(crate) start: Vec<u8>,
}

/// Notes in the trace: sync n begins, sync n is acknowledged.
pub(crate) const fn begin(sync: usize) -> u64 {
    sync as u64 * 2
}

pub(crate) const fn acknowledged(sync: usize) -> u64 {
    sync as u64 * 2 + 1
}

/// Runs random operations and records. What makes them durable is a sync of everything or of one file, a new key for
/// everything, or making the volume shorter; at the end it is a sync of everything.
pub(crate) fn record(seed: u64, syncs: usize, options: impl Fn() -> Options) -> Trace {
    let store = Arc::new(RecordingStore::default());
    let mut volume = create(Arc::clone(&store), options());
    let skipped = store.events().len();
    let start = store.memory().image();
    let mut states = vec![tree(&mut volume).unwrap()];
    let mut random = Random(seed);
    for sync in 1..=syncs {
        for _ in 0..random.below(6) + 1 {
            change(&mut volume, &mut random);
        }
        store.note(begin(sync));
        let file = random_file(&mut volume, &mut random).filter(|_| sync < syncs);
        match (random.below(12), file) {
            (0..4, Some(file)) => {
                volume.sync_file(file).unwrap();
                // Which other files come along is for the model test to say; what a clean mount finds, a crash must leave.
                let image = MemoryStore::from_image(&store.memory().image());
                states.push(tree(&mut open(image, read_only()).unwrap()).unwrap());
                store.note(acknowledged(sync));
            }
            (choice, _) => {
                states.push(tree(&mut volume).unwrap());
                match choice {
                    9 => drop(volume.refresh().unwrap()),
                    10 => drop(volume.compact().unwrap()),
                    _ => volume.sync().unwrap(),
                }
                store.note(acknowledged(sync));
                if choice == 11 {
                    // A new mount: its first commit is a checkpoint.
                    drop(volume);
                    volume = open(Arc::clone(&store), options()).unwrap();
                }
            }
        }
    }
    volume.close().unwrap();
    Trace {
        events: store.events().split_off(skipped),
        states,
        start,
    }
}

fn random_file(volume: &mut Volume, random: &mut Random) -> Option<u64> {
    let entries = volume.read_directory(Volume::ROOT, 0, usize::MAX).unwrap();
    let files = entries.iter().filter(|entry| entry.kind == FileKind::File);
    let files: Vec<u64> = files.map(|entry| entry.ino).collect();
    let choice = random.below(files.len().max(1) as u64);
    files.get(choice as usize).copied()
}

pub(crate) fn change(volume: &mut Volume, random: &mut Random) {
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

/// Caches so small that unsynced data is spilled.
pub(crate) fn small() -> Options {
    Options {
        budget: Budget {
            uncommitted: 16 * BLOCK,
            data: 16 * BLOCK,
            nodes: 16 * BLOCK,
            ..Budget::default()
        },
        ..Options::default()
    }
}

/// So little space that it has to be used again and again, and often there is none.
pub(crate) fn crowded() -> Options {
    Options {
        capacity: 128 * BLOCK as u64,
        ..small()
    }
}
