//! A hostile host's tools: enclaves without anybody honest around them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use twine::abi::entry::{Call, Entry, Event, Exit, Status};
use twine::abi::exchange::{Header, LaunchRequest, Span};
use twine::abi::layout::{ENCLAVE_LEN, TCS_OFFSET, thread_area};
use twine::backend::{BackendError, Enclave, Leaf, Left, Registers};
use twine::launch::create::{Configuration, Debugging, create};
use twine::launch::exchange::ExchangeArea;
use twine::launch::thread::Thread;
use twine::launch::{outcome, run};
use twine::serve::{Console, Host, Log, Services};
use twine::{Capture, Error, Input, Launch, Module, Outcome, Output, Runtime};

use crate::run::{module, runtime};

/// What an honest host would pass for a guest, as bytes to be spoilt.
#[derive(Clone, Debug)]
pub struct Papers {
    /// The launch document.
    pub document: Vec<u8>,
    /// The compiled module.
    pub module: Vec<u8>,
    /// The document's version.
    pub version: u16,
}

impl Papers {
    /// The papers of a guest with a generated document.
    ///
    /// # Panics
    /// If the guest cannot be had.
    #[must_use]
    pub fn of(guest: &str) -> Self {
        let module = module(guest);
        let launch = Launch::new(runtime(), &module);
        Self {
            document: launch.document_bytes().expect("the defaults are valid"),
            module: machine_code(&module),
            version: launch
                .document()
                .expect("the defaults are valid")
                .application
                .version,
        }
    }

    /// Creates an enclave for the document.
    ///
    /// # Panics
    /// If the emulator does not.
    #[must_use]
    pub fn enclave(&self) -> Arc<dyn Enclave> {
        enclave(&self.document, self.version)
    }
}

/// Creates an enclave for this document and version.
///
/// # Panics
/// If the emulator does not.
#[must_use]
pub fn enclave(document: &[u8], version: u16) -> Arc<dyn Enclave> {
    enclave_on(runtime(), document, version)
}

/// Creates an enclave on another platform or of another image than the process's own.
///
/// # Panics
/// If the platform does not.
#[must_use]
pub fn enclave_on(runtime: &Runtime, document: &[u8], version: u16) -> Arc<dyn Enclave> {
    let certificate = runtime
        .certificate(Debugging::Forbidden)
        .expect("a key can be made");
    let configuration = Configuration::of(document, version, Debugging::Forbidden);
    create(
        runtime.backend(),
        runtime.image(),
        certificate.sigstruct(),
        &configuration,
    )
    .expect("an enclave")
}

/// The machine code in a compiled module's file: what follows its head (`twine::module`).
fn machine_code(module: &Module) -> Vec<u8> {
    const HEAD_LEN: usize = 128;
    let mut file = Vec::new();
    module.write(&mut file).expect("memory is writable");
    file.split_off(HEAD_LEN)
}

/// Host memory that may change while the enclave reads it.
#[derive(Debug)]
pub struct Memory {
    words: Vec<AtomicU64>,
    len: usize,
}

impl Memory {
    /// Holds these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let words = bytes.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            let (used, _) = word.split_at_mut(chunk.len());
            used.copy_from_slice(chunk);
            AtomicU64::new(u64::from_le_bytes(word))
        });
        Self {
            words: words.collect(),
            len: bytes.len(),
        }
    }

    /// Where the enclave finds them.
    #[must_use]
    pub fn span(&self) -> Span {
        Span {
            address: self.words.as_ptr().expose_provenance() as u64,
            len: self.len as u64,
        }
    }

    /// Inverts a bit of the word in the middle.
    pub fn disturb(&self) {
        if let Some(word) = self.words.get(self.words.len() / 2) {
            word.fetch_xor(1, Ordering::Relaxed);
        }
    }
}

