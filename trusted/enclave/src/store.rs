//! A volume's file, by the host: read from the host's map without leaving the enclave, written through a staging area with
//! one exit for many blocks (`docs/abi.md`, "Block stores").
//!
//! Everything here is ciphertext. The file system believes none of it; what this module owes it is that each byte is copied
//! in once and that no address of the host's lies inside the enclave.

use core::sync::atomic::{AtomicU64, Ordering};

use twine_abi::exchange::store::{BLOCK_LEN, BlockRange, RANGES_MAX, READ_BLOCKS_MAX, Spans};
use twine_abi::exchange::{HostCall, HostErrno, Span};
use twine_fs::{Error, Range, Result, Store};

use crate::host::{self, CallError, HostRange};
use crate::sync::Mutex;

/// Blocks that a volume can have; more than any host can map.
const BLOCKS_MAX: u64 = 1 << 36;

/// The host's file behind a mount.
pub(crate) struct HostStore {
    mount: u64,
    map: Option<HostRange>,
    /// Blocks that the host says there are, when last asked: what lies behind is not read from the map.
    blocks: AtomicU64,
    staging: Mutex<HostRange>,
}

/// Opens the store behind a mount, and says whether the host made it just now.
pub(crate) fn open(mount: usize) -> core::result::Result<(HostStore, bool), CallError> {
    let args = [mount as u64, 0, 0, 0, 0, 0];
    let made = host::call(HostCall::StoreOpen, args, 0..=1)? == 1;
    let mut words = [0; size_of::<Spans>() / size_of::<u64>()];
    host::read_payload_words(&mut words);
    let [map, map_len, staging, staging_len] = words;
    let checked = |address, len| HostRange::new(Span { address, len }).ok_or(CallError::Misbehaved);
    let map = match map_len {
        0 => None,
        len => Some(checked(map, len)?),
    };
    let staging = checked(staging, staging_len)?;
    if staging.len() < BLOCK_LEN {
        return Err(CallError::Misbehaved);
    }
    let store = HostStore {
        mount: mount as u64,
        map,
        blocks: AtomicU64::new(0),
        staging: Mutex::new(staging),
    };
    Ok((store, made))
}

impl HostStore {
    /// The part of the map that holds these blocks, if they are in the file by the host's word.
    fn mapped(&self, first: u64, len: usize) -> Option<HostRange> {
        let start = usize::try_from(first).ok()?.checked_mul(BLOCK_LEN)?;
        let end = start.checked_add(len)?;
        let file = self.blocks.load(Ordering::Relaxed);
        let known = first.checked_add((len / BLOCK_LEN) as u64)? <= file;
        let map = self.map.filter(|map| known && end <= map.len())?;
        Some(map.from(start))
    }

    /// Fills the staging area as often as needed; `flush` with the last exit if wanted.
    fn send(&self, ranges: &[Range<'_>], flush: Flush) -> core::result::Result<(), CallError> {
        let staging = self.staging.lock();
        let mut batch = Batch::new(self.mount, *staging);
        for (first, data) in ranges {
            let (mut first, mut data) = (*first, *data);
            while !data.is_empty() {
                let (taken, rest) = data.split_at(data.len().min(batch.room()));
                if taken.is_empty() {
                    batch.send(Flush::No)?;
                    continue;
                }
                batch.add(first, taken);
                first += (taken.len() / BLOCK_LEN) as u64;
                data = rest;
            }
        }
        if flush == Flush::Yes || batch.count > 0 {
            batch.send(flush)?;
        }
        Ok(())
    }
}

impl Store for HostStore {
    fn read(&self, first: u64, into: &mut [u8]) -> Result<()> {
        if let Some(map) = self.mapped(first, into.len()) {
            map.read_once(into);
            return Ok(());
        }
        let mut first = first;
        for part in into.chunks_mut(READ_BLOCKS_MAX * BLOCK_LEN) {
            let count = (part.len() / BLOCK_LEN) as u64;
            let args = [self.mount, first, count, 0, 0, 0];
            if host::call_for(HostCall::StoreRead, args, part).map_err(failed)? != part.len() {
                return Err(failed(CallError::Misbehaved));
            }
            first += count;
        }
        Ok(())
    }

