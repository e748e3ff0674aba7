//! WASI on directories: what is mounted, and what is listed.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a listing that cannot be parsed is a failing test, wherever the helper stands"
)]

use std::collections::BTreeSet;

use twine_abi::outcome::Kind;

use crate::guest::module;
use crate::script::{AT, Arg, ROOT, Script, mount, path};
use crate::support::{Launch, file_systems};

const OK: u32 = 0;
const BADF: u32 = 8;
const NAMETOOLONG: u32 = 37;

/// One entry of a listing, as far as it was not cut off.
#[derive(Debug)]
struct Listed {
    inode: u64,
    kind: u8,
    name: String,
}

fn parse(mut bytes: &[u8]) -> Vec<Listed> {
    let mut listed = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<24>() {
        let word = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap());
        let len = usize::try_from(word(16) & u64::from(u32::MAX)).unwrap();
        let Some((name, rest)) = rest.split_at_checked(len) else {
            break;
        };
        listed.push(Listed {
            inode: word(8),
            kind: header[20],
            name: String::from_utf8(name.to_vec()).unwrap(),
        });
        bytes = rest;
    }
    listed
}

/// What a listing of `len` bytes shows, and how many of them were used.
fn listed(shown: &[u8]) -> (u32, Vec<Listed>) {
    let (used, bytes) = shown.split_first_chunk().unwrap();
    let used = u32::from_le_bytes(*used);
    (used, parse(&bytes[..usize::try_from(used).unwrap()]))
}

#[test]
fn a_listing_begins_with_the_directory_itself_and_tells_inodes_and_kinds() {
    let mut script = Script::default();
    script
        .create("f")
        .call(OK, "path_create_directory", &[ROOT, path("d")])
        .call(OK, "path_symlink", &[path("f"), ROOT, path("l")]);
    for name in ["f", "d", "l", "."] {
        script
            .call(OK, "path_filestat_get", &[ROOT, AT, path(name), AT])
            .show(8, 8);
    }
    script
        .call(
            OK,
            "fd_readdir",
            &[ROOT, Arg::Small(256), Arg::Small(1024), Arg::Large(0), AT],
        )
        .show(0, 4)
        .show(256, 1024);
    for (_, files) in file_systems() {
        let shown = script.run(vec![mount("/", files)]);
        let (inodes, listing) = shown.split_at(32);
        let (used, mut entries) = listed(listing);
        assert_eq!(used, 24 * 5 + 6);
        entries[2..].sort_by(|left, right| left.name.cmp(&right.name));
        let inode = |at: usize| u64::from_le_bytes(inodes[at * 8..][..8].try_into().unwrap());
        let seen: Vec<_> = entries
            .iter()
            .map(|entry| (&*entry.name, entry.kind, entry.inode))
            .collect();
        let expected = [
            (".", 3, inode(3)),
            ("..", 3, inode(3)),
            ("d", 3, inode(1)),
            ("f", 4, inode(0)),
            ("l", 7, inode(2)),
        ];
        assert_eq!(seen, expected);
    }
}

/// A buffer that holds a header and no name shows one entry after the other.
#[test]
fn a_listing_in_pieces_shows_everything_once_whatever_comes_and_goes() {
    const FILES: usize = 40;
    let mut script = Script::default();
    for number in 0..FILES {
        script.create(&format!("file{number}")).close(4);
    }
    let mut cookie = Arg::Large(0);
    for number in 0..FILES + 3 {
        let passing = format!("passing{number}");
        script
            .call(
                OK,
                "fd_readdir",
                &[ROOT, Arg::Small(256), Arg::Small(24), cookie, AT],
            )
            .show(0, 4)
            .show(256 + 8, 8)
            .call(OK, "path_create_directory", &[ROOT, path(&passing)])
            .call(OK, "path_remove_directory", &[ROOT, path(&passing)]);
        cookie = Arg::Loaded(256);
    }
    for (_, files) in file_systems() {
        let shown = script.run(vec![mount("/", files)]);
        let mut inodes = Vec::new();
        for (number, entry) in shown.chunks_exact(12).enumerate() {
            let (used, inode) = entry.split_first_chunk().unwrap();
            let last = number == FILES + 2;
            assert_eq!(u32::from_le_bytes(*used), if last { 0 } else { 24 });
            inodes.extend((!last).then(|| u64::from_le_bytes(inode.try_into().unwrap())));
        }
        // "." and ".." are the same directory here.
        inodes.sort_unstable();
        inodes.dedup();
        assert_eq!(inodes.len(), FILES + 1);
    }
}

