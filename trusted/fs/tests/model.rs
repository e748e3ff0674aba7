//! The model test: random operations on a volume and on a plain model in memory, with a failure injected at some store call.
//!
//! The model knows what the program sees and what was committed, file by file. After a failure the program either goes
//! on, and must see the old or the new state of the failed operation, or mounts again, and must see what was committed.

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

use support::{Random, assert_clean, contents, create, open, proved, seeds};
use twine_fs::{
    Budget, Error, FileKind, MemoryStore, Options, Volume,
    store::testing::{Failure, FaultyStore},
};

const ROOT: u64 = Volume::ROOT;
const LIVES: u64 = 10_000;

/// A tree of files: directories by inode, contents by inode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tree {
    names: BTreeMap<(u64, Vec<u8>), (u64, u8)>,
    contents: BTreeMap<u64, Vec<u8>>,
}

/// What the program sees, and what a crash would leave.
#[derive(Clone, Debug, Default)]
struct Model {
    seen: Tree,
    committed: Tree,
    /// Inodes whose names changed since the last commit: every commit takes their contents along.
    touched: BTreeSet<u64>,
}

impl Model {
    /// The outcome of a commit of these files.
    fn commit(&mut self, files: &BTreeSet<u64>) {
        let names: BTreeSet<u64> = self.seen.names.values().map(|(ino, _)| *ino).collect();
        let mut contents = BTreeMap::new();
        for (&ino, bytes) in self
            .seen
            .contents
            .iter()
            .filter(|(ino, _)| names.contains(ino))
        {
            let taken = files.contains(&ino) || self.touched.contains(&ino);
            let bytes = if taken {
                bytes
            } else {
                &self.committed.contents[&ino]
            };
            contents.insert(ino, bytes.clone());
        }
        self.committed = Tree {
            names: self.seen.names.clone(),
            contents,
        };
        self.touched.clear();
    }
}

fn look(volume: &mut Volume) -> Result<Tree, Error> {
    let mut tree = Tree::default();
    let mut waiting = vec![ROOT];
    while let Some(dir) = waiting.pop() {
        for entry in volume.read_directory(dir, 0, usize::MAX)? {
            let kind = entry.kind as u8;
            tree.names.insert((dir, entry.name), (entry.ino, kind));
            match entry.kind {
                FileKind::Directory => waiting.push(entry.ino),
                FileKind::File => drop(
                    tree.contents
                        .insert(entry.ino, contents(volume, entry.ino)?),
                ),
                FileKind::Link => drop(
                    tree.contents
                        .insert(entry.ino, volume.read_link(entry.ino)?),
                ),
            }
        }
    }
    Ok(tree)
}

/// One operation of the program.
#[derive(Clone, Debug)]
enum Operation {
    Create(u64, Vec<u8>),
    Directory(u64, Vec<u8>),
    Symlink(u64, Vec<u8>, Vec<u8>),
    Link(u64, u64, Vec<u8>),
    RemoveFile(u64, Vec<u8>),
    RemoveDirectory(u64, Vec<u8>),
    Rename(u64, Vec<u8>, u64, Vec<u8>),
    Write(u64, u64, Vec<u8>),
    SetSize(u64, u64),
    SyncFile(u64),
    Sync,
}

fn choose(model: &Model, random: &mut Random) -> Operation {
    let pick = |random: &mut Random, from: Vec<u64>| from[random.below(from.len() as u64) as usize];
    let name = |random: &mut Random| format!("n{}", random.below(4)).into_bytes();
    let of_kind = |kind: u8| {
        model
            .seen
            .names
            .values()
            .filter(move |(_, found)| *found == kind)
            .map(|(ino, _)| *ino)
    };
    let dir = pick(
        random,
        core::iter::once(ROOT)
            .chain(of_kind(FileKind::Directory as u8))
            .collect(),
    );
    let files: Vec<u64> = of_kind(FileKind::File as u8).collect();
    let choice = random.below(if files.is_empty() { 7 } else { 16 });
    match choice {
        0 | 1 => Operation::Create(dir, name(random)),
        2 => Operation::Directory(dir, name(random)),
        3 => Operation::Symlink(
            dir,
            name(random),
            random.bytes(200).iter().map(|byte| byte | 1).collect(),
        ),
        4 => Operation::RemoveFile(dir, name(random)),
        5 => Operation::RemoveDirectory(dir, name(random)),
        6 => Operation::Sync,
        7 => Operation::Link(pick(random, files), dir, name(random)),
        8 => {
            let to = pick(
                random,
                core::iter::once(ROOT)
                    .chain(of_kind(FileKind::Directory as u8))
                    .collect(),
            );
            Operation::Rename(dir, name(random), to, name(random))
        }
        9 => Operation::SetSize(pick(random, files), random.below(20_000)),
        10 | 11 => Operation::SyncFile(pick(random, files)),
        _ => {
            let len = [1, 60, 100, 4096, 5000, 20_000][random.below(6) as usize];
            let offset = [0, 0, 50, 4096, 7000][random.below(5) as usize];
            Operation::Write(pick(random, files), offset, random.bytes(len))
        }
    }
}

