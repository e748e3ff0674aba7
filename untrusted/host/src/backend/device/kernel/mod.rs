//! The kernel itself: system calls, the vDSO, and the registers at the border. All of the device's `unsafe` is in here.
//!
//! | module | owns |
//! |---|---|
//! | this one | the driver's file: `ioctl(2)`, `mmap(2)` |
//! | `reservation` | the enclave's address range, reserved before there is an enclave |
//! | `touch` | a look at every page of a range |
//! | `vdso` | where the vDSO's function is |
//! | `entry` | the call of that function with its register discipline |
//! | `interrupt` | making a thread leave |
//! | `seats` | who is in which TCS |

#![expect(
    unsafe_code,
    reason = "system calls that change the address space, and the border's registers"
)]

mod entry;
mod interrupt;
mod reservation;
mod seats;
mod touch;
mod vdso;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;

use twine_abi::sgx::Permissions;

pub(super) use entry::Ended;
pub(super) use interrupt::{found_at_the_aep, install};
pub use reservation::Reservation;
pub(super) use seats::{Entered, Seats};

use super::linux::ENCLAVE_DEVICE;
use super::seam::{EntryFunction, Request, SgxDevice, SgxFile};
use super::uapi;
use crate::backend::BackendKind;

/// The running kernel's driver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel;

impl SgxDevice for Kernel {
    fn kind(&self) -> BackendKind {
        BackendKind::Device
    }

    fn open(&self) -> io::Result<Box<dyn SgxFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(ENCLAVE_DEVICE)?;
        Ok(Box::new(file))
    }

    fn entry(&self) -> io::Result<EntryFunction> {
        vdso::find()
    }
}

impl SgxFile for File {
    fn request(&self, request: Request<'_>) -> io::Result<()> {
        match request {
            Request::Create(operand) => ioctl(self, uapi::IOC_CREATE, operand),
            Request::AddPages(operand) => ioctl(self, uapi::IOC_ADD_PAGES, operand),
            Request::Init(operand) => ioctl(self, uapi::IOC_INIT, operand),
            Request::RestrictPermissions(operand) => {
                ioctl(self, uapi::IOC_RESTRICT_PERMISSIONS, operand)
            }
            Request::ModifyTypes(operand) => ioctl(self, uapi::IOC_MODIFY_TYPES, operand),
            Request::RemovePages(operand) => ioctl(self, uapi::IOC_REMOVE_PAGES, operand),
        }
    }

    fn map(
        &self,
        place: &Reservation,
        offset: u64,
        len: u64,
        permissions: Permissions,
    ) -> io::Result<()> {
        let address = place.address(offset, len)?;
        let len = usize::try_from(len).map_err(|_| invalid())?;
        let flags = libc::MAP_SHARED | libc::MAP_FIXED;
        let start = ptr::with_exposed_provenance_mut(address);
        // SAFETY: replaces bytes of a range that `place` has reserved for the enclave, in which no Rust object lives.
        let got = unsafe {
            libc::mmap(
                start,
                len,
                protection(permissions),
                flags,
                self.as_raw_fd(),
                0,
            )
        };
        if got == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    fn touch(&self, place: &Reservation, offset: u64, len: u64) -> io::Result<u64> {
        touch::touch(place.address(offset, len)?, len)
    }
}

fn ioctl<T>(file: &File, number: u32, operand: &mut T) -> io::Result<()> {
    // SAFETY:
    // - The operand is the one that the number stands for (`uapi` checks sizes), borrowed for the call.
    // - Addresses in it are read by the kernel alone, which answers EFAULT where nothing can be read.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), number.into(), ptr::from_mut(operand)) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn protection(permissions: Permissions) -> libc::c_int {
    [
        (Permissions::R, libc::PROT_READ),
        (Permissions::W, libc::PROT_WRITE),
        (Permissions::X, libc::PROT_EXEC),
    ]
    .iter()
    .filter(|(permission, _)| permissions.contains(*permission))
    .fold(libc::PROT_NONE, |all, (_, flag)| all | flag)
}

fn invalid() -> io::Error {
    io::Error::from_raw_os_error(libc::EINVAL)
}
