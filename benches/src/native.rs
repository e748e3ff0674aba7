//! The enclave's own runtime, natively: the same WASI, the same engine and the same code on file systems that enclaves do not
//! have.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow, ensure};
use twine::abi::exchange::Clock;
use twine::document::LaunchDocument;
use twine::launch::create::{Configuration, Debugging};
use twine::{Compiler, Module, Runtime};
use twine_fs::HostPlatform;
use twine_runtime::{Fault, Identity, Mount, Outcome, Platform, Request, Sink, launch_with};

/// A program, compiled for enclaves.
pub(crate) struct Program {
    module: Module,
    code: Vec<u8>,
}

impl Program {
    /// Compiles the module in a file.
    ///
    /// # Errors
    /// The compiler's.
    pub(crate) fn new(runtime: &Runtime, path: &Path) -> Result<Self> {
        let compiler = Compiler::new().map_err(|error| anyhow!("{error:#}"))?;
        let wasm = std::fs::read(path)?;
        Ok(Self {
            module: runtime.load(path)?,
            code: compiler
                .machine_code(&wasm)
                .map_err(|error| anyhow!(error))?,
        })
    }

    /// Runs it with these arguments and file systems, and returns what it printed. `on_clock` is called each time it reads
    /// the clock that measures.
    ///
    /// # Errors
    /// If it does not end well.
    pub(crate) fn run(
        &self,
        arguments: &[&str],
        mounts: Vec<Mount>,
        on_clock: impl FnMut() + 'static,
    ) -> Result<String> {
        let document = LaunchDocument::new(self.module.draft())?;
        let svn = document.application.version;
        let bytes = document.to_toml().into_bytes();
        let identity = Identity {
            config_id: Configuration::of(&bytes, svn, Debugging::Forbidden).id,
            config_svn: svn,
            isv_svn: 1,
            cpu_svn: [0; 16],
        };
        let name = std::iter::once(self.module.name());
        let request = Request {
            document: bytes,
            module: self.code.clone(),
            arguments: name
                .chain(arguments.iter().copied())
                .flat_map(|argument| [argument.as_bytes(), b"\0"].concat())
                .collect(),
            ..Request::default()
        };
        let streams = Streams::default();
        let world = World {
            streams: Rc::clone(&streams),
            on_clock: Box::new(on_clock),
        };
        let launched = launch_with(Box::new(world), &identity, request, |_, _| Ok(mounts));
        let outcome = launched.outcome;
        let (output, errors) = streams.take();
        ensure!(
            outcome == Outcome::exited(0),
            "{outcome:?}: {}",
            String::from_utf8_lossy(&errors)
        );
        Ok(String::from_utf8(output)?)
    }
}

/// Standard output and standard error.
type Streams = Rc<RefCell<(Vec<u8>, Vec<u8>)>>;

struct World {
    streams: Streams,
    on_clock: Box<dyn FnMut()>,
}

impl Platform for World {
    fn write(&mut self, sink: Sink, bytes: &[u8]) -> Result<usize, Fault> {
        let mut streams = self.streams.borrow_mut();
        match sink {
            Sink::Output => streams.0.extend_from_slice(bytes),
            Sink::Error => streams.1.extend_from_slice(bytes),
        }
        Ok(bytes.len())
    }

    fn read(&mut self, _: &mut [u8]) -> Result<usize, Fault> {
        Ok(0)
    }

    fn clock(&mut self, clock: Clock) -> Result<u64, Fault> {
        thread_local! {
            static START: Instant = Instant::now();
        }
        let time = match clock {
            Clock::Monotonic => {
                (self.on_clock)();
                START.with(Instant::elapsed)
            }
            Clock::Realtime => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        };
        Ok(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }

    fn wait(&mut self, _: u64, _: u64) -> Result<u64, Fault> {
        Ok(0)
    }

    fn yield_now(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn random(&mut self, buffer: &mut [u8]) {
        // Without randomness the guest gets zeros: here it decides nothing but names of temporary files.
        _ = twine_fs::Platform::random(&HostPlatform, buffer);
    }
}