    fn write(&self, ranges: &[Range<'_>]) -> Result<()> {
        self.send(ranges, Flush::No).map_err(failed)
    }

    fn flush(&self) -> Result<()> {
        self.send(&[], Flush::Yes).map_err(failed)
    }

    fn size(&self) -> Result<u64> {
        let args = [self.mount, 0, 0, 0, 0, 0];
        let blocks = host::call(HostCall::StoreSize, args, 0..=BLOCKS_MAX).map_err(failed)?;
        self.blocks.store(blocks, Ordering::Relaxed);
        Ok(blocks)
    }

    fn resize(&self, blocks: u64) -> Result<()> {
        let args = [self.mount, blocks, 0, 0, 0, 0];
        host::call(HostCall::StoreResize, args, 0..=0).map_err(failed)?;
        self.blocks.store(blocks, Ordering::Relaxed);
        Ok(())
    }

    fn prefetch(&self, first: u64) {
        if let Some(map) = self.mapped(first, BLOCK_LEN) {
            map.prefetch();
        }
    }
}

/// Whether everything written so far is to be durable.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Flush {
    No = 0,
    Yes = 1,
}

/// Blocks on their way out: they stand in the staging area, and their ranges here.
struct Batch {
    mount: u64,
    staging: HostRange,
    used: usize,
    ranges: [BlockRange; BATCH_RANGES],
    count: usize,
}

/// Ranges of one exit. A commit is one or two; a spill in a fragmented volume has more.
const BATCH_RANGES: usize = 64;

const _: () = assert!(BATCH_RANGES <= RANGES_MAX);

impl Batch {
    const fn new(mount: u64, staging: HostRange) -> Self {
        Self {
            mount,
            staging,
            used: 0,
            ranges: [BlockRange {
                first: 0,
                blocks: 0,
            }; BATCH_RANGES],
            count: 0,
        }
    }

    /// Bytes, in whole blocks, that can be added as one range.
    fn room(&self) -> usize {
        if self.count == BATCH_RANGES {
            return 0;
        }
        let left = self.staging.len() - self.used;
        left - left % BLOCK_LEN
    }

    fn add(&mut self, first: u64, data: &[u8]) {
        self.staging.from(self.used).write(data);
        self.used += data.len();
        if let Some(range) = self.ranges.get_mut(self.count) {
            *range = BlockRange {
                first,
                blocks: (data.len() / BLOCK_LEN) as u64,
            };
            self.count += 1;
        }
    }

    fn send(&mut self, flush: Flush) -> core::result::Result<(), CallError> {
        let mut payload = [0; BATCH_RANGES * size_of::<BlockRange>()];
        let words = self
            .ranges
            .iter()
            .flat_map(|range| [range.first, range.blocks]);
        for (target, word) in payload.chunks_exact_mut(size_of::<u64>()).zip(words) {
            target.copy_from_slice(&word.to_le_bytes());
        }
        let len = self.count * size_of::<BlockRange>();
        let args = [self.mount, self.count as u64, flush as u64, 0, 0, 0];
        let payload = payload.get(..len).unwrap_or_default();
        (self.count, self.used) = (0, 0);
        host::call_with(HostCall::StoreWrite, args, payload, 0..=0).map(drop)
    }
}

/// The file system's words for a failed call.
fn failed(error: CallError) -> Error {
    /// "Protocol error" on Linux: the answer was impossible.
    const EPROTO: i32 = 71;
    match error {
        CallError::Failed(HostErrno::NoSpace) => Error::NoSpace,
        CallError::Failed(errno) => Error::Host(errno as i32),
        CallError::Misbehaved => Error::Host(EPROTO),
    }
}
