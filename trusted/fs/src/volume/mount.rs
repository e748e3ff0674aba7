//! Creating and opening volumes (`docs/format.md`, section 7).

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

use super::{Identity, Log, Usage, Volume};
use crate::{
    cache::Cache,
    codec::{BlockBox, to_usize},
    crypto::{Sequence, Suite, Tag, VolumeKey},
    disk::Disk,
    epochs::Epochs,
    error::{Error, Result, malformed},
    format::{
        epochs::{self, Entry},
        ino,
        inode::{FileKind, Root},
        reference::{Kind, Place, Ref},
        superblock::{self, Header, State},
    },
    freshness::{Checkpoint, Freshness, Mark},
    limits::{
        BLOCK_LEN, EPOCHS_MAX, FIRST_FILE_INO, FIXED_BLOCKS, GROWTH_BLOCKS_MIN, VOLUME_BLOCKS_MAX,
        VOLUME_BLOCKS_MIN,
    },
    platform::Platform,
    slots::KeySlots,
    space::Space,
    store::Store,
    tree::{Medium, Tree},
};

/// What a mount may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Read and write. At most one such mount at a time: a second one makes a fork that only an anchor detects.
    #[default]
    ReadWrite,
    /// Read only. Writes nothing.
    ReadOnly,
}

/// Memory a mount may use, in bytes. Together with two fixed parts that is all: some 2 MiB for blocks on their way to the
/// store, and for each open file 1 KiB, because closing them is up to the caller.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Tree nodes, and a quarter more for the bitmap of free space. 8 MiB of nodes cover 1 GiB of file.
    pub nodes: usize,
    /// Decrypted data that is committed.
    pub data: usize,
    /// Uncommitted data. More is sealed and written to free blocks that nothing refers to.
    pub uncommitted: usize,
    /// What memory must know of uncommitted changes: about 192 bytes for every 4096 that were written out, and 1024 for every
    /// inode. If it is used up, changes fail with [`Error::TooMuchUnsynced`] until a sync.
    pub spilled: usize,
}

/// How to create or open a volume.
#[derive(Default)]
pub struct Options {
    /// What the mount may do.
    pub access: Access,
    /// Memory.
    pub budget: Budget,
    /// Bytes the volume file may grow to; 0: as far as the format and the store go.
    pub capacity: u64,
    /// Protection against an older volume.
    pub freshness: Freshness,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            nodes: 16 << 20,
            data: 16 << 20,
            uncommitted: 16 << 20,
            spilled: 64 << 20,
        }
    }
}

impl Budget {
    pub(crate) fn node_blocks(&self) -> u64 {
        (self.nodes / BLOCK_LEN).max(16) as u64
    }

    /// Bitmap blocks in memory, each with room for what only memory knows. One describes 128 MiB of volume file.
    pub(crate) fn bitmap_blocks(&self) -> usize {
        (self.nodes / 4 / (3 * BLOCK_LEN)).max(4)
    }

    pub(crate) fn dirty_blocks(&self) -> u64 {
        (self.uncommitted / BLOCK_LEN).max(16) as u64
    }

    pub(crate) fn unsynced(&self) -> u64 {
        (self.spilled as u64).max(UNSYNCED_MIN)
    }
}

/// Least memory for what must be known of uncommitted changes, in bytes: a thousand files, or 20 MiB of data.
const UNSYNCED_MIN: u64 = 1 << 20;

impl Volume {
    /// Creates an empty volume. Whatever the store held is lost.
    ///
    /// # Errors
    /// The store's or [`Error::Entropy`].
    pub fn create(
        store: Box<dyn Store>,
        platform: Box<dyn Platform>,
        key: VolumeKey,
        suite: Suite,
        options: Options,
    ) -> Result<Self> {
        let mut uuid = [0; 16];
        platform.random(&mut uuid)?;
        let total = VOLUME_BLOCKS_MIN.max(GROWTH_BLOCKS_MIN);
        store.resize(total)?;
        // An older superblock under the same key must not win against the first one of this volume; nor older slots.
        store.write(&[(0, &alloc::vec![0; to_usize(FIXED_BLOCKS) * BLOCK_LEN])])?;
        store.flush()?;
        let first = Entry {
            first: 0,
            live: 0,
            key: zeroize::Zeroizing::new([0; 32]),
        };
        let disk = Disk::new(
            store,
            Epochs::new(suite, alloc::vec![first])?,
            Sequence::starting_at(1),
        );
        let identity = Identity {
            suite,
            uuid,
            generation: 0,
            slot_generation: 0,
            epoch_list: Vec::new(),
        };
        let space = Space::new(
            Root::default(),
            (total, limit(&options)),
            0,
            FIXED_BLOCKS,
            options.budget.bitmap_blocks(),
        );
        let mut volume = Self::assemble(disk, space, identity, (platform, key, options));
        volume.begin_epoch()?;
        for fixed in 0..FIXED_BLOCKS {
            volume.space.claim(&mut volume.medium, fixed)?;
        }
        volume.log.head = volume.space.allocate_one(&mut volume.medium)?;
        volume.add_inode(ino::ORPHANS, FileKind::Directory, ino::ORPHANS);
        volume.add_inode(ino::ROOT, FileKind::Directory, ino::ROOT);
        volume.sync()?;
        Ok(volume)
    }

