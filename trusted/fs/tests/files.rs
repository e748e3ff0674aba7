//! What programs see: files, directories, links, and what survives a mount. Every test ends with a full check.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod support;

use std::sync::Arc;

use support::{assert_clean, contents, fresh, open, read_only, remount};
use twine_fs::{Error, FileKind, MemoryStore, Options, Volume};

const ROOT: u64 = Volume::ROOT;

#[test]
fn what_was_synced_is_there_after_a_mount_and_what_was_not_is_gone() {
    let (mut volume, store) = fresh();
    let kept = volume.create_file(ROOT, b"kept").unwrap();
    volume.write(kept, 0, b"first").unwrap();
    volume.sync_file(kept).unwrap();
    volume.write(kept, 0, b"later").unwrap();
    volume.create_file(ROOT, b"forgotten").unwrap();
    let mut volume = remount(volume, &store);
    assert_eq!(contents(&mut volume, kept).unwrap(), b"first");
    assert_eq!(volume.lookup(ROOT, b"forgotten"), Err(Error::NotFound));
}

#[test]
fn a_file_of_any_size_reads_as_it_was_written() {
    let (mut volume, store) = fresh();
    let sizes = [
        0,
        1,
        127,
        128,
        129,
        4095,
        4096,
        4097,
        8192,
        100_000,
        128 * 4096,
        128 * 4096 + 1,
        3_000_000,
    ];
    for (number, &size) in sizes.iter().enumerate() {
        let file = volume
            .create_file(ROOT, format!("file-{size}").as_bytes())
            .unwrap();
        let bytes: Vec<u8> = (0..size).map(|at: usize| (at / 3 + number) as u8).collect();
        volume.write(file, 0, &bytes).unwrap();
        assert_eq!(contents(&mut volume, file).unwrap(), bytes);
        if number % 2 == 0 {
            volume.sync_file(file).unwrap();
        }
    }
    volume.sync().unwrap();
    let mut volume = remount(volume, &store);
    for (number, &size) in sizes.iter().enumerate() {
        let file = volume
            .lookup(ROOT, format!("file-{size}").as_bytes())
            .unwrap();
        let bytes: Vec<u8> = (0..size).map(|at: usize| (at / 3 + number) as u8).collect();
        assert_eq!(contents(&mut volume, file).unwrap(), bytes, "{size} bytes");
    }
}

#[test]
fn a_far_write_leaves_a_hole_that_takes_no_space() {
    let (mut volume, store) = fresh();
    let file = volume.create_file(ROOT, b"sparse").unwrap();
    let far = (1 << 40) - 5;
    volume.write(file, far, b"end").unwrap();
    volume.sync().unwrap();
    let mut volume = remount(volume, &store);
    assert_eq!(volume.status(file).unwrap().size, far + 3);
    assert_eq!(volume.status(file).unwrap().blocks, 1);
    let mut bytes = [9; 8];
    assert_eq!(volume.read(file, far - 5, &mut bytes).unwrap(), 8);
    assert_eq!(&bytes, b"\0\0\0\0\0end");
    assert_eq!(volume.write(file, 1 << 40, b"x"), Err(Error::FileTooLarge));
}

#[test]
fn bytes_cut_off_never_come_back() {
    let (mut volume, store) = fresh();
    let file = volume.create_file(ROOT, b"f").unwrap();
    for (size, cut) in [
        (100, 50),
        (5000, 4500),
        (600_000, 10),
        (600_000, 4096 * 3),
        (9000, 0),
    ] {
        volume.write(file, 0, &vec![7; size]).unwrap();
        volume.sync_file(file).unwrap();
        volume.set_size(file, cut).unwrap();
        volume.set_size(file, size as u64).unwrap();
        let mut expected = vec![7; size];
        expected[cut as usize..].fill(0);
        assert!(
            contents(&mut volume, file).unwrap() == expected,
            "{size} cut to {cut}, before the sync"
        );
        volume.sync_file(file).unwrap();
        assert!(
            contents(&mut volume, file).unwrap() == expected,
            "{size} cut to {cut}, after the sync"
        );
        volume = remount(volume, &store);
        assert!(
            contents(&mut volume, file).unwrap() == expected,
            "{size} cut to {cut}, after a mount"
        );
        volume.set_size(file, 0).unwrap();
    }
}

#[test]
fn a_directory_holds_thousands_of_names_with_stable_cookies() {
    let (mut volume, store) = fresh();
    let dir = volume.create_directory(ROOT, b"dir").unwrap();
    let name = |number: u32| format!("entry with a long name, number {number:05}").into_bytes();
    for number in 0..3000 {
        volume.create_file(dir, &name(number)).unwrap();
    }
    let first = volume.read_directory(dir, 0, 1500).unwrap();
    for entry in first.iter().step_by(2) {
        volume.remove_file(dir, &entry.name).unwrap();
    }
    let rest = volume
        .read_directory(dir, first.last().unwrap().next, usize::MAX)
        .unwrap();
    let mut names: Vec<_> = first
        .iter()
        .chain(&rest)
        .map(|entry| entry.name.clone())
        .collect();
    names.sort();
    assert_eq!(
        names,
        (0..3000).map(name).collect::<Vec<_>>(),
        "each name once, whatever was removed meanwhile"
    );
    volume.sync().unwrap();
    let mut volume = remount(volume, &store);
    assert_eq!(
        volume.read_directory(dir, 0, usize::MAX).unwrap().len(),
        2250
    );
    assert_eq!(volume.remove_directory(ROOT, b"dir"), Err(Error::NotEmpty));
}

