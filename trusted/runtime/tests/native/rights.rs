//! What may be done with descriptors: rights, directories where files are needed, mounts that can only be read.

use twine_runtime::files::Access;

use crate::script::{AT, Arg, RIGHTS_FILE, ROOT, Script, mount, oflag, path};
use crate::support::file_systems;
use crate::watched::Watched;

const OK: u32 = 0;
const BADF: u32 = 8;
const INVAL: u32 = 28;
const ACCES: u32 = 2;
const ISDIR: u32 = 31;
const NOTDIR: u32 = 54;
const NOTSOCK: u32 = 57;
const ROFS: u32 = 69;
const NOTCAPABLE: u32 = 76;
const DSYNC: u32 = 2;
const RSYNC: u32 = 8;
const SYNC: u32 = 16;
const FILE: Arg<'_> = Arg::Small(4);

/// Each call on a descriptor needs its right, and a right that was not asked for is not there.
#[test]
fn every_call_needs_its_right() {
    let buffer = Arg::Buffer(256, 1);
    let (zero, one) = (Arg::Large(0), Arg::Large(1));
    let seek_read = wasi::RIGHTS_FD_SEEK | wasi::RIGHTS_FD_READ;
    let seek_write = wasi::RIGHTS_FD_SEEK | wasi::RIGHTS_FD_WRITE;
    let calls: [(u64, &str, &[Arg<'_>]); 16] = [
        (wasi::RIGHTS_FD_READ, "fd_read", &[FILE, buffer, AT]),
        (wasi::RIGHTS_FD_WRITE, "fd_write", &[FILE, buffer, AT]),
        (seek_read, "fd_pread", &[FILE, buffer, zero, AT]),
        (seek_write, "fd_pwrite", &[FILE, buffer, zero, AT]),
        (wasi::RIGHTS_FD_SEEK, "fd_seek", &[FILE, one, AT, AT]),
        (
            wasi::RIGHTS_FD_TELL,
            "fd_seek",
            &[FILE, zero, Arg::Small(1), AT],
        ),
        (wasi::RIGHTS_FD_TELL, "fd_tell", &[FILE, AT]),
        (wasi::RIGHTS_FD_SEEK, "fd_tell", &[FILE, AT]),
        (wasi::RIGHTS_FD_ADVISE, "fd_advise", &[FILE, zero, zero, AT]),
        (wasi::RIGHTS_FD_ALLOCATE, "fd_allocate", &[FILE, zero, one]),
        (wasi::RIGHTS_FD_SYNC, "fd_sync", &[FILE]),
        (wasi::RIGHTS_FD_DATASYNC, "fd_datasync", &[FILE]),
        (wasi::RIGHTS_FD_FILESTAT_GET, "fd_filestat_get", &[FILE, AT]),
        (
            wasi::RIGHTS_FD_FILESTAT_SET_SIZE,
            "fd_filestat_set_size",
            &[FILE, zero],
        ),
        (
            wasi::RIGHTS_FD_FILESTAT_SET_TIMES,
            "fd_filestat_set_times",
            &[FILE, zero, zero, AT],
        ),
        (
            wasi::RIGHTS_FD_FDSTAT_SET_FLAGS,
            "fd_fdstat_set_flags",
            &[FILE, AT],
        ),
    ];
    let mut script = Script::default();
    for (right, name, arguments) in calls {
        let implied = match name {
            "fd_tell" => wasi::RIGHTS_FD_SEEK | wasi::RIGHTS_FD_TELL,
            "fd_seek" if right == wasi::RIGHTS_FD_TELL => wasi::RIGHTS_FD_SEEK | right,
            _ => right,
        };
        script
            .open(OK, "f", oflag::CREAT, right)
            .call(OK, name, arguments)
            .close(4)
            .open(OK, "f", 0, RIGHTS_FILE & !implied)
            .call(NOTCAPABLE, name, arguments)
            .close(4);
    }
    script.run_on_each();
}

#[test]
fn nothing_is_opened_with_more_rights_than_the_directory_passes_on() {
    let open = |dir, base, inheriting, flags| {
        let (base, inheriting) = (Arg::Large(base), Arg::Large(inheriting));
        [
            dir,
            AT,
            path("f"),
            Arg::Small(1),
            base,
            inheriting,
            Arg::Small(flags),
            AT,
        ]
    };
    let base = wasi::RIGHTS_PATH_OPEN | wasi::RIGHTS_PATH_CREATE_FILE;
    let passed = wasi::RIGHTS_FD_READ | wasi::RIGHTS_FD_DATASYNC;
    let mut script = Script::default();
    script
        .call(OK, "path_create_directory", &[ROOT, path("d")])
        .call(
            OK,
            "path_open",
            &[
                ROOT,
                AT,
                path("d"),
                Arg::Small(2),
                Arg::Large(base),
                Arg::Large(passed),
                AT,
                AT,
            ],
        )
        .call(
            NOTCAPABLE,
            "path_open",
            &open(FILE, wasi::RIGHTS_FD_WRITE, 0, 0),
        )
        .call(
            NOTCAPABLE,
            "path_open",
            &open(FILE, 0, wasi::RIGHTS_FD_WRITE, 0),
        )
        .call(NOTCAPABLE, "path_open", &open(FILE, 0, 0, SYNC))
        .call(NOTCAPABLE, "path_open", &open(FILE, 0, 0, RSYNC))
        .call(INVAL, "path_open", &open(FILE, 0, 0, 32))
        .call(NOTCAPABLE, "path_unlink_file", &[FILE, path("f")])
        .call(OK, "path_open", &open(FILE, passed, 0, DSYNC))
        // Rights that a file cannot have, and bits that are none, are not there afterwards.
        .call(OK, "path_open", &open(ROOT, base | 1 << 40 | passed, !0, 0))
        .call(OK, "fd_fdstat_get", &[Arg::Small(6), AT])
        .show(8, 16)
        .call(
            NOTCAPABLE,
            "fd_fdstat_set_rights",
            &[FILE, Arg::Large(base), Arg::Large(!0)],
        )
        .call(
            OK,
            "fd_fdstat_set_rights",
            &[FILE, Arg::Large(wasi::RIGHTS_PATH_OPEN), Arg::Large(0)],
        )
        .call(NOTCAPABLE, "path_open", &open(FILE, 0, 0, 0));
    let shown = script.run_on_each();
    assert_eq!(shown, [passed, 0].map(u64::to_le_bytes).as_flattened());
}

#[test]
fn a_directory_is_no_file_and_a_file_no_directory() {
    let buffer = Arg::Buffer(256, 1);
    let zero = Arg::Large(0);
    let mut script = Script::default();
    script.create("f");
    for (expected, name, arguments) in [
        (ISDIR, "fd_read", &[ROOT, buffer, AT][..]),
        (ISDIR, "fd_write", &[ROOT, buffer, AT]),
        (ISDIR, "fd_pread", &[ROOT, buffer, zero, AT]),
        (ISDIR, "fd_pwrite", &[ROOT, buffer, zero, AT]),
        (ISDIR, "fd_seek", &[ROOT, zero, AT, AT]),
        (ISDIR, "fd_tell", &[ROOT, AT]),
        (ISDIR, "fd_allocate", &[ROOT, zero, Arg::Large(1)]),
        (ISDIR, "fd_advise", &[ROOT, zero, zero, AT]),
        (ISDIR, "fd_filestat_set_size", &[ROOT, zero]),
        (OK, "fd_sync", &[ROOT]),
        (OK, "fd_datasync", &[ROOT]),
        (
            OK,
            "fd_filestat_set_times",
            &[ROOT, zero, zero, Arg::Small(5)],
        ),
        (NOTDIR, "fd_readdir", &[FILE, AT, AT, zero, AT]),
        (NOTDIR, "path_filestat_get", &[FILE, AT, path("."), AT]),
        (NOTDIR, "path_create_directory", &[FILE, path("x")]),
        (NOTDIR, "fd_prestat_dir_name", &[FILE, AT, AT]),
        (BADF, "fd_prestat_get", &[FILE, AT]),
        (NOTSOCK, "sock_shutdown", &[FILE, AT]),
        (NOTSOCK, "sock_shutdown", &[ROOT, AT]),
        (
            ISDIR,
            "path_open",
            &[
                ROOT,
                AT,
                path("."),
                AT,
                Arg::Large(wasi::RIGHTS_FD_WRITE),
                zero,
                AT,
                AT,
            ],
        ),
    ] {
        script.call(expected, name, arguments);
    }
    script.run_on_each();
}

#[test]
fn a_read_only_mount_can_be_read_and_nothing_else() {
    for (_, mut files) in file_systems() {
        let root = files.root();
        let node = files.create_file(root, b"f").unwrap();
        assert_eq!(files.write(node, 0, b"given"), Ok(5));
        files.release(node);
        let mut script = Script::default();
        let zero = Arg::Large(0);
        for (expected, how, rights) in [
            (ROFS, 0, wasi::RIGHTS_FD_WRITE),
            (ROFS, oflag::TRUNC, 0),
            (
                OK,
                oflag::CREAT,
                wasi::RIGHTS_FD_READ | wasi::RIGHTS_FD_SEEK | wasi::RIGHTS_FD_SYNC,
            ),
        ] {
            script.open(expected, "f", how, rights);
        }
        script
            .open(ROFS, "new", oflag::CREAT, 0)
            .call(OK, "fd_sync", &[FILE])
            .read_at(4, 0, 5)
            // Go asks for rights to the size wherever it reads; it gets those that can be had.
            .open(OK, "f", 0, RIGHTS_FILE & !wasi::RIGHTS_FD_WRITE)
            .call(NOTCAPABLE, "fd_filestat_set_size", &[Arg::Small(5), zero])
            .call(NOTCAPABLE, "fd_allocate", &[Arg::Small(5), zero, zero]);
        for (name, arguments) in [
            ("path_create_directory", &[ROOT, path("d")][..]),
            ("path_remove_directory", &[ROOT, path("d")]),
            ("path_unlink_file", &[ROOT, path("f")]),
            ("path_symlink", &[path("f"), ROOT, path("l")]),
            ("path_link", &[ROOT, AT, path("f"), ROOT, path("g")]),
            ("path_rename", &[ROOT, path("f"), ROOT, path("g")]),
            (
                "path_filestat_set_times",
                &[ROOT, AT, path("f"), zero, zero, AT],
            ),
            ("fd_filestat_set_times", &[ROOT, zero, zero, AT]),
        ] {
            script.call(ROFS, name, arguments);
        }
        let mut mount = mount("/", files);
        mount.access = Access::ReadOnly;
        assert_eq!(script.run(vec![mount]), b"\x05\0\0\0given");
    }
}

/// As files of a host's directory may be, which only the host can tell.
#[test]
fn a_file_that_may_not_be_written_is_opened_for_reading_unless_it_is_to_be_written() {
    for (_, mut files) in file_systems() {
        let root = files.root();
        let node = files.create_file(root, b"f").unwrap();
        assert_eq!(files.write(node, 0, b"given"), Ok(5));
        files.release(node);
        let (files, watch) = Watched::around(files);
        watch.borrow_mut().denies_writing = true;
        let mut script = Script::default();
        script
            .open(ACCES, "f", 0, wasi::RIGHTS_FD_WRITE)
            .open(ACCES, "f", oflag::TRUNC, wasi::RIGHTS_FD_READ)
            .open(OK, "f", 0, RIGHTS_FILE & !wasi::RIGHTS_FD_WRITE)
            .call(NOTCAPABLE, "fd_filestat_set_size", &[FILE, Arg::Large(0)])
            .read_at(4, 0, 5);
        assert_eq!(script.run(vec![mount("/", files)]), b"\x05\0\0\0given");
    }
}
