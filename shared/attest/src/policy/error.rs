//! Why a policy is refused.

use std::fmt;

/// Why a policy is refused, and where. Whoever wrote it has to mend it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error {
    /// The line, from 1; `None` if no line is concerned.
    pub line: Option<usize>,
    /// The key, as a dotted path; empty if no key is concerned.
    pub key: String,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("policy")?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ", `{}`", self.key)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for Error {}
