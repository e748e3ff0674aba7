//! The backend: the driver's flow from an open file to an enclave, over the [seam](super::seam).
//!
//! ```text
//!   open ──► reserve ──► CREATE ──► ADD_PAGES ... ──► INIT ──► map, range by range ──► enter (vDSO)
//! ```
//!
//! Ranges are mapped with the permissions of the pages that were added, a TCS for reading and writing, and room for pages
//! to come with what its owner asked for. Everything else stays without access: a guard faults without the driver being
//! asked for a page.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{PageKind, Permissions, SecInfo, Secs, Sigstruct};

use super::explain::{Explain, Step};
use super::kernel::{self, Kernel, Reservation};
use super::operand::{PAGE, PageBuffer};
use super::retry::{self, Patience};
use super::running::Running;
use super::seam::{EntryFunction, Request, SgxDevice, SgxFile};
use super::uapi::{AddPages, Create, Init, PAGE_MEASURE};
use crate::backend::{
    Backend, BackendError, BackendKind, Build, Enclave, Measure, PageRange, Refusal,
};
use crate::quote::QuoteSource;

/// The processor's SGX through a driver.
pub struct Device {
    device: Arc<dyn SgxDevice>,
    explain: Explain,
    entry: EntryFunction,
}

impl Device {
    /// The running kernel's driver.
    ///
    /// # Errors
    /// [`BackendError::Unusable`] if the kernel cannot enter enclaves; it says what to do about it.
    pub fn new() -> Result<Self, BackendError> {
        Self::over(Arc::new(Kernel), Explain::this_machine())
    }

    /// Another driver: a model of it.
    pub(super) fn over(device: Arc<dyn SgxDevice>, explain: Explain) -> Result<Self, BackendError> {
        let entry = device
            .entry()
            .map_err(|error| explain.error(Step::Entry, &error))?;
        kernel::install().map_err(|source| BackendError::Os {
            what: "choosing a signal",
            source,
        })?;
        Ok(Self {
            device,
            explain,
            entry,
        })
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("kind", &self.device.kind())
            .field("entry", &self.entry)
            .finish_non_exhaustive()
    }
}

impl Backend for Device {
    fn kind(&self) -> BackendKind {
        self.device.kind()
    }

    fn quotes(&self) -> Arc<dyn QuoteSource> {
        self.device.quotes()
    }

    fn create(&self, secs: &Secs) -> Result<Box<dyn Build>, BackendError> {
        let explain = self.explain.clone();
        // The first open may update the microcode's security version, which can fail for a moment.
        let file = retry::until_done(Patience::PATIENT, || self.device.open())
            .map_err(|error| explain.error(Step::Open, &error))?;
        let place =
            Reservation::new(secs.size).map_err(|error| explain.error(Step::Reserve, &error))?;
        let placed = Secs {
            base: place.base(),
            ..*secs
        };
        let page = PageBuffer::of(&placed.to_bytes());
        let mut operand = Create {
            src: page.address(),
        };
        retry::until_done(Patience::USUAL, || {
            file.request(Request::Create(&mut operand))
        })
        .map_err(|error| explain.error(Step::Create, &error))?;
        Ok(Box::new(Building {
            file,
            place,
            explain,
            entry: self.entry,
            mappings: Vec::new(),
            threads: BTreeSet::new(),
        }))
    }
}

/// A range to be mapped when the enclave is complete.
#[derive(Clone, Copy, Debug)]
struct Mapping {
    offset: u64,
    len: u64,
    permissions: Permissions,
}

/// An enclave that is being built. The file goes before the addresses do.
struct Building {
    file: Box<dyn SgxFile>,
    place: Reservation,
    explain: Explain,
    entry: EntryFunction,
    mappings: Vec<Mapping>,
    /// Offsets of the TCS pages.
    threads: BTreeSet<u64>,
}

impl Build for Building {
    fn add_pages(
        &mut self,
        offset: u64,
        bytes: &[u8],
        info: SecInfo,
        measure: Measure,
    ) -> Result<(), BackendError> {
        let contents = PageBuffer::of(bytes);
        if contents.len() != bytes.len() as u64 {
            let rule = Refusal::GeneralProtection("pages are added as a whole");
            return Err(BackendError::Refused {
                leaf: "EADD",
                reason: rule,
            });
        }
        let flags = match measure {
            Measure::Contents => PAGE_MEASURE,
            Measure::AddressOnly => 0,
        };
        let info_bytes = PageBuffer::of(&info.to_bytes());
        retry::in_parts(contents.len(), |done, rest| {
            let mut operand = AddPages {
                src: contents.address() + done,
                offset: offset.wrapping_add(done),
                length: rest,
                secinfo: info_bytes.address(),
                flags,
                count: 0,
            };
            let result = self.file.request(Request::AddPages(&mut operand));
            (operand.count, result)
        })
        .map_err(|error| self.explain.error(Step::AddPages, &error))?;
        let is_thread = info.kind() == Ok(PageKind::Tcs);
        if is_thread {
            let pages = (offset..).step_by(PAGE).zip(bytes.chunks(PAGE));
            self.threads.extend(pages.map(|(offset, _)| offset));
        }
        self.mappings.push(Mapping {
            offset,
            len: contents.len(),
            permissions: if is_thread {
                Permissions::RW
            } else {
                info.permissions()
            },
        });
        Ok(())
    }

    fn leave_room(
        &mut self,
        pages: PageRange,
        permissions: Permissions,
    ) -> Result<(), BackendError> {
        self.mappings.push(Mapping {
            offset: pages.offset,
            len: pages.count.saturating_mul(PAGE_LEN),
            permissions,
        });
        Ok(())
    }

    fn initialise(
        self: Box<Self>,
        sigstruct: &Sigstruct,
    ) -> Result<Arc<dyn Enclave>, BackendError> {
        let page = PageBuffer::of(&sigstruct.to_bytes());
        let mut operand = Init {
            sigstruct: page.address(),
        };
        retry::until_done(Patience::PATIENT, || {
            self.file.request(Request::Init(&mut operand))
        })
        .map_err(|error| self.explain.error(Step::Initialise, &error))?;
        for mapping in &self.mappings {
            let Mapping {
                offset,
                len,
                permissions,
            } = *mapping;
            retry::until_done(Patience::USUAL, || {
                self.file.map(&self.place, offset, len, permissions)
            })
            .map_err(|error| self.explain.error(Step::Map, &error))?;
        }
        Ok(Arc::new(Running::new(
            self.file,
            self.place,
            self.explain,
            self.entry,
            self.threads,
        )))
    }
}
