//! What an enclave does in place of running its guest: a message goes in, and what it hands over comes out.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use twine_abi::entry::Call;
use twine_abi::exchange::{Header, HostCall, HostErrno, LaunchRequest, Span};

use super::buffer::SharedBuffer;
use super::create::{Configuration, Debugging, create};
use super::outcome;
use super::run::{Backings, Wrap};
use super::thread::{Ended, Thread};
use crate::error::Error;
use crate::owner::DocumentSignature;
use crate::runtime::Runtime;
use crate::serve::{Console, Host, Input, Log, Output, Services};

/// Who is to do it: an enclave of its own, for this document.
#[derive(Clone, Copy)]
pub(super) struct Task<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) document: &'a [u8],
    /// The document's, which becomes CONFIGSVN.
    pub(super) version: u16,
    pub(super) signature: Option<DocumentSignature>,
    pub(super) debugging: Debugging,
}

impl Task<'_> {
    /// Creates the enclave, has it do the task of this [`launch_flag`](twine_abi::exchange::launch_flag), and returns what it
    /// hands over; nothing if it hands nothing over.
    ///
    /// # Errors
    /// Those of creating and entering an enclave, and what it refuses.
    pub(super) fn run(
        &self,
        flag: u64,
        message: &[u8],
        backings: Backings,
        wrap: Option<Wrap>,
    ) -> Result<Vec<u8>, Error> {
        let enclave = create(
            self.runtime.backend(),
            self.runtime.image(),
            self.runtime.certificate(self.debugging)?.sigstruct(),
            &Configuration::of(self.document, self.version, self.debugging),
        )?;
        let console = Console::new(Input::Empty, Output::Discard, Output::Discard, None)?;
        let log = Log::default();
        let honest = Host::new(console, Arc::clone(&enclave), log.clone())
            .mounted(backings)
            .quotes(Some(self.runtime.backend().quotes()));
        let handed_over = Rc::new(RefCell::new(Vec::new()));
        let receiver = Box::new(Receiver {
            handed_over: Rc::clone(&handed_over),
            others: Box::new(honest),
        });
        let mut services: Box<dyn Services> = match wrap {
            Some(wrap) => wrap(receiver),
            None => receiver,
        };
        let document = SharedBuffer::copy_of(self.document);
        let signature = self.signature.map(|signature| signature.bytes());
        let signature = SharedBuffer::copy_of(signature.as_ref().map_or(&[], |bytes| &bytes[..]));
        let message = SharedBuffer::copy_of(message);
        let request = LaunchRequest {
            document: document.span(),
            module: Span::default(),
            arguments: Span::default(),
            environment: Span::default(),
            signature: signature.span(),
            message: message.span(),
            flags: flag,
        };
        let mut thread = Thread::main(enclave);
        let ended = ask(&mut thread, &request, &mut *services);
        ended.map_err(|error| match error {
            Error::EnclaveKilled { .. } => Error::EnclaveKilled {
                message: log.take(),
            },
            error => error,
        })?;
        Ok(handed_over.take())
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

/// Keeps what is handed over; another host answers everything else.
struct Receiver {
    handed_over: Rc<RefCell<Vec<u8>>>,
    others: Box<dyn Services>,
}

impl Services for Receiver {
    fn serve(&mut self, header: &Header, payload: &mut [u8]) -> i64 {
        if header.op != HostCall::Evidence as u32 {
            return self.others.serve(header, payload);
        }
        let len = usize::try_from(header.args[0]).ok();
        match len.and_then(|len| payload.get(..len)) {
            Some(bytes) => {
                *self.handed_over.borrow_mut() = bytes.to_vec();
                0
            }
            None => -(HostErrno::Invalid as i64),
        }
    }
}
