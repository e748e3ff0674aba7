//! The power of a hostile operating system over the pages of a running enclave: page tables, EREMOVE and EAUG, at any time
//! and without asking anybody. For tests.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use twine_abi::sgx::Permissions;

use super::PAGE_BYTES;
use super::audit::AuditedPage;
use super::machine::instance::Instance;
use crate::backend::{BackendError, PageRange};

/// Hands out the page tables of enclaves that were made while this was set as [`super::EmulatorConfig::page_tables`].
#[derive(Debug, Default)]
pub struct PageTables {
    enclaves: Mutex<Vec<Weak<dyn Holder>>>,
}

impl PageTables {
    /// The page tables of the enclave at this base, if it is still there.
    #[must_use]
    pub fn of(&self, base: u64) -> Option<PageTable> {
        self.lock()
            .iter()
            .filter_map(Weak::upgrade)
            .find(|holder| holder.instance().base() == base)
            .map(PageTable)
    }

    pub(super) fn register<T: Holder + 'static>(&self, holder: &Arc<T>) {
        let holder: Weak<dyn Holder> = Arc::<T>::downgrade(holder);
        let mut enclaves = self.lock();
        enclaves.retain(|enclave| enclave.strong_count() > 0);
        enclaves.push(holder);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<dyn Holder>>> {
        self.enclaves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What keeps an enclave that runs: the emulator's backend, or the model of the driver.
pub(super) trait Holder: fmt::Debug + Send + Sync {
    /// The enclave.
    fn instance(&self) -> &Instance;
}

/// The page tables of one enclave. Keeps the enclave alive, but not the addresses that a loader has reserved for it.
#[derive(Debug)]
pub struct PageTable(Arc<dyn Holder>);

impl PageTable {
    /// What lies at each offset where there is a page, from `pages` only.
    #[must_use]
    pub fn pages(&self, pages: PageRange) -> Vec<(u64, AuditedPage)> {
        (pages.offset..)
            .step_by(PAGE_BYTES)
            .take(usize::try_from(pages.count).unwrap_or(usize::MAX))
            .filter_map(|offset| Some((offset, self.0.instance().audited(offset)?)))
            .collect()
    }

    /// Lets the page tables grant at most `permissions` for these pages.
    ///
    /// # Errors
    /// [`BackendError::Os`] if the operating system cannot.
    pub fn map(&self, pages: PageRange, permissions: Permissions) -> Result<(), BackendError> {
        self.0
            .instance()
            .map(pages, permissions)
            .map_err(|source| BackendError::Os {
                what: "changing page tables",
                source,
            })
    }

    /// EREMOVE of the page at `offset`, whatever it is.
    ///
    /// # Errors
    /// [`BackendError::Refused`] if there is no page, or a thread is inside.
    pub fn remove(&self, offset: u64) -> Result<(), BackendError> {
        self.0.instance().remove_at_will(offset)
    }

    /// EAUG of a page of zeros at `offset`.
    ///
    /// # Errors
    /// [`BackendError::Refused`] if there is a page already.
    pub fn add(&self, offset: u64) -> Result<(), BackendError> {
        self.0.instance().add_at_will(offset)
    }
}
