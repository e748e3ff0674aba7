//! Golden volumes: images written by version 1 of the format, which every later release must read.
//!
//! The images are written by this test when it runs with `TWINE_WRITE_GOLDEN=1`, from fixed randomness and a fixed clock.
//! They never change; a new version of the format adds new ones.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod support;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

use support::{TestPlatform, assert_clean, contents, key};
use twine_fs::{
    Access, FileKind, KeySlots, MemoryStore, Options, SlotKind, SlotSecret, Suite, Volume,
};

const ROOT: u64 = Volume::ROOT;

fn path(suite: Suite) -> PathBuf {
    let name = format!("v1-suite{}.twinefs", suite.number());
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// Bytes that a reader can compute again: byte `n` of file `seed`.
fn pattern(seed: u64, len: usize) -> Vec<u8> {
    (0..len as u64)
        .map(|at| (at * 7 + at / 4096 + seed) as u8)
        .collect()
}

/// A volume with everything the format has: levels of trees, holes, links, inline contents, an older epoch, a log.
fn write(suite: Suite) -> Vec<u8> {
    let store = Arc::new(MemoryStore::default());
    let platform = |stream: u64| {
        Box::new(TestPlatform(AtomicU64::new(
            (u64::from(suite.number()) << 60) + (stream << 40),
        )))
    };
    let mut volume = Volume::create(
        Box::new(Arc::clone(&store)),
        platform(1),
        key(),
        suite,
        Options::default(),
    )
    .unwrap();
    volume
        .add_slot(
            SlotKind::Passphrase,
            b"golden",
            &SlotSecret::new([0x24; 32]),
        )
        .unwrap();
    let docs = volume.create_directory(ROOT, b"docs").unwrap();
    for (name, len) in [
        ("empty", 0),
        ("tiny", 100),
        ("block", 4096),
        ("leaf", 50_000),
    ] {
        let file = volume.create_file(docs, name.as_bytes()).unwrap();
        volume.write(file, 0, &pattern(len as u64, len)).unwrap();
    }
    let sparse = volume.create_file(docs, b"sparse").unwrap();
    volume.write(sparse, 70_000_000, b"far away").unwrap();
    volume.create_link(ROOT, b"link", b"docs/tiny").unwrap();
    let tiny = volume.lookup(docs, b"tiny").unwrap();
    volume.link(tiny, ROOT, b"hard").unwrap();
    let many = volume.create_directory(ROOT, b"many").unwrap();
    for number in 0..150 {
        volume
            .create_file(many, format!("number-{number:03}").as_bytes())
            .unwrap();
    }
    volume.close().unwrap();
    let mut volume = Volume::open(
        Box::new(Arc::clone(&store)),
        platform(2),
        key(),
        Options::default(),
    )
    .unwrap();
    let block = volume.lookup(docs, b"block").unwrap();
    volume.write(block, 10, b"changed by a checkpoint").unwrap();
    volume.sync().unwrap();
    volume.write(block, 1000, b"changed by the log").unwrap();
    volume.remove_file(docs, b"empty").unwrap();
    volume.sync().unwrap();
    volume.write(block, 5000, b"extended by the log").unwrap();
    let leaf = volume.lookup(docs, b"leaf").unwrap();
    volume.set_size(leaf, 45_001).unwrap();
    volume.sync().unwrap();
    store.image()
}

fn read(image: &[u8]) {
    let store = Arc::new(MemoryStore::from_image(image));
    let key = KeySlots::read(&*store)
        .unwrap()
        .unlock(0, &SlotSecret::new([0x24; 32]))
        .unwrap();
    let options = Options {
        access: Access::ReadOnly,
        ..Options::default()
    };
    let mut volume = Volume::open(Box::new(store), TestPlatform::boxed(), key, options).unwrap();
    let docs = volume.lookup(ROOT, b"docs").unwrap();
    let mut block = pattern(4096, 4096);
    block[10..33].copy_from_slice(b"changed by a checkpoint");
    block[1000..1018].copy_from_slice(b"changed by the log");
    block.resize(5000, 0);
    block.extend_from_slice(b"extended by the log");
    let mut sparse = vec![0; 70_000_000];
    sparse.extend_from_slice(b"far away");
    let expected = [
        ("block", block),
        ("leaf", pattern(50_000, 45_001)),
        ("sparse", sparse),
        ("tiny", pattern(100, 100)),
    ];
    for (name, bytes) in &expected {
        let file = volume.lookup(docs, name.as_bytes()).unwrap();
        assert!(contents(&mut volume, file).unwrap() == *bytes, "{name}");
    }
    assert_eq!(
        volume.read_directory(docs, 0, usize::MAX).unwrap().len(),
        expected.len()
    );
    let link = volume.lookup(ROOT, b"link").unwrap();
    assert_eq!(volume.read_link(link).unwrap(), b"docs/tiny");
    assert_eq!(volume.status(link).unwrap().kind, FileKind::Link);
    let hard = volume.lookup(ROOT, b"hard").unwrap();
    assert_eq!(
        (hard, volume.status(hard).unwrap().links),
        (volume.lookup(docs, b"tiny").unwrap(), 2)
    );
    let many = volume.lookup(ROOT, b"many").unwrap();
    assert_eq!(
        volume.read_directory(many, 0, usize::MAX).unwrap().len(),
        150
    );
    assert_clean(&mut volume);
}

#[test]
fn golden_volumes_are_still_read() {
    for suite in [Suite::Aegis128L, Suite::Aes256Gcm] {
        if std::env::var_os("TWINE_WRITE_GOLDEN").is_some() {
            std::fs::write(path(suite), write(suite)).unwrap();
        }
        read(&std::fs::read(path(suite)).unwrap());
    }
}
