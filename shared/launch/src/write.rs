//! From a draft to TOML: one text for each draft, with every default spelled out.

use alloc::string::String;
use core::fmt::{self, Write};

use crate::document::{Arguments, Draft};
use crate::limits::FORM_VERSION;
use crate::mounts::{Mount, MountKind};

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
    write_arguments(out, &draft.arguments)?;
    write_environment(out, draft)?;
    write_limits(out, draft)?;
    draft
        .mounts
        .iter()
        .try_for_each(|mount| write_mount(out, mount))?;
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
            writeln!(out, "bound_to = \"{}\"", policy.bound_to.name())?;
            writeln!(out, "runtime = \"{}\"", policy.runtime.name())
        }
        MountKind::Tmpfs { size_bytes } => writeln!(out, "size_bytes = {size_bytes}"),
        MountKind::Host => Ok(()),
    }
}

fn write_list<'a>(
    out: &mut String,
    key: &str,
    entries: impl IntoIterator<Item = &'a String>,
) -> fmt::Result {
    write!(out, "{key} = [")?;
    for (index, entry) in entries.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(out, "{comma}{}", Quoted(entry))?;
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
