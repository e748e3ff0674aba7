//! The enclave image: everything between the processor and the runtime.
//!
//! ```text
//!  entry ──► call ──► guest ──► twine_runtime ──► engine (Wasmtime)
//!    │                  │                            │
//!    └► exception       ├► host, random              └► memory::arena, sync, thread
//!                       └► identity
//!  below all of them: pages ──► enclu (ENCLU), image, fatal
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`entry`] | the border in assembly |
//! | [`call`] | which calls there are, and in which order |
//! | [`exception`] | faults, and requests to stop |
//! | [`relocate`], [`image`] | the image's own addresses |
//! | [`thread`] | the thread block |
//! | [`memory`], [`pages`] | heap, stacks, arena; accepting and changing pages |
//! | [`engine`] | the platform symbols of the engine |
//! | [`host`] | host memory and host calls |
//! | [`store`], [`host_files`] | a volume's file, and unprotected directories, by the host |
//! | [`identity`], [`random`] | what only the processor can say |
//! | [`guest`] | the launch |
//! | [`fatal`] | the end |
//!
//! This is the only trusted crate where `unsafe` is normal; each use argues for itself.

#![no_std]
#![no_main]
#![warn(
    missing_docs,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block
)]

extern crate alloc;

mod call;
mod enclu;
mod engine;
mod entry;
mod exception;
mod fatal;
mod guest;
mod host;
mod host_files;
mod identity;
mod image;
mod memory;
mod pages;
mod random;
mod relocate;
mod store;
mod sync;
mod thread;
