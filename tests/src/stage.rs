//! A guest's enclave between initialisation and launch, entered by hand.

use std::sync::Arc;

use twine::abi::entry::{Call, Exit, Status};
use twine::backend::{BackendError, Enclave};
use twine::launch::outcome;
use twine::{Outcome, Runtime};

use crate::hostile::{Came, Door, Memory, Papers, enclave_on, honest, request};
use crate::run::runtime;

/// The call is done.
pub const DONE: Came = Came::Out(Exit::Done, Status::Ok);
/// The enclave asks its host for something.
pub const HOST_CALL: Came = Came::Out(Exit::HostCall, Status::Ok);

/// A guest's papers in memory, and its enclave.
pub struct Stage {
    /// The enclave.
    pub enclave: Arc<dyn Enclave>,
    /// Its first thread.
    pub main: Door,
    document: Memory,
    module: Memory,
    arguments: Memory,
}

impl Stage {
    /// On the process's own platform, after initialisation.
    ///
    /// # Panics
    /// If the enclave does not initialise.
    #[must_use]
    pub fn for_guest(guest: &str) -> Self {
        let mut stage = Self::new(runtime(), guest);
        let mut host = honest(&stage.enclave);
        assert_eq!(
            stage.main.complete(Call::Initialise, &mut host),
            DONE,
            "initialisation"
        );
        stage
    }

    /// On another platform, before initialisation.
    #[must_use]
    pub fn new(runtime: &Runtime, guest: &str) -> Self {
        let papers = Papers::of(guest);
        let enclave = enclave_on(runtime, &papers.document, papers.version);
        let main = Door::new(&enclave, 0);
        let [document, module, arguments] =
            [&papers.document[..], &papers.module, b"guest\0"].map(Memory::of);
        Self {
            enclave,
            main,
            document,
            module,
            arguments,
        }
    }

    /// Begins the launch; the guest runs to its first exit.
    ///
    /// # Panics
    /// If the platform refuses the entry.
    pub fn begin(&mut self) -> Came {
        self.try_begin().expect("an idle thread")
    }

    /// Begins the launch; the guest runs to its first exit.
    ///
    /// # Errors
    /// If the platform refuses the entry.
    pub fn try_begin(&mut self) -> Result<Came, BackendError> {
        self.main.exchange.set_launch_request(&request(
            &self.document,
            &self.module,
            &self.arguments,
        ));
        self.main.call(Call::Launch)
    }

    /// Begins the launch and serves honestly until something else than a host call happens.
    pub fn until_something_happens(&mut self) -> Came {
        let came = self.begin();
        self.main.serve_on(came, &mut honest(&self.enclave))
    }

    /// What the launch has ended in.
    ///
    /// # Panics
    /// If the enclave has not left an outcome.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        outcome::parse(self.main.exchange.payload()).expect("an outcome")
    }
}
