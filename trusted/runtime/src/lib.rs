//! The trusted runtime: checks what is to run, embeds the Wasm engine, and gives the guest WASI.
//!
//! ```text
//!   request ──► identity ──► engine ──► run ──► outcome
//!               document,    profile,   _start    exit code, trap,
//!               hashes       limits       │       or who is to blame
//!                                         ▼
//!                            wasi ──► streams, clocks ──► Platform (the untrusted host, behind checks)
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`platform`] | one seam: what only the world outside can do |
//! | [`files`] | the other: file systems, where they are mounted, and the way along a path |
//! | `identity` | whether document, module, arguments and environment are this enclave's |
//! | `attestation` | what the enclave says of itself to others, and believes of them |
//! | `engine` | the engine's configuration, and the only place that loads machine code |
//! | [`limits`] | every bound of this crate; `limiter` holds the guest to the document's |
//! | `owner` | whether the owner has signed the launch document |
//! | `migration` | volumes that move to another image |
//! | `provisioning` | what comes from the provisioner: a confidential module, secrets, keys of volumes |
//! | `tls` | a key for serving TLS, and a certificate that proves where it was made |
//! | `volume` | protected volumes: their keys, opening and making them |
//! | [`wasi`] | WASI preview 1, on `streams`, `clocks` and `descriptors`, which know nothing of it |
//! | `guest_calls` | the import module `twine`, by which a guest has its enclave vouch for it |
//! | [`outcome`], [`error`] | how it ended |
//!
//! The crate knows nothing of SGX: the enclave passes its report's fields as an [`Identity`] and itself as a
//! [`Platform`], and so do the tests, natively.

#![no_std]
// Two engine functions are unsafe to call; both calls are in `engine`, each with its argument.
#![deny(unsafe_code)]

extern crate alloc;

mod attestation;
mod clocks;
mod descriptors;
mod engine;
pub mod error;
pub mod files;
#[doc(hidden)]
pub mod fuzzing;
mod guest_calls;
mod halt;
mod identity;
mod limiter;
pub mod limits;
mod migration;
mod mounting;
mod null_call;
pub mod outcome;
mod owner;
pub mod platform;
mod provisioning;
mod run;
#[cfg(feature = "spectest")]
pub mod spectest;
mod state;
mod streams;
mod tls;
mod volume;
pub mod wasi;

pub use error::Error;
pub use files::{FileSystem, Mount};
pub use identity::Identity;
pub use outcome::Outcome;
pub use platform::{Fault, OpenStore, Platform, Sink};
pub use run::{Launched, Remains, Request, launch, launch_with};
