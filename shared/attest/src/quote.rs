//! Quotes: reports that a quoting enclave has signed, version 3, ECDSA over P-256. All integers are little-endian.
//!
//! ```text
//! offset  size  field
//!      0    48  header        version, key type, vendor, user data           ┐ signed by the attestation key
//!     48   384  report body   as the processor wrote it                      ┘
//!    432     4  length        of everything behind it
//!    436    64  signature     r, s
//!    500    64  key           the attestation key: x, y
//!    564   384  report body   of the quoting enclave                           signed by the processor's key
//!    948    64  signature     r, s
//!   1012     2  length        32
//!   1014    32  data          with the attestation key, hashed in the quoting enclave's report
//!   1046     2  type          5: a chain of certificates
//!   1048     4  length
//!   1052        chain         PEM: the processor's key, its authority, Intel's root
//! ```
//!
//! (Intel, "SGX ECDSA Quote Library Reference DCAP API", appendix "Quote Format".) Reading is strict: every length fills
//! exactly what holds it, and no byte follows. Nothing here checks a signature; see [`verify`](crate::verify()).

use twine_abi::sgx::ReportBody;

use crate::limits::QUOTE_LEN_BYTES_MAX;

/// Length of the part that the attestation key signs. Its hash identifies a quote; a hash of the whole does not, because
/// some of the bytes behind can be changed without breaking any signature.
pub const SIGNED_LEN: usize = HEADER_LEN + ReportBody::LEN;

/// A quote of the right form. What it says is a claim until [`verify`](crate::verify()) has judged it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quote {
    bytes: Vec<u8>,
    header: Header,
    body: ReportBody,
    quoting_enclave: ReportBody,
    chain: String,
}

/// The part of a quote before the report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Header {
    /// Who made the quoting enclave. [`INTEL`] is the only vendor there is.
    pub vendor: [u8; 16],
    /// Chosen by the quoting enclave.
    pub user_data: [u8; 20],
}

/// Why bytes are not a quote.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Fewer bytes than any quote has.
    #[error("the quote is cut off: at least {missing} bytes are missing")]
    CutOff {
        /// Bytes that are missing, at least.
        missing: usize,
    },
    /// More bytes than the quote says it has.
    #[error("{0} bytes follow behind the quote: hand it over exactly as it was made")]
    Trailing(usize),
    /// More bytes than any quote needs.
    #[error("{0} bytes are more than a quote can have")]
    TooLong(usize),
    /// Another version.
    #[error("the quote has version {0}, but quotes of SGX enclaves have version 3")]
    Version(u16),
    /// The attestation key is of another kind.
    #[error("the quote's attestation key is of type {0}, but only 2 (ECDSA with P-256) is in use")]
    KeyType(u16),
    /// A quote of something that is not an SGX enclave.
    #[error("the quote is of type {0:#x}, not of an SGX enclave (0)")]
    TeeType(u32),
    /// A length inside contradicts the length of the whole.
    #[error("the lengths inside the quote contradict each other")]
    Lengths,
    /// The quote comes without the certificates that are needed.
    #[error(
        "the quote carries certification data of type {0} instead of a chain of certificates (5): \
         the machine that made it has not fetched its certificates yet"
    )]
    CertificationType(u16),
    /// The certificates are not text.
    #[error("the certificates in the quote are not PEM")]
    Chain,
}

/// Intel's identifier as a vendor of quoting enclaves.
pub const INTEL: [u8; 16] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];

impl Quote {
    /// Reads a quote.
    ///
    /// # Errors
    /// If the bytes are not exactly one quote of the only form there is for SGX.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > QUOTE_LEN_BYTES_MAX {
            return Err(Error::TooLong(bytes.len()));
        }
        let mut whole = Reader { rest: bytes };
        let header = Header::read(&mut whole)?;
        let body = ReportBody::from_bytes(&whole.array()?);
        let len = whole.u32()?;
        let mut signature = Reader {
            rest: whole.take(len)?,
        };
        match whole.rest.len() {
            0 => {}
            len => return Err(Error::Trailing(len)),
        }
        let (quoting_enclave, chain) =
            read_signature(&mut signature).map_err(|error| match error {
                // The quote itself is whole: what is cut off is something in it.
                Error::CutOff { .. } => Error::Lengths,
                error => error,
            })?;
        Ok(Self {
            bytes: bytes.to_vec(),
            header,
            body,
            quoting_enclave,
            chain,
        })
    }

    /// The whole quote.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The part before the report.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The enclave's report.
    #[must_use]
    pub const fn body(&self) -> &ReportBody {
        &self.body
    }

    /// The quoting enclave's report.
    #[must_use]
    pub const fn quoting_enclave(&self) -> &ReportBody {
        &self.quoting_enclave
    }

    /// The certificates of the processor's key, PEM, leaf first.
    #[must_use]
    pub fn certificates(&self) -> &str {
        &self.chain
    }
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        match reader.u16()? {
            VERSION => {}
            other => return Err(Error::Version(other)),
        }
        match reader.u16()? {
            KEY_TYPE => {}
            other => return Err(Error::KeyType(other)),
        }
        // Reserved in version 3, where quotes are of SGX enclaves alone; since version 4 the kind of what is quoted.
        match u32::from_le_bytes(reader.array()?) {
            TEE_TYPE => {}
            other => return Err(Error::TeeType(other)),
        }
        // The versions of quoting enclave and provisioning enclave: certificates and collateral say what counts.
        let _versions: [u8; 4] = reader.array()?;
        Ok(Self {
            vendor: reader.array()?,
            user_data: reader.array()?,
        })
    }
}

