//! Compacting: the file becomes as short as its contents, which do not change, whenever it is cut short.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;

use support::{TestPlatform, assert_clean, contents, fresh, key, open};
use twine_fs::{
    Error, MemoryStore, Options, Store as _, Volume,
    store::testing::{Failure, FaultyStore},
};

const FILES: u8 = 40;

fn name(number: u8) -> Vec<u8> {
    format!("file-{number}").into_bytes()
}

fn len(number: u8) -> usize {
    usize::from(number) * 7000
}

/// Fills a volume, then removes most of it, so that the rest lies scattered up to the end.
fn scatter(volume: &mut Volume) {
    for number in 0..FILES {
        let file = volume.create_file(Volume::ROOT, &name(number)).unwrap();
        let bytes = vec![number + 1; len(number)];
        volume.write(file, 0, &bytes).unwrap();
        volume.sync_file(file).unwrap();
    }
    for number in (0..FILES).filter(|number| number % 8 != 7) {
        volume.remove_file(Volume::ROOT, &name(number)).unwrap();
    }
    volume.sync().unwrap();
}

fn assert_contents(volume: &mut Volume) {
    for number in (0..FILES).filter(|number| number % 8 == 7) {
        let file = volume.lookup(Volume::ROOT, &name(number)).unwrap();
        let found = contents(volume, file).unwrap();
        assert!(found == vec![number + 1; len(number)], "file {number}");
    }
    let entries = volume.read_directory(Volume::ROOT, 0, usize::MAX).unwrap();
    assert_eq!(entries.len(), usize::from(FILES / 8));
}

#[test]
fn the_file_becomes_as_short_as_its_contents() {
    let (mut volume, store) = fresh();
    scatter(&mut volume);
    let before = store.size().unwrap();
    let cut = volume.compact().unwrap();
    let after = store.size().unwrap();
    assert_eq!(before - after, cut);
    let used = volume.statistics().used / 4096;
    assert!(after < before / 2, "{before} blocks became {after}");
    assert!(after <= used + 160, "{used} blocks are used of {after}");
    assert_clean(&mut volume);
    assert_contents(&mut volume);
    // It grows again, and a second time there is little to do.
    let file = volume.create_file(Volume::ROOT, b"new").unwrap();
    volume.write(file, 0, &vec![9; 3_000_000]).unwrap();
    volume.sync().unwrap();
    assert_clean(&mut volume);
    volume.remove_file(Volume::ROOT, b"new").unwrap();
    drop(volume);
    let mut volume = open(Arc::clone(&store), Options::default()).unwrap();
    volume.remove_file(Volume::ROOT, b"new").unwrap();
    volume.compact().unwrap();
    assert!(store.size().unwrap() <= after + 64);
    drop(volume);
    let mut volume = open(store, Options::default()).unwrap();
    assert_contents(&mut volume);
    assert_clean(&mut volume);
}

#[test]
fn a_full_volume_is_left_as_it_is() {
    let store = Arc::new(MemoryStore::default());
    let options = || Options {
        capacity: 2 << 20,
        ..Options::default()
    };
    let mut volume = support::create(Arc::clone(&store), options());
    let file = volume.create_file(Volume::ROOT, b"big").unwrap();
    let mut written = 0;
    while volume.write(file, written, &[7; 4096]).is_ok() {
        written += 4096;
    }
    volume.sync().unwrap();
    volume.compact().unwrap();
    assert_clean(&mut volume);
    drop(volume);
    let mut volume = open(store, options()).unwrap();
    let file = volume.lookup(Volume::ROOT, b"big").unwrap();
    assert!(contents(&mut volume, file).unwrap().len() as u64 >= written);
}

#[test]
fn a_failure_at_any_call_leaves_a_whole_volume() {
    let memory = Arc::new(MemoryStore::default());
    let mut volume = support::create(Arc::clone(&memory), Options::default());
    scatter(&mut volume);
    drop(volume);
    let image = memory.image();
    let mut calls = 0;
    loop {
        let memory = Arc::new(MemoryStore::from_image(&image));
        let faulty = Arc::new(FaultyStore::new(Arc::clone(&memory), Failure::Lasting));
        let opened = Volume::open(
            Box::new(Arc::clone(&faulty)),
            TestPlatform::boxed(),
            key(),
            Options::default(),
        );
        let mut volume = opened.unwrap();
        faulty.fail_after(calls);
        let compacted = volume.compact();
        drop(volume);
        let mut volume = open(memory, Options::default()).unwrap();
        assert_clean(&mut volume);
        assert_contents(&mut volume);
        match compacted {
            Ok(cut) => {
                assert!(cut > 0 && calls > 30, "{calls} calls");
                break;
            }
            Err(error) => assert!(matches!(error, Error::Host(5) | Error::WritesStopped)),
        }
        calls += 1;
    }
    let read_only = Options {
        access: twine_fs::Access::ReadOnly,
        ..Options::default()
    };
    let store = MemoryStore::from_image(&image);
    let opened = Volume::open(Box::new(store), TestPlatform::boxed(), key(), read_only);
    assert_eq!(opened.unwrap().compact(), Err(Error::ReadOnly));
}
