//! An enclave that runs: entering it, and changing its pages through the driver.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{PageKind, Permissions, vector};

use super::explain::{Explain, Step, refused_entry};
use super::kernel::{Ended, Entered, Reservation, Seats};
use super::retry;
use super::seam::{EntryFunction, Request, SgxFile};
use super::uapi::{ModifyTypes, RemovePages, RestrictPermissions};
use crate::backend::{BackendError, Counts, Enclave, Leaf, Left, PageRange, Registers};

/// An enclave that can be entered. The file goes before the addresses do.
pub(super) struct Running {
    seats: Seats,
    /// The driver serves one request for a file at a time and refuses the others.
    file: Mutex<Box<dyn SgxFile>>,
    explain: Explain,
    /// Offsets of the TCS pages.
    threads: Mutex<BTreeSet<u64>>,
    place: Reservation,
}

impl Running {
    /// An enclave with these TCS pages, mapped and initialised.
    pub(super) fn new(
        file: Box<dyn SgxFile>,
        place: Reservation,
        explain: Explain,
        entry: EntryFunction,
        threads: BTreeSet<u64>,
    ) -> Self {
        Self {
            seats: Seats::new(place.base(), entry),
            file: file.into(),
            explain,
            threads: threads.into(),
            place,
        }
    }

    fn lock_threads(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_file(&self) -> MutexGuard<'_, Box<dyn SgxFile>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a range of pages, part by part, until all are done.
    fn change(
        &self,
        step: Step,
        pages: PageRange,
        mut request: impl FnMut(&dyn SgxFile, u64, u64) -> Change,
    ) -> Result<(), BackendError> {
        let file = self.lock_file();
        let mut code = 0;
        retry::in_parts(pages.count.saturating_mul(PAGE_LEN), |done, rest| {
            let change = request(&**file, pages.offset.wrapping_add(done), rest);
            code = change.code;
            (change.count, change.result)
        })
        .map_err(|error| self.explain.change(step, &error, code))
    }
}

/// What one request for changed pages came to.
struct Change {
    count: u64,
    code: u64,
    result: std::io::Result<()>,
}

impl Enclave for Running {
    fn base(&self) -> u64 {
        self.place.base()
    }

    fn enter(&self, tcs: u64, leaf: Leaf, registers: &mut Registers) -> Result<Left, BackendError> {
        let entered =
            self.seats
                .enter(tcs, leaf, *registers)
                .map_err(|source| BackendError::Os {
                    what: "preparing to enter an enclave",
                    source,
                })?;
        match entered {
            Entered::Busy | Entered::NothingToResume => Err(refused_entry(leaf, vector::GP)),
            Entered::Ended(Ended::Exited(left)) => {
                *registers = left;
                Ok(Left::Exited)
            }
            Entered::Ended(Ended::Interrupted) => Ok(Left::Interrupted),
            Entered::Ended(Ended::Exception {
                leaf: at,
                vector,
                error,
                address,
            }) => self.exception(tcs, leaf, at, (vector, error, address)),
            Entered::Ended(Ended::Refused(number)) => {
                let source = std::io::Error::from_raw_os_error(number);
                Err(self.explain.error(Step::Enter, &source))
            }
            Entered::Ended(Ended::Unknown(function)) => Err(BackendError::Os {
                what: "entering the enclave",
                source: std::io::Error::other(format!(
                    "the vDSO reports an exit that does not exist ({function})"
                )),
            }),
        }
    }

    fn interrupt(&self, tcs: u64) {
        self.seats.interrupt(tcs);
    }

    fn restrict(&self, range: PageRange, permissions: Permissions) -> Result<(), BackendError> {
        self.change(Step::Restrict, range, |file, offset, length| {
            let mut operand = RestrictPermissions {
                offset,
                length,
                permissions: permissions.bits().into(),
                result: 0,
                count: 0,
            };
            let result = file.request(Request::RestrictPermissions(&mut operand));
            Change {
                count: operand.count,
                code: operand.result,
                result,
            }
        })
    }

    fn retype(&self, range: PageRange, kind: PageKind) -> Result<(), BackendError> {
        self.change(Step::Retype, range, |file, offset, length| {
            let mut operand = ModifyTypes {
                offset,
                length,
                page_type: kind as u64,
                result: 0,
                count: 0,
            };
            let result = file.request(Request::ModifyTypes(&mut operand));
            Change {
                count: operand.count,
                code: operand.result,
                result,
            }
        })?;
        if kind == PageKind::Tcs {
            let pages = (0..range.count).map(|page| range.offset + page * PAGE_LEN);
            self.lock_threads().extend(pages);
        }
        Ok(())
    }

    fn remove(&self, range: PageRange) -> Result<(), BackendError> {
        self.change(Step::Remove, range, |file, offset, length| {
            let mut operand = RemovePages {
                offset,
                length,
                count: 0,
            };
            let result = file.request(Request::RemovePages(&mut operand));
            Change {
                count: operand.count,
                code: 0,
                result,
            }
        })
    }

    fn augment(&self, range: PageRange) -> Result<(), BackendError> {
        let file = self.lock_file();
        retry::in_parts(
            range.count.saturating_mul(PAGE_LEN),
            |done, rest| match file.touch(&self.place, range.offset.wrapping_add(done), rest) {
                Ok(count) => (count, Ok(())),
                Err(error) => (0, Err(error)),
            },
        )
        .map_err(|error| self.explain.error(Step::Augment, &error))
    }

    fn counts(&self) -> Option<Counts> {
        self.lock_file().counts()
    }
}

impl Running {
    /// An exception: at the ENCLU, if it left RAX at EENTER or struck a resumption's TCS, else inside.
    fn exception(
        &self,
        tcs: u64,
        entered_with: Leaf,
        at: u32,
        (number, error, page): (u16, u16, u64),
    ) -> Result<Left, BackendError> {
        let [vector, _] = number.to_le_bytes();
        let at_the_tcs = vector == vector::PF && page == self.place.base().wrapping_add(tcs);
        let not_inside = at == 2 || (entered_with == Leaf::Resume && at_the_tcs);
        if !not_inside {
            return Ok(Left::Exception {
                vector,
                error,
                address: page,
            });
        }
        let is_thread = self.lock_threads().contains(&tcs);
        if vector == vector::PF && is_thread {
            // The page of a TCS that was there is not there any more: the machine slept.
            return Err(BackendError::Lost);
        }
        Err(refused_entry(entered_with, vector))
    }
}
