//! One table of the document, and where everything in it stands.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ops::Range;
use core::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::digest::Digest;
use crate::error::{Error, Problem};

/// Where each key stands.
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: RefCell<BTreeMap<String, usize>>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            starts: RefCell::default(),
        }
    }

    /// The line of `key`, from 1; if it is not there, of the table it belongs to.
    pub(crate) fn line_of(&self, key: &str) -> Option<usize> {
        let starts = self.starts.borrow();
        let table = || key.rsplit_once('.').map(|(table, _)| table);
        let start = starts.get(key).or_else(|| starts.get(table()?));
        start.map(|start| line_at(self.text, *start))
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

/// One table of the document.
pub(super) struct Section<'a> {
    lines: &'a Lines<'a>,
    path: String,
    span: Range<usize>,
    table: &'a DeTable<'a>,
}

impl<'a> Section<'a> {
    /// The whole document.
    pub(super) fn root(lines: &'a Lines<'a>, tree: &'a Spanned<DeTable<'a>>) -> Self {
        Self {
            lines,
            path: String::new(),
            span: tree.span(),
            table: tree.get_ref(),
        }
    }

    pub(super) fn allow(&self, known: &[&str]) -> Result<(), Error> {
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

    pub(super) fn holds(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn section(&self, key: &str) -> Result<Option<Self>, Error> {
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

    /// A list of tables (`[[key]]`); empty if the key is not there.
    pub(super) fn sections(&self, key: &str) -> Result<Vec<Self>, Error> {
        let Some(value) = self.value(key) else {
            return Ok(Vec::new());
        };
        let DeValue::Array(entries) = value.get_ref() else {
            return Err(self.mistyped(key, "a list of tables", value));
        };
        let entry = |(index, value): (usize, &'a Spanned<DeValue<'a>>)| {
            let key = format!("{key}[{index}]");
            self.lines.remember(&self.path_of(&key), &value.span());
            match value.get_ref() {
                DeValue::Table(table) => Ok(Section {
                    lines: self.lines,
                    path: self.path_of(&key),
                    span: value.span(),
                    table,
                }),
                _ => Err(self.mistyped(&key, "a table", value)),
            }
        };
        entries.iter().enumerate().map(entry).collect()
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, Error> {
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

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Error> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        match value.get_ref() {
            DeValue::Boolean(flag) => Ok(Some(*flag)),
            _ => Err(self.mistyped(key, "true or false", value)),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Error> {
        self.value(key)
            .map(|value| self.as_text(key, value))
            .transpose()
    }

    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<String>>, Error> {
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

    /// A list of strings that each spell a value; `problem` says what one is that does not.
    pub(super) fn parsed<T: FromStr>(
        &self,
        key: &str,
        problem: Problem,
    ) -> Result<Option<Vec<T>>, Error> {
        let Some(texts) = self.texts(key)? else {
            return Ok(None);
        };
        let parse = |(index, text): (usize, &String)| {
            text.parse().map_err(|_| {
                let key = self.path_of(&format!("{key}[{index}]"));
                Error {
                    line: self.lines.line_of(&key),
                    key,
                    problem: problem.clone(),
                }
            })
        };
        let values = texts.iter().enumerate().map(parse);
        values.collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn all_texts(&self) -> Result<BTreeMap<String, String>, Error> {
        let entry = |name: &str| Ok((name.to_string(), self.required_text(name)?));
        let names = self.table.keys().map(|key| key.get_ref().as_ref());
        names.map(entry).collect()
    }

    pub(super) fn required_section(&self, key: &str) -> Result<Self, Error> {
        self.section(key)?.ok_or_else(|| self.missing(key))
    }

    pub(super) fn required_number(&self, key: &str) -> Result<u64, Error> {
        self.number(key)?.ok_or_else(|| self.missing(key))
    }

    pub(super) fn required_text(&self, key: &str) -> Result<String, Error> {
        self.text(key)?.ok_or_else(|| self.missing(key))
    }

    pub(super) fn required_digest(&self, key: &str) -> Result<Digest, Error> {
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
    pub(super) fn refuse(&self, key: &str, problem: Problem) -> Error {
        let span = self
            .table
            .get(key)
            .map_or_else(|| self.span.clone(), Spanned::span);
        self.lines.refuse(&self.path_of(key), &span, problem)
    }
}

pub(super) fn line_at(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
}
