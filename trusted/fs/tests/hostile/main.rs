//! The hostile disk: whatever the host does to the bytes, a reader gets the right data or an error, never anything else.
//!
//! With an anchor, the error is tampering or a rollback; the only change that may pass is one that the newest state
//! does not depend on.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

#[path = "../support/mod.rs"]
mod support;
mod victim;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use support::{TestPlatform, key, open, read_only, round};
use twine_fs::{Error, MemoryStore, Options, Volume, VolumeKey};
use victim::{Verdict, Victim, block_of, fork, read_all, victim, victim_with};

const ROOT: u64 = Volume::ROOT;
const BLOCK: usize = 4096;

/// Flips every `step`-th bit of every block that matters.
fn flip(victim: &Victim, step: usize) {
    let store = Arc::new(MemoryStore::from_image(victim.newest()));
    for block in victim.needed() {
        for bit in (round() as usize % step..BLOCK * 8).step_by(step) {
            let flip = || store.tamper(|bytes| bytes[block * BLOCK + bit / 8] ^= 1 << (bit % 8));
            flip();
            let verdict = victim.judge_store(&store, || format!("block {block}, bit {bit}"));
            flip();
            assert_ne!(
                verdict,
                Verdict::Harmless,
                "block {block}, bit {bit} went unnoticed"
            );
        }
    }
    victim.proved();
}

#[test]
fn no_flipped_bit_of_a_small_volume_goes_unnoticed() {
    let victim = victim_with(&[30, 5000]);
    assert!(victim.needed().len() >= 8);
    flip(&victim, 1);
}

#[test]
fn no_flipped_bit_of_a_tree_goes_unnoticed() {
    let victim = victim();
    assert!(victim.needed().len() > 130);
    flip(&victim, 1021);
}

/// Copies blocks over needed ones.
fn copy_over(victim: &Victim, sources: impl Fn(usize) -> Vec<usize>) {
    for to in victim.needed() {
        for from in sources(to) {
            let bytes = block_of(victim.newest(), from);
            victim.notices(&[(to, bytes)], || format!("block {from} copied over {to}"));
        }
    }
    victim.proved();
}

/// Exchanges blocks with needed ones.
fn exchange(victim: &Victim, others: impl Fn(usize) -> Vec<usize>) {
    for left in victim.needed() {
        for right in others(left) {
            let bytes = [right, left].map(|block| block_of(victim.newest(), block));
            victim.notices(&[(left, bytes[0]), (right, bytes[1])], || {
                format!("blocks {left} and {right} exchanged")
            });
        }
    }
    victim.proved();
}

#[test]
fn no_block_of_a_small_volume_passes_for_any_other() {
    let victim = victim_with(&[30, 5000]);
    let all = victim.newest().len() / BLOCK;
    copy_over(&victim, |_| (0..all).collect());
    exchange(&victim, |_| (0..all).collect());
}

#[test]
fn no_block_of_a_tree_passes_for_another() {
    let victim = victim();
    let all = victim.newest().len() / BLOCK;
    // Every block in the place of every eleventh, neighbours everywhere.
    copy_over(&victim, |to| match to % 11 {
        0 => (0..all).collect(),
        _ => vec![to - to.min(1), (to + 1) % all],
    });
    exchange(&victim, |left| vec![(left + 1) % all]);
}

/// Puts each block of another image in its place in the newest one. Returns how many differed.
fn replay(victim: &Victim, image: &[u8], whose: &str) -> usize {
    let blocks = victim.needed().into_iter();
    let there = blocks.filter(|block| (block + 1) * BLOCK <= image.len());
    there
        .filter(|&block| {
            let bytes = block_of(image, block);
            victim.notices(&[(block, bytes)], || format!("block {block} of {whose}"))
        })
        .count()
}

#[test]
fn no_block_of_an_older_version_is_accepted() {
    let victim = victim();
    let images = victim.images.iter();
    let replayed: usize = images
        .map(|older| replay(&victim, older, "an older version"))
        .sum();
    assert!(replayed > 100, "{replayed}");
    victim.proved();
}

