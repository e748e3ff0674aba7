//! A client of AESM, Intel's service that keeps the quoting enclave.
//!
//! ```text
//!   target_info:  GetSupportedAttKeyIDNum ─► GetSupportedAttKeyIDs ─► InitQuoteEx, twice
//!   quote:        the same keys ─► GetQuoteSizeEx ─► GetQuoteEx
//! ```
//!
//! Each request goes over a connection of its own; the service closes it after the answer. Nothing is kept between
//! requests, so a service that is restarted or updated is noticed at once.

pub(crate) mod frame;
pub(crate) mod message;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use prost::Message as _;
use twine_abi::sgx::{Report, ReportBody, TargetInfo};

use super::{Cause, ErrorCode, QuoteError, QuoteSource, exactly};

use message::{
    ALGORITHM_OFFSET, ECDSA_P256, GetQuoteExRequest, GetQuoteSizeExRequest,
    GetSupportedAttKeyIdNumRequest, GetSupportedAttKeyIdsRequest, InitQuoteExRequest, KEY_ID_LEN,
    QE_REPORT_INFO_LEN, Request, Response,
};

/// AESM's socket.
pub const SOCKET: &str = "/var/run/aesmd/aesm.socket";

/// The quoting service behind AESM's protocol.
pub struct Aesm {
    connect: Connect,
}

/// Opens a connection for one request. Reading and writing must not block for ever.
pub(crate) type Connect = Box<dyn Fn() -> Result<Box<dyn Stream>, QuoteError> + Send + Sync>;

/// A connection.
pub(crate) trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

impl Aesm {
    /// The machine's own.
    #[must_use]
    pub fn new() -> Self {
        Self::at(SOCKET)
    }

    /// The one that listens on this socket.
    #[must_use]
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        let socket = socket.into();
        Self::behind(Box::new(move || open(&socket)))
    }

    /// The one at the other end of such connections.
    pub(crate) const fn behind(connect: Connect) -> Self {
        Self { connect }
    }

    /// The ECDSA key that the service quotes with.
    fn key(&self) -> Result<KeyId, QuoteError> {
        let answer = self
            .ask(Request {
                get_supported_att_key_id_num: Some(GetSupportedAttKeyIdNumRequest {
                    timeout: Some(PATIENCE_MICROSECONDS),
                }),
                ..Request::default()
            })?
            .get_supported_att_key_id_num
            .ok_or_else(no_answer)?;
        succeeded("GetSupportedAttKeyIDNum", answer.error_code)?;
        let size = answer
            .att_key_id_num
            .filter(|count| *count <= KEYS_MAX)
            .map(|count| count * KEY_ID_LEN_U32)
            .ok_or_else(|| broke("an impossible number of keys"))?;
        let answer = self
            .ask(Request {
                get_supported_att_key_ids: Some(GetSupportedAttKeyIdsRequest {
                    buf_size: Some(size),
                    timeout: Some(PATIENCE_MICROSECONDS),
                }),
                ..Request::default()
            })?
            .get_supported_att_key_ids
            .ok_or_else(no_answer)?;
        succeeded("GetSupportedAttKeyIDs", answer.error_code)?;
        choose(&answer.att_key_ids.unwrap_or_default())
    }

    /// Has the service make the key ready. The identity of the public key is asked for because the service certifies
    /// the key only then.
    fn init(&self, key: &KeyId) -> Result<[u8; TargetInfo::LEN], QuoteError> {
        let ask = |wanted, size| {
            let answer = self
                .ask(Request {
                    init_quote_ex: Some(InitQuoteExRequest {
                        att_key_id: Some(key.to_vec()),
                        b_pub_key_id: Some(wanted),
                        buf_size: Some(size),
                        timeout: Some(PATIENCE_MICROSECONDS),
                    }),
                    ..Request::default()
                })?
                .init_quote_ex
                .ok_or_else(no_answer)?;
            succeeded("InitQuoteEx", answer.error_code)?;
            Ok(answer)
        };
        let size = ask(false, 0)?
            .pub_key_id_size
            .ok_or_else(|| broke("no length of the public key's identity"))?;
        ask(true, size)?
            .target_info
            .and_then(|info| info.try_into().ok())
            .ok_or_else(|| broke("a target info of another length than 512"))
    }

    fn quote_with(&self, key: &KeyId, report: &[u8; Report::LEN]) -> Result<Vec<u8>, QuoteError> {
        let answer = self
            .ask(Request {
                get_quote_size_ex: Some(GetQuoteSizeExRequest {
                    att_key_id: Some(key.to_vec()),
                    timeout: Some(PATIENCE_MICROSECONDS),
                }),
                ..Request::default()
            })?
            .get_quote_size_ex
            .ok_or_else(no_answer)?;
        succeeded("GetQuoteSizeEx", answer.error_code)?;
        let size = answer
            .quote_size
            .ok_or_else(|| broke("no length of the quote"))?;
        let answer = self
            .ask(Request {
                get_quote_ex: Some(GetQuoteExRequest {
                    report: Some(report.to_vec()),
                    att_key_id: Some(key.to_vec()),
                    qe_report_info: Some(qe_report_info(report)),
                    buf_size: Some(size),
                    timeout: Some(PATIENCE_MICROSECONDS),
                }),
                ..Request::default()
            })?
            .get_quote_ex
            .ok_or_else(no_answer)?;
        succeeded("GetQuoteEx", answer.error_code)?;
        exactly(SERVICE, answer.quote.unwrap_or_default())
    }

    fn ask(&self, request: Request) -> Result<Response, QuoteError> {
        let mut stream = (self.connect)()?;
        let answer = frame::write(&mut stream, &request.encode_to_vec())
            .and_then(|()| frame::read(&mut stream))
            .map_err(failed)?;
        parse(&answer)
    }
}

