//! `twine run`: a program, in an enclave.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use twine::backend::BackendKind;
use twine::document::{LaunchDocument, Limits};
use twine::launch::{Identity, Launch};
use twine::module::Module;
use twine::provision::{Folder, Http, TIMEOUT_DEFAULT};
use twine::{BackendChoice, Error, Outcome, Runtime};

use super::mounts::Mounts;
use super::{hex, is_document, read, signature_beside, usage};
use crate::demangle;
use crate::exit::{self, Blame, Code};
use crate::profile;
use crate::units;

/// Run a program in an enclave
///
/// The program is a WASI module, as C, C++ and Rust compilers make it, or a launch document that names one. Standard
/// input, output and error are the guest's; its exit code becomes this program's.
#[derive(Args, Debug)]
#[command(after_help = exit::HELP)]
pub(crate) struct Arguments {
    /// A module (.wasm, .wat, or compiled by `twine compile`), or a launch document (.toml)
    file: PathBuf,
    /// The guest's arguments, behind its own name
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
    /// The module of a launch document [default: the file of the same name beside it, .twasm, .wasm or .wat]
    #[arg(long, value_name = "FILE", help_heading = "The guest")]
    module: Option<PathBuf>,
    /// Set a variable of the guest's environment, or pass on one of this process's own; may be repeated
    #[arg(long, value_name = "NAME[=VALUE]", help_heading = "The guest")]
    env: Vec<OsString>,
    #[command(flatten)]
    mounts: Mounts,
    /// Where the provisioner of a launch document is asked: a folder, for files that are carried, or http://…
    #[arg(long, value_name = "DIR|URL", help_heading = "The provisioner")]
    provision: Option<OsString>,
    /// How long the provisioner has to answer [default: 10m]
    #[arg(
        long,
        value_name = "TIME",
        value_parser = units::time,
        requires = "provision",
        help_heading = "The provisioner"
    )]
    provision_timeout: Option<Duration>,
    /// Most linear memory, for example 64MiB
    #[arg(long, value_name = "SIZE", value_parser = units::size, help_heading = "Limits")]
    max_memory: Option<u64>,
    /// Most stack, for example 1MiB
    #[arg(long, value_name = "SIZE", value_parser = units::size, help_heading = "Limits")]
    max_stack: Option<u64>,
    /// Stop the guest after this time, for example 5s or 500ms
    #[arg(long, value_name = "TIME", value_parser = units::time, help_heading = "Limits")]
    timeout: Option<Duration>,
    /// Where the enclave runs; auto takes the device if it can be used
    #[arg(
        long,
        value_enum,
        default_value = "auto",
        value_name = "BACKEND",
        help_heading = "The enclave"
    )]
    backend: Backend,
    /// Let debuggers into the enclave: it tells why it dies, and protects nothing
    #[arg(long, help_heading = "The enclave")]
    debug: bool,
    /// Record where the guest spends its time, in a debug launch: a flame graph (.svg), or a line for each stack
    #[arg(
        long,
        value_name = "FILE",
        requires = "debug",
        help_heading = "The enclave"
    )]
    profile: Option<PathBuf>,
}

/// Where the enclave runs.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Backend {
    /// The device if it can be used, else the emulator
    Auto,
    /// SGX in software: runs everywhere, protects nothing
    Emulator,
    /// The processor's SGX
    Device,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let runtime = Runtime::builder().backend(self.backend.into()).build()?;
        let (module, document) = self.load(&runtime)?;
        let launch = match (&module, &document) {
            (None, document) => {
                let document = document.as_deref().unwrap_or_default();
                signed(Launch::confidential(&runtime, document)?, &self.file)?
            }
            (Some(module), Some(document)) => signed(
                Launch::from_document(&runtime, module, document)?,
                &self.file,
            )?,
            (Some(module), None) => Launch::new(&runtime, module),
        };
        let launch = self.configure(launch)?.inherit_stdio();
        announce(&runtime, &launch)?;
        let Some(path) = &self.profile else {
            return Ok(report(launch.run()?));
        };
        let (outcome, profile) = launch.run_profiled()?;
        profile::write(&profile, path)?;
        log::warn!("{}", profile::summary(&profile));
        Ok(report(outcome))
    }

    /// The module, unless it is confidential, and the launch document if that is what was named.
    fn load(&self, runtime: &Runtime) -> Result<(Option<Module>, Option<Vec<u8>>)> {
        if !is_document(&self.file) {
            if self.module.is_some() {
                return Err(usage("--module belongs to a launch document (.toml)").into());
            }
            return Ok((Some(runtime.load(&self.file)?), None));
        }
        let document = read(&self.file)?;
        let parsed = LaunchDocument::parse(&document).map_err(Error::from)?;
        let module = match &self.module {
            Some(_) if parsed.module.confidential => return Err(Error::ConfidentialModule.into()),
            Some(module) => Some(runtime.load(module)?),
            None if parsed.module.confidential => None,
            None => Some(runtime.load(&module_beside(&self.file)?)?),
        };
        Ok((module, Some(document)))
    }

    fn configure<'a>(&self, mut launch: Launch<'a>) -> Result<Launch<'a>> {
        if self.max_memory.is_some() || self.max_stack.is_some() {
            let default = Limits::default();
            launch = launch.limits(Limits {
                memory_bytes: self.max_memory.unwrap_or(default.memory_bytes),
                stack_bytes: self.max_stack.unwrap_or(default.stack_bytes),
                ..default
            })?;
        }
        if let Some(timeout) = self.timeout {
            launch = launch.timeout(timeout);
        }
        if self.debug {
            launch = launch.debuggable();
        }
        launch = self.mounts.configure(launch)?;
        if let Some(place) = &self.provision {
            let timeout = self.provision_timeout.unwrap_or(TIMEOUT_DEFAULT);
            launch = match place.to_str() {
                Some(url) if url.contains("://") => {
                    launch.provisioner(Http::new(url).timeout(timeout))
                }
                _ => launch.provisioner(Folder::new(place).timeout(timeout)),
            };
        }
        for argument in &self.arguments {
            launch = launch.arg(text("argument", argument.clone())?);
        }
        for variable in &self.env {
            let (name, value) = self::variable(variable.clone())?;
            launch = launch.env(name, value);
        }
        Ok(launch)
    }
}

