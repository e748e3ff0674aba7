//! An encrypted, tamper-evident, crash-consistent file system inside one file that an untrusted host keeps.
//!
//! The host sees 4096-byte blocks that look random, and which of them are touched when. It can lose, alter, replay or
//! withhold them; the worst it achieves is an error. Nothing here knows SGX or WebAssembly, and nothing is `unsafe`.
//!
//! ```text
//!  SharedVolume ── the same for several threads                     shared.rs flight.rs
//!    │
//!  Volume ──── what programs see: files, directories, sync          volume/
//!    │
//!  File ────── committed tree + uncommitted frames over it          file.rs
//!    │
//!  Tree  Space  Epochs ── references, free blocks, keys             tree.rs space.rs epochs.rs
//!    │
//!  Disk ────── seal and open blocks, stage writes                   disk.rs crypto/
//!    │
//!  Store ───── the seam to the host                                 store/
//! ```
//!
//! The bytes are described in [`format`](mod@crate::format_description), and nowhere else.
//!
//! ```
//! use twine_fs::{HostPlatform, MemoryStore, Options, Suite, Volume, VolumeKey};
//!
//! # fn main() -> Result<(), twine_fs::Error> {
//! let (store, platform) = (Box::new(MemoryStore::default()), Box::new(HostPlatform));
//! let key = VolumeKey::new([7; 32]); // from a key slot, in real life
//! let mut volume = Volume::create(store, platform, key, Suite::Aegis128L, Options::default())?;
//! let file = volume.create_file(Volume::ROOT, b"greeting")?;
//! volume.write(file, 0, b"hello")?;
//! volume.sync_file(file)?; // one contiguous write, one flush
//! # Ok(())
//! # }
//! ```

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(not(any(feature = "pure-rust", feature = "std")))]
compile_error!("without an operating system suite 1 has to be the feature `pure-rust`");

mod cache;
mod codec;
mod crypto;
mod disk;
mod epochs;
mod error;
mod file;
mod flight;
mod format;
pub mod freshness;
#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
mod platform;
mod shared;
mod slots;
mod space;
pub mod store;
mod sync;
mod tree;
mod volume;

#[doc = include_str!("../../../docs/format.md")]
pub mod format_description {}

pub use codec::Block;
pub use crypto::{SlotSecret, Suite, VolumeKey};
pub use error::{Error, Result};
pub use format::inode::{FileKind, Times};
pub use freshness::{Freshness, FreshnessAnchor, Mark};
pub use platform::Platform;
pub use shared::SharedVolume;
pub use slots::{Holder, KeySlots, PARAMETERS_LEN_MAX, SLOTS, Slot, SlotKind};
pub use store::{Range, Store};
pub use volume::{
    Access, Budget, DirectoryEntry, Finding, Options, Report, Statistics, Status, Volume,
};

#[cfg(feature = "std")]
pub use freshness::{FileAnchor, MemoryAnchor};
#[cfg(feature = "std")]
pub use platform::HostPlatform;
#[cfg(feature = "std")]
pub use store::{FileStore, MemoryStore};
