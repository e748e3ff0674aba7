//! What compiled code calls instead of a null function.
//!
//! The compiler outside puts a check before each indirect call, because a read through a null function asks the host
//! (see [`twine_abi::profile::NULL_CALL_NAME`]). The trap is the engine's own, and guests cannot tell the difference.

use twine_abi::profile::{NULL_CALL_MODULE, NULL_CALL_NAME};
use wasmtime::{Linker, Trap};

/// Defines the function in `linker`.
pub(crate) fn link<T: 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.func_wrap(
        NULL_CALL_MODULE,
        NULL_CALL_NAME,
        || -> wasmtime::Result<()> { Err(Trap::IndirectCallToNull.into()) },
    )?;
    Ok(())
}
