//! Block stores: the files of protected volumes, the [`HostCall`]s from [`HostCall::StoreOpen`] on.

#[cfg(doc)]
use super::HostCall;
use super::{PAYLOAD_LEN, Span};

/// Bytes of a block of a store.
pub const BLOCK_LEN: usize = 4096;

/// Blocks that one [`HostCall::StoreRead`] can ask for.
pub const READ_BLOCKS_MAX: usize = PAYLOAD_LEN / BLOCK_LEN;

/// Most [`BlockRange`]s of one [`HostCall::StoreWrite`].
pub const RANGES_MAX: usize = PAYLOAD_LEN / size_of::<BlockRange>();

/// Where the host keeps a store: the answer to [`HostCall::StoreOpen`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct Spans {
    /// A map of the file, for the enclave to read, longer than the file may become. Empty if there is none: then the
    /// enclave asks for blocks ([`HostCall::StoreRead`]).
    pub map: Span,
    /// For the enclave to put blocks that are to be written; at least one block.
    pub staging: Span,
}

const _: () = assert!(size_of::<Spans>() == 32);

/// Blocks to be written, one after the other.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(C)]
pub struct BlockRange {
    /// The first block's number.
    pub first: u64,
    /// How many blocks.
    pub blocks: u64,
}

const _: () = assert!(size_of::<BlockRange>() == 16 && READ_BLOCKS_MAX == 16);