/// As programs do that empty a directory.
#[test]
fn a_listing_goes_on_although_what_it_showed_is_removed() {
    for (kind, mut files) in file_systems() {
        let root = files.root();
        let mut left: BTreeSet<Vec<u8>> = (0..300)
            .map(|number| format!("{number}-{}", "n".repeat(number % 200)).into_bytes())
            .collect();
        for name in &left {
            let node = files.create_file(root, name).unwrap();
            files.release(node);
        }
        let mut cookie = 0;
        loop {
            let entries = files.read_directory(root, cookie, 7).unwrap();
            let Some(last) = entries.last() else { break };
            cookie = last.next;
            for entry in entries {
                assert!(left.remove(&entry.name), "{kind} lists it twice");
                files.remove_file(root, &entry.name).unwrap();
            }
        }
        assert!(left.is_empty(), "{kind} forgets {}", left.len());
    }
}

#[test]
fn mounts_are_found_in_order_under_the_names_they_were_given() {
    let stat = |fd| [Arg::Small(fd), AT];
    let mut script = Script::default();
    let name = |fd, len| [Arg::Small(fd), Arg::Small(256), Arg::Small(len)];
    script
        .call(OK, "fd_prestat_get", &stat(3))
        .show(0, 8)
        .call(OK, "fd_prestat_get", &stat(4))
        .show(0, 8)
        .call(BADF, "fd_prestat_get", &stat(5))
        .call(OK, "fd_prestat_dir_name", &name(4, 4))
        .show(256, 8)
        .call(NAMETOOLONG, "fd_prestat_dir_name", &name(4, 3))
        .call(OK, "fd_prestat_dir_name", &name(3, 9))
        .show(256, 4)
        // Of two mounts, each has a device of its own.
        .call(OK, "fd_filestat_get", &stat(3))
        .show(0, 8)
        .call(OK, "fd_filestat_get", &stat(4))
        .show(0, 8)
        // A mount can be closed or moved like any descriptor, and is none any more then.
        .call(OK, "fd_renumber", &[Arg::Small(4), Arg::Small(3)])
        .call(BADF, "fd_prestat_get", &stat(4))
        .call(OK, "fd_prestat_get", &stat(3))
        .show(4, 4)
        .call(OK, "fd_close", &[Arg::Small(3)])
        .call(BADF, "fd_prestat_get", &stat(3));
    for ((_, first), (_, second)) in file_systems().into_iter().zip(file_systems()) {
        let shown = script.run(vec![mount("/", first), mount("/tmp", second)]);
        let expected = [
            &b"\0\0\0\0\x01\0\0\0\0\0\0\0\x04\0\0\0/tmp\0\0\0\0/tmp"[..],
            &1u64.to_le_bytes(),
            &2u64.to_le_bytes(),
            b"\x04\0\0\0",
        ];
        assert_eq!(shown, expected.concat());
    }
}

#[test]
fn mounts_that_make_no_sense_end_the_launch_before_the_guest_runs() {
    let fresh = || file_systems().pop().map(|(_, files)| files).unwrap();
    for mounts in [
        vec![mount("", fresh())],
        vec![mount("/a\0", fresh())],
        vec![mount("/", fresh()), mount("/", fresh())],
        (0..65)
            .map(|at| mount(&format!("/{at}"), fresh()))
            .collect(),
    ] {
        let mut launch = Launch::new(&module("unreachable"));
        launch.mounts = mounts;
        let outcome = launch.run();
        assert_eq!(outcome.kind, Kind::LimitReached);
        assert!(outcome.message.starts_with("cannot mount: "), "{outcome:?}");
    }
    let mut launch = Launch::new(&module("unreachable"));
    launch.mounts = vec![mount("/", fresh())];
    launch.draft.limits.descriptors = 3;
    assert_eq!(launch.run().kind, Kind::LimitReached);
}
