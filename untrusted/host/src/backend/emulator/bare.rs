//! An emulated enclave as the model of the Linux driver handles it: at an address and with mappings of somebody else's
//! choice, instruction by instruction.

use std::io;
use std::sync::Arc;

use twine_abi::sgx::{PageKind, Permissions, SecInfo, Secs, Sigstruct};

use super::Emulator;
use super::machine::building::Rebinding;
use super::machine::frame::Diversion;
use super::machine::instance::{Instance, Place};
use super::page_tables::{Holder, PageTables};
use crate::backend::{BackendError, Counts, Leaf, Left, Measure, PageRange, Registers};

/// An emulated enclave, from ECREATE on.
#[derive(Debug)]
pub(in crate::backend) struct Bare {
    instance: Instance,
    rebinding: Rebinding,
    page_tables: Option<Arc<PageTables>>,
}

impl Holder for Bare {
    fn instance(&self) -> &Instance {
        &self.instance
    }
}

impl Bare {
    /// ECREATE at the base in `secs`, in a range that the caller has reserved without access and keeps reserved.
    pub(in crate::backend) fn create(
        emulator: &Emulator,
        secs: &Secs,
    ) -> Result<Self, BackendError> {
        let instance = Instance::create(
            &emulator.processor,
            secs,
            &emulator.config,
            Place::Given(secs.base),
        )?;
        Ok(Self {
            instance,
            rebinding: emulator.config.rebinding,
            page_tables: emulator.config.page_tables.clone(),
        })
    }

    /// EADD and, if asked for, EEXTEND.
    pub(in crate::backend) fn add(
        &mut self,
        offset: u64,
        bytes: &[u8],
        info: &SecInfo,
        measure: Measure,
    ) -> Result<(), BackendError> {
        self.instance.add_pages(offset, bytes, info, measure)
    }

    /// EINIT.
    pub(in crate::backend) fn init(&mut self, sigstruct: &Sigstruct) -> Result<(), BackendError> {
        self.instance.initialise(sigstruct, self.rebinding)
    }

    /// Hands the page tables to whoever is to have power over them.
    pub(in crate::backend) fn hand_over(self: &Arc<Self>) {
        if let Some(page_tables) = &self.page_tables {
            page_tables.register(self);
        }
    }

    /// Maps pages.
    pub(in crate::backend) fn map(
        &self,
        pages: PageRange,
        permissions: Permissions,
    ) -> io::Result<()> {
        self.instance.map(pages, permissions)
    }

    /// EENTER or ERESUME with this AEP. The outer error is the instruction's own.
    pub(in crate::backend) fn enter(
        &self,
        aep: u64,
        tcs: u64,
        leaf: Leaf,
        registers: &mut Registers,
    ) -> Result<(Result<Left, BackendError>, Option<Diversion>), BackendError> {
        self.instance.enter_from(aep, tcs, leaf, registers)
    }

    /// EMODPR of one page.
    pub(in crate::backend) fn restrict(
        &self,
        offset: u64,
        permissions: Permissions,
    ) -> Result<(), BackendError> {
        self.instance.restrict(page(offset), permissions)
    }

    /// EMODT of one page.
    pub(in crate::backend) fn retype(
        &self,
        offset: u64,
        kind: PageKind,
    ) -> Result<(), BackendError> {
        self.instance.retype(page(offset), kind)
    }

    /// EREMOVE of one page.
    pub(in crate::backend) fn remove(&self, offset: u64) -> Result<(), BackendError> {
        self.instance.remove(page(offset))
    }

    /// EAUG of one page, if it is not there.
    pub(in crate::backend) fn augment(&self, offset: u64) -> Result<(), BackendError> {
        self.instance.augment(page(offset))
    }

    /// Whether the page at `offset` is mapped for reading.
    pub(in crate::backend) fn is_mapped(&self, offset: u64) -> bool {
        self.instance.mapped(offset).contains(Permissions::R)
    }

    /// What the enclave has cost so far.
    pub(in crate::backend) fn counts(&self) -> Counts {
        self.instance.counts()
    }

    /// The type of the page at `offset`, if there is one.
    pub(in crate::backend) fn page_kind(&self, offset: u64) -> Option<PageKind> {
        self.instance.page_kind(offset)
    }
}

const fn page(offset: u64) -> PageRange {
    PageRange { offset, count: 1 }
}
