//! What the tests share: a deterministic platform, a small random generator, volumes in memory.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "every test binary uses another part, so an expectation would fail in some"
)]

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use twine_fs::{
    Access, Error, Freshness, MemoryAnchor, MemoryStore, Options, Platform, Store, Suite, Volume,
    VolumeKey,
};

/// SplitMix64 (Steele, Lea, Flood 2014): reproducible, and good enough to choose operations.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        // Short runs of equal bytes: some blocks become zeros, none looks like another.
        let value = self.next();
        (0..len)
            .map(|at| {
                if value.is_multiple_of(7) {
                    0
                } else {
                    (value >> (at % 8 * 8)) as u8 ^ (at / 8) as u8
                }
            })
            .collect()
    }
}

/// The seeds of this run, `count` of them. `TWINE_ROUND=n` asks for other ones: `cargo xtask torture` counts rounds.
pub fn seeds(count: u64) -> Range<u64> {
    let first = round() * count;
    first..first + count
}

pub fn round() -> u64 {
    std::env::var("TWINE_ROUND").map_or(0, |text| text.parse().unwrap())
}

/// Reports how often a property was put to the test, for the sum of all rounds.
pub fn proved(count: usize, what: &str) {
    println!("proved: {count} {what}");
}

/// A platform without surprises: keys differ from mount to mount, everything else repeats.
#[derive(Debug)]
pub struct TestPlatform(pub AtomicU64);

/// Every platform of the process draws from another stream, so that no key is ever drawn twice.
static STREAMS: AtomicU64 = AtomicU64::new(1);

impl TestPlatform {
    pub fn boxed() -> Box<Self> {
        Box::new(Self(AtomicU64::new(
            STREAMS.fetch_add(1, Ordering::Relaxed) << 32,
        )))
    }
}

impl Platform for TestPlatform {
    fn random(&self, bytes: &mut [u8]) -> Result<(), Error> {
        for part in bytes.chunks_mut(8) {
            let value = Random(self.0.fetch_add(1, Ordering::Relaxed))
                .next()
                .to_le_bytes();
            part.copy_from_slice(&value[..part.len()]);
        }
        Ok(())
    }

    fn now(&self) -> u64 {
        1_700_000_000_000_000_000
    }
}

pub fn key() -> VolumeKey {
    VolumeKey::new([0x42; 32])
}

pub fn create(store: impl Store + 'static, options: Options) -> Volume {
    Volume::create(
        Box::new(store),
        TestPlatform::boxed(),
        key(),
        Suite::Aegis128L,
        options,
    )
    .unwrap()
}

pub fn open(store: impl Store + 'static, options: Options) -> Result<Volume, Error> {
    Volume::open(Box::new(store), TestPlatform::boxed(), key(), options)
}

pub fn read_only() -> Options {
    Options {
        access: Access::ReadOnly,
        ..Options::default()
    }
}

/// An anchor hears of every sync before it returns.
pub fn strict(anchor: &MemoryAnchor) -> Options {
    Options {
        freshness: Freshness::Strict(Box::new(anchor.clone())),
        ..Options::default()
    }
}

/// A new volume, and the store behind it.
pub fn fresh() -> (Volume, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::default());
    (create(Arc::clone(&store), Options::default()), store)
}

/// The whole contents of a file.
pub fn contents(volume: &mut Volume, ino: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; volume.status(ino)?.size as usize];
    let len = volume.read(ino, 0, &mut bytes)?;
    assert_eq!(len, bytes.len(), "a read within the size is complete");
    Ok(bytes)
}

/// Checks the whole volume and expects nothing to be wrong.
pub fn assert_clean(volume: &mut Volume) {
    let report = volume.check().unwrap();
    assert_eq!(report.findings, [], "of {} blocks", report.blocks);
}

/// Opens the same store again, as after a clean or unclean end.
pub fn remount(volume: Volume, store: &Arc<MemoryStore>) -> Volume {
    drop(volume);
    let mut volume = open(Arc::clone(store), Options::default()).unwrap();
    assert_clean(&mut volume);
    volume
}

type Flush<S> = dyn Fn(&S) -> twine_fs::Result<()> + Send + Sync;

/// A store that flushes in its own way: not at all, late, or never again.
pub struct OwnFlush<S> {
    /// Where everything else goes.
    pub inner: S,
    flush: Box<Flush<S>>,
}

impl<S> OwnFlush<S> {
    pub fn new(
        inner: S,
        flush: impl Fn(&S) -> twine_fs::Result<()> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            inner,
            flush: Box::new(flush),
        })
    }
}

impl<S: Store> Store for OwnFlush<S> {
    fn read(&self, first: u64, into: &mut [u8]) -> twine_fs::Result<()> {
        self.inner.read(first, into)
    }

    fn write(&self, ranges: &[twine_fs::Range<'_>]) -> twine_fs::Result<()> {
        self.inner.write(ranges)
    }

    fn flush(&self) -> twine_fs::Result<()> {
        (self.flush)(&self.inner)
    }

    fn size(&self) -> twine_fs::Result<u64> {
        self.inner.size()
    }

    fn resize(&self, blocks: u64) -> twine_fs::Result<()> {
        self.inner.resize(blocks)
    }
}
