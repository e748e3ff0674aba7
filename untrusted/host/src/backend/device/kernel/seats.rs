//! Who is in which TCS.
//!
//! A seat is taken out of the table while a thread is in it, so a second thread cannot enter the same TCS: on silicon
//! EENTER would refuse it, but only after the two had shared a stack.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::entry::{Ended, Seat};
use super::interrupt::HostThread;
use crate::backend::device::seam::EntryFunction;
use crate::backend::{Leaf, Registers};

/// The seats of one enclave, by the offsets of their TCS.
#[derive(Debug)]
pub(in crate::backend::device) struct Seats {
    base: u64,
    entry: EntryFunction,
    places: Mutex<BTreeMap<u64, Place>>,
}

#[derive(Debug, Default)]
struct Place {
    /// Absent while a thread is in it, and before the first.
    seat: Option<Seat>,
    /// The thread that is in it.
    occupant: Option<HostThread>,
    /// Not zero: whoever is inside, or goes inside next, is to leave.
    pending: Arc<AtomicU32>,
    /// Asynchronous exits that have not been resumed from (CSSA). The vDSO cannot tell ERESUME's own #GP from one inside.
    exits: u32,
}

/// What came of an attempt to enter.
#[derive(Debug)]
pub(in crate::backend::device) enum Entered {
    /// The thread was in, or at the door.
    Ended(Ended),
    /// Another thread is in this TCS.
    Busy,
    /// There is no asynchronous exit to resume from.
    NothingToResume,
}

/// RAX at the AEP.
const RESUME: u32 = 3;

impl Seats {
    pub(in crate::backend::device) fn new(base: u64, entry: EntryFunction) -> Self {
        Self {
            base,
            entry,
            places: Mutex::default(),
        }
    }

    /// Enters the TCS at `tcs` (offset from the base) and comes back.
    ///
    /// # Errors
    /// The operating system's, if there is no memory for a stack, no signal or no timer.
    pub(in crate::backend::device) fn enter(
        &self,
        tcs: u64,
        leaf: Leaf,
        registers: Registers,
    ) -> io::Result<Entered> {
        let thread = HostThread::current()?;
        let mut seat = {
            let mut places = self.lock();
            let place = places.entry(tcs).or_default();
            if place.occupant.is_some() {
                return Ok(Entered::Busy);
            }
            if leaf == Leaf::Resume && place.exits == 0 {
                return Ok(Entered::NothingToResume);
            }
            let seat = match place.seat.take() {
                Some(seat) => seat,
                None => Seat::new(
                    self.base.wrapping_add(tcs),
                    self.entry,
                    Arc::clone(&place.pending),
                )?,
            };
            place.occupant = Some(thread);
            seat
        };
        let ended = seat.enter(leaf, registers);
        let mut places = self.lock();
        let place = places.entry(tcs).or_default();
        place.occupant = None;
        place.seat = Some(seat);
        let resumed = u32::from(leaf == Leaf::Resume);
        match ended {
            Ended::Exited(_) => place.exits -= resumed,
            Ended::Exception { leaf: RESUME, .. } | Ended::Interrupted => {
                place.exits += 1 - resumed;
            }
            Ended::Exception { .. } | Ended::Refused(_) | Ended::Unknown(_) => {}
        }
        Ok(Entered::Ended(ended))
    }

    /// Asks the thread that is, or will be, in the TCS to leave.
    pub(in crate::backend::device) fn interrupt(&self, tcs: u64) {
        let mut places = self.lock();
        let place = places.entry(tcs).or_default();
        place.pending.store(1, Ordering::SeqCst);
        if let Some(thread) = place.occupant {
            // SAFETY: an occupant is in `enter`, and cannot leave it without the lock.
            unsafe { thread.interrupt() };
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
