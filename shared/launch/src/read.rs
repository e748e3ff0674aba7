//! From TOML to a draft: types, unknown keys and missing keys, each with its line.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::digest::Digest;
use crate::document::{
    Application, Arguments, Diagnostics, Draft, Environment, Limits, ModuleIdentity,
};
use crate::error::{Error, Problem};
use crate::limits::{DOCUMENT_LEN_BYTES_MAX, FORM_VERSION};

/// Where each key stands.
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: RefCell<BTreeMap<String, usize>>,
}

impl Lines<'_> {
    /// The line of `key`, from 1.
    pub(crate) fn line_of(&self, key: &str) -> Option<usize> {
        let starts = self.starts.borrow();
        starts.get(key).map(|start| line_at(self.text, *start))
    }

    fn remember(&self, key: &str, span: &Range<usize>) {
        self.starts.borrow_mut().insert(key.into(), span.start);
    }

    fn refuse(&self, key: &str, span: &Range<usize>, problem: Problem) -> Error {
        Error {
            line: Some(line_at(self.text, span.start)),
            key: key.into(),
            problem,
        }
    }
}

/// Reads a draft. Its values have the right types; whether they make sense is for the caller to check.
pub(crate) fn draft(bytes: &[u8]) -> Result<(Draft, Lines<'_>), Error> {
    let (text, tree) = tree(bytes)?;
    let lines = Lines {
        text,
        starts: RefCell::default(),
    };
    let root = Section {
        lines: &lines,
        path: String::new(),
        span: tree.span(),
        table: tree.get_ref(),
    };
    // Before everything else: the keys of another version are not unknown keys.
    form_version(&root)?;
    root.allow(&[
        "version",
        "application",
        "module",
        "arguments",
        "environment",
        "limits",
        "diagnostics",
    ])?;
    let application = application(&root.required_section("application")?)?;
    let draft = Draft {
        module: module(&root.required_section("module")?)?,
        arguments: arguments(root.section("arguments")?, &application.name)?,
        environment: environment(root.section("environment")?)?,
        limits: limits(root.section("limits")?)?,
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
    section.allow(&["sha256", "wasm_sha256", "engine"])?;
    Ok(ModuleIdentity {
        sha256: section.required_digest("sha256")?,
        wasm_sha256: section.required_digest("wasm_sha256")?,
        engine: section.required_text("engine")?,
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

fn diagnostics(section: Option<Section<'_>>) -> Result<Diagnostics, Error> {
    let Some(section) = section else {
        return Ok(Diagnostics::default());
    };
    section.allow(&["backtraces"])?;
    Ok(Diagnostics {
        backtraces: section.flag("backtraces")?.unwrap_or(false),
    })
}

/// One table of the document.
struct Section<'a> {
    lines: &'a Lines<'a>,
    path: String,
    span: Range<usize>,
    table: &'a DeTable<'a>,
}

impl<'a> Section<'a> {
    fn allow(&self, known: &[&str]) -> Result<(), Error> {
        let unknown = self
            .table
            .keys()
            .find(|key| !known.contains(&key.get_ref().as_ref()));
        match unknown {
            Some(key) => {
                let path = self.path_of(key.get_ref());
                Err(self.lines.refuse(&path, &key.span(), Problem::UnknownKey))
            }
            None => Ok(()),
        }
    }

    fn section(&self, key: &str) -> Result<Option<Self>, Error> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.mistyped(key, "a table", value));
        };
        Ok(Some(Section {
            lines: self.lines,
            path: self.path_of(key),
            span: value.span(),
            table,
        }))
    }

    fn number(&self, key: &str) -> Result<Option<u64>, Error> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let DeValue::Integer(number) = value.get_ref() else {
            return Err(self.mistyped(key, "an integer", value));
        };
        match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Ok(Some(number)),
            // TOML integers are signed and 64 bits wide; what is left is negative or larger than TOML allows.
            Err(_) => Err(self.refuse(
                key,
                Problem::OutOfRange {
                    min: 0,
                    max: i64::MAX.unsigned_abs(),
                },
            )),
        }
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, Error> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        match value.get_ref() {
            DeValue::Boolean(flag) => Ok(Some(*flag)),
            _ => Err(self.mistyped(key, "true or false", value)),
        }
    }

    fn text(&self, key: &str) -> Result<Option<String>, Error> {
        self.value(key)
            .map(|value| self.as_text(key, value))
            .transpose()
    }

    fn texts(&self, key: &str) -> Result<Option<Vec<String>>, Error> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let DeValue::Array(entries) = value.get_ref() else {
            return Err(self.mistyped(key, "a list of strings", value));
        };
        let entry = |(index, value): (usize, &Spanned<DeValue<'_>>)| {
            let key = format!("{key}[{index}]");
            self.lines.remember(&self.path_of(&key), &value.span());
            self.as_text(&key, value)
        };
        entries
            .iter()
            .enumerate()
            .map(entry)
            .collect::<Result<_, _>>()
            .map(Some)
    }

    fn all_texts(&self) -> Result<BTreeMap<String, String>, Error> {
        let entry = |name: &str| Ok((name.to_string(), self.required_text(name)?));
        let names = self.table.keys().map(|key| key.get_ref().as_ref());
        names.map(entry).collect()
    }

    fn required_section(&self, key: &str) -> Result<Self, Error> {
        self.section(key)?.ok_or_else(|| self.missing(key))
    }

    fn required_number(&self, key: &str) -> Result<u64, Error> {
        self.number(key)?.ok_or_else(|| self.missing(key))
    }

    fn required_text(&self, key: &str) -> Result<String, Error> {
        self.text(key)?.ok_or_else(|| self.missing(key))
    }

    fn required_digest(&self, key: &str) -> Result<Digest, Error> {
        let text = self.required_text(key)?;
        text.parse()
            .map_err(|_| self.refuse(key, Problem::NotADigest))
    }

    fn as_text(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<String, Error> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            _ => Err(self.mistyped(key, "a string", value)),
        }
    }

    fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        let value = self.table.get(key)?;
        self.lines.remember(&self.path_of(key), &value.span());
        Some(value)
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.into()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn missing(&self, key: &str) -> Error {
        self.refuse(key, Problem::Missing)
    }

    fn mistyped(&self, key: &str, expected: &'static str, value: &Spanned<DeValue<'_>>) -> Error {
        let found = value.get_ref().type_str();
        let problem = Problem::WrongType { expected, found };
        self.lines
            .refuse(&self.path_of(key), &value.span(), problem)
    }

    /// Refuses the value of `key`, at its own line or, if it is not there, at the table's.
    fn refuse(&self, key: &str, problem: Problem) -> Error {
        let span = self
            .table
            .get(key)
            .map_or_else(|| self.span.clone(), Spanned::span);
        self.lines.refuse(&self.path_of(key), &span, problem)
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
}
