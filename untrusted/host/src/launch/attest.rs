//! Asking an enclave who it is: evidence that it holds a launch document, in place of a run.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use twine_abi::entry::Call;
use twine_abi::exchange::{Header, HostCall, HostErrno, LaunchRequest, Span, launch_flag};
use twine_abi::sgx::ReportBody;
use twine_evidence::Evidence;
use twine_launch::LaunchDocument;

use super::buffer::SharedBuffer;
use super::create::{Configuration, Debugging, create};
use super::outcome;
use super::run::Wrap;
use super::thread::{Ended, Thread};
use crate::error::Error;
use crate::runtime::Runtime;
use crate::serve::{Console, Host, Input, Log, Output, Services};

/// Evidence in the making: that an enclave of this runtime, on this machine, holds a launch document.
///
/// The module is not needed, and nothing of it runs: its hash stands in the document.
#[must_use = "no enclave is asked until `run`"]
pub struct Attest<'a> {
    runtime: &'a Runtime,
    document: &'a [u8],
    version: u16,
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
        let enclave = create(
            self.runtime.backend(),
            self.runtime.image(),
            self.runtime.certificate(self.debugging)?.sigstruct(),
            &Configuration::of(self.document, self.version, self.debugging),
        )?;
        let console = Console::new(Input::Empty, Output::Discard, Output::Discard, None)?;
        let log = Log::default();
        let honest = Host::new(console, Arc::clone(&enclave), log.clone())
            .quotes(Some(self.runtime.backend().quotes()));
        let handed_over = Rc::new(RefCell::new(None));
        let receiver = Box::new(Receiver {
            handed_over: Rc::clone(&handed_over),
            others: Box::new(honest),
        });
        let mut services: Box<dyn Services> = match self.wrap {
            Some(wrap) => wrap(receiver),
            None => receiver,
        };
        let document = SharedBuffer::copy_of(self.document);
        let nonce = SharedBuffer::copy_of(&self.nonce);
        let request = LaunchRequest {
            document: document.span(),
            module: Span::default(),
            arguments: Span::default(),
            environment: Span::default(),
            signature: Span::default(),
            nonce: nonce.span(),
            flags: launch_flag::ATTEST,
        };
        let mut thread = Thread::main(enclave);
        let ended = ask(&mut thread, &request, &mut *services);
        ended.map_err(|error| match error {
            Error::EnclaveKilled { .. } => Error::EnclaveKilled {
                message: log.take(),
            },
            error => error,
        })?;
        let evidence = handed_over.take().unwrap_or_default();
        check(&evidence, &self.nonce)
    }
}

fn ask(
    thread: &mut Thread,
    request: &LaunchRequest,
    services: &mut dyn Services,
) -> Result<(), Error> {
    thread.call(Call::Initialise, services, None)?;
    thread.exchange().set_launch_request(request);
    match thread.call(Call::Launch, services, None)? {
        Ended::Done => outcome::parse(thread.exchange().payload()).map(drop),
        Ended::Abandoned => Err(Error::EnclaveMisbehaved(
            "it was stopped without being asked to",
        )),
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

/// Keeps the evidence; another host answers everything else.
struct Receiver {
    handed_over: Rc<RefCell<Option<Vec<u8>>>>,
    others: Box<dyn Services>,
}

impl Services for Receiver {
    fn serve(&mut self, header: &Header, payload: &mut [u8]) -> i64 {
        if header.op != HostCall::Evidence as u32 {
            return self.others.serve(header, payload);
        }
        let len = usize::try_from(header.args[0]).ok();
        match len.and_then(|len| payload.get(..len)) {
            Some(evidence) => {
                *self.handed_over.borrow_mut() = Some(evidence.to_vec());
                0
            }
            None => -(HostErrno::Invalid as i64),
        }
    }
}

impl fmt::Debug for Attest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attest")
            .field("version", &self.version)
            .field("nonce", &self.nonce)
            .field("debugging", &self.debugging)
            .finish_non_exhaustive()
    }
}
