//! The document's types, and the one function that says what is valid.
//!
//! ```text
//!   TOML ──read──► Draft ──check──► LaunchDocument ──write──► TOML
//! ```
//!
//! A [`Draft`] is plain data that anybody may fill in. A [`LaunchDocument`] can only be made by checking one, so
//! whoever holds it need not check again.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::{Deref, RangeInclusive};

use crate::digest::Digest;
use crate::error::{Error, Problem};
use crate::limits::{
    APPLICATION_NAME_LEN_BYTES_MAX, DESCRIPTORS_DEFAULT, DESCRIPTORS_MAX, DESCRIPTORS_MIN,
    DOCUMENT_LEN_BYTES_MAX, ENGINE_NAME_LEN_BYTES_MAX, MEMORY_BYTES_DEFAULT, MEMORY_BYTES_MAX,
    MEMORY_BYTES_MIN, STACK_BYTES_DEFAULT, STACK_BYTES_MAX, STACK_BYTES_MIN, STRINGS_COUNT_MAX,
    STRINGS_LEN_BYTES_MAX, TABLE_ELEMENTS_DEFAULT, TABLE_ELEMENTS_MAX, TIMEOUT_MS_MAX,
    TIMEOUT_MS_MIN, VARIABLE_NAME_LEN_BYTES_MAX,
};
use crate::mounts::{self, KeySource, Mount, MountKind};
use crate::parties::{self, Migration, Owner, Provisioning, RecoveryKey, Tls};
use crate::{read, write};

/// A valid launch document. Holding one is the proof; it reads like a [`Draft`] and cannot be changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LaunchDocument(Draft);

impl LaunchDocument {
    /// Reads a document from TOML.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line and key.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let (draft, lines) = read::draft(bytes)?;
        check(&draft).map_err(|(key, problem)| Error {
            line: lines.line_of(&key),
            key,
            problem,
        })?;
        Ok(Self(draft))
    }

    /// Checks a draft.
    ///
    /// # Errors
    /// The first thing that is wrong, with its key.
    pub fn new(draft: Draft) -> Result<Self, Error> {
        let refuse = |(key, problem)| Error {
            line: None,
            key,
            problem,
        };
        check(&draft).map_err(refuse)?;
        let len = write::document(&draft).len();
        if len > DOCUMENT_LEN_BYTES_MAX {
            return Err(refuse((String::new(), Problem::DocumentTooLong { len })));
        }
        Ok(Self(draft))
    }

    /// Writes the document as TOML: the same text for equal documents, every default spelled out.
    #[must_use]
    pub fn to_toml(&self) -> String {
        write::document(&self.0)
    }
}

impl Deref for LaunchDocument {
    type Target = Draft;

    fn deref(&self) -> &Draft {
        &self.0
    }
}

/// What a launch document says, before anybody has looked whether it makes sense.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Draft {
    /// The application's name and version.
    pub application: Application,
    /// The module, by its hashes.
    pub module: ModuleIdentity,
    /// Who has to have signed the document, if anybody.
    pub owner: Option<Owner>,
    /// The guest's arguments.
    pub arguments: Arguments,
    /// The guest's environment.
    pub environment: Environment,
    /// What the guest may use.
    pub limits: Limits,
    /// The file systems that the guest sees, in this order.
    pub mounts: Vec<Mount>,
    /// Who brings what the host must not see, if anybody.
    pub provisioning: Option<Provisioning>,
    /// For whom every volume gets a key slot besides.
    pub recovery: Vec<RecoveryKey>,
    /// What the guest finds to serve TLS with, if anything.
    pub tls: Option<Tls>,
    /// Between which images volume keys may move.
    pub migration: Migration,
    /// What is told to the outside when something goes wrong.
    pub diagnostics: Diagnostics,
}

impl Draft {
    /// An application that gets nothing: no arguments but its name, no environment, no file system, default limits.
    #[must_use]
    pub fn new(application: Application, module: ModuleIdentity) -> Self {
        Self {
            arguments: Arguments::Fixed(Vec::from([application.name.clone()])),
            application,
            module,
            owner: None,
            environment: Environment::default(),
            limits: Limits::default(),
            mounts: Vec::new(),
            provisioning: None,
            recovery: Vec::new(),
            tls: None,
            migration: Migration::default(),
            diagnostics: Diagnostics::default(),
        }
    }

