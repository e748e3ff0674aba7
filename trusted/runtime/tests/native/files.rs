//! WASI on open files: contents, positions, attributes, and what is left when the guest has ended.

use twine_abi::exchange::HostErrno;
use twine_abi::outcome::Kind;
use twine_runtime::files::{Error, Scope, Tmpfs, TmpfsLimits};
use twine_runtime::{Fault, Outcome};

use crate::guest::module;
use crate::script::{AT, Arg, RIGHTS_FILE, ROOT, Script, mount, oflag, path};
use crate::support::{Launch, NOW, file_systems};
use crate::watched::Watched;

const OK: u32 = 0;
const BADF: u32 = 8;
const FAULT: u32 = 21;
const FBIG: u32 = 22;
const INVAL: u32 = 28;
const IO: u32 = 29;
const MFILE: u32 = 33;
const NOENT: u32 = 44;
const NOSPC: u32 = 51;

const APPEND: u32 = 1;
const DSYNC: u32 = 2;
const RSYNC: u32 = 8;
const SYNC: u32 = 16;

const FILE: Arg<'_> = Arg::Small(4);

fn seek(offset: i64, from: u32) -> [Arg<'static>; 4] {
    [
        FILE,
        Arg::Large(offset.cast_unsigned()),
        Arg::Small(from),
        AT,
    ]
}

#[test]
fn positions_move_with_reads_writes_and_seeks() {
    let mut script = Script::default();
    script
        .create("f")
        .write(4, b"0123456789")
        .call(OK, "fd_tell", &[FILE, AT])
        .show(0, 8)
        .call(OK, "fd_seek", &seek(-7, 1))
        .call(OK, "fd_read", &[FILE, Arg::Buffer(256, 4), AT])
        .show(256, 4)
        .call(OK, "fd_seek", &seek(0, 1))
        .show(0, 8)
        .call(OK, "fd_seek", &seek(-2, 2))
        .write(4, b"abc")
        .call(OK, "fd_seek", &seek(5, 2))
        .show(0, 8)
        .write(4, b"!")
        .call(INVAL, "fd_seek", &seek(-1, 0))
        .call(INVAL, "fd_seek", &seek(i64::MIN, 1))
        .call(INVAL, "fd_seek", &seek(0, 3))
        .call(OK, "fd_seek", &seek(i64::MAX, 0))
        .call(INVAL, "fd_seek", &seek(1, 1))
        .call(OK, "fd_read", &[FILE, Arg::Buffer(256, 4), AT])
        .show(0, 4)
        .call(FBIG, "fd_write", &[FILE, Arg::Buffer(256, 4), AT])
        .read_at(4, 8, 16);
    let shown = script.run_on_each();
    let expected = [
        &10u64.to_le_bytes()[..],
        b"3456",
        &7u64.to_le_bytes(),
        &16u64.to_le_bytes(),
        b"\0\0\0\0",
        b"\x09\0\0\0abc\0\0\0\0\0!\0\0\0\0\0\0\0",
    ];
    assert_eq!(shown, expected.concat());
}

#[test]
fn transfers_in_several_buffers_are_one() {
    let mut script = Script::default();
    script.create("f");
    let first = script.place(b"abc");
    let second = script.place(b"defgh");
    let numbers = [first, 3, 0, 0, second, 5];
    let out = script.place(numbers.map(u32::to_le_bytes).as_flattened());
    let numbers = [300, 2, 256, 4, 400, 9];
    let into = script.place(numbers.map(u32::to_le_bytes).as_flattened());
    let three = Arg::Small(3);
    script
        .call(OK, "fd_write", &[FILE, Arg::Small(out), three, AT])
        .show(0, 4)
        .call(
            OK,
            "fd_pwrite",
            &[FILE, Arg::Small(out), three, Arg::Large(4), AT],
        )
        .call(OK, "fd_tell", &[FILE, AT])
        .show(0, 4)
        .call(
            OK,
            "fd_pread",
            &[FILE, Arg::Small(into), three, Arg::Large(1), AT],
        )
        .show(0, 4)
        .show(300, 2)
        .show(256, 4)
        .show(400, 9)
        .call(FAULT, "fd_read", &[FILE, Arg::Buffer(0xffff, 2), AT])
        .call(
            FAULT,
            "fd_write",
            &[FILE, Arg::Buffer(0, 1), Arg::Small(0xfffd)],
        );
    let shown = script.run_on_each();
    assert_eq!(shown, b"\x08\0\0\0\x08\0\0\0\x0b\0\0\0bcdabcdefgh\0\0\0\0");
}

