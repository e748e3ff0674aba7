//! Memory is what the budgets say: every allocation of the process is counted while a volume far larger than them is used.

#![expect(
    unsafe_code,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test: it counts what the allocator is asked for"
)]

mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use support::{Random, create, open};
use twine_fs::{Budget, Error, FileStore, Options, Volume, limits::BLOCK_LEN};

/// The system's allocator, and how much it has given out.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY:
// - Every call is passed on to `System` as it came, so its promises are kept; counting touches no memory but two numbers.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: The caller's promises are `System`'s demands.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `memory` came from `alloc`, hence from `System`, with this layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: usize = 1 << 20;

fn small() -> Budget {
    Budget {
        nodes: MIB,
        data: MIB,
        uncommitted: MIB,
        spilled: 4 * MIB,
    }
}

fn options() -> Options {
    Options {
        budget: small(),
        ..Options::default()
    }
}

/// Runs one part and checks how much memory it took at most.
fn within(part: &str, allowed: usize, action: impl FnOnce()) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    action();
    let taken = PEAK.load(Ordering::Relaxed) - before;
    assert!(
        taken <= allowed,
        "{part}: {} KiB, {} are allowed",
        taken >> 10,
        allowed >> 10
    );
}

/// The nonce ledger of debug builds: a table of 25 bytes for each of a power of two of entries, and the old one while it grows.
fn ledger(sealed: usize) -> usize {
    if cfg!(debug_assertions) {
        (sealed * 8 / 7).next_power_of_two() * 25 * 3 / 2
    } else {
        0
    }
}

/// One test: others would be counted along.
#[test]
fn memory_is_what_the_budgets_say() {
    let folder = std::env::temp_dir().join(format!("twine-fs-memory-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("volume");
    let blocks = 12_000u64;
    // A block in each of 12,000 leaves: 47 MiB of data, as much of leaves, and nothing is synced before the end.
    let place = |block: u64| block * 128 * BLOCK_LEN as u64;
    let mut large = 0;
    let budget = small();
    let reading = budget.nodes * 5 / 4 + budget.data + 2 * MIB;
    let writing = reading + budget.uncommitted + budget.spilled + ledger(40_000);
    within("unsynced writes, one sync", writing, || {
        let mut volume = create(FileStore::open(&path).unwrap(), options());
        large = volume.create_file(Volume::ROOT, b"large").unwrap();
        for block in 0..blocks {
            let contents = [block as u8 | 1; BLOCK_LEN];
            volume.write(large, place(block), &contents).unwrap();
        }
        volume.sync().unwrap();
        let mut random = Random(1);
        for _ in 0..2000 {
            let block = random.below(blocks);
            let contents = [block as u8 | 1; BLOCK_LEN];
            volume.write(large, place(block), &contents).unwrap();
            if random.below(10) == 0 {
                volume.sync_file(large).unwrap();
            }
        }
        volume.close().unwrap();
    });
    within("reads of whole and partial blocks", reading, || {
        let mut volume = open(FileStore::open(&path).unwrap(), options()).unwrap();
        let mut contents = [0; BLOCK_LEN];
        for block in 0..blocks {
            let part = if block % 2 == 0 {
                &mut contents[..]
            } else {
                &mut contents[..100]
            };
            volume.read(large, place(block), part).unwrap();
            assert!(part.iter().all(|&byte| byte == block as u8 | 1));
        }
    });
    within("many names without a sync", writing, || {
        let mut volume = open(FileStore::open(&path).unwrap(), options()).unwrap();
        let names: Vec<Vec<u8>> = (0..10_000)
            .map(|number| format!("file-{number}").into_bytes())
            .collect();
        for remove in [false, true] {
            let mut refused = 0;
            for name in &names {
                let change = |volume: &mut Volume| match remove {
                    false => volume.create_file(Volume::ROOT, name).map(drop),
                    true => volume.remove_file(Volume::ROOT, name),
                };
                let mut changed = change(&mut volume);
                if changed == Err(Error::TooMuchUnsynced) {
                    refused += 1;
                    volume.sync().unwrap();
                    changed = change(&mut volume);
                }
                changed.unwrap();
            }
            assert!((1..10).contains(&refused), "refused {refused} times");
        }
        volume.sync().unwrap();
        volume.remove_file(Volume::ROOT, b"large").unwrap();
        volume.close().unwrap();
    });
    let mut volume = open(FileStore::open(&path).unwrap(), Options::default()).unwrap();
    support::assert_clean(&mut volume);
    std::fs::remove_dir_all(&folder).unwrap();
}
