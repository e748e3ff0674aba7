//! The way along a path: what leads somewhere, what leads out, and what names are.

use crate::script::{AT, Arg, RIGHTS_FILE, ROOT, Script, mount, oflag, path};
use crate::support::file_systems;

const OK: u32 = 0;
const EXIST: u32 = 20;
const ILSEQ: u32 = 25;
const INVAL: u32 = 28;
const ISDIR: u32 = 31;
const LOOP: u32 = 32;
const NAMETOOLONG: u32 = 37;
const NOENT: u32 = 44;
const NOTDIR: u32 = 54;
const NOTEMPTY: u32 = 55;
const PERM: u32 = 63;
const XDEV: u32 = 75;
const NOTCAPABLE: u32 = 76;
const BUSY: u32 = 10;

/// `d/f`, `d/e/`, links to each, links that go up, a dangling one and a loop.
fn tree() -> Script {
    let mut script = Script::default();
    for dir in ["d", "d/e"] {
        script.call(OK, "path_create_directory", &[ROOT, path(dir)]);
    }
    script.create("d/f").write(4, b"found").close(4);
    for (target, link) in [
        ("d/f", "to_file"),
        ("d/e", "to_dir"),
        ("to_file", "twice"),
        ("nowhere", "dangling"),
        ("loop", "loop"),
        ("ping", "pong"),
        ("pong", "ping"),
        ("..", "up"),
        ("../..", "d/up_twice"),
        ("d/../..", "up_later"),
        ("../f", "d/e/sibling"),
        ("d/f/", "slash"),
    ] {
        script.call(OK, "path_symlink", &[path(target), ROOT, path(link)]);
    }
    script
}

/// A path that is looked up, and how that ends with a link at the end followed, or not.
const LOOKUPS: [(&[u8], u32, u32); 56] = [
    (b"d", OK, OK),
    (b"d/", OK, OK),
    (b"d//", OK, OK),
    (b"d/.", OK, OK),
    (b".", OK, OK),
    (b"./", OK, OK),
    (b"./d/./f", OK, OK),
    (b"d/e/../f", OK, OK),
    (b"d/e/..", OK, OK),
    (b"d/..", OK, OK),
    (b"d/../d/../d/f", OK, OK),
    (b"d///e//..///f", OK, OK),
    (b"to_file", OK, OK),
    (b"twice", OK, OK),
    (b"to_dir", OK, OK),
    (b"to_dir/", OK, OK),
    (b"to_dir/.", OK, OK),
    (b"to_dir/sibling", OK, OK),
    (b"d/e/sibling", OK, OK),
    // ".." follows where the link led, as POSIX has it.
    (b"to_dir/../f", OK, OK),
    // Nothing there.
    (b"", NOENT, NOENT),
    (b"x", NOENT, NOENT),
    (b"x/", NOENT, NOENT),
    (b"x/..", NOENT, NOENT),
    (b"d/x", NOENT, NOENT),
    (b"D", NOENT, NOENT),
    (b"dangling", NOENT, OK),
    (b"dangling/", NOENT, NOENT),
    (b"dangling/x", NOENT, NOENT),
    // Not a directory.
    (b"d/f/", NOTDIR, NOTDIR),
    (b"d/f/.", NOTDIR, NOTDIR),
    (b"d/f/..", NOTDIR, NOTDIR),
    (b"d/f/x", NOTDIR, NOTDIR),
    (b"to_file/", NOTDIR, NOTDIR),
    (b"to_file/x", NOTDIR, NOTDIR),
    (b"slash", NOTDIR, OK),
    // Out.
    (b"/", NOTCAPABLE, NOTCAPABLE),
    (b"/d", NOTCAPABLE, NOTCAPABLE),
    (b"//d", NOTCAPABLE, NOTCAPABLE),
    (b"..", NOTCAPABLE, NOTCAPABLE),
    (b"../", NOTCAPABLE, NOTCAPABLE),
    (b"../d", NOTCAPABLE, NOTCAPABLE),
    (b"d/../..", NOTCAPABLE, NOTCAPABLE),
    (b"d/e/../../../d", NOTCAPABLE, NOTCAPABLE),
    (b"up", NOTCAPABLE, OK),
    (b"up/", NOTCAPABLE, NOTCAPABLE),
    (b"up/d/f", NOTCAPABLE, NOTCAPABLE),
    (b"d/up_twice", NOTCAPABLE, OK),
    (b"d/up_twice/x", NOTCAPABLE, NOTCAPABLE),
    (b"up_later/x", NOTCAPABLE, NOTCAPABLE),
    (b"to_dir/../../..", NOTCAPABLE, NOTCAPABLE),
    // Around.
    (b"loop", LOOP, OK),
    (b"loop/x", LOOP, LOOP),
    (b"ping/", LOOP, LOOP),
    // No paths.
    (b"d/f\0", INVAL, INVAL),
    (b"d/\xff", ILSEQ, ILSEQ),
];

