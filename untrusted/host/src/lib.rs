//! Runs WebAssembly programs inside SGX enclaves.
//!
//! This is the untrusted side: it compiles a module, creates an enclave for it, and serves what the guest asks of the
//! outside. It can refuse to do so; it cannot see into the enclave or change what runs there, because the processor
//! binds the enclave to its image and to the launch document, and those name the only code that may run. (On the emulator,
//! which is what a machine without SGX has, none of this is protected: [`backend::emulator`].)
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use twine::{Capture, Launch, Outcome, Runtime};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! # let directories = twine::state::Directories::below(home.path());
//! // Any WASI program: a file of Wasm made by a C, C++ or Rust compiler, or text as here.
//! let hello = r#"(module
//!     (import "wasi_snapshot_preview1" "fd_write"
//!         (func $fd_write (param i32 i32 i32 i32) (result i32)))
//!     (memory (export "memory") 1)
//!     (data (i32.const 0) "\10\00\00\00\06\00\00\00")
//!     (data (i32.const 16) "hello\n")
//!     (func (export "_start")
//!         (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;
//!
//! let runtime = Runtime::new()?;
//! # let runtime = Runtime::builder().directories(directories).build()?;
//! let module = runtime.load_bytes("hello", hello.as_bytes())?;
//! let output = Capture::default();
//! let outcome = Launch::new(&runtime, &module)
//!     .arg("--fast")
//!     .env("LANG", "C")
//!     .timeout(Duration::from_secs(60))
//!     .stdout(&output)
//!     .run()?;
//! assert_eq!(outcome, Outcome::Exited { code: 0 });
//! assert_eq!(output.take(), b"hello\n");
//! # Ok(())
//! # }
//! ```
//!
//! # Outcomes and errors
//!
//! | what happened | shows as |
//! |---|---|
//! | the guest ended, trapped, or was stopped at its deadline | [`Outcome`] |
//! | the enclave looked at what it was given and did not start the guest | [`Error::Refused`] |
//! | the enclave is gone, or has killed itself | [`Error::EnclaveLost`], [`Error::EnclaveKilled`] |
//! | this side failed: a file, the module, the platform | the other [`Error`]s |
//!
//! # Map
//!
//! | module | owns |
//! |---|---|
//! | [`launch`] | from a document and a module to an outcome: creating, entering, deadlines |
//! | [`provision`] | bringing requests to provisioners, and bundles back |
//! | [`serve`] | host calls: the standard streams, clocks, pages |
//! | [`module`], [`cache`] | compiled modules, and where they are kept; compiling needs the feature `compiler` |
//! | [`image`], [`sign`] | the enclave image, its measurement and its certificate; bundled by the feature `bundled-image` |
//! | [`quote`] | where quotes come from: AESM, Intel's library; the emulator's come over AESM's protocol, too |
//! | [`backend`] | where enclaves come from: the device and the emulator |
//! | [`document`], [`abi`] | what both sides of the border share |
//! | [`state`] | the user's directories |
//!
//! A process whose `main` is not Rust's should ignore SIGPIPE, as Rust's does: else a guest that writes to a closed pipe
//! ends the process instead of getting an error.

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
#[doc(hidden)]
pub mod fuzzing;
pub mod image;
#[cfg(feature = "compiler")]
pub mod imports;
pub mod launch;
pub mod module;
pub mod owner;
pub mod provision;
pub mod quote;
mod runtime;
pub mod serve;
pub mod sign;
pub mod state;

pub use twine_abi as abi;
pub use twine_evidence as evidence;
pub use twine_launch as document;

#[cfg(feature = "compiler")]
#[doc(hidden)]
pub use compile::Compiler;
pub use error::Error;
pub use launch::outcome::Outcome;
pub use launch::{Attest, Launch, Migration};
pub use module::Module;
pub use provision::{ProvisionError, Provisioner};
pub use runtime::{BackendChoice, Runtime, RuntimeBuilder};
pub use serve::{Capture, Input, Output};
