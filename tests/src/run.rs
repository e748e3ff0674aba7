//! Running guests in enclaves, and the same programs natively.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use twine::backend::device::model::{Model, Mood, Record};
use twine::backend::emulator::{Emulator, EmulatorConfig};
use twine::state::Directories;
use twine::{
    BackendChoice, Capture, Error, Input, Launch, Module, Outcome, Runtime, RuntimeBuilder,
};
use twine_guests::{Guest, Language};

/// How a guest ended, and what it wrote.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub outcome: Result<Outcome, Error>,
    /// Its standard output.
    pub output: Vec<u8>,
    /// Its standard error.
    pub errors: Vec<u8>,
}

/// The folder that the tests keep their keys, secrets and compiled modules in.
#[must_use]
pub fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("target")
        .join("tests-home")
}

/// Says which platform the tests of the whole run on: nothing for the emulator, `modelled-device` for the device backend
/// over a model of the Linux driver, `restless-device` for the same with signals and refusals in between.
pub const BACKEND_VARIABLE: &str = "TWINE_TESTS_BACKEND";

/// The platform of the tests with the bundled image; one for the whole process.
///
/// # Panics
/// If it cannot be made.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| match mood() {
        None => built(Runtime::builder().backend(BackendChoice::Emulator)),
        Some(mood) => {
            let model = Model::new(config(), mood).expect(NEEDS_NOTHING);
            assert!(RECORD.set(model.record()).is_ok(), "made once");
            modelled(model)
        }
    })
}

/// A platform of its own of the same kind, with the tests' keys, whose processor is changed.
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn platform(change: impl FnOnce(&mut EmulatorConfig)) -> Runtime {
    let mut config = config();
    change(&mut config);
    match mood() {
        None => {
            let emulator = Emulator::new(config).expect(NEEDS_NOTHING);
            built(Runtime::builder().with_backend(Box::new(emulator)))
        }
        Some(mood) => modelled(Model::new(config, mood).expect(NEEDS_NOTHING)),
    }
}

/// The device backend over a model of the driver.
fn modelled(model: Model) -> Runtime {
    let device = model.into_device().expect(NEEDS_NOTHING);
    built(Runtime::builder().with_backend(Box::new(device)))
}

fn built(builder: RuntimeBuilder) -> Runtime {
    let builder = builder.directories(Directories::below(&home()));
    builder.build().expect(NEEDS_NOTHING)
}

/// A processor with the tests' secret.
fn config() -> EmulatorConfig {
    let secret = Directories::below(&home()).emulator_secret();
    EmulatorConfig {
        secret: secret.expect("the tests' folder can be written"),
        ..EmulatorConfig::default()
    }
}

const NEEDS_NOTHING: &str = "neither emulator nor model needs anything of the machine";

/// The rules of the driver that have been broken so far, if there is a model of it.
#[must_use]
pub fn broken_rules() -> Vec<String> {
    RECORD.get().map(Record::violations).unwrap_or_default()
}

static RECORD: OnceLock<Record> = OnceLock::new();

/// The mood of the modelled driver, if the variable asks for one.
fn mood() -> Option<Mood> {
    match std::env::var(BACKEND_VARIABLE).as_deref() {
        Err(_) | Ok("" | "emulator") => None,
        Ok("modelled-device") => Some(Mood::Calm),
        Ok("restless-device") => Some(Mood::Restless(6)),
        Ok(other) => panic!("{BACKEND_VARIABLE}: no such backend: {other}"),
    }
}

/// Compiles a guest and loads it, or says on standard error why it cannot be had here and returns `None`.
///
/// Only Rust guests may be missing, because only Debian 12 has the compiler; where `CI` is set none may.
///
/// # Panics
/// If a guest that may not be missing cannot be compiled or loaded.
#[must_use]
pub fn guest(name: &str) -> Option<Module> {
    let guest = Guest::named(name).expect("the guest exists");
    match guest.module() {
        Ok(path) => Some(runtime().load(path).expect("a guest can be loaded")),
        Err(error) if guest.language == Language::Rust && std::env::var_os("CI").is_none() => {
            skipped(name, &error);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Loads a guest that may not be missing.
///
/// # Panics
/// If it cannot be compiled or loaded.
#[must_use]
pub fn module(name: &str) -> Module {
    guest(name).expect("only Rust guests may be missing")
}

/// Runs a module with these settings and keeps what it writes.
pub fn run<'a>(module: &'a Module, set: impl FnOnce(Launch<'a>) -> Launch<'a>) -> Ran {
    run_on(runtime(), module, set)
}

/// Runs a module on another platform or image than the process's own.
pub fn run_on<'a>(
    runtime: &'a Runtime,
    module: &'a Module,
    set: impl FnOnce(Launch<'a>) -> Launch<'a>,
) -> Ran {
    let (output, errors) = (Capture::default(), Capture::default());
    let launch = Launch::new(runtime, module).stdout(&output).stderr(&errors);
    let outcome = set(launch).run();
    Ran {
        outcome,
        output: output.take(),
        errors: errors.take(),
    }
}

/// What a guest is given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// Arguments, without the program's name.
    pub arguments: &'a [&'a str],
    /// Variables, in alphabetical order.
    pub environment: &'a [(&'a str, &'a str)],
    /// Standard input.
    pub input: &'a [u8],
}

/// Runs a guest in an enclave and as a native program, and compares output, errors and exit code.
///
/// # Panics
/// If they differ.
pub fn same_as_native(name: &str, given: Given<'_>) {
    let Some(module) = guest(name) else { return };
    let ran = launch(&module, given);
    let native = native(name, given).expect("a native program can be run");
    assert_eq!(
        text(&ran.output),
        text(&native.output),
        "{name}: standard output differs"
    );
    assert_eq!(
        text(&ran.errors),
        text(&native.errors),
        "{name}: standard error differs"
    );
    assert_eq!(
        ran.outcome.ok(),
        native.outcome.ok(),
        "{name}: the end differs"
    );
}

/// Runs a module in an enclave with what it is given.
pub fn launch(module: &Module, given: Given<'_>) -> Ran {
    run(module, |launch| {
        let launch = launch
            .args(given.arguments.iter().copied())
            .stdin(Input::bytes(given.input));
        let variables = given.environment.iter();
        variables.fold(launch, |launch, (name, value)| launch.env(*name, *value))
    })
}

/// Runs the guest as a program of this machine.
fn native(name: &str, given: Given<'_>) -> io::Result<Ran> {
    let program = Guest::named(name).and_then(|guest| guest.native());
    let mut child = Command::new(program.map_err(io::Error::other)?)
        .args(given.arguments)
        .env_clear()
        .envs(given.environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let output = thread::scope(|scope| {
        // Beside the reading: a program that echoes fills its output before it has read its input.
        scope.spawn(move || stdin.write_all(given.input));
        child.wait_with_output()
    })?;
    let code = output
        .status
        .code()
        .ok_or_else(|| io::Error::other("killed by a signal"))?;
    Ok(Ran {
        outcome: Ok(Outcome::Exited {
            code: code.cast_unsigned(),
        }),
        output: output.stdout,
        errors: output.stderr,
    })
}

/// Bytes as text, for messages of failed comparisons.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Says on the real standard error, which the test harness does not swallow, that something was not tested.
fn skipped(name: &str, reason: &twine_guests::Error) {
    // Nobody is left to tell if even this fails.
    _ = writeln!(io::stderr(), "NOT TESTED: {name}: {reason}");
}