#[test]
fn a_path_leads_where_posix_says_and_never_out_of_its_directory() {
    let mut script = tree();
    for (text, followed, kept) in LOOKUPS {
        for (flags, expected) in [(1, followed), (0, kept)] {
            let arguments = [ROOT, Arg::Small(flags), Arg::Text(text), AT];
            script.call(expected, "path_filestat_get", &arguments);
        }
    }
    script.run_on_each();
}

/// Every call that takes a path, in every position of one, refuses to leave.
#[test]
fn no_call_leaves_its_directory() {
    let mut script = tree();
    for out in ["/d/f", "../d/f", "up/d/f", "d/up_twice/f", "d/e/../../../f"] {
        let out = path(out);
        let inside = path("new");
        for (name, arguments) in [
            ("path_create_directory", &[ROOT, out][..]),
            ("path_remove_directory", &[ROOT, out]),
            ("path_unlink_file", &[ROOT, out]),
            ("path_filestat_get", &[ROOT, Arg::Small(0), out, AT]),
            (
                "path_filestat_set_times",
                &[
                    ROOT,
                    Arg::Small(0),
                    out,
                    Arg::Large(0),
                    Arg::Large(0),
                    Arg::Small(0),
                ],
            ),
            ("path_link", &[ROOT, Arg::Small(0), out, ROOT, inside]),
            ("path_link", &[ROOT, Arg::Small(0), path("d/f"), ROOT, out]),
            ("path_rename", &[ROOT, out, ROOT, inside]),
            ("path_rename", &[ROOT, path("d/f"), ROOT, out]),
            ("path_readlink", &[ROOT, out, AT, Arg::Small(0), AT]),
            ("path_symlink", &[path("d/f"), ROOT, out]),
        ] {
            script.call(NOTCAPABLE, name, arguments);
        }
        for how in [
            0,
            oflag::CREAT,
            oflag::CREAT | oflag::EXCL,
            oflag::TRUNC,
            oflag::DIRECTORY,
        ] {
            script.call(NOTCAPABLE, "path_open", &open_arguments(ROOT, 1, out, how));
        }
    }
    // A link that could only be followed out of the directory is not even made.
    script.call(
        NOTCAPABLE,
        "path_symlink",
        &[path("/d/f"), ROOT, path("absolute")],
    );
    script.run_on_each();
}

/// The directory that a path starts at is its limit, also if it lies deep in a mount.
#[test]
fn a_directory_that_the_guest_opened_is_as_closed_as_a_mount() {
    let mut script = tree();
    let rights = wasi::RIGHTS_PATH_FILESTAT_GET | wasi::RIGHTS_PATH_OPEN;
    script.open(OK, "d/e", oflag::DIRECTORY, rights);
    for (name, expected) in [
        ("..", NOTCAPABLE),
        ("../f", NOTCAPABLE),
        ("sibling", NOTCAPABLE),
        (".", OK),
    ] {
        let arguments = [Arg::Small(4), Arg::Small(1), path(name), AT];
        script.call(expected, "path_filestat_get", &arguments);
    }
    script.run_on_each();
}

