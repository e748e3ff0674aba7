//! What an enclave can do to a host directory, and what it cannot reach.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use twine_abi::exchange::PAYLOAD_LEN;

use super::*;

/// A mounted directory beside something that must not be reached.
struct Set {
    folder: tempfile::TempDir,
    mounted: HostDirectory,
    payload: Vec<u8>,
}

impl Set {
    fn new() -> Self {
        Self::with(FileAccess::Write)
    }

    fn with(access: FileAccess) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("outside"), "secret").unwrap();
        let inside = folder.path().join("inside");
        fs::create_dir(&inside).unwrap();
        fs::write(inside.join("file"), "contents").unwrap();
        symlink("../outside", inside.join("escape")).unwrap();
        Self {
            mounted: HostDirectory::open(&inside, access).unwrap(),
            payload: vec![0; PAYLOAD_LEN],
            folder,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("inside").join(name)
    }

    /// A call whose payload begins with `text`.
    fn call(&mut self, call: HostCall, args: [u64; 4], text: &str) -> Answer {
        self.payload[..text.len()].copy_from_slice(text.as_bytes());
        self.mounted.serve(call, args, &mut self.payload)
    }

    fn named(&mut self, call: HostCall, dir: u64, name: &str) -> Answer {
        self.call(call, [dir, name.len() as u64, 0, 0], name)
    }

    fn lookup(&mut self, name: &str) -> u64 {
        self.named(HostCall::FileLookup, ROOT, name).unwrap()
    }

    /// A word of the status in the payload.
    fn word(&self, index: usize) -> u64 {
        u64::from_le_bytes(self.payload[8 * index..][..8].try_into().unwrap())
    }
}

#[test]
fn a_file_is_created_written_read_renamed_and_removed() {
    let mut set = Set::new();
    let node = set.named(HostCall::FileCreate, ROOT, "new").unwrap();
    assert_eq!(
        set.call(HostCall::FileWrite, [node, 2, 5, 0], "hello"),
        Ok(5)
    );
    assert_eq!(set.call(HostCall::FileSync, [node, 1, 0, 0], ""), Ok(0));
    assert_eq!(fs::read(set.path("new")).unwrap(), b"\0\0hello");
    let both = set.call(HostCall::FileRename, [ROOT, ROOT, 3, 5], "newother");
    assert_eq!(both, Ok(0));
    assert_eq!(set.call(HostCall::FileRead, [node, 3, 100, 0], ""), Ok(4));
    assert_eq!(&set.payload[..4], b"ello");
    assert_eq!(set.named(HostCall::FileRemove, ROOT, "other"), Ok(0));
    assert_eq!(set.call(HostCall::FileSetSize, [node, 3, 0, 0], ""), Ok(0));
    assert_eq!(set.call(HostCall::FileStatus, [node, 0, 0, 0], ""), Ok(0));
    assert_eq!((set.word(1), set.word(2), set.word(3)), (kind::FILE, 0, 3));
    assert_eq!(set.call(HostCall::FileRelease, [node, 0, 0, 0], ""), Ok(0));
    let gone = set.call(HostCall::FileStatus, [node, 0, 0, 0], "");
    assert_eq!(gone, Err(HostErrno::Invalid));
}

#[test]
fn a_name_is_a_single_name() {
    let mut set = Set::new();
    for name in ["", ".", "..", "/", "../outside", "a/b", "file/", "a\0b"] {
        for call in [
            HostCall::FileLookup,
            HostCall::FileCreate,
            HostCall::FileCreateDirectory,
            HostCall::FileRemove,
        ] {
            let answer = set.named(call, ROOT, name);
            assert_eq!(answer, Err(HostErrno::Invalid), "{call:?} {name:?}");
        }
        let (len, text) = (name.len() as u64, format!("file{name}"));
        let renamed = set.call(HostCall::FileRename, [ROOT, ROOT, 4, len], &text);
        assert_eq!(renamed, Err(HostErrno::Invalid));
        let file = set.lookup("file");
        let linked = set.call(HostCall::FileLink, [file, ROOT, len, 0], name);
        assert_eq!(linked, Err(HostErrno::Invalid));
    }
    assert_eq!(
        fs::read(set.folder.path().join("outside")).unwrap(),
        b"secret"
    );
}

#[test]
fn a_link_is_read_and_never_followed() {
    let mut set = Set::new();
    let link = set.lookup("escape");
    assert_eq!(set.word(1), kind::LINK);
    assert_eq!(
        set.call(HostCall::FileReadLink, [link, 0, 0, 0], ""),
        Ok(10)
    );
    assert_eq!(&set.payload[..10], b"../outside");
    let not_supported = Err(HostErrno::NotSupported);
    assert_eq!(
        set.call(HostCall::FileOpen, [link, access::READ, 0, 0], ""),
        not_supported
    );
    let below = set.named(HostCall::FileLookup, link, "x");
    assert_eq!(below, Err(HostErrno::NotADirectory));
    let created = set.named(HostCall::FileCreate, ROOT, "escape");
    assert_eq!(created, Err(HostErrno::Exists));
    let time = [link, 7_000_000_000, TIME_UNCHANGED, 0];
    assert_eq!(set.call(HostCall::FileSetTimes, time, ""), Ok(0));
    let outside = fs::metadata(set.folder.path().join("outside")).unwrap();
    assert!(outside.accessed().unwrap().elapsed().unwrap().as_secs() < 3600);
}