/// An honest request for these papers, whose memory is the caller's.
#[must_use]
pub fn request(document: &Memory, module: &Memory, arguments: &Memory) -> LaunchRequest {
    LaunchRequest {
        document: document.span(),
        module: module.span(),
        arguments: arguments.span(),
        environment: Span::default(),
        signature: Span::default(),
        message: Span::default(),
        flags: 0,
    }
}

/// A host that serves honestly, without streams.
///
/// # Panics
/// If the process has no descriptors left.
#[must_use]
pub fn honest(enclave: &Arc<dyn Enclave>) -> Host {
    honest_with(enclave, Input::Empty, Output::Discard)
}

/// A host that serves honestly, with these streams.
///
/// # Panics
/// If the process has no descriptors left.
#[must_use]
pub fn honest_with(enclave: &Arc<dyn Enclave>, input: Input, output: Output) -> Host {
    let console = Console::new(input, output, Output::Discard, None).expect("descriptors are left");
    Host::new(console, Arc::clone(enclave), Log::default())
}

/// Initialises the enclave and launches what the request says, serving honestly.
///
/// # Errors
/// Whatever the launch ends in.
pub fn launch(enclave: &Arc<dyn Enclave>, request: &LaunchRequest) -> Result<Outcome, Error> {
    let mut thread = Thread::main(Arc::clone(enclave));
    let mut host = honest(enclave);
    thread.call(Call::Initialise, &mut host, None)?;
    thread.exchange().set_launch_request(request);
    thread.call(Call::Launch, &mut host, None)?;
    outcome::parse(thread.exchange().payload())
}

/// Answers host calls by a closure, which may ask the honest host.
pub struct Liar<F> {
    honest: Box<dyn Services>,
    lie: F,
}

impl<F: FnMut(&Header, &mut [u8], &mut dyn Services) -> i64> Services for Liar<F> {
    fn serve(&mut self, header: &Header, payload: &mut [u8]) -> i64 {
        (self.lie)(header, payload, &mut *self.honest)
    }
}

/// Puts a liar in front of the honest host.
pub fn liar<F>(lie: F) -> run::Wrap
where
    F: FnMut(&Header, &mut [u8], &mut dyn Services) -> i64 + 'static,
{
    Box::new(|honest| Box::new(Liar { honest, lie }))
}

/// One thread of an enclave, entered by hand.
pub struct Door {
    enclave: Arc<dyn Enclave>,
    tcs: u64,
    /// The exchange area of its calls.
    pub exchange: ExchangeArea,
}

/// How an entry ended, as far as the registers say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Came {
    /// Out, by EEXIT.
    Out(Exit, Status),
    /// Out, asynchronously.
    Away(Left),
}

/// The entry was refused, and changed nothing.
#[must_use]
pub const fn refused(status: Status) -> Came {
    Came::Out(Exit::Refused, status)
}

impl Door {
    /// The thread with this number.
    ///
    /// # Panics
    /// If there is no such thread.
    #[must_use]
    pub fn new(enclave: &Arc<dyn Enclave>, thread: u64) -> Self {
        Self {
            enclave: Arc::clone(enclave),
            tcs: thread_area(thread).expect("a thread of the image") + TCS_OFFSET,
            exchange: ExchangeArea::new(),
        }
    }

    /// Offset of the TCS.
    #[must_use]
    pub const fn tcs(&self) -> u64 {
        self.tcs
    }

    /// Begins a call.
    ///
    /// # Errors
    /// If the platform refuses the instruction.
    pub fn call(&mut self, call: Call) -> Result<Came, BackendError> {
        self.begin(call as u64)
    }

    /// Begins a call by its number, whatever it is.
    ///
    /// # Errors
    /// If the platform refuses the instruction.
    pub fn begin(&mut self, call: u64) -> Result<Came, BackendError> {
        let exchange = self.exchange.address();
        self.enter_with(Entry::Call as u64, exchange, call)
    }

    /// Says that the host call has been answered.
    ///
    /// # Errors
    /// If the platform refuses the instruction.
    pub fn answer(&mut self, ret: i64) -> Result<Came, BackendError> {
        self.exchange.answer(ret);
        self.enter(Entry::Return as u64)
    }

