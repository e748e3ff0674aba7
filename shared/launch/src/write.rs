//! From a draft to TOML: one text for each draft, with every default spelled out.

use alloc::format;
use alloc::string::String;
use core::fmt::{self, Write};

use crate::document::{Arguments, Draft};
use crate::limits::FORM_VERSION;
use crate::mounts::{KeySource, Mount, MountKind};
use crate::parties::Migration;

/// The document as TOML.
pub(crate) fn document(draft: &Draft) -> String {
    let mut text = String::new();
    let result = write(&mut text, draft);
    assert!(result.is_ok(), "writing to a string cannot fail");
    text
}

fn write(out: &mut String, draft: &Draft) -> fmt::Result {
    writeln!(out, "version = {FORM_VERSION}")?;
    writeln!(out, "\n[application]")?;
    writeln!(out, "name = {}", Quoted(&draft.application.name))?;
    writeln!(out, "version = {}", draft.application.version)?;
    writeln!(out, "\n[module]")?;
    writeln!(out, "sha256 = \"{}\"", draft.module.sha256)?;
    writeln!(out, "wasm_sha256 = \"{}\"", draft.module.wasm_sha256)?;
    writeln!(out, "engine = {}", Quoted(&draft.module.engine))?;
    if draft.module.confidential {
        writeln!(out, "confidential = true")?;
    }
    if let Some(owner) = &draft.owner {
        writeln!(out, "\n[owner]\nkey = \"{}\"", owner.key)?;
    }
    write_arguments(out, &draft.arguments)?;
    write_environment(out, draft)?;
    write_limits(out, draft)?;
    draft
        .mounts
        .iter()
        .try_for_each(|mount| write_mount(out, mount))?;
    write_parties(out, draft)?;
    writeln!(out, "\n[diagnostics]")?;
    writeln!(out, "backtraces = {}", draft.diagnostics.backtraces)
}

fn write_arguments(out: &mut String, arguments: &Arguments) -> fmt::Result {
    writeln!(out, "\n[arguments]")?;
    match arguments {
        Arguments::Fixed(arguments) => write_list(out, "fixed", arguments),
        Arguments::FromCaller => writeln!(out, "from_caller = true"),
    }
}

fn write_environment(out: &mut String, draft: &Draft) -> fmt::Result {
    writeln!(out, "\n[environment]")?;
    write_list(out, "from_caller", &draft.environment.from_caller)?;
    writeln!(out, "\n[environment.fixed]")?;
    draft
        .environment
        .fixed
        .iter()
        .try_for_each(|(name, value)| writeln!(out, "{} = {}", Quoted(name), Quoted(value)))
}

fn write_limits(out: &mut String, draft: &Draft) -> fmt::Result {
    let limits = &draft.limits;
    writeln!(out, "\n[limits]")?;
    writeln!(out, "memory_bytes = {}", limits.memory_bytes)?;
    writeln!(out, "stack_bytes = {}", limits.stack_bytes)?;
    writeln!(out, "table_elements = {}", limits.table_elements)?;
    writeln!(out, "descriptors = {}", limits.descriptors)?;
    match limits.timeout_ms {
        Some(timeout) => writeln!(out, "timeout_ms = {timeout}"),
        None => Ok(()),
    }
}

fn write_mount(out: &mut String, mount: &Mount) -> fmt::Result {
    writeln!(out, "\n[[mounts]]")?;
    writeln!(out, "guest = {}", Quoted(&mount.guest))?;
    writeln!(out, "kind = \"{}\"", mount.kind.name())?;
    writeln!(out, "read_only = {}", mount.read_only)?;
    match &mount.kind {
        MountKind::Volume(policy) => {
            writeln!(out, "create = {}", policy.create)?;
            writeln!(out, "bound_to = \"{}\"", policy.key.name())?;
            match policy.key {
                KeySource::Sealed { runtime, .. } => {
                    writeln!(out, "runtime = \"{}\"", runtime.name())
                }
                KeySource::Provisioned => Ok(()),
            }
        }
        MountKind::Tmpfs { size_bytes } => writeln!(out, "size_bytes = {size_bytes}"),
        MountKind::Host => Ok(()),
    }
}

/// Sections that have no default are written only if they say something.
fn write_parties(out: &mut String, draft: &Draft) -> fmt::Result {
    if let Some(provisioning) = &draft.provisioning {
        writeln!(out, "\n[provisioning]\nkey = \"{}\"", provisioning.key)?;
        if let Some(folder) = &provisioning.folder {
            writeln!(out, "folder = {}", Quoted(folder))?;
        }
        write_list(out, "secrets", &provisioning.secrets)?;
        write_list(out, "environment", &provisioning.environment)?;
    }
    if !draft.recovery.is_empty() {
        writeln!(out, "\n[recovery]")?;
        write_hex_list(out, "keys", &draft.recovery)?;
    }
    if let Some(tls) = &draft.tls {
        writeln!(out, "\n[tls]\nfolder = {}", Quoted(&tls.folder))?;
        write_list(out, "names", &tls.names)?;
    }
    let Migration { to, from } = &draft.migration;
    if !to.is_empty() || !from.is_empty() {
        writeln!(out, "\n[migration]")?;
        write_hex_list(out, "to", to)?;
        write_hex_list(out, "from", from)?;
    }
    Ok(())
}

fn write_list<'a>(
    out: &mut String,
    key: &str,
    entries: impl IntoIterator<Item = &'a String>,
) -> fmt::Result {
    write_entries(out, key, entries.into_iter().map(|entry| Quoted(entry)))
}

fn write_hex_list<T: fmt::Display>(out: &mut String, key: &str, entries: &[T]) -> fmt::Result {
    write_entries(out, key, entries.iter().map(|entry| format!("\"{entry}\"")))
}

fn write_entries(
    out: &mut String,
    key: &str,
    entries: impl Iterator<Item = impl fmt::Display>,
) -> fmt::Result {
    write!(out, "{key} = [")?;
    for (index, entry) in entries.enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(out, "{comma}{entry}")?;
    }
    writeln!(out, "]")
}

/// A TOML basic string.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                // The control characters that a basic string must not hold as they are (TOML 1.0, "String").
                '\0'..='\x1f' | '\x7f' => write!(f, "\\u{:04X}", u32::from(character))?,
                _ => f.write_char(character)?,
            }
        }
        f.write_char('"')
    }
}
