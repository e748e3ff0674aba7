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

mod disk;
#[path = "../support/mod.rs"]
mod support;
mod trace;

use std::{collections::BTreeSet, sync::Arc};

use disk::{Disk, Image};
use support::{Random, open, proved, read_only, seeds};
use trace::{Trace, Tree, acknowledged, begin, change, crowded, record, small, tree};
use twine_fs::{
    Options, Store as _, Volume,
    store::testing::{Event, RecordingStore},
};

const BLOCK: usize = 4096;

/// Mounts an image and tells which synced states it may be; panics if it does not mount.
fn verdict(image: Image, trace: &Trace, allowed: core::ops::RangeInclusive<usize>) {
    let mut volume = open(image, read_only())
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

#[test]
fn every_crash_leaves_the_last_acknowledged_state_or_the_one_under_way() {
    let mut images = 0;
    for seed in seeds(u64::from(u32::MAX)) {
        let trace = match seed % 4 {
            0 | 2 => record(seed, 25, Options::default),
            1 => record(seed, 25, small),
            _ => record(seed, 60, crowded),
        };
        images += torture(&trace, &mut Random(seed << 32), 6);
        if images >= 200_000 {
            break;
        }
    }
    proved(images, "images after a crash");
}

/// Recovery writes nothing, so what is left to show is a crash in the first commit after one.
#[test]
fn a_crash_after_a_crash_loses_nothing_either() {
    let mut images = 0;
    for seed in seeds(8) {
        let trace = record(1000 + seed, 12, small);
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
        let skipped = store.events().len();
        let mut volume = open(Arc::clone(&store), Options::default()).unwrap();
        let recovered = tree(&mut volume).unwrap();
        assert!(trace.states[synced..].contains(&recovered));
        let mut random = Random(seed);
        change(&mut volume, &mut random);
        volume.create_file(Volume::ROOT, b"second").unwrap();
        let then = tree(&mut volume).unwrap();
        let changed = store.events().len();
        volume.sync().unwrap();
        // What the changes did to the store by themselves, growing it or spilling, belongs to the trace.
        let mut events = store.events();
        events.insert(changed, Event::Note(begin(1)));
        events.push(Event::Note(acknowledged(1)));
        let second = Trace {
            events: events.split_off(skipped),
            states: vec![recovered, then],
            start: crashed,
        };
        images += torture(&second, &mut random, 12);
    }
    proved(images, "images after a second crash");
}

/// The transient-snapshot attack (CVE-2022-27499): the host keeps every image it ever saw, whatever was flushed or not.
#[test]
fn every_image_the_host_ever_saw_is_a_state_the_program_asked_for() {
    let mut images = 0;
    for seed in seeds(20) {
        let trace = record(5000 + seed, 20, small);
        let states: BTreeSet<&Tree> = trace.states.iter().collect();
        let mut image = Image::new(&trace.start);
        for event in &trace.events {
            image.apply(event, |_| true);
            let Ok(mut volume) = open(image.clone(), read_only()) else {
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
    proved(images, "images the host saw");
}