impl Default for Aesm {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Aesm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aesm").finish_non_exhaustive()
    }
}

impl QuoteSource for Aesm {
    fn target_info(&self) -> Result<[u8; TargetInfo::LEN], QuoteError> {
        self.init(&self.key()?)
    }

    /// A service that was restarted has lost its key and says so. It is asked to get it back, once; if the quoting
    /// enclave is still the one that the report was made for, the quote can be had at once.
    fn quote(&self, report: &[u8; Report::LEN]) -> Result<Vec<u8>, QuoteError> {
        let key = self.key()?;
        match self.quote_with(&key, report) {
            Err(QuoteError::Refused { code, .. }) if code.cause() == Cause::KeyNotReady => {
                self.init(&key)?;
            }
            quote => return quote,
        }
        self.quote_with(&key, report).map_err(|error| match error {
            QuoteError::Refused { code, .. } if code.cause() == Cause::BadReport => {
                QuoteError::TargetChanged
            }
            error => error,
        })
    }
}

/// The identity of an attestation key (`sgx_att_key_id_ext_t`), of which only the algorithm matters here.
type KeyId = [u8; KEY_ID_LEN];

/// The first key for ECDSA with P-256.
pub(crate) fn choose(ids: &[u8]) -> Result<KeyId, QuoteError> {
    let (ids, rest) = ids.as_chunks::<KEY_ID_LEN>();
    if !rest.is_empty() {
        return Err(broke("half an identity of a key"));
    }
    ids.iter()
        .find(|id| {
            id.get(ALGORITHM_OFFSET..)
                .and_then(|tail| tail.first_chunk())
                .is_some_and(|algorithm| u32::from_le_bytes(*algorithm) == ECDSA_P256)
        })
        .copied()
        .ok_or(QuoteError::NoEcdsaKey)
}

/// A message of the service.
pub(crate) fn parse(bytes: &[u8]) -> Result<Response, QuoteError> {
    let response = Response::decode(bytes).map_err(|_| broke("a message that cannot be read"))?;
    match response.unsupported_request {
        None => Ok(response),
        Some(_) => Err(QuoteError::NoEcdsaKey),
    }
}

/// What lets the enclave that made the report check the quoting enclave: no nonce, and where to make a report for.
fn qe_report_info(report: &[u8; Report::LEN]) -> Vec<u8> {
    let body: ReportBody = Report::from_bytes(report).body;
    let target = TargetInfo::of(&body).to_bytes();
    let mut info = [&[0; 16][..], &target].concat();
    info.resize(QE_REPORT_INFO_LEN, 0);
    info
}

fn succeeded(call: &'static str, code: Option<u32>) -> Result<(), QuoteError> {
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(QuoteError::Refused {
            call,
            code: ErrorCode::Aesm(code),
        }),
        None => Err(broke("an answer that says neither yes nor no")),
    }
}

/// A stream on which nothing takes longer than so long.
pub(crate) fn patient(stream: UnixStream, patience: Duration) -> io::Result<Box<dyn Stream>> {
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    Ok(Box::new(stream))
}

fn open(socket: &Path) -> Result<Box<dyn Stream>, QuoteError> {
    let connected = UnixStream::connect(socket).and_then(|stream| patient(stream, PATIENCE));
    connected.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => QuoteError::NotRunning {
            socket: socket.to_owned(),
        },
        io::ErrorKind::PermissionDenied => QuoteError::NotPermitted {
            socket: socket.to_owned(),
        },
        _ => failed(error),
    })
}

fn failed(error: io::Error) -> QuoteError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => broke("an answer that ends too early"),
        io::ErrorKind::InvalidData => broke("an answer longer than 1 MiB"),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => QuoteError::Io {
            service: SERVICE,
            error: io::ErrorKind::TimedOut.into(),
        },
        _ => QuoteError::Io {
            service: SERVICE,
            error,
        },
    }
}

const fn broke(what: &'static str) -> QuoteError {
    QuoteError::Protocol {
        service: SERVICE,
        what,
    }
}

const fn no_answer() -> QuoteError {
    broke("an answer to another question")
}

/// What errors call the service.
const SERVICE: &str = "AESM";

/// How long one request may take: the service may have to fetch the platform's certificate over the network first.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The same, as requests tell the service.
const PATIENCE_MICROSECONDS: u32 = 60_000_000;

/// More kinds of keys than exist.
const KEYS_MAX: u32 = 64;

/// As the protocol counts.
const KEY_ID_LEN_U32: u32 = 256;

const _: () = assert!(KEY_ID_LEN == KEY_ID_LEN_U32 as usize);
