//! What is handed to a verifier: evidence, a quote, or a certificate that holds evidence.

use twine_abi::sgx::ReportBody;
use twine_evidence::{Evidence, Origin};

use crate::certificate::{self, Certificate};
use crate::marks::Marks;
use crate::quote::{self, Quote};

/// What was handed over, taken apart. Nothing about it has been checked but its form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Presented {
    pub(crate) origin: Origin,
    pub(crate) quote: Quote,
    /// Encoded.
    pub(crate) claims: Option<Vec<u8>>,
    /// SubjectPublicKeyInfo of the certificate around it, DER.
    pub(crate) public_key: Option<Vec<u8>>,
}

/// Why bytes cannot be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing that is known here.
    #[error("this is neither evidence nor a quote nor a certificate (PEM or DER)")]
    Unknown,
    /// The quote is not one.
    #[error(transparent)]
    Quote(#[from] quote::Error),
    /// The evidence is not in its form.
    #[error("{0}")]
    Evidence(twine_evidence::Error),
    /// The certificate is not one, or holds no evidence.
    #[error(transparent)]
    Certificate(#[from] certificate::Error),
}

/// What something is, by its first bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Evidence: a quote with claims.
    Evidence,
    /// A quote alone.
    Quote,
    /// An RA-TLS certificate, in DER or PEM.
    Certificate,
}

impl Kind {
    /// Tells the kinds apart.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            // A CBOR tag of two or four bytes.
            [0xd9 | 0xda, ..] => Some(Self::Evidence),
            // Any version of quote, so that the refusal of another one can say so.
            [1..=9, 0, 0..=9, 0, ..] => Some(Self::Quote),
            // A SEQUENCE, or text.
            [0x30, ..] => Some(Self::Certificate),
            _ if is_pem(bytes) => Some(Self::Certificate),
            _ => None,
        }
    }
}

impl Presented {
    /// Takes apart what was handed over, whatever it is.
    ///
    /// # Errors
    /// If it is nothing that can be judged.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        match Kind::of(bytes).ok_or(Error::Unknown)? {
            Kind::Evidence => Self::evidence(bytes),
            Kind::Quote => Self::quote_alone(bytes),
            Kind::Certificate => Self::certificate(bytes),
        }
    }

    /// Takes encoded evidence apart.
    ///
    /// # Errors
    /// If it is not evidence, or its quote not one.
    pub fn evidence(bytes: &[u8]) -> Result<Self, Error> {
        let evidence = Evidence::decode(bytes).map_err(Error::Evidence)?;
        Self::of(&evidence)
    }

    /// Takes a quote that came alone.
    ///
    /// # Errors
    /// If it is not a quote.
    pub fn quote_alone(bytes: &[u8]) -> Result<Self, Error> {
        let quote = Quote::parse(bytes)?;
        // No tag says what it is meant to be, so it is what its marks say; they are checked as strictly.
        let simulated = !Marks::of_quote(&quote).present.is_empty();
        Ok(Self {
            origin: if simulated {
                Origin::Emulator
            } else {
                Origin::Processor
            },
            quote,
            claims: None,
            public_key: None,
        })
    }

    /// Takes an RA-TLS certificate apart, in DER or PEM; of several in one text the first.
    ///
    /// The certificate's own signature, names and dates are not looked at: what counts is the evidence in it, and that whoever
    /// presents it has its private key, which TLS sees to.
    ///
    /// # Errors
    /// If it is not a certificate, or holds no evidence.
    pub fn certificate(bytes: &[u8]) -> Result<Self, Error> {
        let Certificate {
            evidence,
            public_key,
        } = Certificate::read(bytes)?;
        let mut presented = Self::of(&evidence)?;
        presented.public_key = Some(public_key);
        Ok(presented)
    }

    fn of(evidence: &Evidence) -> Result<Self, Error> {
        Ok(Self {
            origin: evidence.origin(),
            quote: Quote::parse(evidence.quote())?,
            claims: Some(evidence.claims().to_vec()),
            public_key: None,
        })
    }

    /// Who the enclave is said to be.
    #[must_use]
    pub const fn report(&self) -> &ReportBody {
        self.quote.body()
    }

    /// The quote.
    #[must_use]
    pub const fn quote(&self) -> &Quote {
        &self.quote
    }
}

pub(crate) fn is_pem(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"-----BEGIN ")
}
