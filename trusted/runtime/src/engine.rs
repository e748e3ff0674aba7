//! The engine: its configuration, and the only place in the enclave that turns bytes into machine code.
//!
//! The configuration is the profile that the compiler outside uses too ([`twine_abi::apply_profile!`]), and a few
//! settings that compiled code does not depend on.

use core::num::NonZeroUsize;

use alloc::format;

use twine_abi::{apply_profile, profile};
use twine_launch::LaunchDocument;
use wasmtime::{Config, Engine, Module};

use crate::error::Error;
use crate::identity::VerifiedModule;
use crate::limits::BACKTRACE_FRAMES_MAX;

/// Sets the engine up for one application.
///
/// # Errors
/// [`Error::Unusable`] if the engine refuses the profile, which a test excludes; [`Error::Limit`] if memory runs out.
pub(crate) fn engine(document: &LaunchDocument) -> Result<Engine, Error> {
    let mut config = Config::new();
    apply_profile!(&mut config).map_err(unusable)?;
    trust_profile_features(&mut config);
    let stack = usize::try_from(document.limits.stack_bytes)
        .map_err(|_| Error::Limit("the stack is larger than the address space".into()))?;
    // The engine wants the stack for asynchronous calls, which nobody makes, to be no smaller than the other.
    config.max_wasm_stack(stack).async_stack_size(stack);
    config.wasm_backtrace_max_frames(
        NonZeroUsize::new(BACKTRACE_FRAMES_MAX).filter(|_| document.diagnostics.backtraces),
    );
    Engine::new(&config).map_err(unusable)
}

/// Loads a module.
///
/// # Errors
/// [`Error::Unusable`] if it was compiled for another profile; [`Error::Limit`] if memory runs out.
#[expect(
    unsafe_code,
    reason = "the engine cannot know that the bytes are a compiler's; we can"
)]
pub(crate) fn load(engine: &Engine, module: &VerifiedModule<'_>) -> Result<Module, Error> {
    // SAFETY:
    // - The exact output of the compiler: a `VerifiedModule` is made only after the bytes' SHA-256 was found in the
    //   launch document, whose own SHA-512 is the enclave's CONFIGID. Whoever wrote that document vouches for the
    //   code as for every other part of the application, and everybody who verifies the enclave sees it vouched for.
    // - Unmodified: the bytes are borrowed from the enclave's own memory since before they were hashed.
    unsafe { Module::deserialize(engine, module.bytes()) }.map_err(unusable)
}

#[expect(
    unsafe_code,
    reason = "CPUID cannot be executed in an enclave, so the profile answers for the processor"
)]
fn trust_profile_features(config: &mut Config) {
    // SAFETY:
    // - The answers must be right for the processor that runs the code: the profile claims x86-64-v3, every processor with
    //   SGX2 and KSS has it, and the image itself is compiled for it, so this line would not be reached without.
    unsafe { config.detect_host_feature(profile::has_cpu_feature) };
}

/// Sorts an engine's error by who can do something about it.
fn unusable(error: wasmtime::Error) -> Error {
    if error.is::<wasmtime::OutOfMemory>() {
        return Error::Limit("the enclave's memory does not suffice to load the module".into());
    }
    Error::Unusable(format!("{error:#}"))
}
