//! How fast is a protected file? Each group answers one question, with all variants interleaved in one run: compare ratios.
//!
//! `cargo bench` in this crate's folder, whose configuration switches the image's processor features on. Files are in the
//! page cache. `TWINE_BENCH_MIB` sets the sizes of the file that is read (`256,2048`; without it only 256),
//! `TWINE_BENCH_DIR` where it lies (the temporary folder), `TWINE_BENCH_ONLY` which groups run (`reads`, `writes`,
//! `threads`, `counts`), `TWINE_RESULTS` the file that every result is appended to as a line of JSON.

#![expect(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a benchmark: it maps a file, fails loudly, and prints"
)]

mod measure;
mod pfs;
#[path = "../../tests/support/results.rs"]
mod results;
mod threads;

use std::{
    arch::x86_64::{_MM_HINT_T0, _mm_prefetch},
    cell::Cell,
    fs::{File, OpenOptions},
    hint::black_box,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aegis::aegis128l::Aegis128L;
use measure::compare;
use memmap2::{Mmap, MmapMut, MmapOptions};
use twine_fs::{
    Access, Budget, FileStore, HostPlatform, Options, Range, Result, SharedVolume, Store, Suite,
    Volume, VolumeKey,
    store::testing::{Event, RecordingStore},
};

const BLOCK: usize = 4096;

/// A file store that reads from a map, as an enclave does from the host's. The pages are there from the start: what the
/// first look at each costs is the kernel's affair, and a mount's, not a read's.
struct MappedStore {
    file: FileStore,
    map: Mmap,
}

impl MappedStore {
    fn open(path: &Path) -> Self {
        Self::over(FileStore::open(path).unwrap(), path)
    }

    fn over(store: FileStore, path: &Path) -> Self {
        let file = File::open(path).unwrap();
        // SAFETY: a map of a file may change under the reader. This process alone has the file, and writes through
        // `FileStore` replace whole blocks that no read is looking at.
        let map = unsafe { MmapOptions::new().populate().map(&file) }.unwrap();
        Self { file: store, map }
    }
}

impl Store for MappedStore {
    fn read(&self, first: u64, into: &mut [u8]) -> Result<()> {
        let start = first as usize * BLOCK;
        match self.map.get(start..start + into.len()) {
            Some(from) => into.copy_from_slice(from),
            None => return self.file.read(first, into),
        }
        Ok(())
    }

    fn write(&self, ranges: &[Range<'_>]) -> Result<()> {
        self.file.write(ranges)
    }

    fn flush(&self) -> Result<()> {
        self.file.flush()
    }

    fn size(&self) -> Result<u64> {
        self.file.size()
    }

    fn resize(&self, blocks: u64) -> Result<()> {
        self.file.resize(blocks)
    }

    fn prefetch(&self, first: u64) {
        if let Some(block) = self.map.get(first as usize * BLOCK..) {
            // SAFETY: every x86-64 processor has the instruction, and it changes nothing that a program could see.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(block.as_ptr().cast()) };
        }
    }
}

/// Sequential positions of 1 MiB, one sequence for each variant. They start far from each other: variants that read the same
/// file must not find in the processor's cache what the one before has just read.
struct Cursor {
    chunks: u64,
    at: [Cell<u64>; VARIANTS],
}

/// Most variants that read or write from front to back.
const VARIANTS: usize = 5;

impl Cursor {
    fn new(blocks: u64) -> Self {
        let chunks = blocks / 256;
        let step = chunks / VARIANTS as u64;
        Self {
            chunks,
            at: std::array::from_fn(|variant| Cell::new(variant as u64 * step)),
        }
    }

    fn next(&self, variant: usize) -> u64 {
        let at = self.at[variant].get();
        self.at[variant].set((at + 1) % self.chunks);
        at * 256 * BLOCK as u64
    }
}

/// Where the files lie. Gone with this value, also if a benchmark fails: they take gigabytes.
struct Folder(PathBuf);

impl Folder {
    fn create() -> Self {
        let base =
            std::env::var_os("TWINE_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let folder = base.join(format!("twine-fs-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing depends on it any more; what is left can be removed by hand.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn key() -> VolumeKey {
    VolumeKey::new([3; 32])
}

/// 1 MiB for the blocks of one variant, from the start of a page on. How source and target of a copy lie within their pages
/// decides up to half of its time, of `pread`'s too, and must be the same for all.
fn buffer() -> MmapMut {
    MmapMut::map_anon(256 * BLOCK).unwrap()
}

/// A volume with one large file, closed; returns the file's number.
fn prepare(path: &Path, suite: Suite, blocks: u64) -> u64 {
    let store = Box::new(FileStore::open(path).unwrap());
    let mut volume = Volume::create(
        store,
        Box::new(HostPlatform),
        key(),
        suite,
        Options::default(),
    )
    .unwrap();
    let file = volume.create_file(Volume::ROOT, b"large").unwrap();
    let chunk: Vec<u8> = (0..256 * BLOCK).map(|at| (at % 251) as u8 | 1).collect();
    for at in (0..blocks).step_by(256) {
        volume.write(file, at * BLOCK as u64, &chunk).unwrap();
        volume.sync_file(file).unwrap();
    }
    volume.close().unwrap();
    file
}

fn mounted(store: impl Store + 'static) -> Volume {
    mount(store, Access::ReadWrite)
}

fn mount(store: impl Store + 'static, access: Access) -> Volume {
    let budget = Budget {
        nodes: 32 << 20,
        uncommitted: 64 << 20,
        ..Budget::default()
    };
    let options = Options {
        access,
        budget,
        ..Options::default()
    };
    Volume::open(Box::new(store), Box::new(HostPlatform), key(), options).unwrap()
}

/// Question: what do encryption and integrity cost on reads? (The paper's protected file system was its bottleneck.)
fn reads(folder: &Path, blocks: u64) {
    let plain = folder.join("plain");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&plain)
        .unwrap();
    let sealed = Sealed::new();
    let chunk = sealed.block.repeat(256);
    for at in (0..blocks).step_by(256) {
        file.write_all_at(&chunk, at * BLOCK as u64).unwrap();
    }
    // Or writing it back would be measured as well.
    file.sync_all().unwrap();
    // SAFETY: nobody changes the file while it is mapped.
    let map = unsafe { MmapOptions::new().populate().map(&file) }.unwrap();
    let paths = [Suite::Aegis128L, Suite::Aes256Gcm]
        .map(|suite| folder.join(format!("suite-{}", suite.number())));
    let large = prepare(&paths[0], Suite::Aegis128L, blocks);
    assert_eq!(prepare(&paths[1], Suite::Aes256Gcm, blocks), large);
    let read_only = FileStore::open_read_only(&paths[0]).unwrap();
    let shared = SharedVolume::new(mount(
        MappedStore::over(read_only, &paths[0]),
        Access::ReadOnly,
    ));
    let (mut aegis, mut gcm) = (
        mounted(MappedStore::open(&paths[0])),
        mounted(MappedStore::open(&paths[1])),
    );
    let mut current = pfs::Pfs::new(blocks as usize, Duration::ZERO);
    let mut older = pfs::Pfs::new(blocks as usize, Duration::from_micros(3));
    let mut buffers: [MmapMut; 7] = std::array::from_fn(|_| buffer());
    let [b0, b1, b2, b3, b4, b5, b6] = &mut buffers;
    // Everything once from front to back, and with it all nodes: what is seen for the first time is slow for a while, also for
    // reasons outside of this machine if it is a virtual one.
    for at in (0..blocks).step_by(256).map(|block| block * BLOCK as u64) {
        file.read_exact_at(b0, at).unwrap();
        b1.copy_from_slice(&map[at as usize..][..256 * BLOCK]);
        for volume in [&mut aegis, &mut gcm] {
            assert!(volume.read(large, at, b2).unwrap() > 0);
        }
        assert!(shared.read(large, at, b6).unwrap() > 0);
    }
    let place = |choice: u64| (choice % (blocks - 2) + 1) * BLOCK as u64;
    compare(
        &format!("fs/read_random/4KiB/of-{}MiB", blocks / 256),
        100,
        1800,
        vec![
            (
                "pread",
                Box::new(|c| file.read_exact_at(&mut b0[..BLOCK], place(c)).unwrap()),
            ),
            (
                "mmap",
                Box::new(|c| b1[..BLOCK].copy_from_slice(&map[place(c) as usize..][..BLOCK])),
            ),
            (
                "volume/aegis-128l",
                Box::new(|c| assert!(aegis.read(large, place(c), &mut b2[..BLOCK]).unwrap() > 0)),
            ),
            (
                "volume/aes-256-gcm",
                Box::new(|c| assert!(gcm.read(large, place(c), &mut b3[..BLOCK]).unwrap() > 0)),
            ),
            (
                "shared/aegis-128l",
                Box::new(|c| assert!(shared.read(large, place(c), &mut b6[..BLOCK]).unwrap() > 0)),
            ),
            (
                "pfs-like/mapped",
                Box::new(|c| current.read(place(c) as usize, &mut b4[..BLOCK])),
            ),
            (
                "pfs-like/3us-exit",
                Box::new(|c| older.read(place(c) as usize, &mut b5[..BLOCK])),
            ),
        ],
    );
    let [b0, b1, b2, b3, b4, ..] = &mut buffers;
    // Above, each variant finds the processor's caches full of the others' data; here they are its own most of the time, as
    // in a program that does nothing but read.
    compare(
        &format!("fs/read_random_alone/4KiB/of-{}MiB", blocks / 256),
        100_000,
        15,
        vec![
            (
                "pread",
                Box::new(|c| file.read_exact_at(&mut b0[..BLOCK], place(c)).unwrap()),
            ),
            (
                "mmap+aegis-128l",
                Box::new(|c| {
                    b3[..BLOCK].copy_from_slice(&map[place(c) as usize..][..BLOCK]);
                    sealed.open(&mut b3[..BLOCK]);
                }),
            ),
            (
                "volume/aegis-128l",
                Box::new(|c| assert!(aegis.read(large, place(c), &mut b2[..BLOCK]).unwrap() > 0)),
            ),
            (
                "shared/aegis-128l",
                Box::new(|c| assert!(shared.read(large, place(c), &mut b1[..BLOCK]).unwrap() > 0)),
            ),
        ],
    );
    let cursor = Cursor::new(blocks);
    compare(
        &format!("fs/read_sequential/1MiB/of-{}MiB", blocks / 256),
        2,
        450,
        vec![
            (
                "pread",
                Box::new(|_| file.read_exact_at(b0, cursor.next(0)).unwrap()),
            ),
            (
                "mmap",
                Box::new(|_| b3.copy_from_slice(&map[cursor.next(3) as usize..][..256 * BLOCK])),
            ),
            (
                "mmap+aegis-128l",
                Box::new(|_| {
                    b4.copy_from_slice(&map[cursor.next(4) as usize..][..256 * BLOCK]);
                    sealed.open(b4);
                }),
            ),
            (
                "volume/aegis-128l",
                Box::new(|_| assert!(aegis.read(large, cursor.next(1), b1).unwrap() > 0)),
            ),
            (
                "volume/aes-256-gcm",
                Box::new(|_| assert!(gcm.read(large, cursor.next(2), b2).unwrap() > 0)),
            ),
        ],
    );
}

/// What suite 1 costs without a file system: below this, no file of whole blocks under that cipher can be.
struct Sealed {
    block: [u8; BLOCK],
    tag: [u8; 16],
}

impl Sealed {
    /// A block like those of the volumes: never shown to the compiler, so that it computes nothing beforehand.
    fn new() -> Self {
        let mut block = [5; BLOCK];
        let tag = Self::cipher().encrypt_in_place(&mut block, &Self::ASSOCIATED);
        black_box(Self { block, tag })
    }

    const ASSOCIATED: [u8; 32] = [3; 32];

    fn cipher() -> Aegis128L<16> {
        Aegis128L::new(&black_box([1; 16]), &black_box([2; 16]))
    }

    /// Opens blocks that are all this one.
    fn open(&self, bytes: &mut [u8]) {
        for block in bytes.as_chunks_mut::<BLOCK>().0 {
            let opened = Self::cipher().decrypt_in_place(block, &self.tag, &Self::ASSOCIATED);
            opened.unwrap();
        }
    }

    /// Seals blocks and drops the tags.
    fn seal(bytes: &mut [u8]) {
        for block in bytes.as_chunks_mut::<BLOCK>().0 {
            black_box(Self::cipher().encrypt_in_place(block, &Self::ASSOCIATED));
        }
    }
}

/// Question: what do they cost on writes and commits?
fn writes(folder: &Path, blocks: u64) {
    let file = |name: &str| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        options.open(folder.join(name)).unwrap()
    };
    let (plain, other) = (file("w"), file("w-0"));
    let volume = |name: &str, suite, uncommitted| {
        let store = Box::new(FileStore::open(&folder.join(name)).unwrap());
        let budget = Budget {
            uncommitted,
            ..Budget::default()
        };
        let options = Options {
            budget,
            ..Options::default()
        };
        let mut volume =
            Volume::create(store, Box::new(HostPlatform), key(), suite, options).unwrap();
        let file = volume.create_file(Volume::ROOT, b"f").unwrap();
        volume.write(file, 0, &vec![1; 256 * BLOCK]).unwrap();
        volume.sync().unwrap();
        (volume, file)
    };
    let uncommitted = Budget::default().uncommitted;
    let (mut aegis, a) = volume("w-1", Suite::Aegis128L, uncommitted);
    let (mut gcm, g) = volume("w-2", Suite::Aes256Gcm, uncommitted);
    let (mut roomy, r) = volume("w-3", Suite::Aegis128L, 64 << 20);
    let (mut chunk, mut sealed) = (buffer(), buffer());
    chunk.fill(7);
    let cursor = Cursor::new(32 * 256);
    // Below the budget nothing is sealed before the sync, just as an unprotected write only reaches the page cache.
    compare(
        "fs/write_in_memory/1MiB",
        10,
        70,
        vec![
            (
                "pwrite",
                Box::new(|_| plain.write_all_at(&chunk, cursor.next(0)).unwrap()),
            ),
            (
                "volume/aegis-128l",
                Box::new(|_| roomy.write(r, cursor.next(1), &chunk).unwrap()),
            ),
        ],
    );
    let cursor = Cursor::new(blocks);
    compare(
        "fs/write_sequential/1MiB",
        10,
        70,
        vec![
            (
                "pwrite",
                Box::new(|_| plain.write_all_at(&chunk, cursor.next(0)).unwrap()),
            ),
            (
                "pwrite+aegis-128l",
                Box::new(|_| {
                    sealed.copy_from_slice(&chunk);
                    Sealed::seal(&mut sealed);
                    other.write_all_at(&sealed, cursor.next(3)).unwrap();
                }),
            ),
            (
                "volume/aegis-128l",
                Box::new(|_| aegis.write(a, cursor.next(1), &chunk).unwrap()),
            ),
            (
                "volume/aes-256-gcm",
                Box::new(|_| gcm.write(g, cursor.next(2), &chunk).unwrap()),
            ),
        ],
    );
    aegis.sync().unwrap();
    gcm.sync().unwrap();
    compare(
        "fs/commit/4KiB",
        5,
        50,
        vec![
            (
                "pwrite+fdatasync",
                Box::new(|c| {
                    plain
                        .write_all_at(&chunk[..BLOCK], c % 256 * BLOCK as u64)
                        .unwrap();
                    plain.sync_data().unwrap();
                }),
            ),
            (
                "volume/aegis-128l",
                Box::new(|c| {
                    aegis
                        .write(a, c % 256 * BLOCK as u64, &chunk[..BLOCK])
                        .unwrap();
                    aegis.sync_file(a).unwrap();
                }),
            ),
        ],
    );
}

/// Question: how many blocks and flushes does a commit of one page take, and does opening depend on the size?
fn counts(folder: &Path) {
    let store = Arc::new(RecordingStore::default());
    let platform = Box::new(HostPlatform);
    let options = Options::default();
    let mut volume = Volume::create(
        Box::new(Arc::clone(&store)),
        platform,
        key(),
        Suite::Aegis128L,
        options,
    )
    .unwrap();
    let file = volume.create_file(Volume::ROOT, b"f").unwrap();
    volume.write(file, 0, &vec![1; 256 * BLOCK]).unwrap();
    volume.sync().unwrap();
    let before = store.events().len();
    let commits = 2000;
    for number in 0..commits {
        volume
            .write(
                file,
                number % 256 * BLOCK as u64,
                &[number as u8 | 1; BLOCK],
            )
            .unwrap();
        volume.sync_file(file).unwrap();
    }
    let events = store.events().split_off(before);
    let written: usize = events
        .iter()
        .map(|event| {
            if let Event::Write(_, data) = event {
                data.len() / BLOCK
            } else {
                0
            }
        })
        .sum();
    let flushes = events
        .iter()
        .filter(|event| **event == Event::Flush)
        .count();
    println!(
        "fs/commit/blocks   {:.3} a commit of one page",
        written as f64 / commits as f64
    );
    println!(
        "fs/commit/flushes  {:.3}\n",
        flushes as f64 / commits as f64
    );
    let (small, large) = (folder.join("small"), folder.join("large"));
    prepare(&small, Suite::Aegis128L, 256);
    prepare(&large, Suite::Aegis128L, 256 * 256);
    compare(
        "fs/open",
        20,
        70,
        vec![
            (
                "volume/1MiB",
                Box::new(|_| drop(mounted(FileStore::open(&small).unwrap()))),
            ),
            (
                "volume/large",
                Box::new(|_| drop(mounted(FileStore::open(&large).unwrap()))),
            ),
        ],
    );
}

fn main() {
    let sizes = std::env::var("TWINE_BENCH_MIB").unwrap_or_else(|_| "256".into());
    let only =
        std::env::var("TWINE_BENCH_ONLY").unwrap_or_else(|_| "reads,writes,threads,counts".into());
    let runs = |group| only.split(',').any(|name| name == group);
    let guard = Folder::create();
    let folder = &guard.0;
    println!("files in {}\n", folder.display());
    if runs("reads") {
        for size in sizes.split(',') {
            let size: u64 = size.parse().expect("TWINE_BENCH_MIB: whole numbers");
            reads(folder, size * 256);
        }
    }
    if runs("writes") {
        writes(folder, 256 * 256);
    }
    if runs("threads") {
        threads::run(folder);
    }
    if runs("counts") {
        counts(folder);
    }
}