#[test]
fn no_block_of_another_volume_or_of_a_fork_is_accepted() {
    let (own, other) = (victim(), victim());
    let replayed = replay(&own, other.newest(), "another volume");
    assert!(replayed > 100, "{replayed}");
    // The same volume, mounted elsewhere from each of its older images: the same places, other contents and keys.
    let forks = own.images.iter().rev().skip(1);
    let replayed: usize = forks
        .map(|older| replay(&own, &fork(older), "a fork"))
        .sum();
    assert!(replayed > 100, "{replayed}");
    own.proved();
}

#[test]
fn an_older_volume_is_a_rollback_and_a_shorter_one_is_refused() {
    let victim = victim();
    for (age, older) in victim.images.iter().rev().skip(1).enumerate() {
        assert_eq!(
            victim.judge(older, || format!("image {age}")),
            Verdict::RolledBack
        );
    }
    // Blocks behind the last needed one are reserve.
    let end = victim.needed().last().unwrap() + 1;
    for blocks in 0..end {
        let verdict = victim.judge(&victim.newest()[..blocks * BLOCK], || {
            format!("cut to {blocks} blocks")
        });
        assert_ne!(verdict, Verdict::Harmless, "cut to {blocks} blocks");
    }
    victim.proved();
}

#[test]
fn after_tampering_a_mount_answers_nothing_any_more() {
    let victim = victim();
    let store = Arc::new(MemoryStore::from_image(victim.newest()));
    let mut volume = open(Arc::clone(&store), Options::default()).unwrap();
    let [small, large] = [b"file-0", b"file-2"].map(|name| volume.lookup(ROOT, name).unwrap());
    store.tamper(|bytes| bytes[10 * BLOCK..].iter_mut().for_each(|byte| *byte ^= 1));
    assert!(matches!(
        volume.read(large, 0, &mut [0; 9000]),
        Err(Error::Tampered { .. })
    ));
    assert_eq!(volume.read(small, 0, &mut [0; 1]), Err(Error::Poisoned));
    assert_eq!(volume.create_file(ROOT, b"x"), Err(Error::Poisoned));
    assert_eq!(volume.sync(), Err(Error::Poisoned));
}

#[test]
fn another_key_opens_nothing() {
    let victim = victim();
    let store = Box::new(MemoryStore::from_image(victim.newest()));
    let opened = Volume::open(
        store,
        TestPlatform::boxed(),
        VolumeKey::new([1; 32]),
        Options::default(),
    );
    assert!(matches!(opened, Err(Error::WrongKey)));
    let garbage = Box::new(MemoryStore::from_image(&vec![0xa5; 64 * BLOCK]));
    let opened = Volume::open(garbage, TestPlatform::boxed(), key(), Options::default());
    assert!(matches!(opened, Err(Error::NotAVolume)));
}

/// The host may change mapped bytes at any moment, also between two looks at the same byte.
#[test]
fn bytes_that_change_while_they_are_read_are_never_believed() {
    let victim = victim();
    let store = Arc::new(MemoryStore::from_image(victim.newest()));
    let stop = Arc::new(AtomicBool::new(false));
    let flipper = std::thread::spawn({
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        move || {
            let mut at = 0;
            while !stop.load(Ordering::Relaxed) {
                store.tamper(|bytes| {
                    at = (at + 4099) % (bytes.len() - 10 * BLOCK);
                    bytes[10 * BLOCK + at] ^= 0x20;
                });
                store.tamper(|bytes| bytes[10 * BLOCK + at] ^= 0x20);
            }
        }
    });
    let mut verdicts = [0; 2];
    for _ in 0..300 {
        let found =
            open(Arc::clone(&store), read_only()).and_then(|mut volume| read_all(&mut volume));
        match found {
            Ok(found) => {
                // Without an anchor, a damaged log tail shows an older commit: also right data.
                assert!(found.keys().eq(victim.expected.keys()));
                assert_eq!(found[&b"file-2"[..]], victim.expected[&b"file-2"[..]]);
                verdicts[0] += 1;
            }
            Err(Error::Tampered { .. }) => verdicts[1] += 1,
            Err(error) => panic!("{error}"),
        }
    }
    stop.store(true, Ordering::Relaxed);
    flipper.join().unwrap();
    assert!(verdicts[0] + verdicts[1] == 300);
}
