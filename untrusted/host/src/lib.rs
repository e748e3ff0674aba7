//! Runs WebAssembly programs inside SGX enclaves.

pub mod backend;
