//! A mounted volume: what it consists of, how it is created and opened, and the bookkeeping all parts share.
//!
//! | file | owns |
//! |---|---|
//! | `mount`, `recover` | creating and opening; replaying the log |
//! | `plan`, `commit`, `apply`, `checkpoint` | making changes durable |
//! | `content`, `write` | bytes of files: reading; writing, truncating, spilling |
//! | `directory`, `namespace` | names: buckets and edits; create, unlink, rename, link |
//! | `keys`, `slots` | rewriting what old keys sealed; key slots, and a new volume key |
//! | `compact` | making the volume file shorter |
//! | `attributes`, `fsck` | stat, times, open counts, statistics; the full check |

mod apply;
mod attributes;
mod checkpoint;
mod commit;
mod compact;
mod content;
mod directory;
mod fsck;
mod keys;
mod mount;
mod namespace;
mod plan;
mod recover;
mod slots;
mod write;

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

use crate::{
    cache::Cache,
    codec::{Block, BlockBox},
    crypto::{Suite, VolumeKey},
    disk::Health,
    epochs::Keyring,
    error::{Error, Result},
    file::File,
    flight::Flight,
    format::{
        inode::{INODE_LEN, INODES_PER_BLOCK, Inode},
        reference::Ref,
    },
    freshness::{Freshness, Mark},
    limits::BLOCK_LEN,
    platform::Platform,
    space::Space,
    store::Store,
    tree::{Medium, Tree},
};

pub(crate) use content::{Fetches, fetch};

pub use attributes::{Statistics, Status};
pub use directory::DirectoryEntry;
pub use fsck::{Finding, Report};
pub use mount::{Access, Budget, Options};

/// A mounted volume. Dropping it forgets what was not synced.
pub struct Volume {
    medium: Medium,
    space: Space,
    /// Committed data blocks, decrypted.
    blocks: Cache<(u64, u64), BlockBox>,
    files: BTreeMap<u64, File>,
    /// Inodes that namespace changes touched: every commit includes them.
    pending: BTreeSet<u64>,
    table: Tree,
    next_ino: u64,
    log: Log,
    identity: Identity,
    key: VolumeKey,
    platform: Box<dyn Platform>,
    freshness: Arc<Freshness>,
    /// The newest durable commit.
    newest: Mark,
    /// The commit whose flush is under way.
    flight: Option<Arc<Flight>>,
    access: Access,
    budget: Budget,
    usage: Usage,
    refreshed: keys::Refreshed,
}

/// What never changes, and the superblock's counters.
struct Identity {
    suite: Suite,
    uuid: [u8; 16],
    generation: u64,
    slot_generation: u64,
    epoch_list: Vec<Ref>,
}

/// Where the log stands.
struct Log {
    /// The block kept for the next record's head.
    head: u64,
    records: u64,
    blocks: u64,
    /// Whether this mount has written a superblock: before that, no record may be.
    open: bool,
}

/// How much uncommitted data there is.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    frames_in_memory: u64,
    frames_spilled: u64,
    /// Tree nodes that committing all frames may make dirty, at most.
    nodes: u64,
}

/// Who asks for space: removing things may use the last reserve, so that a full volume can be emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Store,
    Remove,
}

/// Inodes kept in memory although nobody uses them.
const IDLE_FILES_MAX: usize = 512;

/// Memory of an inode, with its entries in maps, in bytes; measured, and rounded up.
const INODE_COST: u64 = 1024;

/// Memory of the reference to a spilled block, with its share in a commit, in bytes; measured, and rounded up.
const SPILLED_COST: u64 = 192;

impl Volume {
    /// The file with that inode number, loaded if need be.
    fn file(&mut self, ino: u64) -> Result<&mut File> {
        self.medium.disk.check_readable()?;
        if !self.files.contains_key(&ino) {
            let file = self.load(ino)?.ok_or(Error::NotFound)?;
            self.forget_idle_files();
            self.files.insert(ino, file);
        }
        match self.files.get_mut(&ino) {
            Some(file) if !file.gone => Ok(file),
            _ => Err(Error::NotFound),
        }
    }

    /// Reads an inode from the table; `None` if it is free.
    fn load(&mut self, ino: u64) -> Result<Option<File>> {
        let table = self.table;
        let block = self.cached_block(&table, ino / INODES_PER_BLOCK)?;
        let at = crate::codec::remainder(ino, 16) * INODE_LEN;
        let bytes = block.get(at..at + INODE_LEN).unwrap_or_default();
        Ok(Inode::decode(bytes)?.map(|(inode, top)| File::loaded(ino, inode, top)))
    }