#[test]
fn appending_goes_to_the_end_wherever_the_position_is() {
    let mut script = Script::default();
    script
        .create("f")
        .write(4, b"abc")
        .call(OK, "fd_fdstat_set_flags", &[FILE, Arg::Small(APPEND)])
        .call(OK, "fd_seek", &seek(1, 0))
        .write(4, b"de")
        .call(OK, "fd_tell", &[FILE, AT])
        .show(0, 8);
    let at = script.place(b"B");
    script
        .call(
            OK,
            "fd_pwrite",
            &[FILE, Arg::Buffer(at, 1), Arg::Large(1), AT],
        )
        .call(OK, "fd_fdstat_set_flags", &[FILE, Arg::Small(0)])
        .call(OK, "fd_seek", &seek(0, 0))
        .write(4, b"A")
        .read_at(4, 0, 5);
    assert_eq!(script.run_on_each(), b"\x05\0\0\0\0\0\0\0\x05\0\0\0ABcde");
}

#[test]
fn sizes_grow_by_zeros_and_shrink_for_good() {
    let set_size = |size| [FILE, Arg::Large(size)];
    let allocate = |offset, len| [FILE, Arg::Large(offset), Arg::Large(len)];
    let mut script = Script::default();
    script
        .create("f")
        .write(4, b"abcdef")
        .call(OK, "fd_filestat_set_size", &set_size(2))
        .call(OK, "fd_filestat_set_size", &set_size(4))
        .read_at(4, 0, 6)
        .call(OK, "fd_allocate", &allocate(1, 2))
        .call(OK, "fd_allocate", &allocate(3, 5))
        .call(OK, "fd_seek", &seek(0, 2))
        .show(0, 8)
        .call(INVAL, "fd_allocate", &allocate(0, 0))
        .call(FBIG, "fd_allocate", &allocate(u64::MAX, 2))
        .call(FBIG, "fd_filestat_set_size", &set_size(u64::MAX))
        // 64-bit offsets; the hole takes no room.
        .call(OK, "fd_filestat_set_size", &set_size(1 << 40))
        .read_at(4, (1 << 40) - 2, 6)
        .call(
            OK,
            "fd_advise",
            &[FILE, Arg::Large(0), Arg::Large(0), Arg::Small(5)],
        )
        .call(
            INVAL,
            "fd_advise",
            &[FILE, Arg::Large(0), Arg::Large(0), Arg::Small(6)],
        )
        .call(
            INVAL,
            "fd_advise",
            &[FILE, Arg::Large(u64::MAX), Arg::Large(0), Arg::Small(0)],
        )
        .open(OK, "f", oflag::TRUNC, RIGHTS_FILE)
        .call(OK, "fd_seek", &seek(0, 2))
        .show(0, 8);
    let shown = script.run_on_each();
    let expected = [
        &b"\x04\0\0\0ab\0\0\0\0"[..],
        &8u64.to_le_bytes(),
        b"\x02\0\0\0\0\0\0\0\0\0",
        &0u64.to_le_bytes(),
    ];
    assert_eq!(shown, expected.concat());
}

#[test]
fn times_are_set_to_what_is_given_or_to_the_present() {
    let times = |flags| [FILE, Arg::Large(5), Arg::Large(7), Arg::Small(flags)];
    let mut script = Script::default();
    script.create("f");
    for flags in [3, 12, 15, 16] {
        script.call(INVAL, "fd_filestat_set_times", &times(flags));
    }
    for flags in [0, 5, 2, 8] {
        script
            .call(OK, "fd_filestat_set_times", &times(flags))
            .call(OK, "fd_filestat_get", &[FILE, AT])
            .show(40, 16);
    }
    script
        .call(OK, "path_symlink", &[path("f"), ROOT, path("l")])
        .call(
            OK,
            "path_filestat_set_times",
            &[
                ROOT,
                Arg::Small(1),
                path("l"),
                Arg::Large(1),
                Arg::Large(2),
                Arg::Small(5),
            ],
        )
        .call(
            OK,
            "path_filestat_get",
            &[ROOT, Arg::Small(0), path("f"), AT],
        )
        .show(40, 16);
    let shown = script.run_on_each();
    let expected = [NOW, NOW, 5, 7, NOW, 7, NOW, NOW, 1, 2].map(u64::to_le_bytes);
    assert_eq!(shown, expected.as_flattened());
}

