//! Runs WebAssembly programs inside SGX enclaves.

pub mod backend;
#[cfg_attr(
    not(feature = "compiler"),
    expect(dead_code, reason = "only what is compiled here is cached")
)]
pub mod cache;
mod compile;
pub mod error;
pub mod image;
pub mod launch;
pub mod module;
pub mod serve;
pub mod sign;
pub mod state;

pub use error::Error;