#[test]
fn a_directory_that_is_moved_while_it_is_open_stays_the_limit() {
    let mut script = tree();
    let rights = wasi::RIGHTS_PATH_FILESTAT_GET | wasi::RIGHTS_PATH_OPEN;
    script
        .open(OK, "d/e", oflag::DIRECTORY, rights)
        .call(OK, "path_rename", &[ROOT, path("d/e"), ROOT, path("moved")])
        .call(OK, "path_filestat_get", &[Arg::Small(4), AT, path("."), AT])
        .call(
            NOTCAPABLE,
            "path_filestat_get",
            &[Arg::Small(4), AT, path(".."), AT],
        )
        .call(
            NOTCAPABLE,
            "path_filestat_get",
            &[Arg::Small(4), Arg::Small(1), path("sibling"), AT],
        );
    script.run_on_each();
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let mut script = Script::default();
    script.create("0").close(4);
    for number in 1..=41 {
        let (target, link) = (format!("{}", number - 1), format!("{number}"));
        script.call(OK, "path_symlink", &[path(&target), ROOT, path(&link)]);
    }
    script
        .call(
            OK,
            "path_filestat_get",
            &[ROOT, Arg::Small(1), path("40"), AT],
        )
        .call(
            LOOP,
            "path_filestat_get",
            &[ROOT, Arg::Small(1), path("41"), AT],
        );
    script.run_on_each();
}

#[test]
fn names_and_paths_have_their_posix_lengths() {
    let (longest, longer) = ("n".repeat(255), "n".repeat(256));
    let (deepest, deeper) = ("./".repeat(2048), "./".repeat(2048) + "d");
    let mut script = tree();
    for (name, expected) in [(&longest, OK), (&longer, NAMETOOLONG)] {
        script.call(expected, "path_create_directory", &[ROOT, path(name)]);
    }
    for (name, expected) in [
        (&longest, OK),
        (&longer, NAMETOOLONG),
        (&format!("{longer}/x"), NAMETOOLONG),
        (&deepest, OK),
        (&deeper, NAMETOOLONG),
    ] {
        let arguments = [ROOT, Arg::Small(1), path(name), AT];
        script.call(expected, "path_filestat_get", &arguments);
    }
    // A link of 4095 bytes leaves no room for what follows it.
    let target = "./".repeat(2047) + "d";
    script
        .call(OK, "path_symlink", &[path(&target), ROOT, path("long")])
        .call(
            OK,
            "path_filestat_get",
            &[ROOT, Arg::Small(1), path("long"), AT],
        )
        .call(
            NAMETOOLONG,
            "path_filestat_get",
            &[ROOT, Arg::Small(1), path("long/e/..//"), AT],
        )
        .call(
            NAMETOOLONG,
            "path_symlink",
            &[path(&deeper), ROOT, path("longer")],
        );
    script.run_on_each();
}

fn open_arguments<'a>(dir: Arg<'a>, lookup: u32, path: Arg<'a>, how: u32) -> [Arg<'a>; 8] {
    [
        dir,
        Arg::Small(lookup),
        path,
        Arg::Small(how),
        Arg::Large(0),
        Arg::Large(0),
        Arg::Small(0),
        AT,
    ]
}

