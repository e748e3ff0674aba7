//! The simulated quoting service: AESM's protocol on one side, the quoting enclave on the other.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prost::Message as _;
use sha2::{Digest as _, Sha256};
use twine_abi::sgx::{Report, TargetInfo};

use crate::backend::emulator::model::Processor;
use crate::quote::QuoteError;
use crate::quote::aesm::frame;
use crate::quote::aesm::message::{
    ALGORITHM_OFFSET, ECDSA_P256, GetQuoteExRequest, GetQuoteExResponse, GetQuoteSizeExResponse,
    GetSupportedAttKeyIdNumResponse, GetSupportedAttKeyIdsResponse, InitQuoteExResponse,
    KEY_ID_LEN, QE_REPORT_INFO_LEN, Request, Response, UnsupportedRequestResponse,
};

use super::enclave::{IDENTITY, QuotingEnclave, Refused, padded};

/// The service. Like the real one it has no attestation key until a client had it made.
pub(super) struct Server {
    enclave: QuotingEnclave,
    ready: AtomicBool,
}

impl Server {
    pub(super) fn new(processor: &Processor) -> Result<Self, QuoteError> {
        Ok(Self {
            enclave: QuotingEnclave::new(processor)?,
            ready: AtomicBool::new(false),
        })
    }

    /// Answers one request.
    pub(super) fn serve(&self, mut stream: UnixStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let request = frame::read(&mut stream)?;
        let response = Request::decode(request.as_slice())
            .map_or_else(|_| unsupported(), |request| self.answer(request));
        frame::write(&mut stream, &response.encode_to_vec())
    }

    pub(super) fn answer(&self, request: Request) -> Response {
        let mut response = Response::default();
        if request.get_supported_att_key_id_num.is_some() {
            response.get_supported_att_key_id_num = Some(GetSupportedAttKeyIdNumResponse {
                error_code: Some(SUCCESS),
                att_key_id_num: u32::try_from(keys().len()).ok(),
            });
        } else if let Some(request) = request.get_supported_att_key_ids {
            let ids = keys().concat();
            let fits =
                request.buf_size.and_then(|size| usize::try_from(size).ok()) == Some(ids.len());
            response.get_supported_att_key_ids = Some(GetSupportedAttKeyIdsResponse {
                error_code: Some(if fits { SUCCESS } else { PARAMETER }),
                att_key_ids: fits.then_some(ids),
            });
        } else if let Some(request) = request.init_quote_ex {
            response.init_quote_ex = Some(match known(request.att_key_id.as_deref()) {
                Ok(()) if request.b_pub_key_id == Some(true) => self.make_ready(),
                Ok(()) => self.describe_key(),
                Err(code) => InitQuoteExResponse {
                    error_code: Some(code),
                    ..InitQuoteExResponse::default()
                },
            });
        } else if let Some(request) = request.get_quote_size_ex {
            let size = known(request.att_key_id.as_deref()).and_then(|()| self.is_ready());
            response.get_quote_size_ex = Some(GetQuoteSizeExResponse {
                error_code: Some(size.err().unwrap_or(SUCCESS)),
                quote_size: size.is_ok().then_some(QUOTE_BUFFER_LEN),
            });
        } else if let Some(request) = request.get_quote_ex {
            response.get_quote_ex =
                Some(
                    self.quote(&request)
                        .unwrap_or_else(|code| GetQuoteExResponse {
                            error_code: Some(code),
                            ..GetQuoteExResponse::default()
                        }),
                );
        } else {
            return unsupported();
        }
        response
    }

    /// Tells how long the key's identity is, which is what a client asks first.
    fn describe_key(&self) -> InitQuoteExResponse {
        InitQuoteExResponse {
            error_code: Some(SUCCESS),
            pub_key_id_size: Some(self.enclave.key_id().len() as u64),
            ..InitQuoteExResponse::default()
        }
    }

    pub(super) fn make_ready(&self) -> InitQuoteExResponse {
        self.ready.store(true, Ordering::Relaxed);
        InitQuoteExResponse {
            target_info: Some(self.enclave.target_info().to_bytes().to_vec()),
            pub_key_id: Some(self.enclave.key_id().to_vec()),
            ..self.describe_key()
        }
    }