    /// Opens a volume.
    ///
    /// # Errors
    /// [`Error::NotAVolume`], [`Error::Unsupported`], [`Error::WrongKey`], [`Error::Truncated`], [`Error::Tampered`],
    /// [`Error::RolledBack`], [`Error::Forked`], [`Error::Malformed`], or the store's.
    pub fn open(
        store: Box<dyn Store>,
        platform: Box<dyn Platform>,
        key: VolumeKey,
        options: Options,
    ) -> Result<Self> {
        let size = store.size()?;
        let (header, state, tag) = newest_superblock(&*store, size, &key)?;
        if size < state.total_blocks {
            return Err(Error::Truncated {
                found: size,
                needed: state.total_blocks,
            });
        }
        KeySlots::verify(&*store, &header.uuid, state.slot_generation, &key)?;
        let current = Entry {
            first: state.epoch_first,
            live: state.epoch_live,
            key: state.epoch_key.clone(),
        };
        let sequence = Sequence::starting_at(state.next_sequence);
        let mut disk = Disk::new(
            store,
            Epochs::new(header.suite, alloc::vec![current.clone()])?,
            sequence,
        );
        let (epoch_list, mut entries) = read_epoch_list(&mut disk, &state.epoch_list)?;
        entries.push(current);
        disk.epochs = Epochs::new(header.suite, entries)?;
        let Header {
            suite,
            uuid,
            generation,
            ..
        } = header;
        let identity = Identity {
            suite,
            uuid,
            generation,
            slot_generation: state.slot_generation,
            epoch_list,
        };
        let bitmap = Root {
            height: state.bitmap_height,
            root: state.bitmap_root,
            blocks: 0,
        };
        let space = Space::new(
            bitmap,
            (state.total_blocks, limit(&options)),
            state.used_blocks,
            state.cursor,
            options.budget.bitmap_blocks(),
        );
        let mut volume = Self::assemble(disk, space, identity, (platform, key, options));
        volume.table.top = Root {
            height: state.table_height,
            root: state.table_root,
            blocks: 0,
        };
        volume.next_ino = state.next_ino;
        volume.log.head = state.log_head;
        volume.recover(&state, &tag, size)?;
        if volume.access == Access::ReadWrite {
            volume.begin_epoch()?;
            volume.free_orphans()?;
            // A crash between flush and anchor: the commit is durable and counts.
            volume.freshness.committed(volume.newest, Checkpoint::Yes)?;
        }
        Ok(volume)
    }

    fn assemble(
        disk: Disk,
        space: Space,
        identity: Identity,
        (platform, key, options): (Box<dyn Platform>, VolumeKey, Options),
    ) -> Self {
        let budget = options.budget;
        Self {
            medium: Medium::new(disk, to_usize(budget.node_blocks())),
            space,
            blocks: Cache::new((budget.data / BLOCK_LEN).max(16)),
            files: BTreeMap::new(),
            pending: BTreeSet::new(),
            table: Tree::empty(ino::TABLE, Kind::Inodes),
            next_ino: FIRST_FILE_INO,
            log: Log {
                head: 0,
                records: 0,
                blocks: 0,
                open: false,
            },
            identity,
            key,
            platform,
            freshness: Arc::new(options.freshness),
            flight: None,
            newest: Mark {
                commit: 0,
                root: [0; 32],
            },
            access: options.access,
            budget,
            usage: Usage::default(),
            refreshed: super::keys::Refreshed::default(),
        }
    }
}

fn limit(options: &Options) -> u64 {
    let blocks = options.capacity / BLOCK_LEN as u64;
    if blocks == 0 {
        VOLUME_BLOCKS_MAX
    } else {
        blocks.clamp(GROWTH_BLOCKS_MIN, VOLUME_BLOCKS_MAX)
    }
}

/// Reads both superblocks and opens the newest that is authentic.
fn newest_superblock(
    store: &dyn Store,
    size: u64,
    key: &VolumeKey,
) -> Result<(Header, State, Tag)> {
    if size < VOLUME_BLOCKS_MIN {
        return Err(Error::NotAVolume);
    }
    let mut candidates = Vec::new();
    let mut refused = Error::NotAVolume;
    for slot in 0..2 {
        let mut block = BlockBox::zeroed();
        store.read(slot, block.as_mut_slice())?;
        match Header::decode(&block) {
            Ok(header) if header.generation % 2 == slot => candidates.push((header, block)),
            Ok(_) | Err(Error::NotAVolume) => {}
            Err(error) => refused = error,
        }
    }
    candidates.sort_by_key(|(header, _)| core::cmp::Reverse(header.generation));
    for (header, block) in candidates {
        match superblock::open(&header, &block, key) {
            Ok((state, tag)) => return Ok((header, state, tag)),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Reads the epoch list: the references to its blocks, and its entries, oldest first.
fn read_epoch_list(disk: &mut Disk, first: &Ref) -> Result<(Vec<Ref>, Vec<Entry>)> {
    let (mut refs, mut entries, mut next) = (Vec::new(), Vec::new(), *first);
    while !next.is_hole() {
        let block = disk.read(
            &next,
            &Place::new(ino::EPOCHS, Kind::Epochs, refs.len() as u64),
        )?;
        refs.push(next);
        let (after, found) = epochs::decode(&block)?;
        entries.extend(found);
        if entries.len() > EPOCHS_MAX || refs.len() > EPOCHS_MAX {
            return Err(malformed("the epoch list does not end"));
        }
        next = after;
    }
    Ok((refs, entries))
}
