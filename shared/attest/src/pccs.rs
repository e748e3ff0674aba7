//! Fetching collateral from a caching service (PCCS) of the verifier's, or from Intel's own service.
//!
//! (Intel, "SGX PCS API", version 4.) What comes back is signed by Intel, so the service can withhold but not forge; it
//! can hand out an older set that is still valid, against which a policy has `min_tcb_eval_data_number`. How bytes travel
//! is the caller's: see [`Transport`].

use std::net::IpAddr;

use dcap_qvl::QuoteCollateralV3;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chain;
use crate::collateral::{self, Collateral};
use crate::quote::Quote;

/// HTTP, as far as it is needed: implemented by whoever has a network.
pub trait Transport {
    /// Fetches a document. Redirections are the implementation's business, and so is a limit on time and length.
    ///
    /// # Errors
    /// What went wrong, if no answer came at all.
    fn get(&self, url: &str) -> Result<Response, String>;
}

/// An answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The fields of the header.
    pub header: Vec<(String, String)>,
    /// What follows.
    pub body: Vec<u8>,
}

/// Why collateral could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The quote does not say what is needed.
    #[error(
        "the quote's certificates do not tell which processor made it, so no collateral can be fetched for it"
    )]
    NoProcessor,
    /// No answer.
    #[error("{url}: {problem}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What went wrong.
        problem: String,
    },
    /// An answer that refuses.
    #[error("{url}: the service answers with status {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The status code.
        status: u16,
    },
    /// An answer of another form.
    #[error("{url}: the service's answer is not of Intel's form: {problem}")]
    Form {
        /// What was asked for.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// What came is no collateral.
    #[error(transparent)]
    Collateral(#[from] collateral::Error),
}

/// Fetches the collateral that the quote needs from the service at `url`, for example `https://localhost:8081`.
///
/// # Errors
/// If the service cannot be reached, does not know the processor, or answers in another form.
pub fn fetch(transport: &dyn Transport, url: &str, quote: &Quote) -> Result<Collateral, Error> {
    let processor = chain::processor(quote).ok_or(Error::NoProcessor)?;
    let service = Service {
        transport,
        base: format!("{}/sgx/certification/v4", url.trim_end_matches('/')),
    };
    let fmspc = crate::hex::encode(&processor.fmspc).to_uppercase();

    let crl = service.get(&format!("pckcrl?ca={}&encoding=der", processor.authority))?;
    let info = service.get(&format!("tcb?fmspc={fmspc}"))?;
    let identity = service.get("qe/identity")?;
    let TcbInfo {
        tcb_info,
        signature: tcb_info_signature,
    } = info.json()?;
    let Identity {
        enclave_identity,
        signature: qe_identity_signature,
    } = identity.json()?;
    let set = QuoteCollateralV3 {
        pck_crl_issuer_chain: crl.field(&["SGX-PCK-CRL-Issuer-Chain"])?,
        root_ca_crl: service.root_crl(url)?,
        tcb_info_issuer_chain: info
            .field(&["TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain"])?,
        tcb_info: tcb_info.get().to_owned(),
        tcb_info_signature: info.signature(&tcb_info_signature)?,
        qe_identity_issuer_chain: identity.field(&["SGX-Enclave-Identity-Issuer-Chain"])?,
        qe_identity: enclave_identity.get().to_owned(),
        qe_identity_signature: identity.signature(&qe_identity_signature)?,
        pck_crl: crl.response.body,
        pck_certificate_chain: None,
    };
    Ok(Collateral::new(set)?)
}

/// Whether a service may be asked there: what it answers must not be chosen by whoever sits in between.
pub(crate) fn check_url(url: &str) -> Result<(), &'static str> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split('/').next().unwrap_or_default();
    match scheme {
        "https" if !authority.is_empty() => Ok(()),
        "http" if is_loopback(authority) => Ok(()),
        _ => Err("must be `pccs:https://…`; `http://` will do only on this machine (localhost)"),
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => authority,
    };
    let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Intel's own service, which publishes the list of its root elsewhere.
const INTEL: &str = "https://api.trustedservices.intel.com";
const INTEL_ROOT_CRL: &str = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";

struct Service<'a> {
    transport: &'a dyn Transport,
    base: String,
}

impl Service<'_> {
    fn get(&self, path: &str) -> Result<Answer, Error> {
        self.get_from(format!("{}/{path}", self.base))
    }

    fn get_from(&self, url: String) -> Result<Answer, Error> {
        match self.transport.get(&url) {
            Ok(response) if response.status == 200 => Ok(Answer { url, response }),
            Ok(Response { status, .. }) => Err(Error::Status { url, status }),
            Err(problem) => Err(Error::Unreachable { url, problem }),
        }
    }

    fn root_crl(&self, url: &str) -> Result<Vec<u8>, Error> {
        if url.starts_with(INTEL) {
            return Ok(self.get_from(INTEL_ROOT_CRL.to_owned())?.response.body);
        }
        // Caching services hand this one list out in hexadecimal digits.
        let answer = self.get("rootcacrl")?;
        let digits = str::from_utf8(&answer.response.body).unwrap_or_default();
        let list = crate::hex::decode_any(digits.trim());
        list.ok_or_else(|| answer.form("the list is not in hexadecimal digits"))
    }
}

struct Answer {
    url: String,
    response: Response,
}

impl Answer {
    /// A field of the header, under the first of these names that is there.
    fn field(&self, names: &[&str]) -> Result<String, Error> {
        let value = names.iter().find_map(|wanted| {
            let mut fields = self.response.header.iter();
            fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        });
        let (_, value) =
            value.ok_or_else(|| self.form("a chain of certificates is missing in the header"))?;
        let text = urlencoding::decode(value);
        Ok(text
            .map_err(|error| self.form(&error.to_string()))?
            .into_owned())
    }

    fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_slice(&self.response.body).map_err(|error| self.form(&error.to_string()))
    }

    fn signature(&self, digits: &str) -> Result<Vec<u8>, Error> {
        crate::hex::decode_any(digits)
            .ok_or_else(|| self.form("the signature is not in hexadecimal digits"))
    }

    fn form(&self, problem: &str) -> Error {
        Error::Form {
            url: self.url.clone(),
            problem: problem.to_owned(),
        }
    }
}

// Signatures are over these texts as they came, so they are kept as such.
#[derive(Deserialize)]
struct TcbInfo<'a> {
    #[serde(rename = "tcbInfo", borrow)]
    tcb_info: &'a RawValue,
    signature: String,
}

#[derive(Deserialize)]
struct Identity<'a> {
    #[serde(rename = "enclaveIdentity", borrow)]
    enclave_identity: &'a RawValue,
    signature: String,
}