#[test]
fn opening_goes_by_what_is_there_and_how_it_is_asked_for() {
    const CREAT: u32 = oflag::CREAT;
    const EXCL: u32 = oflag::CREAT | oflag::EXCL;
    const DIRECTORY: u32 = oflag::DIRECTORY;
    const TRUNC: u32 = oflag::TRUNC;
    for (name, lookup, how, expected) in [
        ("d/f", 1, 0, OK),
        ("d/f", 1, CREAT, OK),
        ("d/f", 1, EXCL, EXIST),
        ("d/f", 1, DIRECTORY, NOTDIR),
        ("d/f", 1, TRUNC, OK),
        ("d/f/", 1, 0, NOTDIR),
        ("d/f/", 1, CREAT, NOTDIR),
        ("d", 1, 0, OK),
        ("d/", 1, DIRECTORY, OK),
        ("d", 1, CREAT, ISDIR),
        ("d", 1, EXCL, EXIST),
        ("d", 1, TRUNC, ISDIR),
        (".", 1, 0, OK),
        (".", 1, CREAT, ISDIR),
        (".", 1, EXCL, EXIST),
        ("new", 1, 0, NOENT),
        ("new", 1, TRUNC, NOENT),
        ("new", 1, DIRECTORY, NOENT),
        ("new", 1, CREAT, OK),
        ("new", 1, EXCL, OK),
        ("new", 1, CREAT | TRUNC, OK),
        ("new/", 1, 0, NOENT),
        ("new/", 1, CREAT, ISDIR),
        ("new/x", 1, CREAT, NOENT),
        ("d/f/x", 1, CREAT, NOTDIR),
        ("to_file", 1, 0, OK),
        ("to_file", 0, 0, LOOP),
        ("to_file", 0, CREAT, LOOP),
        ("to_file", 0, DIRECTORY, NOTDIR),
        ("to_file", 1, EXCL, EXIST),
        ("to_dir", 1, DIRECTORY, OK),
        ("to_dir/", 0, 0, OK),
        ("loop", 0, 0, LOOP),
        ("loop", 1, 0, LOOP),
        // What the link leads to is created, unless that must be new.
        ("dangling", 1, 0, NOENT),
        ("dangling", 1, CREAT, OK),
        ("dangling", 1, EXCL, EXIST),
        ("d/f", 1, CREAT | DIRECTORY, INVAL),
        ("d/f", 1, 16, INVAL),
        ("d/f", 2, 0, INVAL),
    ] {
        let mut script = tree();
        script.call(
            expected,
            "path_open",
            &open_arguments(ROOT, lookup, path(name), how),
        );
        let there = [ROOT, Arg::Small(1), path("nowhere"), AT];
        let created = name == "dangling" && expected == OK;
        script.call(
            if created { OK } else { NOENT },
            "path_filestat_get",
            &there,
        );
        script.run_on_each();
    }
}

#[test]
fn names_change_as_posix_has_it() {
    type Change<'a> = (u32, &'a str, &'a [Arg<'a>]);
    let changes: [Change<'_>; 39] = [
        (EXIST, "path_create_directory", &[ROOT, path("d")]),
        (EXIST, "path_create_directory", &[ROOT, path("d/f")]),
        (EXIST, "path_create_directory", &[ROOT, path(".")]),
        (EXIST, "path_create_directory", &[ROOT, path("d/..")]),
        (EXIST, "path_create_directory", &[ROOT, path("dangling")]),
        (OK, "path_create_directory", &[ROOT, path("new/")]),
        (NOENT, "path_create_directory", &[ROOT, path("x/y")]),
        (NOTEMPTY, "path_remove_directory", &[ROOT, path("d")]),
        (OK, "path_remove_directory", &[ROOT, path("new/")]),
        (NOTDIR, "path_remove_directory", &[ROOT, path("d/f")]),
        (NOTDIR, "path_remove_directory", &[ROOT, path("to_dir")]),
        (NOTDIR, "path_remove_directory", &[ROOT, path("to_dir/")]),
        (INVAL, "path_remove_directory", &[ROOT, path("d/.")]),
        (NOENT, "path_remove_directory", &[ROOT, path("x")]),
        (ISDIR, "path_unlink_file", &[ROOT, path("d")]),
        (ISDIR, "path_unlink_file", &[ROOT, path("d/")]),
        (ISDIR, "path_unlink_file", &[ROOT, path(".")]),
        (NOTDIR, "path_unlink_file", &[ROOT, path("d/f/")]),
        (NOENT, "path_unlink_file", &[ROOT, path("x")]),
        (NOENT, "path_symlink", &[path(""), ROOT, path("new")]),
        (INVAL, "path_symlink", &[path("a\0"), ROOT, path("new")]),
        (EXIST, "path_symlink", &[path("x"), ROOT, path("d")]),
        (NOENT, "path_symlink", &[path("x"), ROOT, path("new/")]),
        (INVAL, "path_readlink", &[ROOT, path("d/f"), AT, AT, AT]),
        (INVAL, "path_readlink", &[ROOT, path("d"), AT, AT, AT]),
        (PERM, "path_link", &[ROOT, AT, path("d"), ROOT, path("new")]),
        (
            EXIST,
            "path_link",
            &[ROOT, AT, path("d/f"), ROOT, path("d/e")],
        ),
        (
            EXIST,
            "path_link",
            &[ROOT, AT, path("d/f"), ROOT, path("dangling")],
        ),
        (
            NOENT,
            "path_link",
            &[ROOT, AT, path("d/f"), ROOT, path("new/")],
        ),
        (
            NOENT,
            "path_link",
            &[ROOT, Arg::Small(1), path("dangling"), ROOT, path("new")],
        ),
        (
            INVAL,
            "path_rename",
            &[ROOT, path("d"), ROOT, path("d/e/x")],
        ),
        (
            NOTEMPTY,
            "path_rename",
            &[ROOT, path("d/e"), ROOT, path("d")],
        ),
        (
            ISDIR,
            "path_rename",
            &[ROOT, path("d/f"), ROOT, path("d/e")],
        ),
        (
            NOTDIR,
            "path_rename",
            &[ROOT, path("d/e"), ROOT, path("d/f")],
        ),
        (
            NOTDIR,
            "path_rename",
            &[ROOT, path("d/f"), ROOT, path("new/")],
        ),
        (NOENT, "path_rename", &[ROOT, path("x"), ROOT, path("new")]),
        (BUSY, "path_rename", &[ROOT, path("."), ROOT, path("new")]),
        (BUSY, "path_rename", &[ROOT, path("d"), ROOT, path(".")]),
        (OK, "path_rename", &[ROOT, path("d/f"), ROOT, path("d/f")]),
    ];
    let mut script = tree();
    for (expected, name, arguments) in changes {
        script.call(expected, name, arguments);
    }
    script.open(OK, "d/f", 0, RIGHTS_FILE).read_at(4, 0, 5);
    assert_eq!(script.run_on_each(), b"\x05\0\0\0found");
}

