//! What one enclave tells another of the same machine: no quote, the report itself.

use alloc::vec::Vec;

use crate::cbor::{self, Reader};
use crate::claims::Claims;
use crate::error::Error;
use crate::limits::{CLAIMS_LEN_BYTES_MAX, PEER_LEN_BYTES_MAX};

/// Length of a REPORT in bytes.
pub const REPORT_LEN_BYTES: usize = 432;

/// A report, made for the enclave that is to check it, with the claims that it vouches for. Nothing has been checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerMessage {
    report: [u8; REPORT_LEN_BYTES],
    claims: Vec<u8>,
}

impl PeerMessage {
    /// Puts a message together.
    #[must_use]
    pub fn new(report: [u8; REPORT_LEN_BYTES], claims: &Claims) -> Self {
        Self {
            report,
            claims: claims.encode(),
        }
    }

    /// The report: the target checks its MAC before it believes a byte of it.
    #[must_use]
    pub const fn report(&self) -> &[u8; REPORT_LEN_BYTES] {
        &self.report
    }

    /// Reads the claims that the report, once checked, vouches for with its REPORT_DATA.
    ///
    /// # Errors
    /// As [`Claims::vouched`].
    pub fn vouched_claims(&self, report_data: &[u8; 64]) -> Result<Claims, Error> {
        Claims::vouched(&self.claims, report_data)
    }

    /// Returns the one encoding of this message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(|out| {
            out.array(4)?
                .str(NAME)?
                .u64(VERSION)?
                .bytes(&self.report)?
                .bytes(&self.claims)?
                .ok()
        })
    }

    /// Reads a message; the claims in it stay as they are until somebody asks for them.
    ///
    /// # Errors
    /// An [`Error`] if the bytes are not the encoding of a message.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("peer message", bytes, PEER_LEN_BYTES_MAX)?;
        reader.array(4)?;
        reader.message(NAME, VERSION)?;
        let report = reader.exactly("report")?;
        let claims = reader.bytes("claims")?;
        let message = Self {
            report,
            claims: claims.to_vec(),
        };
        reader.finish(&message.encode())?;
        if claims.len() > CLAIMS_LEN_BYTES_MAX {
            return Err(Error::TooLong {
                what: "claims",
                len: claims.len(),
                max: CLAIMS_LEN_BYTES_MAX,
            });
        }
        Ok(message)
    }
}

const NAME: &str = "twine-peer";
const VERSION: u64 = 1;
