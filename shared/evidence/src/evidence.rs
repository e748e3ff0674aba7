//! Evidence: a quote, and the claims that it vouches for.

use alloc::vec::Vec;

use minicbor::data::Tag;

use crate::cbor::{self, Reader};
use crate::claims::Claims;
use crate::error::Error;
use crate::limits::{CLAIMS_LEN_BYTES_MAX, EVIDENCE_LEN_BYTES_MAX, QUOTE_LEN_BYTES_MAX};

/// A quote with the claims that its REPORT_DATA vouches for. Nothing about the quote has been checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Evidence {
    origin: Origin,
    quote: Vec<u8>,
    claims: Vec<u8>,
}

/// Who is said to have made a quote.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Origin {
    /// A processor.
    Processor,
    /// The emulator: it proves nothing to anybody.
    Emulator,
}

impl Evidence {
    /// Puts evidence together. `claims` are encoded.
    ///
    /// # Errors
    /// [`Error::TooLong`] if the quote or the claims are longer than evidence has room for.
    pub fn new(origin: Origin, quote: Vec<u8>, claims: Vec<u8>) -> Result<Self, Error> {
        fits("quote", &quote, QUOTE_LEN_BYTES_MAX)?;
        fits("claims", &claims, CLAIMS_LEN_BYTES_MAX)?;
        Ok(Self {
            origin,
            quote,
            claims,
        })
    }

    /// Who is said to have made the quote. A verifier must not believe it, but find it in the quote.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// The quote.
    #[must_use]
    pub fn quote(&self) -> &[u8] {
        &self.quote
    }

    /// The claims, encoded. Evidence of other projects (RA-TLS) has claims that [`Claims`] does not know.
    #[must_use]
    pub fn claims(&self) -> &[u8] {
        &self.claims
    }

    /// Reads the claims that a report, taken from the verified quote, vouches for with its REPORT_DATA.
    ///
    /// # Errors
    /// As [`Claims::vouched`].
    pub fn vouched_claims(&self, report_data: &[u8; 64]) -> Result<Claims, Error> {
        Claims::vouched(&self.claims, report_data)
    }

    /// Returns the one encoding of this evidence.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(|out| {
            out.tag(Tag::new(self.origin.tag()))?
                .array(2)?
                .bytes(&self.quote)?
                .bytes(&self.claims)?
                .ok()
        })
    }

    /// Reads evidence; the claims in it stay as they are.
    ///
    /// # Errors
    /// An [`Error`] if the bytes are not the encoding of evidence.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("evidence", bytes, EVIDENCE_LEN_BYTES_MAX)?;
        let tag = reader.part("tag", minicbor::Decoder::tag)?;
        let origin = Origin::from_tag(tag.as_u64()).ok_or_else(|| reader.malformed("tag"))?;
        reader.array(2)?;
        let quote = reader.bytes("quote")?.to_vec();
        let claims = reader.bytes("claims")?.to_vec();
        let evidence = Self::new(origin, quote, claims)?;
        reader.finish(&evidence.encode())?;
        Ok(evidence)
    }
}

impl Origin {
    /// The tag of evidence from there. Interoperable RA-TLS knows only the processor's, so that nobody elsewhere even parses
    /// the emulator's.
    #[must_use]
    pub const fn tag(self) -> u64 {
        match self {
            Self::Processor => 60_000,
            Self::Emulator => 1_397_312_853,
        }
    }

    /// The origin that a tag tells.
    #[must_use]
    pub const fn from_tag(tag: u64) -> Option<Self> {
        match tag {
            60_000 => Some(Self::Processor),
            1_397_312_853 => Some(Self::Emulator),
            _ => None,
        }
    }
}

fn fits(what: &'static str, bytes: &[u8], max: usize) -> Result<(), Error> {
    let len = bytes.len();
    if len > max {
        return Err(Error::TooLong { what, len, max });
    }
    Ok(())
}

const _: () = assert!(
    Origin::Emulator.tag() == 0x5349_4D55,
    "spells SIMU; frozen: docs/attestation.md"
);
