//! The launch: from what the host passed to how the guest ended.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::sync::atomic::{AtomicU64, Ordering};

use twine_abi::exchange::{
    Clock, HostCall, HostErrno, LaunchRequest, MESSAGE_LEN_BYTES_MAX, PAYLOAD_LEN, SIGNATURE_LEN,
    Span,
};
use twine_abi::outcome::{Kind, OUTCOME_HEADER_LEN};
use twine_abi::sgx::{KeyRequest, Report, TargetInfo};
use twine_launch::limits::{DOCUMENT_LEN_BYTES_MAX, MODULE_LEN_BYTES_MAX, STRINGS_LEN_BYTES_MAX};
use twine_runtime::limits::BUNDLE_LEN_BYTES_MAX;
use twine_runtime::{Fault, FileSystem, Identity, OpenStore, Outcome, Platform, Request, Sink};
use zeroize::Zeroizing;

use crate::host::{self, CallError, HostRange};
use crate::host_files::HostFiles;
use crate::memory::stack;
use crate::{enclu, identity, random, store};

/// Stack for the runtime and the engine on top of what the guest may use.
const RUNTIME_STACK_LEN: u64 = 256 << 10;

/// Checks what the host passed and runs the guest to its end. The outcome stands in the exchange area afterwards.
pub(crate) fn launch() {
    report(&run().unwrap_or_else(|outcome| outcome));
}

/// Says that the guest was stopped.
pub(crate) fn report_stopped() {
    report(&Outcome::failed(
        Kind::Stopped,
        "the guest's time was up".to_string(),
    ));
}

fn run() -> Result<Outcome, Outcome> {
    let request = read_request()?;
    let report = identity::report();
    let identity = Identity {
        config_id: report.config_id,
        config_svn: report.config_svn,
        isv_svn: report.isv_svn,
        cpu_svn: report.cpu_svn,
    };
    let document = identity.verify(&request.document, &request.signature)?;
    let stack_len = document
        .limits
        .stack_bytes
        .saturating_add(RUNTIME_STACK_LEN);
    if !stack::grow(stack_len) {
        return Err(misuse(
            Kind::LimitReached,
            "the launch document asks for more stack than a thread can have",
        ));
    }
    let launched = twine_runtime::launch(Box::new(HostPlatform), &identity, request);
    // Keys that were worked with have been overwritten where they lay, not where they passed through.
    stack::wipe();
    // The enclave runs one guest. Giving its memory back page by page would only take time.
    mem::forget(launched.remains);
    Ok(launched.outcome)
}

/// Copies in everything that the host passed.
fn read_request() -> Result<Request, Outcome> {
    let mut words = [0; size_of::<LaunchRequest>() / size_of::<u64>()];
    host::read_payload_words(&mut words);
    let [spans @ .., flags] = words;
    let (&[document, module, arguments, environment, signature, message], []) = spans.as_chunks()
    else {
        unreachable!("a request holds six spans");
    };
    Ok(Request {
        document: read_span(document, DOCUMENT_LEN_BYTES_MAX)?,
        module: read_span(module, MODULE_LEN_BYTES_MAX)?,
        arguments: read_span(arguments, STRINGS_LEN_BYTES_MAX)?,
        environment: read_span(environment, STRINGS_LEN_BYTES_MAX)?,
        signature: read_span(signature, SIGNATURE_LEN)?,
        message: read_span(message, MESSAGE_LEN_BYTES_MAX)?,
        flags,
    })
}

fn read_span(span: [u64; 2], most: usize) -> Result<Vec<u8>, Outcome> {
    copy_in(span, most).map_err(|error| match error {
        CopyError::NotOutside => misuse(
            Kind::HostMisbehaved,
            "a buffer of the launch request is not outside, or too long",
        ),
        CopyError::NoMemory => misuse(
            Kind::LimitReached,
            "the enclave has no memory for the launch request",
        ),
    })
}

/// Copies in a buffer of the host's, once.
fn copy_in([address, len]: [u64; 2], most: usize) -> Result<Vec<u8>, CopyError> {
    if len == 0 {
        return Ok(Vec::new());
    }
    let range = HostRange::new(Span { address, len })
        .filter(|range| range.len() <= most)
        .ok_or(CopyError::NotOutside)?;
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(range.len())
        .map_err(|_| CopyError::NoMemory)?;
    bytes.resize(range.len(), 0);
    range.read_once(&mut bytes);
    Ok(bytes)
}

/// Why a buffer cannot be copied in.
enum CopyError {
    /// It is not wholly outside, or too long.
    NotOutside,
    /// The enclave has no memory for it.
    NoMemory,
}

fn misuse(kind: Kind, message: &str) -> Outcome {
    Outcome::failed(kind, String::from(message))
}

/// Writes the outcome where the host finds it.
fn report(outcome: &Outcome) {
    let mut bytes = Vec::with_capacity(OUTCOME_HEADER_LEN + outcome.message.len());
    bytes.extend_from_slice(&(outcome.kind as u32).to_le_bytes());
    bytes.extend_from_slice(&outcome.code.to_le_bytes());
    bytes.extend_from_slice(&(outcome.message.len() as u64).to_le_bytes());
    bytes.extend_from_slice(outcome.message.as_bytes());
    host::write_payload(&bytes);
}

/// The world outside, by host calls.
struct HostPlatform;

