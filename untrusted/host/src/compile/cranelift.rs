//! The compiler, and what decides that a module need not be compiled again.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};
use twine_abi::profile::{COMPILER_FLAGS, CPU_FEATURES, CompilerFlag, ENGINE};
use twine_launch::Digest;
use wasmtime::{Config, Engine};

use super::harden::harden;
use crate::cache::Cache;
use crate::error::Error;
use crate::module::{Module, sha256};

/// Compiles Wasm, unless the cache has it already.
pub(super) fn compile(
    name: &str,
    shown: &str,
    wasm: &[u8],
    cache: &Cache,
) -> Result<Module, Error> {
    let bad = |reason: &wasmtime::Error| Error::BadModule {
        name: shown.to_owned(),
        reason: one_line(reason),
    };
    let config = config().map_err(|error| bad(&error))?;
    let wasm_sha256 = sha256(wasm);
    let key = key(&config, wasm_sha256);
    if let Some(module) = cache.read(key, name) {
        // The key stands for the Wasm, so the entry's own word is not needed; it only shows a foreign entry.
        if module.wasm_sha256() == wasm_sha256 {
            return Ok(module);
        }
    }
    log::info!("compiling {shown}");
    let compiler = Compiler::of(config).map_err(|error| bad(&error))?;
    let native = compiler
        .machine_code(wasm)
        .map_err(|reason| Error::BadModule {
            name: shown.to_owned(),
            reason,
        })?;
    let module = Module::compiled(name.to_owned(), wasm_sha256, &native);
    cache.write(key, &module);
    Ok(module)
}

/// The same for Wasm in its text form.
pub(super) fn compile_text(
    name: &str,
    shown: &str,
    text: &[u8],
    cache: &Cache,
) -> Result<Module, Error> {
    let wasm: Cow<'_, [u8]> = wat::parse_bytes(text).map_err(|mut error| {
        error.set_path(shown);
        Error::BadModule {
            name: shown.to_owned(),
            reason: error.to_string(),
        }
    })?;
    compile(name, shown, &wasm, cache)
}

/// The profile, without the processor's features.
fn config() -> wasmtime::Result<Config> {
    let mut config = Config::new();
    twine_abi::apply_profile!(&mut config)?;
    Ok(config)
}

/// The compiler by the engine profile, without a cache: what `twine run` and `twine compile` use underneath.
pub struct Compiler(Engine);

impl Compiler {
    /// Sets the compiler up.
    ///
    /// # Errors
    /// The engine's, if it refuses the profile; a test excludes that.
    pub fn new() -> wasmtime::Result<Self> {
        Self::of(config()?)
    }

    /// Building an engine takes longer than starting a program whose module is in the cache, so it comes last.
    fn of(mut config: Config) -> wasmtime::Result<Self> {
        for feature in CPU_FEATURES {
            enable(&mut config, feature.flag);
        }
        for CompilerFlag { flag, value } in COMPILER_FLAGS {
            set(&mut config, flag, value);
        }
        Engine::new(&config).map(Self)
    }

    /// Hardens a module and compiles it.
    ///
    /// # Errors
    /// One line that says what is wrong with the module.
    pub fn machine_code(&self, wasm: &[u8]) -> Result<Vec<u8>, String> {
        let hardened = harden(wasm, self.0.get_wasm_features())?;
        let native = self.0.precompile_module(&hardened);
        native.map_err(|error| one_line(&error))
    }
}

#[expect(
    unsafe_code,
    reason = "the compiler's flags can break its output, so setting one is unsafe"
)]
fn enable(config: &mut Config, flag: &'static str) {
    // SAFETY:
    // - The flag must not make the compiler emit what the processor lacks: it is an instruction-set extension of the
    //   profile, which the engine inside asks the same profile for before it accepts the code.
    unsafe { config.cranelift_flag_enable(flag) };
}

#[expect(
    unsafe_code,
    reason = "the compiler's flags can break its output, so setting one is unsafe"
)]
fn set(config: &mut Config, flag: &'static str, value: &'static str) {
    // SAFETY:
    // - The flag must not make the compiler emit what the engine does not expect: with the profile's flags accesses are
    //   checked by branches instead of faults, which every engine takes.
    unsafe { config.cranelift_flag_set(flag, value) };
}

/// Names everything that compiled code depends on: Wasm, compiler and profile.
fn key(config: &Config, wasm_sha256: Digest) -> Digest {
    let mut hash = Sha256::new();
    // What the settings print changes exactly when they do; processor features are added to them later.
    for part in [
        "twine cache 1",
        ENGINE,
        wasmtime_environ::VERSION,
        &format!("{config:?}"),
        &format!("{CPU_FEATURES:?}"),
        &format!("{COMPILER_FLAGS:?}"),
    ] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(wasm_sha256.0);
    Digest(hash.finalize().into())
}

/// An error with its causes, outermost first.
fn one_line(error: &wasmtime::Error) -> String {
    format!("{error:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WASM: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn the_key_depends_on_settings_and_wasm_and_on_nothing_else() {
        let first = key(&config().unwrap(), sha256(WASM));
        assert_eq!(first, key(&config().unwrap(), sha256(WASM)));
        assert_ne!(first, key(&config().unwrap(), sha256(b"other")));
        let mut other = config().unwrap();
        other.memory_guard_size(64 << 20);
        assert_ne!(first, key(&other, sha256(WASM)));
    }

    #[test]
    fn the_same_wasm_gives_the_same_code() {
        let wat = "(module (func (export \"f\") (result i32) (i32.const 42)))";
        let compile = || compile_text("a", "a", wat.as_bytes(), &Cache::disabled()).unwrap();
        assert_eq!(compile().sha256(), compile().sha256());
    }

    #[test]
    fn a_broken_module_is_one_message_with_the_place() {
        let broken = [WASM, b"\x01\x02\x01\x50"].concat();
        let error = compile("a", "a.wasm", &broken, &Cache::disabled()).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("a.wasm: "), "{message}");
        assert!(message.contains("offset"), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }

    #[test]
    fn a_broken_text_is_shown_with_its_line() {
        let text = b"(module\n  (func (result i32) (i32.cons 42)))";
        let error = compile_text("a", "a.wat", text, &Cache::disabled()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("a.wat:2:"), "{message}");
    }
}
