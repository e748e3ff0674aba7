//! The audit log: every change of every page's EPCM entry, in order, and every key that was given out, for tests that must
//! prove a negative ("no page was ever writable and executable at once", "no key is left in memory").

use std::fmt;
use std::sync::{Mutex, PoisonError};

use twine_abi::sgx::{PageKind, Permissions};

use super::model::Page;

/// One change of one page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AuditEvent {
    /// Base of the enclave.
    pub base: u64,
    /// Offset of the page from the base.
    pub offset: u64,
    /// The instruction that changed it.
    pub leaf: &'static str,
    /// What the page is afterwards; `None` if it is no more.
    pub page: Option<AuditedPage>,
}

/// What a page is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AuditedPage {
    /// Its type.
    pub kind: PageKind,
    /// Its permissions in the EPCM.
    pub permissions: Permissions,
    /// What the enclave can do with it now; less than `permissions` while a change is not accepted.
    pub reachable: Permissions,
}

impl AuditedPage {
    pub(super) fn of(page: &Page) -> Self {
        Self {
            kind: page.kind,
            permissions: page.permissions,
            reachable: page.reachable(),
        }
    }
}

/// A log that grows without limit. Share it with [`super::EmulatorConfig::audit`].
#[derive(Default)]
pub struct Audit {
    events: Mutex<Vec<AuditEvent>>,
    keys: Mutex<Vec<[u8; 16]>>,
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").finish_non_exhaustive()
    }
}

impl Audit {
    /// Everything that has happened so far.
    #[must_use]
    pub fn events(&self) -> Vec<AuditEvent> {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Every key that EGETKEY has given out so far. An emulated processor has no secrets worth the name.
    #[must_use]
    pub fn keys(&self) -> Vec<[u8; 16]> {
        self.keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn note_key(&self, key: &[u8; 16]) {
        self.keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(*key);
    }

    /// Everything that has happened since the last time, which is then forgotten.
    #[must_use]
    pub fn take(&self) -> Vec<AuditEvent> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn note(&self, base: u64, offset: u64, leaf: &'static str, page: Option<&Page>) {
        let page = page.map(AuditedPage::of);
        let event = AuditEvent {
            base,
            offset,
            leaf,
            page,
        };
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }
}
