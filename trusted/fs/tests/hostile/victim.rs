//! A volume to attack: everything it ever was, what it must read as, and the verdict on what an attacker made of it.

use std::{cell::Cell, collections::BTreeMap, sync::Arc};

use twine_fs::{
    Access, Error, FileKind, Freshness, FreshnessAnchor as _, Mark, MemoryAnchor, MemoryStore,
    Options, Volume,
};

use crate::{
    BLOCK, ROOT,
    support::{Random, contents, create, open, proved, round, strict},
};

/// A volume with several commits behind it, every image it ever had, and its newest mark.
pub(crate) struct Victim {
    pub(crate) images: Vec<Vec<u8>>,
    mark: Mark,
    pub(crate) expected: BTreeMap<Vec<u8>, Vec<u8>>,
    judged: Cell<usize>,
}

/// A volume whose largest file has two levels of tree nodes; another one in each round.
pub(crate) fn victim() -> Victim {
    let more = Random(round()).below(200_000) * round().min(1);
    victim_with(&[30, 5000, 530_000 + more as usize])
}

pub(crate) fn victim_with(sizes: &[usize]) -> Victim {
    let store = Arc::new(MemoryStore::default());
    let anchor = MemoryAnchor::default();
    let mut volume = create(Arc::clone(&store), strict(&anchor));
    let mut images = vec![store.image()];
    for (number, &size) in (0u8..).zip(sizes) {
        let file = volume
            .create_file(ROOT, format!("file-{number}").as_bytes())
            .unwrap();
        let bytes: Vec<u8> = (0..size)
            .map(|at: usize| (at / 100) as u8 ^ number | 1)
            .collect();
        volume.write(file, 0, &bytes).unwrap();
        volume.sync().unwrap();
        images.push(store.image());
    }
    // A new mount: an older epoch, a checkpoint, then two records.
    drop(volume);
    let mut volume = open(Arc::clone(&store), strict(&anchor)).unwrap();
    for round in 0..3u8 {
        let file = volume.lookup(ROOT, b"file-1").unwrap();
        volume
            .write(file, u64::from(round) * 1000, &[round + 100; 900])
            .unwrap();
        volume.sync().unwrap();
        images.push(store.image());
    }
    let expected = read_all(&mut volume).unwrap();
    Victim {
        images,
        mark: anchor.load().unwrap().unwrap(),
        expected,
        judged: Cell::new(0),
    }
}

/// What becomes of an image in another place: a mount without the anchor, and commits of its own.
pub(crate) fn fork(image: &[u8]) -> Vec<u8> {
    let store = Arc::new(MemoryStore::from_image(image));
    let mut volume = open(Arc::clone(&store), Options::default()).unwrap();
    let file = volume.create_file(ROOT, b"elsewhere").unwrap();
    for round in 0..4u8 {
        let bytes = vec![round + 50; 150_000];
        volume
            .write(file, u64::from(round) * 150_000, &bytes)
            .unwrap();
        volume.sync().unwrap();
    }
    store.image()
}

pub(crate) fn block_of(image: &[u8], block: usize) -> &[u8] {
    &image[block * BLOCK..][..BLOCK]
}

pub(crate) fn read_all(volume: &mut Volume) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Error> {
    let mut found = BTreeMap::new();
    for entry in volume.read_directory(ROOT, 0, usize::MAX)? {
        assert_eq!(entry.kind, FileKind::File);
        found.insert(entry.name, contents(volume, entry.ino)?);
    }
    Ok(found)
}

/// Mounts and reads everything, with the newest mark as anchor.
fn attack(image: &Arc<MemoryStore>, mark: Mark) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Error> {
    let freshness = Freshness::Export(Some(mark));
    let options = Options {
        access: Access::ReadOnly,
        freshness,
        ..Options::default()
    };
    read_all(&mut open(Arc::clone(image), options)?)
}

impl Victim {
    pub(crate) fn newest(&self) -> &[u8] {
        self.images.last().unwrap()
    }

    /// The verdict on a changed image: right data, or an error that blames the host.
    pub(crate) fn judge(&self, image: &[u8], what: impl Fn() -> String) -> Verdict {
        self.judge_store(&Arc::new(MemoryStore::from_image(image)), what)
    }

    pub(crate) fn judge_store(
        &self,
        image: &Arc<MemoryStore>,
        what: impl Fn() -> String,
    ) -> Verdict {
        self.judged.set(self.judged.get() + 1);
        match attack(image, self.mark) {
            Ok(found) => {
                assert!(found == self.expected, "{}: wrong data", what());
                Verdict::Harmless
            }
            Err(Error::Tampered { .. }) => Verdict::Tampered,
            Err(Error::RolledBack { .. } | Error::Forked { .. }) => Verdict::RolledBack,
            // Both superblocks are gone, or the file is too short: no state is left to roll back to.
            Err(
                Error::WrongKey
                | Error::NotAVolume
                | Error::Truncated { .. }
                | Error::Unsupported(_),
            ) => Verdict::Refused,
            Err(error) => panic!("{}: {error}", what()),
        }
    }

    /// Replaces blocks of the newest image. The change must be noticed; `false` if it changed nothing.
    pub(crate) fn notices(&self, changes: &[(usize, &[u8])], what: impl Fn() -> String) -> bool {
        let mut image = self.newest().to_vec();
        for (block, bytes) in changes {
            image[block * BLOCK..][..BLOCK].copy_from_slice(bytes);
        }
        let is_other = image != self.newest();
        if is_other {
            let verdict = self.judge(&image, &what);
            assert_ne!(verdict, Verdict::Harmless, "{} went unnoticed", what());
        }
        is_other
    }

    /// Reports how many images were judged since the last report.
    pub(crate) fn proved(&self) {
        proved(self.judged.take(), "changed images");
    }

    /// Blocks that the newest state depends on: those whose destruction is noticed.
    pub(crate) fn needed(&self) -> Vec<usize> {
        let blocks = self.newest().len() / BLOCK;
        let damaged = |block: usize| {
            let mut image = self.newest().to_vec();
            image[block * BLOCK..(block + 1) * BLOCK].fill(0);
            self.judge(&image, || format!("block {block} zeroed")) != Verdict::Harmless
        };
        (0..blocks).filter(|&block| damaged(block)).collect()
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Harmless,
    Tampered,
    RolledBack,
    Refused,
}
