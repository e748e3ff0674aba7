//! From TOML to a draft: types, unknown keys and missing keys, each with its line.

mod section;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use toml::Spanned;
use toml::de::DeTable;

use crate::document::{
    Application, Arguments, Diagnostics, Draft, Environment, Limits, ModuleIdentity,
};
use crate::error::{Error, Problem};
use crate::limits::{DOCUMENT_LEN_BYTES_MAX, FORM_VERSION};
use crate::mounts::{Binding, KeySource, Mount, MountKind, RuntimeBinding, VolumePolicy};
use crate::parties::{Migration, Owner, Provisioning, RecoveryKey, Tls, VerifyingKey};
use section::{Section, line_at};

pub(crate) use section::Lines;

/// Reads a draft. Its values have the right types; whether they make sense is for the caller to check.
pub(crate) fn draft(bytes: &[u8]) -> Result<(Draft, Lines<'_>), Error> {
    let (text, tree) = tree(bytes)?;
    let lines = Lines::new(text);
    let root = Section::root(&lines, &tree);
    // Before everything else: the keys of another version are not unknown keys.
    form_version(&root)?;
    // Known, so that nobody takes it for a slip of the pen.
    if root.holds("network") {
        let event = "sockets come";
        return Err(root.refuse("network", Problem::NotUntil { event }));
    }
    root.allow(&[
        "version",
        "application",
        "module",
        "owner",
        "arguments",
        "environment",
        "limits",
        "mounts",
        "provisioning",
        "recovery",
        "tls",
        "migration",
        "diagnostics",
    ])?;
    let application = application(&root.required_section("application")?)?;
    let draft = Draft {
        module: module(&root.required_section("module")?)?,
        owner: root
            .section("owner")?
            .map(|section| owner(&section))
            .transpose()?,
        arguments: arguments(root.section("arguments")?, &application.name)?,
        environment: environment(root.section("environment")?)?,
        limits: limits(root.section("limits")?)?,
        mounts: root
            .sections("mounts")?
            .iter()
            .map(mount)
            .collect::<Result<_, _>>()?,
        provisioning: root
            .section("provisioning")?
            .map(|section| provisioning(&section))
            .transpose()?,
        recovery: recovery(root.section("recovery")?)?,
        tls: root
            .section("tls")?
            .map(|section| tls(&section))
            .transpose()?,
        migration: migration(root.section("migration")?)?,
        diagnostics: diagnostics(root.section("diagnostics")?)?,
        application,
    };
    Ok((draft, lines))
}

fn tree(bytes: &[u8]) -> Result<(&str, Spanned<DeTable<'_>>), Error> {
    let whole = |problem| Error {
        line: None,
        key: String::new(),
        problem,
    };
    if bytes.len() > DOCUMENT_LEN_BYTES_MAX {
        return Err(whole(Problem::DocumentTooLong { len: bytes.len() }));
    }
    let text = str::from_utf8(bytes).map_err(|_| whole(Problem::NotUtf8))?;
    let tree = DeTable::parse(text).map_err(|error| Error {
        line: error.span().map(|span| line_at(text, span.start)),
        key: String::new(),
        problem: Problem::Syntax(error.message().into()),
    })?;
    Ok((text, tree))
}

fn form_version(root: &Section<'_>) -> Result<(), Error> {
    let version = root.required_number("version")?;
    if version == FORM_VERSION {
        return Ok(());
    }
    Err(root.refuse("version", Problem::UnknownVersion))
}

fn application(section: &Section<'_>) -> Result<Application, Error> {
    section.allow(&["name", "version"])?;
    let version = section.required_number("version")?;
    Ok(Application {
        name: section.required_text("name")?,
        version: u16::try_from(version).map_err(|_| {
            section.refuse(
                "version",
                Problem::OutOfRange {
                    min: 0,
                    max: u16::MAX.into(),
                },
            )
        })?,
    })
}

fn module(section: &Section<'_>) -> Result<ModuleIdentity, Error> {
    section.allow(&["sha256", "wasm_sha256", "engine", "confidential"])?;
    Ok(ModuleIdentity {
        sha256: section.required_digest("sha256")?,
        wasm_sha256: section.required_digest("wasm_sha256")?,
        engine: section.required_text("engine")?,
        confidential: section.flag("confidential")?.unwrap_or(false),
    })
}

fn owner(section: &Section<'_>) -> Result<Owner, Error> {
    section.allow(&["key"])?;
    Ok(Owner {
        key: verifying_key(section)?,
    })
}

fn provisioning(section: &Section<'_>) -> Result<Provisioning, Error> {
    section.allow(&["key", "folder", "secrets", "environment"])?;
    Ok(Provisioning {
        key: verifying_key(section)?,
        folder: section.text("folder")?,
        secrets: section.texts("secrets")?.unwrap_or_default(),
        environment: section.texts("environment")?.unwrap_or_default(),
    })
}

fn verifying_key(section: &Section<'_>) -> Result<VerifyingKey, Error> {
    let text = section.required_text("key")?;
    text.parse()
        .map_err(|_| section.refuse("key", Problem::NotAVerifyingKey))
}

fn recovery(section: Option<Section<'_>>) -> Result<Vec<RecoveryKey>, Error> {
    let Some(section) = section else {
        return Ok(Vec::new());
    };
    section.allow(&["keys"])?;
    section
        .parsed("keys", Problem::NotARecoveryKey)?
        .ok_or_else(|| section.refuse("keys", Problem::Missing))
}