fn perform(volume: &mut Volume, operation: &Operation) -> Result<u64, Error> {
    match operation {
        Operation::Create(dir, name) => volume.create_file(*dir, name),
        Operation::Directory(dir, name) => volume.create_directory(*dir, name),
        Operation::Symlink(dir, name, target) => volume.create_link(*dir, name, target),
        Operation::Link(file, dir, name) => volume.link(*file, *dir, name).map(|()| 0),
        Operation::RemoveFile(dir, name) => volume.remove_file(*dir, name).map(|()| 0),
        Operation::RemoveDirectory(dir, name) => volume.remove_directory(*dir, name).map(|()| 0),
        Operation::Rename(from_dir, from, to_dir, to) => {
            volume.rename(*from_dir, from, *to_dir, to).map(|()| 0)
        }
        Operation::Write(file, offset, data) => volume.write(*file, *offset, data).map(|()| 0),
        Operation::SetSize(file, size) => volume.set_size(*file, *size).map(|()| 0),
        Operation::SyncFile(file) => volume.sync_file(*file).map(|()| 0),
        Operation::Sync => volume.sync().map(|()| 0),
    }
}

/// The model after an operation that succeeded; `created` is the inode number the volume chose.
fn predict(model: &Model, operation: &Operation, created: u64) -> Model {
    let mut after = model.clone();
    let tree = &mut after.seen;
    match operation {
        Operation::Create(dir, name) => {
            tree.names
                .insert((*dir, name.clone()), (created, FileKind::File as u8));
            tree.contents.insert(created, Vec::new());
            after.touched.insert(created);
        }
        Operation::Directory(dir, name) => {
            tree.names
                .insert((*dir, name.clone()), (created, FileKind::Directory as u8));
        }
        Operation::Symlink(dir, name, target) => {
            tree.names
                .insert((*dir, name.clone()), (created, FileKind::Link as u8));
            tree.contents.insert(created, target.clone());
            after.touched.insert(created);
        }
        Operation::Link(file, dir, name) => {
            tree.names
                .insert((*dir, name.clone()), (*file, FileKind::File as u8));
            after.touched.insert(*file);
        }
        Operation::RemoveFile(dir, name) | Operation::RemoveDirectory(dir, name) => {
            let removed = tree.names.remove(&(*dir, name.clone())).unwrap();
            forget(&mut after, removed.0);
        }
        Operation::Rename(from_dir, from, to_dir, to) => {
            let moved = tree.names[&(*from_dir, from.clone())];
            let replaced = tree.names.get(&(*to_dir, to.clone())).copied();
            // Two names of one inode: nothing happens, as POSIX wants it.
            if replaced.is_none_or(|replaced| replaced.0 != moved.0) {
                tree.names.remove(&(*from_dir, from.clone()));
                tree.names.insert((*to_dir, to.clone()), moved);
                after.touched.insert(moved.0);
                if let Some(replaced) = replaced {
                    forget(&mut after, replaced.0);
                }
            }
        }
        Operation::Write(file, offset, data) => {
            let bytes = tree.contents.get_mut(file).unwrap();
            let end = *offset as usize + data.len();
            bytes.resize(bytes.len().max(end), 0);
            bytes[*offset as usize..end].copy_from_slice(data);
        }
        Operation::SetSize(file, size) => tree
            .contents
            .get_mut(file)
            .unwrap()
            .resize(*size as usize, 0),
        Operation::SyncFile(file) => after.commit(&BTreeSet::from([*file])),
        Operation::Sync => after.commit(&model.seen.contents.keys().copied().collect()),
    }
    after
}

fn forget(model: &mut Model, ino: u64) {
    if model.seen.names.values().any(|(other, _)| *other == ino) {
        model.touched.insert(ino);
    } else {
        model.seen.contents.remove(&ino);
    }
}

type Disk = Arc<FaultyStore<MemoryStore>>;