#[test]
fn rename_replaces_what_may_be_replaced() {
    let (mut volume, store) = fresh();
    let a = volume.create_file(ROOT, b"a").unwrap();
    volume.write(a, 0, b"A").unwrap();
    let b = volume.create_file(ROOT, b"b").unwrap();
    volume.write(b, 0, b"B").unwrap();
    let dir = volume.create_directory(ROOT, b"dir").unwrap();
    let inner = volume.create_directory(dir, b"inner").unwrap();
    volume.sync().unwrap();
    assert_eq!(
        volume.rename(ROOT, b"a", ROOT, b"dir"),
        Err(Error::IsADirectory)
    );
    assert_eq!(
        volume.rename(ROOT, b"dir", ROOT, b"a"),
        Err(Error::NotADirectory)
    );
    assert_eq!(
        volume.rename(ROOT, b"dir", inner, b"x"),
        Err(Error::InvalidArgument)
    );
    assert_eq!(
        volume.rename(ROOT, b"none", ROOT, b"x"),
        Err(Error::NotFound)
    );
    volume.rename(ROOT, b"a", ROOT, b"b").unwrap();
    volume.rename(ROOT, b"b", inner, b"c").unwrap();
    volume.rename(dir, b"inner", ROOT, b"outer").unwrap();
    assert_eq!(volume.status(inner).unwrap().parent, ROOT);
    volume.sync().unwrap();
    let mut volume = remount(volume, &store);
    let outer = volume.lookup(ROOT, b"outer").unwrap();
    let found = volume.lookup(outer, b"c").unwrap();
    assert_eq!(
        (found, contents(&mut volume, found).unwrap()),
        (a, b"A".to_vec())
    );
    assert_eq!(volume.status(b), Err(Error::NotFound));
}

#[test]
fn links_share_contents_until_the_last_name_goes() {
    let (mut volume, store) = fresh();
    let file = volume.create_file(ROOT, b"one").unwrap();
    volume.link(file, ROOT, b"two").unwrap();
    volume.write(file, 0, &[3; 5000]).unwrap();
    volume.remove_file(ROOT, b"one").unwrap();
    let target = vec![b't'; 3000];
    let long = volume.create_link(ROOT, b"long", &target).unwrap();
    let short = volume.create_link(ROOT, b"short", b"../elsewhere").unwrap();
    volume.sync().unwrap();
    let mut volume = remount(volume, &store);
    assert_eq!(volume.status(file).unwrap().links, 1);
    assert_eq!(contents(&mut volume, file).unwrap(), [3; 5000]);
    assert_eq!(volume.read_link(long).unwrap(), target);
    assert_eq!(volume.read_link(short).unwrap(), b"../elsewhere");
    assert_eq!(volume.status(short).unwrap().kind, FileKind::Link);
}

#[test]
fn a_removed_file_lives_while_it_is_open_and_leaks_nothing() {
    let (mut volume, store) = fresh();
    let file = volume.create_file(ROOT, b"f").unwrap();
    volume.write(file, 0, &[5; 20_000]).unwrap();
    volume.sync().unwrap();
    volume.open_file(file).unwrap();
    volume.remove_file(ROOT, b"f").unwrap();
    volume.sync().unwrap();
    volume.write(file, 20_000, &[6; 10]).unwrap();
    volume.sync_file(file).unwrap();
    assert_eq!(contents(&mut volume, file).unwrap()[20_000..], [6; 10]);
    // A crash here: the next mount removes the orphan.
    let mut crashed = open(MemoryStore::from_image(&store.image()), Options::default()).unwrap();
    assert_eq!(crashed.status(file), Err(Error::NotFound));
    crashed.sync().unwrap();
    assert_clean(&mut crashed);
    // No crash: closing removes it.
    volume.close_file(file).unwrap();
    assert_eq!(volume.status(file), Err(Error::NotFound));
    volume.sync().unwrap();
    assert_clean(&mut volume);
}

#[test]
fn a_read_only_mount_writes_nothing() {
    let (mut volume, store) = fresh();
    let file = volume.create_file(ROOT, b"f").unwrap();
    volume.write(file, 0, b"x").unwrap();
    volume.sync().unwrap();
    drop(volume);
    let before = store.image();
    let mut volume = open(Arc::clone(&store), read_only()).unwrap();
    assert_eq!(volume.write(file, 0, b"y"), Err(Error::ReadOnly));
    assert_eq!(volume.create_file(ROOT, b"g"), Err(Error::ReadOnly));
    assert_eq!(volume.sync(), Err(Error::ReadOnly));
    assert_eq!(contents(&mut volume, file).unwrap(), b"x");
    assert!(store.image() == before);
}

#[test]
fn wrong_names_are_refused() {
    let (mut volume, _) = fresh();
    for name in [&b""[..], b".", b"..", b"a/b", b"a\0b"] {
        assert_eq!(volume.create_file(ROOT, name), Err(Error::InvalidName));
    }
    assert_eq!(
        volume.create_file(ROOT, &[b'x'; 256]),
        Err(Error::NameTooLong)
    );
    volume.create_file(ROOT, &[b'x'; 255]).unwrap();
    assert_eq!(volume.create_file(ROOT, &[b'x'; 255]), Err(Error::Exists));
}
