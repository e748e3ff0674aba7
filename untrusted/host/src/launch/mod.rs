//! From a document and a module to an outcome.
//!
//! ```text
//!   create    SECS ─► pages ─► EINIT                     one enclave, named by the launch document (CONFIGID)
//!   thread    Initialise, then Launch: the conversation  ◄──► serve: host calls
//!   deadline  the timer beside it
//!   attest    the same, for evidence in place of a run
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
mod mounts;
pub mod outcome;
pub mod run;
pub mod thread;

pub use attest::Attest;
pub use builder::{Identity, Launch};

#[cfg(test)]
mod tests;
