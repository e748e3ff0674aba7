//! Why a launch document is refused.

use alloc::string::String;
use core::fmt;

use crate::limits::{DOCUMENT_LEN_BYTES_MAX, FORM_VERSION, STRINGS_LEN_BYTES_MAX};

/// Why a launch document is refused, and where. Whoever wrote the document has to mend it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error {
    /// The line, from 1; `None` if the document was not read from text, or as a whole is at fault.
    pub line: Option<usize>,
    /// The key, as a dotted path; empty if no key is concerned.
    pub key: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a launch document.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Problem {
    /// The document is longer than [`DOCUMENT_LEN_BYTES_MAX`].
    DocumentTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The document is not UTF-8.
    NotUtf8,
    /// The document is not TOML; the parser's reason.
    Syntax(String),
    /// The document's form has a version that this release does not know.
    UnknownVersion,
    /// The key means nothing here.
    UnknownKey,
    /// The key has to be there.
    Missing,
    /// The value has another type.
    WrongType {
        /// What is expected, with its article.
        expected: &'static str,
        /// What TOML calls the type that was found.
        found: &'static str,
    },
    /// The number is outside the allowed range.
    OutOfRange {
        /// Least allowed value.
        min: u64,
        /// Greatest allowed value.
        max: u64,
    },
    /// Not 64 lower-case hexadecimal digits.
    NotADigest,
    /// Not a public key of P-256 in compressed form.
    NotAVerifyingKey,
    /// Not a public key of X25519.
    NotARecoveryKey,
    /// Not one of the words that mean something here.
    NotOneOf {
        /// The words.
        words: &'static str,
    },
    /// Not an absolute path in its shortest form.
    NotAPath,
    /// Another mount, or another folder of the runtime, has this path.
    PathTaken,
    /// Neither the name of a host nor an IP address.
    NotAHost,
    /// The text is empty.
    Empty,
    /// The text is longer than this many bytes.
    TextTooLong {
        /// Most bytes.
        max: usize,
    },
    /// The text holds a character that is not allowed here.
    ForbiddenCharacter(char),
    /// The list has more entries than this.
    TooMany {
        /// Most entries.
        max: usize,
    },
    /// All strings together are longer than [`STRINGS_LEN_BYTES_MAX`].
    StringsTooLong,
    /// The entry is in the list twice.
    Repeated,
    /// Another key says something else about the same thing.
    Contradicts {
        /// The other key.
        key: &'static str,
    },
    /// The key means nothing without another.
    Needs {
        /// The other key.
        key: &'static str,
    },
    /// This release cannot do it.
    NotUntil {
        /// What has to come first.
        event: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("launch document")?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ", `{}`", self.key)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DocumentTooLong { len } => {
                write!(
                    f,
                    "{len} bytes, at most {DOCUMENT_LEN_BYTES_MAX} are allowed"
                )
            }
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::Syntax(reason) => write!(f, "not TOML: {reason}"),
            Self::UnknownVersion => {
                write!(
                    f,
                    "this release knows only version {FORM_VERSION} of the form"
                )
            }
            Self::UnknownKey => f.write_str("unknown key"),
            Self::Missing => f.write_str("the key is missing"),
            Self::WrongType { expected, found } => {
                write!(f, "{found} where {expected} is expected")
            }
            Self::OutOfRange { min, max } => write!(f, "outside the range {min} to {max}"),
            Self::NotADigest => f.write_str("not a SHA-256 in 64 lower-case hexadecimal digits"),
            Self::NotAVerifyingKey => f.write_str(
                "not a compressed public key of P-256 (66 lower-case hexadecimal digits, the first two 02 or 03)",
            ),
            Self::NotARecoveryKey => {
                f.write_str("not a public key of X25519 in 64 lower-case hexadecimal digits")
            }
            Self::NotOneOf { words } => write!(f, "must be {words}"),
            Self::NotAPath => f.write_str(
                "not an absolute path in its shortest form (no `.`, `..`, `//`, no `/` at the end)",
            ),
            Self::PathTaken => f.write_str("another mount or folder has this path"),
            Self::NotAHost => f.write_str(
                "neither the name of a host in lower case nor an IP address in its usual form",
            ),
            Self::Empty => f.write_str("must not be empty"),
            Self::TextTooLong { max } => write!(f, "longer than {max} bytes"),
            Self::ForbiddenCharacter(character) => {
                write!(f, "the character {character:?} is not allowed")
            }
            Self::TooMany { max } => write!(f, "more than {max} entries"),
            Self::StringsTooLong => write!(f, "more than {STRINGS_LEN_BYTES_MAX} bytes in all"),
            Self::Repeated => f.write_str("listed twice"),
            Self::Contradicts { key } => write!(f, "contradicts `{key}`; keep one of the two"),
            Self::Needs { key } => write!(f, "has no meaning without `{key}`"),
            Self::NotUntil { event } => write!(f, "not possible until {event}"),
        }
    }
}

impl core::error::Error for Error {}
