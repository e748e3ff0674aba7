//! Space, in memory and on the disk: what is spilled, what is full, what is used again. Every test ends with a full check.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod support;

use std::sync::Arc;

use support::{assert_clean, contents, create, fresh, open, remount};
use twine_fs::{Budget, Error, MemoryStore, Options, SlotKind, SlotSecret, Volume};

const ROOT: u64 = Volume::ROOT;

#[test]
fn a_checkpoint_between_a_removal_and_its_sync_leaks_no_inode() {
    let (mut volume, store) = fresh();
    let file = volume.create_file(ROOT, b"file").unwrap();
    volume.write(file, 0, &[7; 10_000]).unwrap();
    volume.sync().unwrap();
    volume.write(file, 0, &[8; 10_000]).unwrap();
    volume.sync_file(file).unwrap();
    volume.remove_file(ROOT, b"file").unwrap();
    // Adding a slot writes a checkpoint, and commits nothing.
    let secret = SlotSecret::new([1; 32]);
    volume
        .add_slot(SlotKind::Provisioned, b"", &secret)
        .unwrap();
    volume.sync().unwrap();
    let mut volume = remount(volume, &store);
    assert_clean(&mut volume);
    assert_eq!(volume.status(file), Err(Error::NotFound));
}

#[test]
fn much_unsynced_data_is_spilled_and_survives_only_a_sync() {
    let store = Arc::new(MemoryStore::default());
    let budget = Budget {
        uncommitted: 64 << 10,
        data: 64 << 10,
        nodes: 64 << 10,
        ..Budget::default()
    };
    let mut volume = create(
        Arc::clone(&store),
        Options {
            budget,
            ..Options::default()
        },
    );
    let file = volume.create_file(ROOT, b"big").unwrap();
    let bytes: Vec<u8> = (0..4_000_000u32).map(|at| (at / 1000) as u8 | 1).collect();
    volume.write(file, 0, &bytes).unwrap();
    volume.write(file, 1_000_000, b"again").unwrap();
    let mut expected = bytes;
    expected[1_000_000..1_000_005].copy_from_slice(b"again");
    assert!(contents(&mut volume, file).unwrap() == expected);
    let mut crashed = open(MemoryStore::from_image(&store.image()), Options::default()).unwrap();
    assert_eq!(crashed.lookup(ROOT, b"big"), Err(Error::NotFound));
    volume.sync_file(file).unwrap();
    assert!(contents(&mut volume, file).unwrap() == expected);
    let mut volume = remount(volume, &store);
    assert!(contents(&mut volume, file).unwrap() == expected);
}

#[test]
fn a_full_volume_says_so_when_writing_and_can_be_emptied() {
    let store = Arc::new(MemoryStore::default());
    let mut volume = create(
        Arc::clone(&store),
        Options {
            capacity: 2 << 20,
            ..Options::default()
        },
    );
    let mut written = 0;
    let error = loop {
        let name = format!("f{written}");
        let result = volume.create_file(ROOT, name.as_bytes()).and_then(|file| {
            volume.write(file, 0, &vec![1; 50_000])?;
            if written % 3 == 0 {
                volume.sync()
            } else {
                Ok(())
            }
        });
        match result {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, Error::NoSpace);
    assert!(
        written >= 20,
        "only {written} files of 50 kB fit into 2 MiB"
    );
    volume.sync().expect("a sync never runs out of space");
    assert!(store.image().len() <= 2 << 20);
    let mut volume = remount(volume, &store);
    for number in 0..written {
        volume
            .remove_file(ROOT, format!("f{number}").as_bytes())
            .unwrap();
    }
    volume.sync().unwrap();
    assert_clean(&mut volume);
    let file = volume.create_file(ROOT, b"again").unwrap();
    volume.write(file, 0, &vec![2; 1_000_000]).unwrap();
    volume.sync().unwrap();
    assert_clean(&mut volume);
}

#[test]
fn many_mounts_that_each_leave_data_behind_keep_all_of_it_readable() {
    let (mut volume, store) = fresh();
    for mount in 0..100u32 {
        let file = volume
            .create_file(ROOT, format!("mount-{mount}").as_bytes())
            .unwrap();
        volume.write(file, 0, &vec![mount as u8 + 1; 5000]).unwrap();
        volume.sync().unwrap();
        volume = remount(volume, &store);
    }
    for mount in 0..100u32 {
        let file = volume
            .lookup(ROOT, format!("mount-{mount}").as_bytes())
            .unwrap();
        assert_eq!(
            contents(&mut volume, file).unwrap(),
            vec![mount as u8 + 1; 5000]
        );
    }
}

#[test]
fn a_long_log_becomes_a_checkpoint_and_space_is_used_again() {
    let (mut volume, store) = fresh();
    let file = volume.create_file(ROOT, b"f").unwrap();
    for round in 0..3000u32 {
        volume
            .write(
                file,
                u64::from(round % 50) * 4096,
                &vec![round as u8 | 1; 4096],
            )
            .unwrap();
        volume.sync_file(file).unwrap();
    }
    assert!(
        store.image().len() < 24 << 20,
        "3000 commits of one page took {} bytes",
        store.image().len()
    );
    assert_clean(&mut volume);
    let mut volume = remount(volume, &store);
    assert_eq!(volume.status(file).unwrap().blocks, 50);
    volume.remove_file(ROOT, b"f").unwrap();
    volume.close().unwrap();
    let mut volume = open(Arc::clone(&store), Options::default()).unwrap();
    assert_clean(&mut volume);
}
