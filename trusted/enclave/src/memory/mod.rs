//! The enclave's own record of its memory.
//!
//! ```text
//!  image │ threads (stacks grow: stack) │ heap (grows: heap) │ arena (reserve, commit, protect, release: arena)
//! ```
//!
//! The host's page tables are never asked. A page is accepted exactly once between two removals because these records
//! say so, which is what keeps the host from replacing a live page by a zeroed one.

pub(crate) mod arena;
mod bytes;
mod heap;
mod ranges;
pub(crate) mod stack;

use twine_abi::layout::PAGE_LEN;

/// [`PAGE_LEN`], for sizes of things in memory.
pub(crate) const PAGE_SIZE: usize = 4096;

const _: () = assert!(PAGE_SIZE as u64 == PAGE_LEN);
