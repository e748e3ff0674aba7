//! Every bound of this crate. Those of one application stand in its launch document.

use twine_abi::exchange::PAYLOAD_LEN;
use twine_abi::layout::STACK_LEN_MAX;
use twine_launch::limits::{MOUNTS_COUNT_MAX, STACK_BYTES_MAX};

/// Most bytes that move in one call to the platform; more takes several.
pub const IO_LEN_BYTES_MAX: usize = PAYLOAD_LEN;

/// Longest request for provisioning: it has to fit into one call. The quotes of today leave most of it empty.
pub const REQUEST_LEN_BYTES_MAX: usize = PAYLOAD_LEN;

pub use twine_evidence::limits::BUNDLE_LEN_BYTES_MAX;

/// Most frames in a backtrace. A stack overflow has tens of thousands, all alike.
pub const BACKTRACE_FRAMES_MAX: usize = 64;

/// Most linear memories in one guest. Without the multi-memory proposal a module has one.
pub const MEMORIES_MAX: usize = 1;

/// Most tables in one guest; the engine has its own, larger limit.
pub const TABLES_MAX: usize = 100;

/// Most instances in one guest: the program is one module.
pub const INSTANCES_MAX: usize = 1;

/// Most buffers in one vectored read or write. Linux and the BSDs have the same (`IOV_MAX`).
pub const VECTORS_MAX: u32 = 1024;

/// Most subscriptions in one `poll_oneoff`: every descriptor a guest may have, and as many clocks.
pub const SUBSCRIPTIONS_MAX: u32 = 131_072;

/// Most names in the message about missing imports. All of WASI has fewer.
pub const MISSING_IMPORTS_MAX: usize = 64;

/// Most mounts: as many as a launch document can name, and the folders of secrets and of certificates. Each takes a
/// descriptor from the start.
pub const MOUNTS_MAX: usize = MOUNTS_COUNT_MAX + 2;

/// Longest path that a guest may pass, and longest that following links may make of it. Linux's `PATH_MAX`, which C
/// libraries have compiled in.
pub const PATH_LEN_BYTES_MAX: usize = 4096;

/// Longest name in a directory. `NAME_MAX` of every common file system, and of the protected one.
pub const NAME_LEN_BYTES_MAX: usize = 255;

/// Most symbolic links that are followed on the way along one path. Linux has the same.
pub const LINKS_MAX: usize = 40;

/// Entries that are asked for at once while a directory is listed: a host call for each would take longer than the list.
pub const DIRECTORY_ENTRIES_MAX: usize = 256;

/// Bytes of a file system in memory for each file that it may hold: what an empty one takes.
pub const TMPFS_INODE_LEN: u64 = 256;

/// Longest file in a file system in memory; the protected one has the same limit.
pub const FILE_LEN_BYTES_MAX: u64 = 1 << 40;

/// Most bytes that a guest can have vouched for in one call; they are hashed while nothing can stop it. A hash of its own
/// vouches for more.
pub const EVIDENCE_DATA_LEN_BYTES_MAX: u32 = 64 << 10;

/// Stack that the runtime keeps for itself on top of the guest's, for the calls the guest makes into it.
const RUNTIME_STACK_LEN: u64 = 1 << 20;

const _: () = assert!(
    STACK_BYTES_MAX + RUNTIME_STACK_LEN <= STACK_LEN_MAX,
    "the guest's longest stack and the runtime's own must fit a thread's"
);
