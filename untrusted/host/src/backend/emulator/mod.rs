//! SGX in software, in the same process, for the unchanged enclave image.
//!
//! It gives no protection whatsoever: every host thread can read the "enclave". What it gives is the processor's behaviour:
//! the same image, with the same measurement, enters, leaves, faults, accepts pages, makes reports and derives keys by the
//! manual's rules, and what the manual refuses is refused. `docs/emulator.md` says what is faithful and what is not.
//!
//! ```text
//!   Emulator ──► Building ──► Running          the traits of `backend`
//!                   │             │
//!                   ▼             ▼
//!                machine: memory, registers, signals        all of the `unsafe`
//!                   │
//!                   ▼
//!                 model: the processor's rules              pure
//! ```

mod audit;
mod bare;
mod costs;
mod machine;
mod model;
mod page_tables;
mod quoting;
mod secret;
mod stepper;

#[cfg(test)]
pub(super) mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use twine_abi::sgx::{PageKind, Permissions, SecInfo, Secs, Sigstruct};

use crate::quote::QuoteSource;

use super::{
    Backend, BackendError, BackendKind, Build, Counts, Enclave, Leaf, Left, Measure, PageRange,
    Registers,
};

pub(in crate::backend) use bare::Bare;

pub use audit::{Audit, AuditEvent, AuditedPage};
pub use costs::Costs;
pub use machine::building::Rebinding;
pub use page_tables::{PageTable, PageTables};
pub(crate) use quoting::fuzzing::answers as quoting_answers;
pub use quoting::{Collateral, Revoked, SimulatedPlatform, TcbStatus};
pub use stepper::{Moment, Next, Stepper};

use machine::instance::{Instance, Place};
use model::Processor;
use page_tables::Holder;

/// The page length as a length in memory.
const PAGE_BYTES: usize = 4096;
const _: () = assert!(PAGE_BYTES as u64 == twine_abi::layout::PAGE_LEN);

/// How to emulate.
#[derive(Clone, Debug, Default)]
pub struct EmulatorConfig {
    /// The file with this user's platform secret. Made on first use, with mode 0600, if it does not exist.
    pub secret: PathBuf,
    /// What operations cost besides what they really take.
    pub costs: Costs,
    /// Whether ENCLU traps.
    pub rebinding: Rebinding,
    /// Where to write down what becomes of pages, and which keys are given out.
    pub audit: Option<Arc<Audit>>,
    /// Who watches threads, instruction by instruction.
    pub stepper: Option<Arc<Stepper>>,
    /// Who has power over page tables, also over those that the model of the driver makes.
    pub page_tables: Option<Arc<PageTables>>,
}

/// An emulated processor. Enclaves created by emulators with the same secret file can check each other's reports within
/// one emulator, and unseal each other's data as far as their identities allow.
pub struct Emulator {
    processor: Processor,
    quotes: Arc<dyn QuoteSource>,
    config: EmulatorConfig,
}

impl Emulator {
    /// Powers the processor on.
    ///
    /// # Errors
    /// [`BackendError::Os`] if the secret cannot be read or made.
    pub fn new(config: EmulatorConfig) -> Result<Self, BackendError> {
        let secret = secret::load_or_create(&config.secret).map_err(|source| BackendError::Os {
            what: "reading the emulator's platform secret",
            source,
        })?;
        let mut report_key_id = [0; 32];
        secret::random(&mut report_key_id).map_err(|source| BackendError::Os {
            what: "reading random numbers",
            source,
        })?;
        let processor = Processor::new(secret, report_key_id);
        Ok(Self {
            quotes: quoting::source(&processor),
            processor,
            config,
        })
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Backend for Emulator {
    fn kind(&self) -> BackendKind {
        BackendKind::Emulator
    }

    fn create(&self, secs: &Secs) -> Result<Box<dyn Build>, BackendError> {
        let instance = Instance::create(&self.processor, secs, &self.config, Place::Anywhere)?;
        Ok(Box::new(Building {
            instance,
            rebinding: self.config.rebinding,
            page_tables: self.config.page_tables.clone(),
        }))
    }

    fn quotes(&self) -> Arc<dyn QuoteSource> {
        Arc::clone(&self.quotes)
    }
}

/// An emulated enclave that is being built.
struct Building {
    instance: Instance,
    rebinding: Rebinding,
    page_tables: Option<Arc<PageTables>>,
}

impl Build for Building {
    fn add_pages(
        &mut self,
        offset: u64,
        bytes: &[u8],
        info: SecInfo,
        measure: Measure,
    ) -> Result<(), BackendError> {
        self.instance.add_pages(offset, bytes, &info, measure)
    }

    /// Pages are added wherever the enclave accepts one.
    fn leave_room(
        &mut self,
        _pages: PageRange,
        _permissions: Permissions,
    ) -> Result<(), BackendError> {
        Ok(())
    }

    fn initialise(
        mut self: Box<Self>,
        sigstruct: &Sigstruct,
    ) -> Result<Arc<dyn Enclave>, BackendError> {
        self.instance.initialise(sigstruct, self.rebinding)?;
        let running = Arc::new(Running {
            instance: self.instance,
        });
        if let Some(page_tables) = self.page_tables {
            page_tables.register(&running);
        }
        Ok(running)
    }
}

/// An emulated enclave that can be entered.
#[derive(Debug)]
struct Running {
    instance: Instance,
}

impl Holder for Running {
    fn instance(&self) -> &Instance {
        &self.instance
    }
}

impl Enclave for Running {
    fn base(&self) -> u64 {
        self.instance.base()
    }

    fn enter(&self, tcs: u64, leaf: Leaf, registers: &mut Registers) -> Result<Left, BackendError> {
        self.instance.enter(tcs, leaf, registers)
    }

    fn interrupt(&self, tcs: u64) {
        self.instance.interrupt(tcs);
    }

    fn restrict(&self, range: PageRange, permissions: Permissions) -> Result<(), BackendError> {
        self.instance.restrict(range, permissions)
    }

    fn retype(&self, range: PageRange, kind: PageKind) -> Result<(), BackendError> {
        self.instance.retype(range, kind)
    }

    fn remove(&self, range: PageRange) -> Result<(), BackendError> {
        self.instance.remove(range)
    }

    fn augment(&self, range: PageRange) -> Result<(), BackendError> {
        self.instance.augment(range)
    }

    fn counts(&self) -> Option<Counts> {
        Some(self.instance.counts())
    }
}