impl From<Backend> for BackendChoice {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Auto => Self::Auto,
            Backend::Emulator => Self::Emulator,
            Backend::Device => Self::Device,
        }
    }
}

/// The launch, with the owner's signature if the document names an owner and the signature lies beside it. Without, the
/// enclave says what is missing.
fn signed<'a>(launch: Launch<'a>, document: &Path) -> Result<Launch<'a>> {
    if launch.document()?.owner.is_none() {
        return Ok(launch);
    }
    Ok(match signature_beside(document)? {
        Some(signature) => launch.signature(signature),
        None => launch,
    })
}

/// Tells who is about to run, if asked for, and whether it is protected.
pub(super) fn announce(runtime: &Runtime, launch: &Launch<'_>) -> Result<()> {
    // What is not valid fails before anything is announced.
    launch.document()?;
    if log::log_enabled!(log::Level::Info) {
        log_identity(&launch.identity()?);
    }
    if runtime.kind() == BackendKind::Emulator {
        log::error!("{EMULATED}");
    }
    Ok(())
}

/// Tells how the run ended, if it was not the guest's own doing, and returns this program's exit code.
pub(super) fn report(outcome: Outcome) -> ExitCode {
    match outcome {
        // As any program's: the operating system keeps the lowest 8 bits.
        Outcome::Exited { code } => {
            let [code, ..] = code.to_le_bytes();
            code.into()
        }
        Outcome::Trapped { message } => {
            log::error!("the guest trapped: {}", demangle::backtrace(&message));
            Code::Trap.into()
        }
        Outcome::Stopped => {
            log::error!("the guest was stopped: its time was up");
            Code::Timeout.into()
        }
        outcome => {
            log::error!("the guest ended in an unknown way: {outcome:?}");
            Code::Host.into()
        }
    }
}

fn log_identity(identity: &Identity) {
    log::info!("MRENCLAVE  {}", hex(&identity.mrenclave));
    log::info!("MRSIGNER   {}", hex(&identity.mrsigner));
    log::info!("CONFIGID   {}", hex(&identity.configuration.id));
    log::info!("CONFIGSVN  {}", identity.configuration.svn);
    log::info!("module     {}", identity.module.sha256);
    log::info!("wasm       {}", identity.module.wasm_sha256);
}

/// The module's file beside a launch document: the same name, and an extension of a module.
fn module_beside(document: &Path) -> Result<PathBuf> {
    let candidates = ["twasm", "wasm", "wat"].map(|extension| document.with_extension(extension));
    let found = candidates.iter().find(|path| path.exists()).cloned();
    found.ok_or_else(|| {
        let name = document.with_extension("").display().to_string();
        let message = format!("no {name}.twasm, .wasm or .wat beside the launch document; name its module with --module");
        let code = Code::NotFound;
        Blame { code, message }.into()
    })
}

/// `NAME=value`, or `NAME` alone for this process's own value.
fn variable(text_or_name: OsString) -> Result<(String, String)> {
    let given = text("variable", text_or_name)?;
    let (name, value) = match given.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => {
            let value = env::var_os(&given)
                .ok_or_else(|| usage(&format!("--env {given}: no such variable here")))?;
            (given.clone(), text("variable", value)?)
        }
    };
    if name.is_empty() {
        return Err(usage(&format!("--env {given}: the name is missing")).into());
    }
    Ok((name, value))
}

pub(super) fn text(what: &str, given: OsString) -> Result<String> {
    given.into_string().map_err(|given| {
        let message = format!("{what} {given:?} is not UTF-8, which WASI asks for");
        usage(&message).into()
    })
}

const EMULATED: &str = "EMULATED SGX: no protection; everybody on this machine can read and change what the guest does";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_given_or_passed_on() {
        let given = |text: &str| variable(text.into()).map_err(|error| error.to_string());
        assert_eq!(given("A=b=c").unwrap(), ("A".into(), "b=c".into()));
        assert_eq!(given("A=").unwrap(), ("A".into(), String::new()));
        let path = env::var("PATH").unwrap();
        assert_eq!(given("PATH").unwrap(), ("PATH".into(), path));
        assert!(given("=x").unwrap_err().contains("name is missing"));
        assert!(
            given("NO_SUCH_VARIABLE")
                .unwrap_err()
                .contains("no such variable")
        );
    }
}
