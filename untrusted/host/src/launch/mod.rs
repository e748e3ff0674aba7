//! From a document and a module to an outcome.
//!
//! ```text
//!   create    SECS ─► pages ─► EINIT                     one enclave, named by the launch document (CONFIGID)
//!   thread    Initialise, then Launch: the conversation  ◄──► serve: host calls
//!   deadline  the timer beside it
//!   profile   who looks where the guest is, if asked to
//!   task      the same, for what is done in place of a run: attest, migrate
//!   outcome   what stands in the exchange area at the end
//! ```
//!
//! Embedders need none of this: [`Launch`] does it all. It is public for tests that play a hostile
//! host, and for benchmarks.

mod attest;
pub mod buffer;
mod builder;
pub mod create;
pub mod deadline;
pub mod exchange;
mod migrate;
mod mounts;
pub mod outcome;
pub mod profile;
pub mod run;
mod task;
pub mod thread;

pub use attest::Attest;
pub use builder::{Identity, Launch};
pub use migrate::{Migration, Step};

#[cfg(test)]
mod tests;
