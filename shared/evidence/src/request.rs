//! The request of an enclave that is to be provisioned.

use alloc::vec::Vec;

use crate::cbor::{self, Reader};
use crate::claims::sha256;
use crate::error::Error;
use crate::evidence::Evidence;
use crate::limits::REQUEST_LEN_BYTES_MAX;

const NAME: &str = "twine-request";
const VERSION: u64 = 1;

/// Evidence that names the key to encrypt to. Nothing about it has been checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// The evidence.
    pub evidence: Evidence,
}

impl Request {
    /// Returns the one encoding of this request.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(|out| {
            out.array(3)?
                .str(NAME)?
                .u64(VERSION)?
                .bytes(&self.evidence.encode())?
                .ok()
        })
    }

    /// Reads a request.
    ///
    /// # Errors
    /// An [`Error`] if the bytes are not the encoding of a request.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("request", bytes, REQUEST_LEN_BYTES_MAX)?;
        reader.array(3)?;
        reader.message(NAME, VERSION)?;
        let evidence = Evidence::decode(reader.bytes("evidence")?)?;
        let request = Self { evidence };
        reader.finish(&request.encode())?;
        Ok(request)
    }

    /// How a bundle names the request with these bytes that it answers.
    #[must_use]
    pub fn hash(bytes: &[u8]) -> [u8; 32] {
        sha256(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_these_bytes_and_no_others() {
        let golden = include_bytes!("../tests/golden/request.cbor");
        let request = Request::decode(golden).unwrap();
        assert_eq!(request.encode(), golden);
        for at in 0..golden.len() {
            Request::decode(&golden[..at]).unwrap_err();
            for bit in 0..8 {
                let mut changed = golden.to_vec();
                changed[at] ^= 1 << bit;
                crate::fuzzing::request(&changed);
                assert_ne!(Request::decode(&changed).as_ref(), Ok(&request));
            }
        }
        let longer = [&golden[..], b"x"].concat();
        let refusal = Err(Error::NotDeterministic { what: "request" });
        assert_eq!(Request::decode(&longer), refusal);
    }

    #[test]
    fn a_request_with_the_longest_evidence_fits() {
        use crate::evidence::Origin;
        use crate::limits::{CLAIMS_LEN_BYTES_MAX, QUOTE_LEN_BYTES_MAX};
        let quote = alloc::vec![1; QUOTE_LEN_BYTES_MAX];
        let claims = alloc::vec![2; CLAIMS_LEN_BYTES_MAX];
        let evidence = Evidence::new(Origin::Emulator, quote, claims).unwrap();
        let bytes = Request { evidence }.encode();
        assert_eq!(bytes.len(), REQUEST_LEN_BYTES_MAX);
        Request::decode(&bytes).unwrap();
    }
}
