//! The WebAssembly specification's own tests, made ready to run inside an enclave.
//!
//! ```text
//!   *.wast ──parse──► directives ──compile──► codes ──► Script ══► an enclave in a test build ──► report
//!                                                │
//!                                                └──► modules that must be refused: the compiler's own tests
//! ```
//!
//! Only the compiler parses and validates Wasm, so only it can be asked whether it refuses what it must; everything that
//! runs, runs inside. What neither can do is listed with its reason. The script's form is the runtime's
//! (`twine_runtime::spectest`).

mod compile;
mod convert;
mod image;
mod suite;
mod value;

pub use compile::Compiler;
pub use convert::{Converted, Skip, convert};
pub use image::{run, runtime};
pub use suite::{Left, files};
