//! The seam: everything of the kernel that the backend uses. One implementation is the kernel
//! ([`kernel`](super::kernel)), the other a model of it ([`model`](super::model)).

use std::io;
use std::sync::Arc;

use twine_abi::sgx::Permissions;

use super::kernel::Reservation;
use super::uapi::{AddPages, Create, Init, ModifyTypes, RemovePages, RestrictPermissions};
use crate::backend::{BackendKind, Counts};
use crate::quote::{self, QuoteSource};

/// Where enclaves are made.
pub trait SgxDevice: Send + Sync {
    /// What runs behind this: the processor, or software.
    fn kind(&self) -> BackendKind;

    /// Opens `/dev/sgx_enclave`. Every file is one enclave.
    ///
    /// # Errors
    /// Those of `open(2)` and of the driver.
    fn open(&self) -> io::Result<Box<dyn SgxFile>>;

    /// Where quotes of the machine's enclaves come from.
    fn quotes(&self) -> Arc<dyn QuoteSource> {
        quote::platform()
    }

    /// The function that enters enclaves.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if the kernel has none.
    fn entry(&self) -> io::Result<EntryFunction>;
}

/// One open file of the driver.
pub trait SgxFile: Send + Sync {
    /// `ioctl(2)`. Addresses in the operand are read only, and by the kernel, which checks them.
    ///
    /// # Errors
    /// The driver's error numbers.
    fn request(&self, request: Request<'_>) -> io::Result<()>;

    /// `mmap(2)` of `len` bytes at `offset` in the reserved range, shared and fixed.
    ///
    /// # Errors
    /// The kernel's error numbers; EINVAL if the range does not lie in the reservation.
    fn map(
        &self,
        place: &Reservation,
        offset: u64,
        len: u64,
        permissions: Permissions,
    ) -> io::Result<()>;

    /// Reads a byte of each page of a range of the enclave from outside. What is read says nothing; but the driver adds a
    /// page that is not there (EAUG) whoever asks for it (Linux, `sgx_vma_fault` in `arch/x86/kernel/cpu/sgx/encl.c`), and
    /// out here that costs no exit. Returns how many bytes' pages are there now, from the first on: fewer than `len` if
    /// one is not to be had.
    ///
    /// # Errors
    /// EFAULT if the first is not to be had: nothing is mapped there, or the machine has no protected memory left.
    fn touch(&self, place: &Reservation, offset: u64, len: u64) -> io::Result<u64>;

    /// What the enclave has cost so far, where somebody counts.
    fn counts(&self) -> Option<Counts> {
        None
    }
}

/// A request to the driver with its operand.
#[derive(Debug)]
pub enum Request<'a> {
    /// ECREATE.
    Create(&'a mut Create),
    /// EADD and EEXTEND.
    AddPages(&'a mut AddPages),
    /// EINIT.
    Init(&'a mut Init),
    /// EMODPR.
    RestrictPermissions(&'a mut RestrictPermissions),
    /// EMODT.
    ModifyTypes(&'a mut ModifyTypes),
    /// EREMOVE.
    RemovePages(&'a mut RemovePages),
}

/// The function that enters enclaves, `__vdso_sgx_enter_enclave`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EntryFunction {
    /// Its address.
    pub function: u64,
    /// Address of the ENCLU in it, which is also where an asynchronous exit goes on (AEP).
    pub enclu: u64,
}