    /// Says that something has happened.
    ///
    /// # Errors
    /// If the platform refuses the instruction.
    pub fn tell(&mut self, event: Event) -> Result<Came, BackendError> {
        self.enter(event as u64)
    }

    /// EENTER with this RDI; the other registers are as a host would leave them that means no good.
    ///
    /// # Errors
    /// If the platform refuses the instruction.
    pub fn enter(&mut self, rdi: u64) -> Result<Came, BackendError> {
        self.enter_with(rdi, self.enclave.base() + 8, u64::MAX)
    }

    /// EENTER with these registers.
    ///
    /// # Errors
    /// If the platform refuses the instruction.
    pub fn enter_with(&mut self, rdi: u64, rsi: u64, rdx: u64) -> Result<Came, BackendError> {
        let junk = self.enclave.base() + 0x1000;
        let registers = Registers {
            rdi,
            rsi,
            rdx,
            r8: junk,
            r9: junk,
        };
        self.go(Leaf::Enter, registers)
    }

    /// ERESUME.
    ///
    /// # Errors
    /// If the platform refuses the instruction.
    pub fn resume(&mut self) -> Result<Came, BackendError> {
        self.go(Leaf::Resume, Registers::default())
    }

    /// Makes a call and serves until it leaves for anything else than a host call.
    ///
    /// # Panics
    /// If the platform refuses an entry.
    pub fn complete(&mut self, call: Call, services: &mut dyn Services) -> Came {
        let came = self.call(call).expect("the thread is idle");
        self.serve_on(came, services)
    }

    /// Serves until the thread leaves for anything else than a host call.
    ///
    /// # Panics
    /// If the platform refuses an entry.
    pub fn serve_on(&mut self, mut came: Came, services: &mut dyn Services) -> Came {
        while came == Came::Out(Exit::HostCall, Status::Ok) {
            let header = self.exchange.header();
            let ret = services.serve(&header, self.exchange.payload_mut());
            came = self.answer(ret).expect("the thread waits for its answer");
        }
        came
    }

    /// Enters, and checks what holds for every EEXIT: nothing of the enclave is in the registers.
    fn go(&mut self, leaf: Leaf, mut registers: Registers) -> Result<Came, BackendError> {
        // Also where it is not read: the address must be taken anew after every use of the area here.
        let _ = self.exchange.address();
        let left = self.enclave.enter(self.tcs, leaf, &mut registers)?;
        if left != Left::Exited {
            return Ok(Came::Away(left));
        }
        let base = self.enclave.base();
        for value in [
            registers.rdi,
            registers.rsi,
            registers.rdx,
            registers.r8,
            registers.r9,
        ] {
            let inside = (base..base + ENCLAVE_LEN).contains(&value);
            assert!(
                !inside,
                "an address inside the enclave is left in a register: {registers:x?}"
            );
        }
        assert_eq!(
            (registers.rdx, registers.r8, registers.r9),
            (0, 0, 0),
            "registers are left behind"
        );
        let exit = Exit::try_from(registers.rdi).expect("a known exit code");
        let status = Status::try_from(registers.rsi).expect("a known status");
        Ok(Came::Out(exit, status))
    }
}

/// A capture and the output that fills it.
#[must_use]
pub fn captured() -> (Capture, Output) {
    let capture = Capture::default();
    let output = Output::from(&capture);
    (capture, output)
}

/// Says that a test is over when it goes out of scope, also by a panic: a thread that waits for it ends then.
#[derive(Debug, Default)]
pub struct Over(AtomicBool);

impl Over {
    /// Whether the test is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Returns what ends the test when it is dropped.
    #[must_use]
    pub const fn guard(&self) -> Guard<'_> {
        Guard(self)
    }
}

/// Ends the test when it is dropped.
#[derive(Debug)]
pub struct Guard<'a>(&'a Over);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}
