//! Runs WebAssembly programs inside SGX enclaves.

pub mod backend;
#[cfg(feature = "bundled-image")]
mod bundled;
#[cfg_attr(
    not(any(test, feature = "compiler")),
    expect(dead_code, reason = "only what is compiled here is cached")
)]
pub mod cache;
mod compile;
pub mod error;
pub mod image;
pub mod launch;
pub mod module;
mod runtime;
pub mod serve;
pub mod sign;
pub mod state;

pub use twine_launch as document;

pub use error::Error;
pub use launch::Launch;
pub use launch::outcome::Outcome;
pub use module::Module;
pub use runtime::{BackendChoice, Runtime, RuntimeBuilder};
pub use serve::{Capture, Input, Output};
