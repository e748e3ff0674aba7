//! Asking an enclave who it is: evidence that it holds a launch document, in place of a run.

use std::fmt;

use twine_abi::exchange::launch_flag;
use twine_abi::sgx::ReportBody;
use twine_evidence::Evidence;
use twine_launch::LaunchDocument;

use super::create::Debugging;
use super::run::{Backings, Wrap};
use super::task::Task;
use crate::error::Error;
use crate::owner::DocumentSignature;
use crate::runtime::Runtime;
use crate::serve::Services;

/// Evidence in the making: that an enclave of this runtime, on this machine, holds a launch document.
///
/// The module is not needed, and nothing of it runs: its hash stands in the document.
#[must_use = "no enclave is asked until `run`"]
pub struct Attest<'a> {
    runtime: &'a Runtime,
    document: &'a [u8],
    version: u16,
    signature: Option<DocumentSignature>,
    nonce: Vec<u8>,
    debugging: Debugging,
    wrap: Option<Wrap>,
}

impl<'a> Attest<'a> {
    /// Evidence of this document, byte for byte.
    ///
    /// # Errors
    /// [`Error::BadDocument`] if it is not valid.
    pub fn new(runtime: &'a Runtime, document: &'a [u8]) -> Result<Self, Error> {
        let version = LaunchDocument::parse(document)?.application.version;
        Ok(Self {
            runtime,
            document,
            version,
            signature: None,
            nonce: Vec::new(),
            debugging: Debugging::Forbidden,
            wrap: None,
        })
    }

    /// Puts a verifier's nonce into the evidence, which shows that it is fresh. The enclave takes 8 to 64 bytes.
    pub fn nonce(mut self, nonce: &[u8]) -> Self {
        self.nonce = nonce.to_vec();
        self
    }

    /// The owner's signature of the launch document, for the enclave to check. It is needed if the document names an owner.
    pub const fn signature(mut self, signature: DocumentSignature) -> Self {
        self.signature = Some(signature);
        self
    }

    /// Lets debuggers into the enclave, as [`Launch::debuggable`](super::Launch::debuggable).
    pub fn debuggable(mut self) -> Self {
        self.debugging = Debugging::Allowed;
        self
    }

    /// Puts another host in front of the honest one: for tests that play a hostile operating system.
    #[doc(hidden)]
    pub fn services(
        mut self,
        wrap: impl FnOnce(Box<dyn Services>) -> Box<dyn Services> + 'static,
    ) -> Self {
        self.wrap = Some(Box::new(wrap));
        self
    }

    /// Creates an enclave and asks it.
    ///
    /// # Errors
    /// [`Error::Refused`] if the enclave refuses the document or the nonce, or got no quote; [`Error::EnclaveMisbehaved`] if
    /// what it hands over is no evidence of this document; those of creating and entering an enclave.
    pub fn run(self) -> Result<Evidence, Error> {
        let handed_over = Task {
            runtime: self.runtime,
            document: self.document,
            version: self.version,
            signature: self.signature,
            debugging: self.debugging,
        }
        .run(
            launch_flag::ATTEST,
            &self.nonce,
            Backings::default(),
            self.wrap,
        )?;
        check(&handed_over, &self.nonce)
    }
}

/// Checks that what was handed over can be what was asked for. Whoever relies on it verifies it.
fn check(bytes: &[u8], nonce: &[u8]) -> Result<Evidence, Error> {
    let broken = Error::EnclaveMisbehaved;
    let evidence =
        Evidence::decode(bytes).map_err(|_| broken("what it handed over is no evidence"))?;
    let report_data = evidence
        .quote()
        .get(REPORT_DATA_OFFSET..)
        .and_then(<[u8]>::first_chunk)
        .ok_or_else(|| broken("its evidence holds no quote"))?;
    let claims = evidence
        .vouched_claims(report_data)
        .map_err(|_| broken("its evidence does not vouch for its claims"))?;
    if claims.nonce().map_or(&[][..], |nonce| nonce.as_bytes()) != nonce {
        return Err(broken("its evidence holds another nonce"));
    }
    Ok(evidence)
}

/// REPORTDATA of the report inside a quote, behind a header of 48 bytes.
const REPORT_DATA_OFFSET: usize = 48 + ReportBody::LEN - 64;

impl fmt::Debug for Attest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attest")
            .field("version", &self.version)
            .field("nonce", &self.nonce)
            .field("debugging", &self.debugging)
            .finish_non_exhaustive()
    }
}
