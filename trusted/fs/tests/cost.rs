//! What operations cost, counted in blocks and flushes: figures that hold on any machine.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

#[path = "support/counting.rs"]
mod counting;
mod support;

use std::sync::Arc;

use counting::CountingStore;
use support::{Random, create, open};
use twine_fs::{Options, Volume};

const BLOCK: usize = 4096;
const ROOT: u64 = Volume::ROOT;

/// A closed volume with one file of this many blocks.
fn volume_with(blocks: usize) -> (Arc<CountingStore>, u64) {
    let store = Arc::new(CountingStore::default());
    let mut volume = create(Arc::clone(&store), Options::default());
    let file = volume.create_file(ROOT, b"f").unwrap();
    volume.write(file, 0, &vec![1; blocks * BLOCK]).unwrap();
    volume.close().unwrap();
    (store, file)
}

#[test]
fn a_commit_of_one_page_is_one_flush_and_two_blocks() {
    let (store, file) = volume_with(1000);
    let mut volume = open(Arc::clone(&store), Options::default()).unwrap();
    // The first commit of a mount is a checkpoint.
    volume.write(file, 0, b"checkpoint").unwrap();
    volume.sync_file(file).unwrap();
    for number in 0..500u32 {
        let before = store.counts();
        let place = u64::from(number * 7 % 1000) * BLOCK as u64;
        volume
            .write(file, place, &[number as u8 | 1; BLOCK])
            .unwrap();
        volume.sync_file(file).unwrap();
        let after = store.counts();
        let cost = (
            after.written - before.written,
            after.flushes - before.flushes,
        );
        assert_eq!(cost, (2, 1), "commit {number}: a record and the page");
    }
}

#[test]
fn a_read_of_one_page_takes_one_block_once_its_nodes_are_cached() {
    let (store, file) = volume_with(20_000);
    let mut volume = open(Arc::clone(&store), Options::default()).unwrap();
    let mut page = vec![0; BLOCK];
    for leaf in 0..20_000 / 128 {
        volume
            .read(file, leaf * 128 * BLOCK as u64, &mut page)
            .unwrap();
    }
    let before = store.counts();
    for number in 0..500 {
        // Never a neighbour, never a page that was read before.
        let place = (number * 39 + 1) * BLOCK as u64;
        volume.read(file, place, &mut page).unwrap();
    }
    let after = store.counts();
    assert_eq!(after.read - before.read, 500);
    assert_eq!(
        after.foretold - before.foretold,
        500,
        "written in one go: the store is told where, each time"
    );
}

/// The host sees where the store is sent ahead: nowhere but to blocks that it has to read at once.
#[test]
fn the_store_is_told_of_a_block_only_if_that_is_read_at_once() {
    let blocks = 3000;
    let (store, file) = volume_with(blocks);
    let mut volume = open(Arc::clone(&store), Options::default()).unwrap();
    let (mut random, mut pages) = (Random(1), vec![0; 300 * BLOCK]);
    for step in 0..6000_u32 {
        let block = random.below(blocks as u64 + 10);
        let place = block * BLOCK as u64;
        let result = match random.below(40) {
            // What changed is in memory until the next sync, what was read in part in the cache.
            0..4 => volume.write(file, place, &[step as u8; BLOCK]),
            4..8 => volume.read(file, place + 5, &mut pages[..7]).map(drop),
            8..10 => volume.read(file, place, &mut pages).map(drop),
            10 => volume.sync(),
            11 => volume.set_size(file, 11_000_000 + place / 10),
            _ => volume.read(file, place, &mut pages[..BLOCK]).map(drop),
        };
        result.unwrap();
        assert_eq!(store.counts().in_vain, 0, "step {step}");
    }
    assert!(store.counts().foretold > 1000);
}

#[test]
fn opening_a_large_volume_reads_as_little_as_opening_a_small_one() {
    let reads = [100, 30_000].map(|blocks| {
        let (store, _) = volume_with(blocks);
        let before = store.counts();
        drop(open(Arc::clone(&store), Options::default()).unwrap());
        let after = store.counts();
        assert_eq!(after.written, before.written, "a mount writes nothing");
        after.read - before.read
    });
    assert!(reads.iter().all(|&blocks| blocks < 40), "{reads:?}");
    let [small, large] = reads;
    assert!(large <= small + 1, "{small} and {large} blocks");
}
