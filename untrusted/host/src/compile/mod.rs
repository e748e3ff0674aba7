//! From Wasm to machine code for the enclave, with Cranelift.
//!
//! ```text
//!   bytes ──sniff──► text ──► Wasm ──hash──► cache ──hit─────────────────────────► Module
//!            │                                 └──miss──► harden ──► Cranelift ──►
//!            └──────► a compiled module's file ──────────────────────────────────►
//! ```
//!
//! The compiler is set up by [`twine_abi::profile`], the list that the engine inside is set up by too, and by nothing of
//! this machine: the same Wasm gives the same bytes everywhere.

mod sniff;

#[cfg(feature = "compiler")]
mod cranelift;
#[cfg(feature = "compiler")]
mod harden;

use self::sniff::Form;
use crate::cache::Cache;
use crate::error::Error;
use crate::module::Module;

/// Loads a module from bytes. `shown` is what messages call it.
///
/// # Errors
/// [`Error::BadModule`], and [`Error::NoCompiler`] for Wasm in a build that cannot compile.
pub(crate) fn load(name: &str, shown: &str, bytes: &[u8], cache: &Cache) -> Result<Module, Error> {
    let bad = |reason| Error::BadModule {
        name: shown.to_owned(),
        reason,
    };
    match sniff::form(bytes).map_err(|reason| bad(reason.into()))? {
        Form::Compiled => Module::parse(name.to_owned(), bytes).map_err(|flaw| flaw.blame(shown)),
        Form::Binary => compile(name, shown, bytes, cache),
        Form::Text => compile_text(name, shown, bytes, cache),
    }
}

#[cfg(feature = "compiler")]
pub use self::cranelift::Compiler;
#[cfg(feature = "compiler")]
use self::cranelift::{compile, compile_text};

#[cfg(not(feature = "compiler"))]
fn compile(_: &str, shown: &str, _: &[u8], _: &Cache) -> Result<Module, Error> {
    Err(Error::NoCompiler {
        name: shown.to_owned(),
    })
}

#[cfg(not(feature = "compiler"))]
use compile as compile_text;