#[test]
fn what_is_neither_file_nor_directory_is_not_opened() {
    let mut set = Set::new();
    rustix::fs::mknodat(
        CWD,
        set.path("pipe"),
        FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let pipe = set.lookup("pipe");
    assert_eq!(set.word(1), kind::OTHER);
    for wanted in [access::READ, access::WRITE] {
        let opened = set.call(HostCall::FileOpen, [pipe, wanted, 0, 0], "");
        assert_eq!(opened, Err(HostErrno::NotSupported));
    }
}

#[test]
fn a_read_only_directory_is_not_changed() {
    let mut set = Set::with(FileAccess::Read);
    let file = set.lookup("file");
    let refused = Err(HostErrno::ReadOnly);
    for (call, args) in [
        (HostCall::FileOpen, [file, access::WRITE, 0, 0]),
        (HostCall::FileCreate, [ROOT, 3, 0, 0]),
        (HostCall::FileCreateDirectory, [ROOT, 3, 0, 0]),
        (HostCall::FileCreateLink, [ROOT, 1, 2, 0]),
        (HostCall::FileLink, [file, ROOT, 3, 0]),
        (HostCall::FileRemove, [ROOT, 3, 0, 0]),
        (HostCall::FileRename, [ROOT, ROOT, 1, 2]),
        (HostCall::FileSetTimes, [file, 0, 0, 0]),
        (HostCall::FileSetSize, [file, 0, 0, 0]),
        (HostCall::FileAllocate, [file, 0, 9, 0]),
        (HostCall::FileWrite, [file, 0, 3, 0]),
    ] {
        assert_eq!(set.call(call, args, "new"), refused, "{call:?}");
    }
    assert_eq!(
        set.call(HostCall::FileOpen, [file, access::READ, 0, 0], ""),
        Ok(0)
    );
    assert_eq!(set.call(HostCall::FileRead, [file, 0, 99, 0], ""), Ok(8));
}

#[test]
fn a_directory_is_listed_piece_by_piece() {
    let mut set = Set::new();
    for name in ["a", "b", "c"] {
        fs::create_dir(set.path(name)).unwrap();
    }
    let (mut cookie, mut names) = (0, Vec::new());
    loop {
        let len = set
            .call(HostCall::FileReadDirectory, [ROOT, cookie, 1, 0], "")
            .unwrap();
        if len == 0 {
            break;
        }
        assert_eq!(set.word(2) >> 32, len - ENTRY_LEN as u64);
        cookie = set.word(1);
        let name = &set.payload[ENTRY_LEN..usize::try_from(len).unwrap()];
        names.push((
            String::from_utf8(name.to_vec()).unwrap(),
            set.word(2) & 0xffff_ffff,
        ));
    }
    names.sort();
    let expected = [
        ("a", kind::DIRECTORY),
        ("b", kind::DIRECTORY),
        ("c", kind::DIRECTORY),
        ("escape", kind::LINK),
        ("file", kind::FILE),
    ];
    assert_eq!(names, expected.map(|(name, kind)| (name.to_owned(), kind)));
}

#[test]
fn the_mounted_directory_is_its_own_parent() {
    let mut set = Set::new();
    set.call(HostCall::FileStatus, [ROOT, 0, 0, 0], "").unwrap();
    assert_eq!(set.word(0), set.word(7));
    let root = set.word(0);
    set.named(HostCall::FileCreateDirectory, ROOT, "dir")
        .unwrap();
    set.lookup("dir");
    assert_eq!((set.word(1), set.word(7)), (kind::DIRECTORY, root));
}

#[test]
fn nodes_and_lengths_that_do_not_exist_are_refused() {
    let mut set = Set::new();
    let calls = (64..=81).map(|number| HostCall::try_from(number).unwrap());
    for call in calls {
        for args in [
            [99, 0, 0, 0],
            [99; 4],
            [u64::MAX; 4],
            [ROOT, u64::MAX, u64::MAX, 0],
        ] {
            let _ = set.call(call, args, "");
        }
    }
    let too_long = (PAYLOAD_LEN + 1) as u64;
    let file = set.lookup("file");
    let read = set.call(HostCall::FileRead, [file, 0, too_long, 0], "");
    assert_eq!(read, Err(HostErrno::Invalid));
    assert_eq!(fs::read(set.path("file")).unwrap(), b"contents");
}

#[test]
fn a_file_that_the_host_forbids_is_denied() {
    let mut set = Set::new();
    fs::set_permissions(set.path("file"), fs::Permissions::from_mode(0o000)).unwrap();
    let file = set.lookup("file");
    let opened = set.call(HostCall::FileOpen, [file, access::READ, 0, 0], "");
    // Root may open everything.
    let expected = if rustix::process::geteuid().is_root() {
        Ok(0)
    } else {
        Err(HostErrno::Denied)
    };
    assert_eq!(opened, expected);
}