    /// Guest paths of the volumes whose keys the provisioner brings.
    pub fn provisioned_volumes(&self) -> impl Iterator<Item = &str> {
        let provisioned = |mount: &&Mount| match &mount.kind {
            MountKind::Volume(policy) => policy.key == KeySource::Provisioned,
            _ => false,
        };
        let volumes = self.mounts.iter().filter(provisioned);
        volumes.map(|mount| mount.guest.as_str())
    }
}

/// The application's name and version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Application {
    /// For people. Not empty, no control characters.
    pub name: String,
    /// CONFIGSVN of the enclave. A higher version may open what a lower one has sealed, not the other way round.
    pub version: u16,
}

/// The module, by its hashes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ModuleIdentity {
    /// SHA-256 of the compiled module, which the enclave checks.
    pub sha256: Digest,
    /// SHA-256 of the Wasm that it was compiled from, for whoever wants to compile it again and compare.
    pub wasm_sha256: Digest,
    /// The engine profile that it was compiled for.
    pub engine: String,
    /// Whether the compiled module comes in the provisioner's bundle and never from the host.
    pub confidential: bool,
}

/// Where the guest's arguments come from. The first is by custom the program's name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Arguments {
    /// Exactly these. The caller may pass none.
    Fixed(Vec<String>),
    /// Whatever the caller passes.
    FromCaller,
}

/// The guest's environment: the fixed variables, then the caller's.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Environment {
    /// Variables with their values.
    pub fixed: BTreeMap<String, String>,
    /// Names of the variables that the caller may set.
    pub from_caller: BTreeSet<String>,
}

/// What the guest may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of linear memory.
    pub memory_bytes: u64,
    /// Bytes of stack for the guest's calls.
    pub stack_bytes: u64,
    /// Elements of all tables together.
    pub table_elements: u64,
    /// Open descriptors, the standard streams included.
    pub descriptors: u64,
    /// How long the guest may run, in milliseconds. The host keeps this time; a hostile one need not.
    pub timeout_ms: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: MEMORY_BYTES_DEFAULT,
            stack_bytes: STACK_BYTES_DEFAULT,
            table_elements: TABLE_ELEMENTS_DEFAULT,
            descriptors: DESCRIPTORS_DEFAULT,
            timeout_ms: None,
        }
    }
}

/// What is told to the outside when something goes wrong.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Diagnostics {
    /// Whether a trap is reported with its backtrace. It tells the host which of the guest's functions were active.
    pub backtraces: bool,
}

/// A key, and what is wrong with it.
pub(crate) type Finding = (String, Problem);

fn check(draft: &Draft) -> Result<(), Finding> {
    check_text(
        "application.name",
        &draft.application.name,
        APPLICATION_NAME_LEN_BYTES_MAX,
    )?;
    check_text(
        "module.engine",
        &draft.module.engine,
        ENGINE_NAME_LEN_BYTES_MAX,
    )?;
    if draft.module.confidential && draft.provisioning.is_none() {
        return Err((
            "module.confidential".into(),
            Problem::Needs {
                key: "provisioning",
            },
        ));
    }
    if let Some(owner) = &draft.owner {
        parties::check_key("owner.key", &owner.key)?;
    }
    if let Arguments::Fixed(arguments) = &draft.arguments {
        check_arguments(arguments)?;
    }
    check_environment(&draft.environment)?;
    check_limits(&draft.limits)?;
    mounts::check(draft)?;
    if let Some(provisioning) = &draft.provisioning {
        parties::check_provisioning(provisioning)?;
        check_provisioned_environment(&provisioning.environment, &draft.environment)?;
    }
    parties::check_recovery(&draft.recovery)?;
    if let Some(tls) = &draft.tls {
        parties::check_tls(tls)?;
    }
    parties::check_migration(&draft.migration)
}

