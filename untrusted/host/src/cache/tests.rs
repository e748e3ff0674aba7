//! Tested on real directories, with modules that need no compiler.

use std::fs;
use std::path::PathBuf;

use super::*;

/// A directory that goes away with its owner.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("twine-cache-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn module(native: &[u8]) -> Module {
    Module::compiled("app".into(), Digest([1; 32]), native)
}

const KEY: Digest = Digest([0xab; 32]);

#[test]
fn what_was_written_is_found_under_its_key_only() {
    let directory = Directory::new("found");
    let cache = Cache::at(directory.0.clone());
    assert!(cache.read(KEY, "app").is_none());
    cache.write(KEY, &module(b"code"));
    let found = cache.read(KEY, "another name").unwrap();
    assert_eq!(found.native().bytes(), b"code");
    assert_eq!(found.name(), "another name");
    assert!(cache.read(Digest([2; 32]), "app").is_none());
}

#[test]
fn a_damaged_entry_is_as_good_as_none_and_is_replaced() {
    let directory = Directory::new("damaged");
    let cache = Cache::at(directory.0.clone());
    cache.write(KEY, &module(b"code"));
    let [file] = &*directory.files() else {
        panic!("one file, no temporary ones: {:?}", directory.files())
    };
    let mut bytes = fs::read(file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(file, bytes).unwrap();
    assert!(cache.read(KEY, "app").is_none());
    cache.write(KEY, &module(b"code"));
    assert!(cache.read(KEY, "app").is_some());
}

#[test]
fn beyond_the_limit_the_entries_unused_for_longest_go() {
    let directory = Directory::new("evict");
    let cache = Cache::at(directory.0.clone()).with_limit(3000);
    let key = |n| Digest([n; 32]);
    for (n, age_hours) in [(1, 10), (2, 30), (3, 20)] {
        cache.write(key(n), &module(&[n; 1000]));
        let file = File::options()
            .write(true)
            .open(directory.0.join(file_name(key(n))))
            .unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(age_hours))
            .unwrap();
    }
    cache.write(key(4), &module(&[4; 1000]));
    let kept: Vec<u8> = (1..=4)
        .filter(|n| cache.read(key(*n), "app").is_some())
        .collect();
    assert_eq!(kept, [1, 4]);
}

#[test]
fn the_latest_entry_stays_even_if_it_alone_is_too_large() {
    let directory = Directory::new("large");
    let cache = Cache::at(directory.0.clone()).with_limit(1);
    cache.write(KEY, &module(&[0; 1000]));
    assert!(cache.read(KEY, "app").is_some());
}

#[test]
fn foreign_files_stay_and_abandoned_ones_go() {
    let directory = Directory::new("foreign");
    fs::create_dir_all(&directory.0).unwrap();
    let foreign = directory.0.join("notes.txt");
    let abandoned = directory.0.join("x.1.0.tmp");
    let recent = directory.0.join("y.1.0.tmp");
    for path in [&foreign, &abandoned, &recent] {
        fs::write(path, b"bytes").unwrap();
    }
    let old = SystemTime::now() - Duration::from_hours(48);
    let file = File::options().write(true).open(&abandoned).unwrap();
    file.set_modified(old).unwrap();
    Cache::at(directory.0.clone()).write(KEY, &module(b"code"));
    assert!(foreign.exists() && recent.exists() && !abandoned.exists());
}

#[test]
fn a_directory_that_cannot_be_made_is_no_reason_not_to_run() {
    let cache = Cache::at("/dev/null/twine".into());
    cache.write(KEY, &module(b"code"));
    assert!(cache.read(KEY, "app").is_none());
    Cache::disabled().write(KEY, &module(b"code"));
}