#[test]
fn a_removed_file_lives_as_long_as_it_is_open() {
    let mut script = Script::default();
    script
        .create("f")
        .write(4, b"alive")
        .call(OK, "path_unlink_file", &[ROOT, path("f")])
        .read_at(4, 0, 5)
        .call(OK, "fd_filestat_get", &[FILE, AT])
        .show(24, 16)
        // Replaced while open.
        .open(OK, "a", oflag::CREAT, RIGHTS_FILE)
        .write(5, b"old")
        .open(OK, "b", oflag::CREAT, RIGHTS_FILE)
        .write(6, b"new")
        .call(OK, "path_rename", &[ROOT, path("b"), ROOT, path("a")])
        .read_at(5, 0, 3)
        .open(OK, "a", 0, RIGHTS_FILE)
        .read_at(7, 0, 3)
        .call(NOENT, "path_filestat_get", &[ROOT, AT, path("b"), AT])
        .call(NOENT, "path_filestat_get", &[ROOT, AT, path("f"), AT])
        .close(4)
        .call(BADF, "fd_tell", &[FILE, AT])
        .write(5, b"still");
    let shown = script.run_on_each();
    let expected = [
        &b"\x05\0\0\0alive"[..],
        &0u64.to_le_bytes(),
        &5u64.to_le_bytes(),
        b"\x03\0\0\0old\x03\0\0\0new",
    ];
    assert_eq!(shown, expected.concat());
}

#[test]
fn a_removed_directory_takes_nothing_new() {
    let rights = wasi::RIGHTS_PATH_OPEN
        | wasi::RIGHTS_PATH_CREATE_FILE
        | wasi::RIGHTS_PATH_CREATE_DIRECTORY
        | wasi::RIGHTS_FD_READDIR;
    let mut script = Script::default();
    script
        .call(OK, "path_create_directory", &[ROOT, path("d")])
        .open(OK, "d", oflag::DIRECTORY, rights)
        .call(OK, "path_remove_directory", &[ROOT, path("d")])
        .call(NOENT, "path_create_directory", &[FILE, path("x")])
        .call(
            NOENT,
            "path_open",
            &[
                FILE,
                AT,
                path("x"),
                Arg::Small(1),
                Arg::Large(0),
                Arg::Large(0),
                AT,
                AT,
            ],
        )
        .call(
            OK,
            "path_open",
            &[
                FILE,
                AT,
                path("."),
                AT,
                Arg::Large(0),
                Arg::Large(0),
                AT,
                AT,
            ],
        );
    script.run_on_each();
}

#[test]
fn files_are_always_ready() {
    let mut script = Script::default();
    script
        .create("f")
        .write(4, b"four")
        .call(OK, "fd_seek", &seek(1, 0));
    let mut subscriptions = Vec::new();
    for (userdata, kind, fd) in [(1u64, 1u64, 4u64), (2, 2, 4), (3, 1, 3)] {
        subscriptions.extend([userdata, kind, fd, 0, 0, 0].map(u64::to_le_bytes));
    }
    let at = script.place(subscriptions.as_flattened());
    script
        .call(
            OK,
            "poll_oneoff",
            &[Arg::Small(at), Arg::Small(256), Arg::Small(3), AT],
        )
        .show(0, 4)
        .show(256, 96);
    let shown = script.run_on_each();
    let (count, events) = shown.split_at(4);
    assert_eq!(count, [3, 0, 0, 0]);
    let words: Vec<u64> = events
        .as_chunks()
        .0
        .iter()
        .copied()
        .map(u64::from_le_bytes)
        .collect();
    let badf = u64::from(BADF);
    assert_eq!(
        words,
        [1, 1 << 16, 3, 0, 2, 2 << 16, 1, 0, 3, badf | 1 << 16, 0, 0]
    );
}

