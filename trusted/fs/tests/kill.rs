//! Kills a real process in the middle of its work on a real file, again and again.
//!
//! The child is this test binary, started with an environment variable. It counts: writes the next number into two files,
//! syncs, and says so. After the kill, the volume must be clean, both files must agree, and the number must not be older
//! than the last one that the child announced.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod support;

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use support::{Random, assert_clean, contents, key, proved, round};
use twine_fs::{FileStore, HostPlatform, Options, Suite, Volume};

const CHILD: &str = "TWINE_FS_KILL_CHILD";
const KILLS: usize = 100;

fn open(path: &Path) -> Volume {
    // The killed child's lock is gone when it is; a moment may pass.
    let store = (0..200).find_map(|_| {
        FileStore::open(path)
            .map_err(|_| std::thread::sleep(Duration::from_millis(5)))
            .ok()
    });
    Volume::open(
        Box::new(store.unwrap()),
        Box::new(HostPlatform),
        key(),
        Options::default(),
    )
    .unwrap()
}

fn number_in(volume: &mut Volume, name: &[u8]) -> u64 {
    let file = volume.lookup(Volume::ROOT, name).unwrap();
    let bytes = contents(volume, file).unwrap();
    u64::from_le_bytes(bytes[..8].try_into().unwrap())
}

/// Counts until it is killed.
fn count(path: &Path) {
    let mut volume = open(path);
    let mut number = number_in(&mut volume, b"left");
    loop {
        number += 1;
        for name in [&b"left"[..], b"right"] {
            let file = volume.lookup(Volume::ROOT, name).unwrap();
            volume.write(file, 0, &number.to_le_bytes()).unwrap();
            volume
                .write(file, number % 40 * 4096 + 8, &number.to_le_bytes())
                .unwrap();
        }
        if number.is_multiple_of(7) {
            // A new name for the left file, and back: renames are part of the state.
            volume
                .rename(Volume::ROOT, b"left", Volume::ROOT, b"moved")
                .unwrap();
            volume
                .rename(Volume::ROOT, b"moved", Volume::ROOT, b"left")
                .unwrap();
        }
        volume.sync().unwrap();
        println!("synced {number}");
    }
}

#[test]
fn a_killed_process_leaves_a_clean_volume_with_all_it_announced() {
    if let Some(path) = std::env::var_os(CHILD) {
        count(Path::new(&path));
    }
    let path: PathBuf = std::env::temp_dir().join(format!("twine-fs-kill-{}", std::process::id()));
    let store = Box::new(FileStore::open(&path).unwrap());
    let platform = Box::new(HostPlatform);
    let mut volume =
        Volume::create(store, platform, key(), Suite::Aegis128L, Options::default()).unwrap();
    for name in [&b"left"[..], b"right"] {
        let file = volume.create_file(Volume::ROOT, name).unwrap();
        volume.write(file, 0, &[0; 8]).unwrap();
    }
    volume.sync().unwrap();
    drop(volume);
    let (mut random, mut announced) = (Random(42 + round()), 0);
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--nocapture",
                "--exact",
                "a_killed_process_leaves_a_clean_volume_with_all_it_announced",
            ])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Wait for a sign of life, then for a random moment.
        let wanted = random.below(10) + 1;
        let mut seen = 0;
        while seen < wanted {
            let line = lines.next().unwrap().unwrap();
            if let Some(number) = line
                .rsplit_once("synced ")
                .map(|(_, number)| number.parse::<u64>().unwrap())
            {
                (announced, seen) = (number, seen + 1);
            }
        }
        std::thread::sleep(Duration::from_micros(random.below(2000)));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            if let Some(number) = line
                .rsplit_once("synced ")
                .and_then(|(_, number)| number.parse().ok())
            {
                announced = number;
            }
        }
        let mut volume = open(&path);
        assert_clean(&mut volume);
        let (left, right) = (
            number_in(&mut volume, b"left"),
            number_in(&mut volume, b"right"),
        );
        assert_eq!(
            left, right,
            "after kill {kill}: the two files are of different commits"
        );
        assert!(
            left >= announced,
            "after kill {kill}: {left} is older than {announced}"
        );
    }
    std::fs::remove_file(&path).unwrap();
    proved(KILLS, "kills");
}