    /// A committed block of any tree, through the cache.
    fn cached_block(&mut self, tree: &Tree, index: u64) -> Result<&Block> {
        let key = (tree.owner, index);
        if self.blocks.get(&key).is_none() {
            let block = self.medium.read(tree, index)?;
            self.blocks.insert(key, block);
        }
        self.blocks
            .get(&key)
            .map(|block| &**block)
            .ok_or(Error::NotFound)
    }

    fn forget_idle_files(&mut self) {
        if self.files.len() >= IDLE_FILES_MAX {
            let pending = &self.pending;
            self.files
                .retain(|ino, file| pending.contains(ino) || !file.is_idle());
        }
    }

    /// Whether inodes and references to spilled blocks use up their budget.
    fn is_crowded(&self) -> bool {
        let inodes = (self.files.len() as u64).saturating_sub(IDLE_FILES_MAX as u64);
        inodes * INODE_COST + self.usage.frames_spilled * SPILLED_COST >= self.budget.unsynced()
    }

    /// Makes sure that there is memory for what one more change leaves behind until the next sync. Comes first in every
    /// change, before inodes are loaded that must then stay.
    ///
    /// # Errors
    /// [`Error::TooMuchUnsynced`], or the store's.
    fn ensure_memory(&mut self) -> Result<()> {
        if self.is_crowded() {
            if self.log.records > 0 {
                // Inodes that were committed need not stay in memory once a superblock leads to them.
                self.checkpoint()?;
            }
            self.forget_idle_files();
        }
        if self.is_crowded() {
            return Err(Error::TooMuchUnsynced);
        }
        Ok(())
    }

    /// Makes sure that `extra` more blocks can be committed, together with everything uncommitted.
    ///
    /// # Errors
    /// [`Error::NoSpace`]: decided here, when the program writes, so that a sync never runs out of space.
    fn ensure_space(&mut self, extra: u64, purpose: Purpose) -> Result<()> {
        let reserve = match purpose {
            Purpose::Store => (self.space.limit() / 64).clamp(8, 4096),
            Purpose::Remove => 0,
        };
        let wanted = self.need() + extra + reserve;
        let available = |space: &Space| space.limit() - space.taken();
        if available(&self.space) < wanted && self.space.held() > 0 {
            // Writes no uncommitted data: it only makes blocks free that older commits used.
            self.checkpoint()?;
        }
        if available(&self.space) < wanted {
            return Err(Error::NoSpace);
        }
        self.space.grow_for(&self.medium, self.need() + extra)
    }

    /// Blocks that committing everything and writing a checkpoint may take, at most.
    fn need(&self) -> u64 {
        let files = (self.files.len() as u64).min(self.next_ino / INODES_PER_BLOCK + 1);
        let table = files + files.min(self.next_ino / 2048 + 1) + 4;
        let epochs = self.medium.disk.epochs.len() as u64 / 84 + 1;
        let record = 4 + (self.usage.frames_in_memory + self.usage.frames_spilled) / 100;
        self.usage.frames_in_memory
            + self.usage.nodes
            + self.medium.dirty_nodes()
            + self.space.checkpoint_cost()
            + table
            + epochs
            + record
    }

    /// The store, for reads beside the volume.
    pub(crate) fn shared_store(&self) -> Arc<dyn Store> {
        self.medium.disk.shared_store()
    }

    /// The keys of this moment, for reads beside the volume.
    pub(crate) fn keys(&self) -> Keyring {
        self.medium.disk.epochs.keys().clone()
    }

    /// Lowers what this mount may still be used for.
    pub(crate) fn distrust(&mut self, health: Health) {
        self.medium.disk.degrade(health);
    }

    fn check_writable(&self) -> Result<()> {
        if self.access == Access::ReadOnly {
            return Err(Error::ReadOnly);
        }
        self.medium.disk.check_writable()
    }

    /// The newest commit: what a client may keep to recognise an older volume later.
    pub const fn mark(&self) -> Mark {
        self.newest
    }

    /// The oldest commit whose root this mount can name, if nothing was committed since it began: an older mark is compared by
    /// its number only.
    pub const fn oldest_known_commit(&self) -> u64 {
        (self.newest.commit - 1).saturating_sub(self.log.records)
    }

    /// Tells the freshness anchor about the newest commit, whatever the policy.
    ///
    /// # Errors
    /// The anchor's.
    pub fn settle(&mut self) -> Result<()> {
        self.freshness.settle(self.newest)
    }

    /// The cipher suite.
    pub const fn suite(&self) -> Suite {
        self.identity.suite
    }

    /// The volume's identity: random, drawn at creation.
    pub const fn uuid(&self) -> [u8; 16] {
        self.identity.uuid
    }

    /// Bytes of decrypted data and tree nodes that may be held in memory, by budget.
    pub const fn budget(&self) -> Budget {
        self.budget
    }
}

/// Whole blocks in `bytes`, rounded up.
const fn blocks_in(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_LEN as u64)
}
