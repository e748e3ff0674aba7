//! Guests in enclaves, on the emulator, for all groups: what they print, what they ask of the host, which pages they use, and
//! what it costs where transitions and pages are not as cheap as here.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use twine::abi::exchange::{Header, HostCall};
use twine::backend::emulator::{Audit, Costs, Emulator, EmulatorConfig};
use twine::cache::Cache;
use twine::serve::Services;
use twine::state::Directories;
use twine::{Capture, Launch, Outcome, Runtime};

/// What leaving an enclave and entering it again costs on hardware: 8,000 to 17,000 cycles (HotCalls, ISCA 2017, and reports
/// since), 2.7 to 5.7 us at 3 GHz; the lower end.
pub(crate) const EXIT: Duration = Duration::from_micros(3);

/// Costs as on hardware with SGX2: half of [`EXIT`] for each way. What pages cost is an assumption, because reports differ:
/// 10,000 cycles for EACCEPT, 20,000 for the fault, the driver and EAUG.
pub(crate) const HARDWARE: Costs = Costs {
    transition: Duration::from_nanos(1500),
    accept: Duration::from_nanos(3300),
    augment: Duration::from_nanos(6600),
};

/// Where modules and keys are kept, apart from the user's.
fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target/bench-home")
}

/// The emulator with the bundled image, free of charge.
///
/// # Errors
/// The library's.
pub(crate) fn runtime() -> Result<Runtime> {
    runtime_with(Costs::default(), None)
}

/// The emulator with costs, or with a log of its pages.
///
/// # Errors
/// The library's.
pub(crate) fn runtime_with(costs: Costs, audit: Option<Arc<Audit>>) -> Result<Runtime> {
    let directories = Directories::below(&home());
    let config = EmulatorConfig {
        secret: directories.state()?.join("emulator"),
        costs,
        audit,
        ..EmulatorConfig::default()
    };
    Ok(Runtime::builder()
        .cache(Cache::of(&directories))
        .directories(directories)
        .with_backend(Box::new(Emulator::new(config)?))
        .build()?)
}

/// The most pages that an enclave had at once.
pub(crate) fn most_pages(audit: &Audit) -> usize {
    let (mut there, mut most) = (BTreeSet::new(), 0);
    for event in audit.events() {
        match event.page {
            Some(_) => there.insert((event.base, event.offset)),
            None => there.remove(&(event.base, event.offset)),
        };
        most = most.max(there.len());
    }
    most
}

/// Runs a guest, which has to end well, and returns what it printed.
///
/// # Errors
/// If it does not, with what it wrote to standard error.
pub(crate) fn finish(launch: Launch<'_>) -> Result<String> {
    let (output, errors) = (Capture::default(), Capture::default());
    let outcome = launch.stdout(&output).stderr(&errors).run()?;
    ensure!(
        outcome == Outcome::Exited { code: 0 },
        "{outcome:?}: {}",
        String::from_utf8_lossy(&errors.take())
    );
    Ok(String::from_utf8(output.take())?)
}

/// Host calls by their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(BTreeMap<u32, u64>);

impl Calls {
    pub(crate) fn all(&self) -> u64 {
        self.0.values().sum()
    }

    pub(crate) fn of(&self, call: HostCall) -> u64 {
        self.0.get(&(call as u32)).copied().unwrap_or(0)
    }
}

/// The honest host, and somebody who counts what it is asked.
struct Watched {
    honest: Box<dyn Services>,
    watch: Watch,
}

/// What a watched host has been asked; clones see the same.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    calls: Rc<RefCell<Calls>>,
    flushes: Rc<RefCell<u64>>,
}

impl Watch {
    /// Has the launch's host watched.
    pub(crate) fn on<'a>(&self, launch: Launch<'a>) -> Launch<'a> {
        let watch = self.clone();
        launch.services(|honest| Box::new(Watched { honest, watch }))
    }

    pub(crate) fn calls(&self) -> Calls {
        self.calls.borrow().clone()
    }

    /// Writes that had to be durable.
    pub(crate) fn flushes(&self) -> u64 {
        *self.flushes.borrow()
    }
}

impl Services for Watched {
    fn serve(&mut self, header: &Header, payload: &mut [u8]) -> i64 {
        *self
            .watch
            .calls
            .borrow_mut()
            .0
            .entry(header.op)
            .or_default() += 1;
        if header.op == HostCall::StoreWrite as u32 {
            let [_, _, durable, ..] = header.args;
            *self.watch.flushes.borrow_mut() += durable;
        }
        self.honest.serve(header, payload)
    }
}
