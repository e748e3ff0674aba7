#![doc = include_str!("../../../docs/launch.md")]
//!
//! # This crate
//!
//! | module | owns |
//! |---|---|
//! | [`document`] | the document's types, and the one function that says what is valid |
//! | [`mounts`] | file systems, and to whom a volume's key is bound |
//! | [`parties`] | who else has a say or a key: owner, provisioner, holders of recovery keys, other images |
//! | [`limits`] | every bound and every default |
//! | [`error`] | why a document is refused, with line and key |
//! | `read`, `write` | from TOML and to TOML |
//!
//! The host writes documents, the enclave reads them; both use the code here, so that what one accepts the other does.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod digest;
pub mod document;
pub mod error;
#[doc(hidden)]
pub mod fuzzing;
mod hex;
pub mod limits;
pub mod mounts;
pub mod parties;
mod read;
mod write;

pub use digest::Digest;
pub use document::{
    Application, Arguments, Diagnostics, Draft, Environment, LaunchDocument, Limits, ModuleIdentity,
};
pub use error::{Error, Problem};
pub use mounts::{Binding, KeySource, Mount, MountKind, RuntimeBinding, VolumePolicy};
pub use parties::{Migration, Owner, Provisioning, RecoveryKey, Tls, VerifyingKey};
