//! Why bytes are refused.

use core::fmt;

use crate::claims::Purpose;

/// Why bytes are refused. Whoever made them is to blame, or whoever changed them on their way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// There are more bytes than this form may have.
    TooLong {
        /// What was read.
        what: &'static str,
        /// Length in bytes.
        len: usize,
        /// Most bytes.
        max: usize,
    },
    /// The bytes are not CBOR of the form in docs/attestation.md.
    Malformed {
        /// What was read.
        what: &'static str,
        /// The part that is wrong.
        part: &'static str,
    },
    /// The bytes say something that is allowed, but not in the one way in which it may be written; or more bytes follow.
    NotDeterministic {
        /// What was read.
        what: &'static str,
    },
    /// A claim with a key that is not in the table.
    UnknownClaim,
    /// A purpose that is not in the table.
    UnknownPurpose,
    /// A claim that this purpose needs is not there.
    MissingClaim {
        /// The claim's key.
        claim: &'static str,
    },
    /// A claim that does not go with this purpose.
    UnexpectedClaim {
        /// The claim's key.
        claim: &'static str,
        /// The purpose.
        purpose: Purpose,
    },
    /// A nonce of a length that is not allowed.
    NonceLength {
        /// Length in bytes.
        len: usize,
    },
    /// The report vouches for other claims than these.
    NotVouchedFor,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { what, len, max } => {
                write!(f, "{what}: {len} bytes, at most {max} are allowed")
            }
            Self::Malformed { what, part } => {
                write!(f, "{what}: the {part} is missing or not what it should be")
            }
            Self::NotDeterministic { what } => write!(
                f,
                "{what}: not in its deterministic form, or more bytes follow"
            ),
            Self::UnknownClaim => f.write_str("claims: a claim that this release does not know"),
            Self::UnknownPurpose => {
                f.write_str("claims: a purpose that this release does not know")
            }
            Self::MissingClaim { claim } => write!(f, "claims: `{claim}` is missing"),
            Self::UnexpectedClaim { claim, purpose } => {
                write!(f, "claims: `{claim}` does not go with purpose `{purpose}`")
            }
            Self::NonceLength { len } => write!(
                f,
                "nonce: {len} bytes, {} to {} are allowed",
                crate::limits::NONCE_LEN_BYTES_MIN,
                crate::limits::NONCE_LEN_BYTES_MAX
            ),
            Self::NotVouchedFor => f.write_str("claims: the report vouches for others than these"),
        }
    }
}

impl core::error::Error for Error {}
