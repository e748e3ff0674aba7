//! How a launch ended: the trusted side of [`twine_abi::outcome`].

use alloc::string::{String, ToString};

use twine_abi::outcome::{Kind, MESSAGE_LEN_MAX};

use crate::error::Error;

/// How a launch ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// What happened.
    pub kind: Kind,
    /// The exit code with [`Kind::Exited`], else zero.
    pub code: u32,
    /// For people; at most [`MESSAGE_LEN_MAX`] bytes.
    pub message: String,
}

impl Outcome {
    /// The guest ended by itself.
    #[must_use]
    pub const fn exited(code: u32) -> Self {
        Self {
            kind: Kind::Exited,
            code,
            message: String::new(),
        }
    }

    /// Anything else.
    #[must_use]
    pub fn failed(kind: Kind, mut message: String) -> Self {
        message.truncate(message.floor_char_boundary(MESSAGE_LEN_MAX));
        Self {
            kind,
            code: 0,
            message,
        }
    }
}

impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        Self::failed(error.kind(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let outcome = Outcome::failed(Kind::Trapped, "é".repeat(MESSAGE_LEN_MAX));
        assert_eq!(outcome.message.len(), MESSAGE_LEN_MAX / 2 * 2);
        assert!(outcome.message.chars().all(|character| character == 'é'));
    }
}
