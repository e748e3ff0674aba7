//! One guest's run in an enclave that has been created for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use twine_abi::entry::Call;
use twine_abi::exchange::{LaunchRequest, Span};

use super::buffer::SharedBuffer;
use super::deadline::{Deadline, StopSignal};
use super::outcome::{self, Outcome};
use super::profile::Recorder;
use super::thread::{Ended, Thread};
use crate::backend::Enclave;
use crate::error::{Error, Refusal};
use crate::owner::DocumentSignature;
use crate::provision::Provisioner;
use crate::quote::QuoteSource;
use crate::serve::{Console, Failure, Host, Input, Log, Mounted, Output, Provisioning, Services};

/// What the enclave is given. It believes none of it before it has compared it with its own report.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The launch document.
    pub document: &'a SharedBuffer,
    /// The owner's signature of the document, if there is one.
    pub signature: Option<DocumentSignature>,
    /// The compiled module; empty if it is confidential.
    pub module: &'a SharedBuffer,
    /// The caller's arguments, the program's name first.
    pub arguments: &'a [String],
    /// The caller's variables.
    pub environment: &'a [(String, String)],
}

/// What stands behind the mounts of the launch document, by their positions in it.
pub type Backings = BTreeMap<u64, Mounted>;

/// The guest's standard streams.
#[derive(Debug, Default)]
pub struct Streams {
    /// Standard input.
    pub input: Input,
    /// Standard output.
    pub output: Output,
    /// Standard error.
    pub error: Output,
}

/// What the guest and the enclave find outside.
#[derive(Default)]
pub struct Outside {
    /// The standard streams.
    pub streams: Streams,
    /// What stands behind mounts.
    pub backings: Backings,
    /// Who answers a request for provisioning.
    pub provisioner: Option<Box<dyn Provisioner>>,
    /// Where quotes come from.
    pub quotes: Option<Arc<dyn QuoteSource>>,
    /// Who records where the guest spends its time.
    pub(crate) recorder: Option<Recorder>,
}

/// Puts another host in front of the honest one: what a hostile operating system can do, a test can do with it.
pub type Wrap = Box<dyn FnOnce(Box<dyn Services>) -> Box<dyn Services>>;

/// Runs the guest to its outcome, on this thread. The enclave can be used for no other guest.
///
/// # Errors
/// Every [`Error`] that a running enclave can end in.
pub fn run(
    enclave: &Arc<dyn Enclave>,
    inputs: Inputs<'_>,
    outside: Outside,
    timeout: Option<Duration>,
    wrap: Option<Wrap>,
) -> Result<Outcome, Error> {
    let stop = timeout.map(|_| StopSignal::new()).transpose()?;
    let Streams {
        input,
        output,
        error,
    } = outside.streams;
    let console = Console::new(input, output, error, stop.clone())?;
    let flags = console.terminals();
    let log = Log::default();
    let failure = Failure::default();
    let host = Host::new(console, Arc::clone(enclave), log.clone())
        .mounted(outside.backings)
        .provisioning(Provisioning::new(outside.provisioner, failure.clone()))
        .quotes(outside.quotes);
    let host: Box<dyn Services> = Box::new(host);
    let mut services = match wrap {
        Some(wrap) => wrap(host),
        None => host,
    };
    let watch = Watch {
        timer: stop.zip(timeout),
        recorder: outside.recorder,
    };
    let result = converse(enclave, inputs, flags, &mut *services, watch);
    if let Some(counts) = enclave.counts() {
        log::info!("the enclave was {counts}");
    }
    result.map_err(|error| match error {
        Error::EnclaveKilled { .. } => Error::EnclaveKilled {
            message: log.take(),
        },
        // The enclave knows only a number.
        error @ Error::Refused {
            refusal: Refusal::BundleMissing,
            ..
        } => failure.take().map_or(error, Error::from),
        error => error,
    })
}

/// What interrupts the guest from time to time.
struct Watch {
    timer: Option<(Arc<StopSignal>, Duration)>,
    recorder: Option<Recorder>,
}

fn converse(
    enclave: &Arc<dyn Enclave>,
    inputs: Inputs<'_>,
    flags: u64,
    services: &mut dyn Services,
    watch: Watch,
) -> Result<Outcome, Error> {
    let mut thread = Thread::main(Arc::clone(enclave));
    thread.call(Call::Initialise, services, None)?;
    let signature = inputs.signature.map(|signature| signature.bytes());
    let signature = SharedBuffer::copy_of(signature.as_ref().map_or(&[], |bytes| &bytes[..]));
    let arguments = zero_ended(inputs.arguments.iter().cloned())?;
    let variables = inputs.environment.iter();
    let environment = zero_ended(variables.map(|(name, value)| format!("{name}={value}")))?;
    thread.exchange().set_launch_request(&LaunchRequest {
        document: inputs.document.span(),
        module: inputs.module.span(),
        arguments: arguments.span(),
        environment: environment.span(),
        signature: signature.span(),
        message: Span::default(),
        flags,
    });
    let deadline = watch
        .timer
        .map(|(signal, timeout)| {
            Deadline::start(timeout, signal, Arc::clone(enclave), thread.tcs())
        })
        .transpose()?;
    let _sampler = watch
        .recorder
        .map(|recorder| {
            thread.record(recorder.clone());
            recorder.start(Arc::clone(enclave), thread.tcs())
        })
        .transpose()?;
    match thread.call(Call::Launch, services, deadline.as_ref())? {
        Ended::Done => outcome::parse(thread.exchange().payload()),
        Ended::Abandoned => {
            log::warn!("the enclave did not stop its guest in time and is abandoned");
            Ok(Outcome::Stopped)
        }
    }
}

/// The strings one behind the other, each ended by a zero byte.
fn zero_ended(strings: impl Iterator<Item = String>) -> Result<SharedBuffer, Error> {
    let mut bytes = Vec::new();
    for string in strings {
        if string.contains('\0') {
            return Err(Error::ZeroByte(string));
        }
        bytes.extend(string.into_bytes());
        bytes.push(0);
    }
    Ok(SharedBuffer::copy_of(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_ended_by_zero_bytes_and_hold_none() {
        let of = |strings: &[&str]| zero_ended(strings.iter().map(|s| (*s).to_owned()));
        assert_eq!(of(&["a", "", "bc"]).unwrap().bytes(), b"a\0\0bc\0");
        assert_eq!(of(&[]).unwrap().bytes(), b"");
        assert!(matches!(of(&["a\0b"]), Err(Error::ZeroByte(_))));
    }
}