fn options(random: &mut Random) -> Options {
    let tiny = Budget {
        uncommitted: 0,
        data: 0,
        nodes: 0,
        ..Budget::default()
    };
    let budget = if random.below(2) == 0 {
        tiny
    } else {
        Budget::default()
    };
    Options {
        budget,
        ..Options::default()
    }
}

/// One life of a volume: operations, one of which meets a failing store.
fn live(seed: u64, image: &[u8]) {
    let mut random = Random(seed);
    let failure = if random.below(2) == 0 {
        Failure::Once
    } else {
        Failure::Lasting
    };
    let store: Disk = Arc::new(FaultyStore::new(MemoryStore::from_image(image), failure));
    let mut volume = open(Arc::clone(&store), options(&mut random)).unwrap();
    let mut model = Model::default();
    store.fail_after(i64::try_from(random.below(80)).unwrap());
    for step in 0..30 {
        let operation = choose(&model, &mut random);
        let what = || format!("seed {seed}, step {step}, {operation:?}");
        match perform(&mut volume, &operation) {
            Ok(created) => model = predict(&model, &operation, created),
            Err(Error::Host(_) | Error::WritesStopped | Error::MountAgain) => {
                store.heal();
                model = after_failure(&mut volume, &store, model, &operation, &mut random)
                    .unwrap_or_else(|why| panic!("{}: {why}", what()));
            }
            // Refused: the model must not have been able to do it either, so nothing changed.
            Err(Error::Exists | Error::NotFound | Error::NotEmpty | Error::IsADirectory) => {}
            Err(Error::NotADirectory | Error::InvalidArgument) => {}
            Err(error) => panic!("{}: {error}", what()),
        }
        if random.below(10) == 0 {
            store.heal();
            assert_eq!(look(&mut volume).unwrap(), model.seen, "{}", what());
        }
    }
    store.heal();
    assert_eq!(
        look(&mut volume).unwrap(),
        model.seen,
        "seed {seed}, at the end"
    );
    if random.below(2) == 0 && volume.sync().is_ok() {
        // Failures must not have cost space either.
        model = predict(&model, &Operation::Sync, 0);
        assert_clean(&mut volume);
    }
    drop(volume);
    let mut volume = open(Arc::clone(&store), Options::default()).unwrap();
    assert_eq!(
        look(&mut volume).unwrap(),
        model.committed,
        "seed {seed}, after a crash at the end"
    );
    assert_clean(&mut volume);
}

/// The program goes on if it can, or mounts again; either way only the failed operation may be in doubt.
fn after_failure(
    volume: &mut Volume,
    store: &Disk,
    model: Model,
    operation: &Operation,
    random: &mut Random,
) -> Result<Model, String> {
    let is_sync = matches!(operation, Operation::Sync | Operation::SyncFile(_));
    let found = look(volume);
    if let (Ok(found), true) = (&found, random.below(2) == 0) {
        if is_sync && perform(volume, operation).is_ok() {
            return Ok(predict(&model, operation, 0));
        }
        if *found == model.seen && !is_sync {
            // It may still have stopped writes; then the next sync says so and we come here again.
            return Ok(model);
        }
        if let Operation::Write(file, ..) = operation {
            // A prefix of the data may have been taken: everything else is as before.
            let mut after = model;
            after
                .seen
                .contents
                .insert(*file, found.contents[file].clone());
            return if *found == after.seen {
                Ok(after)
            } else {
                Err("a failed write changed something else".into())
            };
        }
        if *found != model.seen {
            return Err(format!(
                "a failed operation left {found:?} instead of {:?}",
                model.seen
            ));
        }
    }
    *volume = open(Arc::clone(store), Options::default()).map_err(|error| error.to_string())?;
    assert_clean(volume);
    let found = look(volume).map_err(|error| error.to_string())?;
    let mut outcomes = vec![model.committed.clone()];
    if is_sync {
        outcomes.push(predict(&model, operation, 0).committed);
    }
    if !outcomes.contains(&found) {
        return Err(format!(
            "after a mount there is {found:?} instead of one of {outcomes:?}"
        ));
    }
    Ok(Model {
        seen: found.clone(),
        committed: found,
        touched: BTreeSet::new(),
    })
}

#[test]
fn ten_thousand_lives_with_failures_agree_with_the_model() {
    let store = Arc::new(MemoryStore::default());
    drop(create(Arc::clone(&store), Options::default()));
    let image = store.image();
    for seed in seeds(LIVES) {
        live(seed, &image);
    }
    proved(LIVES as usize, "lives with failures");
}