fn check_provisioned_environment(names: &[String], others: &Environment) -> Result<(), Finding> {
    for (index, name) in names.iter().enumerate() {
        let key = if others.from_caller.contains(name) {
            "environment.from_caller"
        } else if others.fixed.contains_key(name) {
            "environment.fixed"
        } else {
            continue;
        };
        let place = format!("provisioning.environment[{index}]");
        return Err((place, Problem::Contradicts { key }));
    }
    Ok(())
}

pub(crate) fn check_text(key: &str, text: &str, max: usize) -> Result<(), Finding> {
    let problem = if text.is_empty() {
        Problem::Empty
    } else if text.len() > max {
        Problem::TextTooLong { max }
    } else if let Some(character) = text.chars().find(|character| character.is_control()) {
        Problem::ForbiddenCharacter(character)
    } else {
        return Ok(());
    };
    Err((key.into(), problem))
}

fn check_arguments(arguments: &[String]) -> Result<(), Finding> {
    for (index, argument) in arguments.iter().enumerate() {
        forbid_nul(|| format!("arguments.fixed[{index}]"), argument)?;
    }
    check_totals(
        "arguments.fixed",
        arguments.iter().map(|argument| argument.len() + 1),
    )
}

fn check_environment(environment: &Environment) -> Result<(), Finding> {
    for name in &environment.from_caller {
        check_variable_name("environment.from_caller", name)?;
    }
    for (name, value) in &environment.fixed {
        let key = || format!("environment.fixed.{name}");
        check_variable_name("environment.fixed", name)?;
        forbid_nul(key, value)?;
        if environment.from_caller.contains(name) {
            return Err((
                key(),
                Problem::Contradicts {
                    key: "environment.from_caller",
                },
            ));
        }
    }
    check_totals(
        "environment.from_caller",
        environment.from_caller.iter().map(|_| 0),
    )?;
    check_totals(
        "environment.fixed",
        environment
            .fixed
            .iter()
            .map(|(name, value)| name.len() + value.len() + 2),
    )
}

pub(crate) fn check_variable_name(key: &str, name: &str) -> Result<(), Finding> {
    check_text(key, name, VARIABLE_NAME_LEN_BYTES_MAX)?;
    if name.contains('=') {
        return Err((key.into(), Problem::ForbiddenCharacter('=')));
    }
    Ok(())
}

fn forbid_nul(key: impl FnOnce() -> String, text: &str) -> Result<(), Finding> {
    if text.contains('\0') {
        return Err((key(), Problem::ForbiddenCharacter('\0')));
    }
    Ok(())
}

fn check_totals(key: &str, lengths: impl ExactSizeIterator<Item = usize>) -> Result<(), Finding> {
    if lengths.len() > STRINGS_COUNT_MAX {
        return Err((
            key.into(),
            Problem::TooMany {
                max: STRINGS_COUNT_MAX,
            },
        ));
    }
    if lengths.sum::<usize>() > STRINGS_LEN_BYTES_MAX {
        return Err((key.into(), Problem::StringsTooLong));
    }
    Ok(())
}

fn check_limits(limits: &Limits) -> Result<(), Finding> {
    check_range(
        "limits.memory_bytes",
        limits.memory_bytes,
        MEMORY_BYTES_MIN..=MEMORY_BYTES_MAX,
    )?;
    check_range(
        "limits.stack_bytes",
        limits.stack_bytes,
        STACK_BYTES_MIN..=STACK_BYTES_MAX,
    )?;
    check_range(
        "limits.table_elements",
        limits.table_elements,
        0..=TABLE_ELEMENTS_MAX,
    )?;
    check_range(
        "limits.descriptors",
        limits.descriptors,
        DESCRIPTORS_MIN..=DESCRIPTORS_MAX,
    )?;
    match limits.timeout_ms {
        Some(timeout) => check_range(
            "limits.timeout_ms",
            timeout,
            TIMEOUT_MS_MIN..=TIMEOUT_MS_MAX,
        ),
        None => Ok(()),
    }
}

pub(crate) fn check_range(
    key: &str,
    value: u64,
    range: RangeInclusive<u64>,
) -> Result<(), Finding> {
    if range.contains(&value) {
        return Ok(());
    }
    let (min, max) = range.into_inner();
    Err((key.into(), Problem::OutOfRange { min, max }))
}
