//! A thousand launches, one after the other: nothing grows. In a process of its own, because it counts what the process
//! has.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;

use twine::Outcome;
use twine_tests::run::{Given, launch, module, text};

/// What a process has that can leak.
#[derive(Clone, Copy, Debug)]
struct Possessions {
    /// Resident memory, in pages.
    resident: usize,
    /// Open descriptors.
    descriptors: usize,
    /// Mappings.
    mappings: usize,
    /// Threads.
    threads: usize,
}

impl Possessions {
    fn now() -> Self {
        let count = |folder| fs::read_dir(folder).unwrap().count();
        let statm = fs::read_to_string("/proc/self/statm").unwrap();
        Self {
            resident: statm
                .split(' ')
                .nth(1)
                .and_then(|pages| pages.parse().ok())
                .unwrap(),
            descriptors: count("/proc/self/fd"),
            mappings: fs::read_to_string("/proc/self/maps")
                .unwrap()
                .lines()
                .count(),
            threads: count("/proc/self/task"),
        }
    }
}

/// Launches that come first, until allocators and caches have what they keep.
const WARM_UP: usize = 100;
const LAUNCHES: usize = 1000;

/// What the process's allocator may keep for itself: less than 4 KiB a launch.
const SLACK_PAGES: usize = 512;

#[test]
fn a_thousand_launches_leak_neither_memory_nor_descriptors() {
    let hello = module("c_says_hello");
    let fault = module("wat_reads_out_of_bounds");
    let once = |index: usize| {
        if index % 10 == 9 {
            let ran = launch(&fault, Given::default());
            assert!(
                matches!(ran.outcome, Ok(Outcome::Trapped { .. })),
                "{ran:?}"
            );
        } else {
            let ran = launch(&hello, Given::default());
            assert_eq!(text(&ran.output), "Hello from C.\n", "{ran:?}");
        }
    };
    (0..WARM_UP).for_each(once);
    let before = Possessions::now();
    (0..LAUNCHES).for_each(once);
    let after = Possessions::now();
    println!("before {before:?}, after {after:?}");
    assert_eq!(after.descriptors, before.descriptors, "descriptors leak");
    assert_eq!(after.threads, before.threads, "threads leak");
    assert!(
        after.mappings <= before.mappings + 4,
        "mappings leak: {before:?}, {after:?}"
    );
    assert!(
        after.resident <= before.resident + SLACK_PAGES,
        "memory leaks: {before:?}, {after:?}"
    );
}