#[test]
fn a_link_can_be_read_in_part_and_followed_or_taken_itself_when_linked() {
    let mut script = tree();
    script
        .call(
            OK,
            "path_readlink",
            &[ROOT, path("to_file"), Arg::Small(64), Arg::Small(8), AT],
        )
        .show(0, 4)
        .show(64, 4)
        .call(
            OK,
            "path_readlink",
            &[ROOT, path("to_file"), Arg::Small(80), Arg::Small(2), AT],
        )
        .show(0, 4)
        .show(80, 4)
        .call(
            OK,
            "path_link",
            &[ROOT, AT, path("to_file"), ROOT, path("same_link")],
        )
        .call(
            OK,
            "path_link",
            &[
                ROOT,
                Arg::Small(1),
                path("to_file"),
                ROOT,
                path("same_file"),
            ],
        )
        .call(OK, "path_unlink_file", &[ROOT, path("d/f")])
        .call(
            NOENT,
            "path_filestat_get",
            &[ROOT, Arg::Small(1), path("same_link"), AT],
        )
        .open(OK, "same_file", 0, RIGHTS_FILE)
        .read_at(4, 0, 5);
    assert_eq!(
        script.run_on_each(),
        b"\x03\0\0\0d/f\0\x02\0\0\0d/\0\0\x05\0\0\0found"
    );
}

#[test]
fn nothing_is_linked_or_moved_between_mounts() {
    for ((_, first), (_, second)) in file_systems().into_iter().zip(file_systems()) {
        let mut script = Script::default();
        script
            .call(OK, "path_create_directory", &[ROOT, path("d")])
            .call(OK, "path_symlink", &[path("x"), ROOT, path("l")])
            .call(
                XDEV,
                "path_rename",
                &[ROOT, path("d"), Arg::Small(4), path("d")],
            )
            .call(
                XDEV,
                "path_link",
                &[ROOT, AT, path("l"), Arg::Small(4), path("l")],
            )
            .call(
                NOENT,
                "path_filestat_get",
                &[Arg::Small(4), AT, path("d"), AT],
            );
        script.run(vec![mount("/", first), mount("/tmp", second)]);
    }
}