impl Platform for HostPlatform {
    fn write(&mut self, sink: Sink, bytes: &[u8]) -> Result<usize, Fault> {
        let stream = match sink {
            Sink::Output => 1,
            Sink::Error => 2,
        };
        let len = bytes.len() as u64;
        let args = [stream, len, 0, 0, 0, 0];
        let taken = host::call_with(HostCall::ConsoleWrite, args, bytes, 0..=len).map_err(fault)?;
        usize::try_from(taken).map_err(|_| fault(CallError::Misbehaved))
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let args = [buffer.len() as u64, 0, 0, 0, 0, 0];
        host::call_for(HostCall::ConsoleRead, args, buffer).map_err(fault)
    }

    fn clock(&mut self, clock: Clock) -> Result<u64, Fault> {
        let args = [clock as u64, 0, 0, 0, 0, 0];
        host::call(HostCall::ClockRead, args, 0..=i64::MAX.cast_unsigned()).map_err(fault)
    }

    fn wait(&mut self, timeout: u64, interests: u64) -> Result<u64, Fault> {
        let args = [timeout, interests, 0, 0, 0, 0];
        host::call(HostCall::Wait, args, 0..=interests).map_err(fault)
    }

    fn yield_now(&mut self) -> Result<(), Fault> {
        host::call(HostCall::Yield, [0; 6], 0..=0)
            .map(drop)
            .map_err(fault)
    }

    fn random(&mut self, buffer: &mut [u8]) {
        random::fill(buffer);
    }

    fn open_store(&mut self, mount: usize) -> Result<OpenStore, Fault> {
        let (store, made) = store::open(mount).map_err(fault)?;
        Ok(OpenStore {
            store: Box::new(store),
            made,
        })
    }

    fn open_directory(&mut self, mount: usize) -> Result<Box<dyn FileSystem>, Fault> {
        Ok(Box::new(HostFiles::new(mount)))
    }

    fn services(&mut self) -> Box<dyn twine_fs::Platform> {
        Box::new(Services::default())
    }

    fn report(&mut self, trouble: &str) {
        let text = trouble.as_bytes();
        let text = text.get(..PAYLOAD_LEN).unwrap_or(text);
        // What the host does with it, and whether, is of no consequence.
        let _ = host::call_with(
            HostCall::Report,
            [text.len() as u64, 0, 0, 0, 0, 0],
            text,
            0..=0,
        );
    }

    fn processor_report(&mut self, target: &TargetInfo, data: &[u8; 64]) -> Result<Report, Fault> {
        Ok(enclu::report(target, data))
    }

    fn quote_target(&mut self) -> Result<TargetInfo, Fault> {
        host::call(HostCall::QuoteTarget, [0; 6], 0..=0).map_err(fault)?;
        let mut target = [0; TargetInfo::LEN];
        host::read_payload(&mut target);
        Ok(TargetInfo::from_bytes(&target))
    }

    fn quote(&mut self, report: &Report) -> Result<Vec<u8>, Fault> {
        let most = PAYLOAD_LEN as u64;
        let len = host::call_with(HostCall::Quote, [0; 6], &report.to_bytes(), 0..=most);
        let len = usize::try_from(len.map_err(fault)?).unwrap_or(PAYLOAD_LEN);
        let mut quote = vec![0; len];
        host::read_payload(&mut quote);
        Ok(quote)
    }

    fn hand_over(&mut self, evidence: &[u8]) -> Result<(), Fault> {
        let args = [evidence.len() as u64, 0, 0, 0, 0, 0];
        let handed_over = host::call_with(HostCall::Evidence, args, evidence, 0..=0);
        handed_over.map(drop).map_err(fault)
    }

    fn provision(&mut self, request: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let args = [request.len() as u64, 0, 0, 0, 0, 0];
        host::call_with(HostCall::Provision, args, request, 0..=0).map_err(fault)?;
        let mut span = [0; 2];
        host::read_payload_words(&mut span);
        match copy_in(span, BUNDLE_LEN_BYTES_MAX) {
            Ok(bundle) => Ok(Zeroizing::new(bundle)),
            Err(CopyError::NotOutside) => Err(Fault::Misbehaved(
                "the bundle is not outside, or longer than any",
            )),
            Err(CopyError::NoMemory) => Err(Fault::Host(HostErrno::NoMemory)),
        }
    }

    fn key(&mut self, request: &KeyRequest) -> Option<Zeroizing<[u8; 16]>> {
        enclu::key(request).ok()
    }
}

/// Randomness and time for the file system.
#[derive(Default)]
struct Services {
    time: AtomicU64,
    /// Host calls there had been when the time was read.
    read_at: AtomicU64,
    /// How often the time was told since.
    told: AtomicU64,
}

/// How often the same time is told while the enclave is not left. Files' times are the host's claim anyway; a call for each
/// write would cost more than the write.
const TOLD_MAX: u64 = 64;

impl twine_fs::Platform for Services {
    fn random(&self, bytes: &mut [u8]) -> twine_fs::Result<()> {
        random::fill(bytes);
        Ok(())
    }

    fn now(&self) -> u64 {
        let fresh = host::calls() == self.read_at.load(Ordering::Relaxed);
        if !fresh || self.told.fetch_add(1, Ordering::Relaxed) >= TOLD_MAX {
            // A host without a time leaves the last one standing.
            if let Ok(time) = HostPlatform.clock(Clock::Realtime) {
                self.time.store(time, Ordering::Relaxed);
            }
            self.read_at.store(host::calls(), Ordering::Relaxed);
            self.told.store(0, Ordering::Relaxed);
        }
        self.time.load(Ordering::Relaxed)
    }
}

fn fault(error: CallError) -> Fault {
    match error {
        CallError::Failed(errno) => Fault::Host(errno),
        CallError::Misbehaved => Fault::Misbehaved("an answer out of range"),
    }
}