/// What lies behind the signed part.
fn read_signature(reader: &mut Reader<'_>) -> Result<(ReportBody, String), Error> {
    let _signature_and_key: [u8; 128] = reader.array()?;
    let quoting_enclave = ReportBody::from_bytes(&reader.array()?);
    let _signature: [u8; 64] = reader.array()?;
    let len = reader.u16()?;
    if usize::from(len) != AUTHENTICATION_DATA_LEN {
        return Err(Error::Lengths);
    }
    reader.take(AUTHENTICATION_DATA_LEN)?;
    match reader.u16()? {
        CERTIFICATE_CHAIN => {}
        other => return Err(Error::CertificationType(other)),
    }
    let len = reader.u32()?;
    let chain = reader.take(len)?;
    if !reader.rest.is_empty() {
        return Err(Error::Lengths);
    }
    let chain = str::from_utf8(chain).map_err(|_| Error::Chain)?;
    Ok((quoting_enclave, chain.to_owned()))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or_else(|| Error::CutOff {
                missing: len.saturating_sub(self.rest.len()),
            })?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<usize, Error> {
        let len = u32::from_le_bytes(self.array()?);
        // What does not fit the address space does not fit the quote either.
        Ok(usize::try_from(len).unwrap_or(usize::MAX))
    }
}

const HEADER_LEN: usize = 48;
const VERSION: u16 = 3;
const KEY_TYPE: u16 = 2;
const TEE_TYPE: u32 = 0;
const CERTIFICATE_CHAIN: u16 = 5;
const AUTHENTICATION_DATA_LEN: usize = 32;

const _: () = assert!(SIGNED_LEN == 432, "Intel's format");

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTE: &[u8] = include_bytes!("../tests/vectors/matrix/quotes/dcap-qvl__sgx_quote.bin");

    #[test]
    fn a_quote_is_read_as_what_it_says() {
        let quote = Quote::parse(QUOTE).unwrap();
        assert_eq!(quote.header().vendor, INTEL);
        assert_eq!(quote.body().to_bytes(), QUOTE[48..432]);
        assert_eq!(quote.quoting_enclave().to_bytes(), QUOTE[564..948]);
        assert!(
            quote
                .certificates()
                .starts_with("-----BEGIN CERTIFICATE-----")
        );
        assert_eq!(quote.bytes(), QUOTE);
    }

    #[test]
    fn a_byte_behind_is_refused_and_so_is_every_cut() {
        let longer = [QUOTE, &[0]].concat();
        assert_eq!(Quote::parse(&longer), Err(Error::Trailing(1)));
        for len in 0..QUOTE.len() {
            let cut = Quote::parse(&QUOTE[..len]);
            assert!(matches!(cut, Err(Error::CutOff { .. })), "{len}: {cut:?}");
        }
    }

    #[test]
    fn each_field_of_the_form_has_its_own_refusal() {
        let with = |offset: usize, bytes: &[u8]| {
            let mut quote = QUOTE.to_vec();
            quote[offset..offset + bytes.len()].copy_from_slice(bytes);
            Quote::parse(&quote).unwrap_err()
        };
        assert_eq!(with(0, &[4, 0]), Error::Version(4));
        assert_eq!(with(2, &[3, 0]), Error::KeyType(3));
        assert_eq!(with(4, &[0x81, 0, 0, 0]), Error::TeeType(0x81));
        assert_eq!(with(1012, &[31, 0]), Error::Lengths);
        assert_eq!(with(1046, &[3, 0]), Error::CertificationType(3));
        assert_eq!(with(1048, &[0, 0, 0, 0]), Error::Lengths);
        assert_eq!(with(1048, &[0xff, 0xff, 0xff, 0xff]), Error::Lengths);
        assert_eq!(with(1052, &[0xff]), Error::Chain);
        let long = vec![0; QUOTE_LEN_BYTES_MAX + 1];
        assert_eq!(Quote::parse(&long), Err(Error::TooLong(long.len())));
    }
}
