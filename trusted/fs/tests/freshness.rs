//! Rollback and forks: what an anchor tells apart, and what it must not mistake for an attack.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;

use support::{create, open, strict};
use twine_fs::{Error, FreshnessAnchor as _, MemoryAnchor, MemoryStore, Options, Volume};

const ROOT: u64 = Volume::ROOT;

/// Two mounts of one copy: both continue, and the anchor tells them apart.
#[test]
fn a_fork_is_an_alarm() {
    let store = Arc::new(MemoryStore::default());
    let anchor = MemoryAnchor::default();
    drop(create(Arc::clone(&store), strict(&anchor)));
    let copy = Arc::new(MemoryStore::from_image(&store.image()));
    let mut left = open(Arc::clone(&store), strict(&anchor)).unwrap();
    let mut right = open(Arc::clone(&copy), Options::default()).unwrap();
    for volume in [&mut left, &mut right] {
        volume.create_file(ROOT, b"f").unwrap();
        volume.sync().unwrap();
    }
    assert!(matches!(
        open(Arc::clone(&copy), strict(&anchor)),
        Err(Error::Forked { .. })
    ));
    open(Arc::clone(&store), strict(&anchor)).unwrap();
    right.create_file(ROOT, b"g").unwrap();
    right.sync().unwrap();
    assert!(
        matches!(open(copy, strict(&anchor)), Err(Error::Forked { .. })),
        "a volume that ran ahead"
    );
}

#[test]
fn a_crash_between_flush_and_anchor_is_not_an_alarm() {
    let store = Arc::new(MemoryStore::default());
    let anchor = MemoryAnchor::default();
    let mut volume = create(Arc::clone(&store), strict(&anchor));
    let before = anchor.load().unwrap().unwrap();
    volume.create_file(ROOT, b"f").unwrap();
    volume.sync().unwrap();
    let late = MemoryAnchor::default();
    late.advance(before).unwrap();
    let volume = open(Arc::clone(&store), strict(&late)).unwrap();
    assert_eq!(
        late.load().unwrap(),
        Some(volume.mark()),
        "the mount told the anchor"
    );
}