fn tls(section: &Section<'_>) -> Result<Tls, Error> {
    section.allow(&["folder", "names"])?;
    Ok(Tls {
        folder: section.required_text("folder")?,
        names: section.texts("names")?.unwrap_or_default(),
    })
}

fn migration(section: Option<Section<'_>>) -> Result<Migration, Error> {
    let Some(section) = section else {
        return Ok(Migration::default());
    };
    section.allow(&["to", "from"])?;
    let images = |key| {
        let images = section.parsed(key, Problem::NotADigest)?;
        Ok(images.unwrap_or_default())
    };
    Ok(Migration {
        to: images("to")?,
        from: images("from")?,
    })
}

fn arguments(section: Option<Section<'_>>, name: &str) -> Result<Arguments, Error> {
    let Some(section) = section else {
        return Ok(Arguments::Fixed(Vec::from([name.into()])));
    };
    section.allow(&["fixed", "from_caller"])?;
    let fixed = section.texts("fixed")?;
    match (fixed, section.flag("from_caller")?.unwrap_or(false)) {
        (Some(_), true) => Err(section.refuse(
            "fixed",
            Problem::Contradicts {
                key: "arguments.from_caller",
            },
        )),
        (Some(arguments), false) => Ok(Arguments::Fixed(arguments)),
        (None, true) => Ok(Arguments::FromCaller),
        (None, false) => Err(section.refuse("fixed", Problem::Missing)),
    }
}

fn environment(section: Option<Section<'_>>) -> Result<Environment, Error> {
    let Some(section) = section else {
        return Ok(Environment::default());
    };
    section.allow(&["fixed", "from_caller"])?;
    let mut from_caller = BTreeSet::new();
    for name in section.texts("from_caller")?.unwrap_or_default() {
        if !from_caller.insert(name) {
            return Err(section.refuse("from_caller", Problem::Repeated));
        }
    }
    let fixed = section.section("fixed")?;
    Ok(Environment {
        fixed: fixed.map_or_else(|| Ok(BTreeMap::new()), |fixed| fixed.all_texts())?,
        from_caller,
    })
}

fn limits(section: Option<Section<'_>>) -> Result<Limits, Error> {
    let defaults = Limits::default();
    let Some(section) = section else {
        return Ok(defaults);
    };
    section.allow(&[
        "memory_bytes",
        "stack_bytes",
        "table_elements",
        "descriptors",
        "timeout_ms",
    ])?;
    let or = |key, default| section.number(key).map(|value| value.unwrap_or(default));
    Ok(Limits {
        memory_bytes: or("memory_bytes", defaults.memory_bytes)?,
        stack_bytes: or("stack_bytes", defaults.stack_bytes)?,
        table_elements: or("table_elements", defaults.table_elements)?,
        descriptors: or("descriptors", defaults.descriptors)?,
        timeout_ms: section.number("timeout_ms")?,
    })
}

fn mount(section: &Section<'_>) -> Result<Mount, Error> {
    // The kind first: it decides which other keys there are.
    let kind = match section.required_text("kind")?.as_str() {
        "volume" => {
            section.allow(&[
                "guest",
                "kind",
                "read_only",
                "create",
                "bound_to",
                "runtime",
            ])?;
            MountKind::Volume(volume_policy(section)?)
        }
        "tmpfs" => {
            section.allow(&["guest", "kind", "read_only", "size_bytes"])?;
            MountKind::Tmpfs {
                size_bytes: section.required_number("size_bytes")?,
            }
        }
        "host" => {
            section.allow(&["guest", "kind", "read_only"])?;
            MountKind::Host
        }
        _ => return Err(section.refuse("kind", one_of("volume, tmpfs or host"))),
    };
    Ok(Mount {
        guest: section.required_text("guest")?,
        kind,
        read_only: section.flag("read_only")?.unwrap_or(false),
    })
}

fn volume_policy(section: &Section<'_>) -> Result<VolumePolicy, Error> {
    Ok(VolumePolicy {
        create: section.flag("create")?.unwrap_or(false),
        key: key_source(section)?,
    })
}

fn key_source(section: &Section<'_>) -> Result<KeySource, Error> {
    let bound_to = match section.required_text("bound_to")?.as_str() {
        "module" => Binding::Module,
        "document" => Binding::Document,
        "owner" => Binding::Owner,
        "provisioner" if section.holds("runtime") => {
            let key = "bound_to = \"provisioner\"";
            return Err(section.refuse("runtime", Problem::Contradicts { key }));
        }
        "provisioner" => return Ok(KeySource::Provisioned),
        _ => {
            let problem = one_of("module, document, owner or provisioner");
            return Err(section.refuse("bound_to", problem));
        }
    };
    let runtime = match section.required_text("runtime")?.as_str() {
        "image" => RuntimeBinding::Image,
        "signer" => RuntimeBinding::Signer,
        _ => return Err(section.refuse("runtime", one_of("image or signer"))),
    };
    Ok(KeySource::Sealed { bound_to, runtime })
}

const fn one_of(words: &'static str) -> Problem {
    Problem::NotOneOf { words }
}

fn diagnostics(section: Option<Section<'_>>) -> Result<Diagnostics, Error> {
    let Some(section) = section else {
        return Ok(Diagnostics::default());
    };
    section.allow(&["backtraces"])?;
    Ok(Diagnostics {
        backtraces: section.flag("backtraces")?.unwrap_or(false),
    })
}