    fn quote(&self, request: &GetQuoteExRequest) -> Result<GetQuoteExResponse, u32> {
        known(request.att_key_id.as_deref())?;
        self.is_ready()?;
        let report = request.report.as_deref().unwrap_or_default();
        let report = report.try_into().map_err(|_| PARAMETER)?;
        let mut quote = self
            .enclave
            .quote(&Report::from_bytes(report))
            .map_err(|refused| match refused {
                Refused::Report => INVALID_REPORT,
                Refused::Processor => UNEXPECTED,
            })?;
        let about = request.qe_report_info.as_deref();
        let about = about
            .map(|info| self.about(info, &quote).ok_or(PARAMETER))
            .transpose()?;
        let room = request.buf_size.and_then(|size| usize::try_from(size).ok());
        if room.is_none_or(|room| room < quote.len() || room > frame::MESSAGE_LEN_MAX / 2) {
            return Err(PARAMETER);
        }
        quote.resize(room.unwrap_or_default(), 0);
        Ok(GetQuoteExResponse {
            error_code: Some(SUCCESS),
            quote: Some(quote),
            qe_report_info: about,
        })
    }

    /// Puts a report into a `qe_report_info` by which its target learns who made this quote.
    fn about(&self, info: &[u8], quote: &[u8]) -> Option<Vec<u8>> {
        let info: &[u8; QE_REPORT_INFO_LEN] = info.try_into().ok()?;
        let (nonce, rest) = info.split_first_chunk::<16>()?;
        let (target, _) = rest.split_first_chunk::<{ TargetInfo::LEN }>()?;
        let hash = Sha256::new()
            .chain_update(nonce)
            .chain_update(quote)
            .finalize();
        let report = self
            .enclave
            .report(&TargetInfo::from_bytes(target), padded(hash.into()));
        Some([&nonce[..], target, &report.to_bytes()].concat())
    }

    fn is_ready(&self) -> Result<(), u32> {
        if self.ready.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(KEY_NOT_INITIALIZED)
        }
    }
}

/// The keys on offer: one of the time before ECDSA, as real services have it, and the one that there is.
pub(super) fn keys() -> [[u8; KEY_ID_LEN]; 2] {
    let mut epid = [0; KEY_ID_LEN];
    let mut ecdsa = [0; KEY_ID_LEN];
    put(&mut epid, ALGORITHM_OFFSET, &0_u32.to_le_bytes());
    put(&mut ecdsa, 4, &32_u16.to_le_bytes());
    put(&mut ecdsa, 6, &IDENTITY.mr_signer());
    put(&mut ecdsa, 54, &u32::from(IDENTITY.prod_id).to_le_bytes());
    put(&mut ecdsa, ALGORITHM_OFFSET, &ECDSA_P256.to_le_bytes());
    [epid, ecdsa]
}

fn put(to: &mut [u8], offset: usize, bytes: &[u8]) {
    for (to, from) in to.iter_mut().skip(offset).zip(bytes) {
        *to = *from;
    }
}

/// Passes if this is the key that there is.
fn known(id: Option<&[u8]>) -> Result<(), u32> {
    let [_, ecdsa] = keys();
    if id == Some(&ecdsa[..]) {
        Ok(())
    } else {
        Err(UNSUPPORTED_KEY)
    }
}

fn unsupported() -> Response {
    Response {
        unsupported_request: Some(UnsupportedRequestResponse {
            error_code: Some(SERVICE_NOT_AVAILABLE),
        }),
        ..Response::default()
    }
}

/// Longer than any quote, so that clients have to find its end.
const QUOTE_BUFFER_LEN: u32 = 8192;

/// The client is in the same process.
const PATIENCE: Duration = Duration::from_secs(10);

/// Codes of `aesm_error_t`.
const SUCCESS: u32 = 0;
const UNEXPECTED: u32 = 1;
const PARAMETER: u32 = 3;
const SERVICE_NOT_AVAILABLE: u32 = 27;
const UNSUPPORTED_KEY: u32 = 38;
const KEY_NOT_INITIALIZED: u32 = 42;
const INVALID_REPORT: u32 = 47;
