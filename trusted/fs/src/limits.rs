//! Every bound of the file system, with its reason. Bounds of the format are frozen; the others may change freely.

/// Bytes in a block: the unit of encryption, of the host's page cache and of SQLite's default page.
pub const BLOCK_LEN: usize = 4096;

/// References in a tree node: as many as fit into a block.
pub const FAN_OUT: usize = 128;

/// Tallest tree. 128^7 blocks is more than a 48-bit address can name, so nothing taller can be full.
pub const TREE_HEIGHT_MAX: u8 = 7;

/// Largest file in bytes: a tree of height 4. Larger files would work; nobody has tested them.
pub const FILE_LEN_MAX: u64 = 1 << 40;

/// Longest name in a directory, in bytes. POSIX's `NAME_MAX` on every common file system.
pub const NAME_LEN_MAX: usize = 255;

/// Longest target of a symbolic link, in bytes. Linux's `PATH_MAX` without the terminator.
pub const LINK_TARGET_LEN_MAX: usize = 4095;

/// Contents up to this many bytes live in the inode.
pub const INLINE_LEN_MAX: usize = 128;

/// Most names of one inode: what a guest may reasonably ask for, far below the field's range.
pub const LINKS_MAX: u32 = 65_000;

/// Deepest level of directory buckets. Level 5 alone has a million buckets.
pub const DIRECTORY_LEVELS_MAX: u32 = 6;

/// Continuation blocks of one log record: references to 32 MiB of data. A larger commit is a checkpoint.
pub const CONTINUATIONS_MAX: usize = 64;

/// References in one UPDATE operation.
pub const UPDATE_COUNT_MAX: usize = 4096;

/// Records after which a commit becomes a checkpoint; bounds the work of a mount.
pub const LOG_RECORDS_MAX: u64 = 1024;

/// Blocks written by records after which a commit becomes a checkpoint: 32 MiB.
pub const LOG_BLOCKS_MAX: u64 = 8192;

/// Sequences after which a checkpoint starts a new epoch: the AES-GCM limit at 2^-57 for 4 KiB records.
pub const EPOCH_SEQUENCES_MAX: u64 = 1 << 28;

/// Epochs a volume may have: 128 KiB of keys in memory and 49 blocks in the list. More means that many mounts each left
/// live blocks behind; `Volume::refresh` rewrites them.
pub const EPOCHS_MAX: usize = 4096;

/// Blocks with fixed meaning at the start of a volume: superblocks and key slots.
pub const FIXED_BLOCKS: u64 = 10;

/// Shortest volume in blocks: the fixed ones, a log head and one more.
pub const VOLUME_BLOCKS_MIN: u64 = 12;

/// Longest volume in blocks: 16 TiB. Keeps the bitmap of a fully used volume below 512 MiB of memory.
pub const VOLUME_BLOCKS_MAX: u64 = 1 << 32;

/// Most blocks by which a volume grows at once: 64 MiB.
pub const GROWTH_BLOCKS_MAX: u64 = 16_384;

/// Fewest blocks by which a volume grows at once.
pub const GROWTH_BLOCKS_MIN: u64 = 64;

/// Blocks handed to the store in one read or write call: 1 MiB, where the cost per call no longer matters.
pub const TRANSFER_BLOCKS: usize = 256;

/// Data blocks that one step of rewriting old ones takes: 8 MiB, where the two flushes of its checkpoint no longer matter.
pub const REFRESH_BLOCKS: usize = 2048;

/// First inode number of a file; smaller ones are reserved.
pub const FIRST_FILE_INO: u64 = 16;

const _: () = {
    assert!(
        BLOCK_LEN == 4096 && FAN_OUT * 32 == BLOCK_LEN,
        "frozen: docs/format.md, section 2"
    );
    assert!(INLINE_LEN_MAX == 128, "frozen: docs/format.md, section 5");
    assert!(
        CONTINUATIONS_MAX == 64 && UPDATE_COUNT_MAX == 4096,
        "frozen: docs/format.md, section 6"
    );
    assert!(
        FIXED_BLOCKS == 10 && VOLUME_BLOCKS_MIN == 12,
        "frozen: docs/format.md, top and section 7"
    );
    assert!(FIRST_FILE_INO == 16, "frozen: docs/format.md, section 2");
    assert!(size_of::<usize>() == 8, "the casts in codec.rs rely on it");
};
