//! `twine volume` as its users see it: what goes in comes out, wrong keys and hostile disks end with a code and one
//! sentence, and whatever is cut short leaves a sound volume.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod files;
mod keys;
mod mishaps;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// A folder with a volume, whose passphrase is in the environment as `GOOD`.
struct Bench(TempDir);

const BLOCK_LEN: usize = 4096;

/// The same secret for every command.
const GOOD: &[&str] = &["--passphrase-env", "GOOD"];

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With a volume of that name. The passphrase costs little, so that tests are quick.
    fn with_volume() -> Self {
        let bench = Self::new();
        let created = bench.twine("create", &["v", "--passphrase-memory", "8MiB"], GOOD);
        assert_code(&created, 0);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, subcommand: &str, arguments: &[&str], secret: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_twine"));
        command
            .current_dir(self.0.path())
            .env("GOOD", "correct horse")
            .env("BAD", "battery staple")
            .args(["volume", subcommand])
            .args(arguments)
            .args(secret)
            .stdin(Stdio::null());
        command
    }

    fn twine(&self, subcommand: &str, arguments: &[&str], secret: &[&str]) -> Output {
        self.command(subcommand, arguments, secret)
            .output()
            .unwrap()
    }

    /// Runs a command that must succeed, and returns what it printed.
    #[track_caller]
    fn good(&self, subcommand: &str, arguments: &[&str]) -> String {
        let output = self.twine(subcommand, arguments, GOOD);
        assert_code(&output, 0);
        text(&output.stdout).to_owned()
    }

    #[track_caller]
    fn assert_sound(&self, volume: &str) {
        let verdict = self.good("fsck", &[volume]);
        assert!(verdict.starts_with("sound: "), "{verdict}");
    }

    fn mark(&self, volume: &str) -> String {
        let info: serde_json::Value =
            serde_json::from_str(&self.good("info", &["--json", volume])).unwrap();
        info["mark"].as_str().unwrap().to_owned()
    }

    /// Files of many kinds, with names that programs stumble over.
    fn fill(&self, name: &str) -> PathBuf {
        let root = self.path(name);
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        fs::create_dir(root.join("empty")).unwrap();
        let odd: [&[u8]; 8] = [
            b"-rf",
            b" ",
            b"new\nline",
            b"\xff\xfe",
            "\u{202e}txt.exe".as_bytes(),
            b"...",
            b"back\\slash",
            &[b'x'; 255],
        ];
        for (number, name) in odd.into_iter().enumerate() {
            fs::write(root.join(OsStr::from_bytes(name)), vec![b'o'; number * 50]).unwrap();
        }
        for (name, len) in [
            ("empty-file", 0),
            ("a/block", 4096),
            ("a/b/large", 1_234_567),
        ] {
            let bytes: Vec<u8> = (0..len)
                .map(|at: u32| at.to_le_bytes()[at as usize % 3])
                .collect();
            fs::write(root.join(name), bytes).unwrap();
        }
        let sparse = fs::File::create(root.join("a/sparse")).unwrap();
        sparse.write_all_at(b"end", 40 << 20).unwrap();
        fs::hard_link(root.join("a/block"), root.join("a/b/c/same")).unwrap();
        std::os::unix::fs::symlink("../../../../etc/passwd", root.join("a/out")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("dangling")).unwrap();
        let old =
            fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH + Duration::new(86_400, 5));
        sparse.set_times(old).unwrap();
        root
    }
}

#[track_caller]
fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
}

/// One sentence for people on standard error, nothing on standard output.
#[track_caller]
fn assert_refused(output: &Output, code: i32, says: &str) {
    assert_code(output, code);
    let message = text(&output.stderr);
    assert!(
        message.starts_with("twine: ") && message.lines().count() == 1,
        "{message}"
    );
    assert!(message.contains(says), "{message}");
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

/// Everything in a tree that a volume keeps: kinds, contents, times, and which names are one file.
fn tree(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let (mut waiting, mut first) = (vec![PathBuf::new()], BTreeMap::new());
    while let Some(path) = waiting.pop() {
        let here = root.join(&path);
        let metadata = fs::symlink_metadata(&here).unwrap();
        let same = first.entry(metadata.ino()).or_insert_with(|| path.clone());
        let time = (metadata.mtime(), metadata.mtime_nsec());
        let described = if metadata.is_dir() {
            let names = fs::read_dir(&here).unwrap();
            let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
            // The same order everywhere, so that the first name of a file is the same one.
            names.sort_by(|left, right| right.cmp(left));
            waiting.extend(names.iter().map(|name| path.join(name)));
            format!("directory {time:?}")
        } else if metadata.is_symlink() {
            format!("link {:?} {time:?}", fs::read_link(&here).unwrap())
        } else {
            let bytes = fs::read(&here).unwrap();
            let sum = bytes.iter().fold(7_u64, |sum, &byte| {
                sum.wrapping_mul(1_099_511_628_211) ^ u64::from(byte)
            });
            format!("file {same:?} {} {sum:x} {time:?}", bytes.len())
        };
        found.insert(path, described);
    }
    found
}