#[test]
fn full_file_systems_and_tables_say_so_and_go_on() {
    let limits = TmpfsLimits {
        bytes: 3 * 4096,
        inodes: 4,
    };
    let files = Box::new(Tmpfs::new(limits, Box::new(|| NOW)));
    let zero = Arg::Large(0);
    let mut script = Script::default();
    script
        .create("f")
        // Two pages fit beside the name; the rest is a short count, and then nothing.
        .call(OK, "fd_write", &[FILE, Arg::Buffer(0, 0x3000), AT])
        .show(0, 4)
        .call(NOSPC, "fd_write", &[FILE, Arg::Buffer(0, 1), AT])
        .call(NOSPC, "fd_allocate", &[FILE, zero, Arg::Large(0x3000)])
        .call(OK, "fd_filestat_set_size", &[FILE, zero])
        .call(OK, "fd_pwrite", &[FILE, Arg::Buffer(0, 0x2000), zero, AT])
        .show(0, 4)
        .open(OK, "g", oflag::CREAT, 0)
        .call(OK, "path_create_directory", &[ROOT, path("d")])
        .open(NOSPC, "h", oflag::CREAT, 0)
        .call(NOSPC, "path_symlink", &[path("f"), ROOT, path("h")])
        .call(OK, "path_unlink_file", &[ROOT, path("g")])
        // Open, so it still counts.
        .open(NOSPC, "h", oflag::CREAT, 0)
        .close(5)
        .open(OK, "h", oflag::CREAT, 0);
    script
        .open(OK, "h", 0, 0)
        .open(OK, "h", 0, 0)
        .open(MFILE, "h", 0, 0)
        // Nothing was created that nobody has.
        .call(OK, "path_unlink_file", &[ROOT, path("h")])
        .open(MFILE, "i", oflag::CREAT, 0)
        .close(7)
        .open(NOENT, "i", 0, 0);
    let report = script.report_in(vec![mount("/", files)], |launch| {
        launch.draft.limits.descriptors = 8;
    });
    assert_eq!(report.shown, b"\0\x20\0\0\0\x20\0\0");
}

#[test]
fn writes_are_synced_as_the_descriptor_says() {
    let open = |flags| {
        let rights = Arg::Large(RIGHTS_FILE);
        [
            ROOT,
            AT,
            path("f"),
            Arg::Small(1),
            rights,
            rights,
            Arg::Small(flags),
            AT,
        ]
    };
    for (_, files) in file_systems() {
        let (files, watch) = Watched::around(files);
        let mut script = Script::default();
        for (number, flags) in [(4, 0), (5, DSYNC), (6, SYNC), (7, RSYNC), (8, SYNC | DSYNC)] {
            script
                .call(OK, "path_open", &open(flags))
                .write(number, b"x");
        }
        script
            .call(OK, "fd_datasync", &[FILE])
            .call(OK, "fd_sync", &[FILE]);
        script.run(vec![mount("/", files)]);
        use Scope::{Contents, Everything};
        let syncs = &watch.borrow().syncs;
        assert_eq!(
            *syncs,
            [Contents, Everything, Everything, Contents, Everything]
        );
    }
}

#[test]
fn the_guest_sees_an_errno_and_whoever_runs_it_the_reason() {
    for (_, files) in file_systems() {
        let (files, watch) = Watched::around(files);
        watch.borrow_mut().failure = Some(Error::Io);
        watch.borrow_mut().trouble = Some("block 7 was tampered with".into());
        watch.borrow_mut().close_failure = Some("the host has no room".into());
        let mut script = Script::default();
        script
            .create("f")
            .call(OK, "fd_filestat_set_size", &[FILE, Arg::Large(4)])
            // What is in the buffer before is gone as well as what came from the file.
            .call(OK, "random_get", &[Arg::Small(256), Arg::Small(8)])
            .call(IO, "fd_read", &[FILE, Arg::Buffer(256, 4), AT])
            .show(256, 8)
            .call(IO, "fd_write", &[FILE, Arg::Buffer(256, 4), AT])
            .call(
                IO,
                "fd_readdir",
                &[ROOT, Arg::Small(256), Arg::Small(256), Arg::Large(0), AT],
            )
            .call(IO, "fd_sync", &[FILE]);
        let report = script.report(vec![mount("/data", files)]);
        assert_eq!(report.shown, b"\0\0\0\0\xa5\xa5\xa5\xa5");
        assert_eq!(
            report.world.troubles,
            [
                "/data: block 7 was tampered with",
                "/data: what was not synced is lost: the host has no room",
            ]
        );
    }
}

#[test]
fn file_systems_are_closed_if_the_guest_ends_by_itself() {
    let misbehaved = Error::Fault(Fault::Misbehaved("a lie"));
    let stopped = Error::Fault(Fault::Host(HostErrno::Interrupted));
    let sync = "(drop (call $fd_sync (i32.const 3)))";
    for (body, failure, kind) in [
        ("(call $proc_exit (i32.const 7))", None, Kind::Exited),
        ("unreachable", None, Kind::Trapped),
        (sync, Some(stopped), Kind::Stopped),
        (sync, Some(misbehaved), Kind::HostMisbehaved),
    ] {
        for (_, files) in file_systems() {
            let (files, watch) = Watched::around(files);
            watch.borrow_mut().failure = failure;
            let mut launch = Launch::new(&module(body));
            launch.mounts = vec![mount("/", files)];
            let Outcome { kind: ended, .. } = launch.run();
            assert_eq!(ended, kind);
            assert_eq!(watch.borrow().closed, kind == Kind::Exited, "{body}");
        }
    }
}
