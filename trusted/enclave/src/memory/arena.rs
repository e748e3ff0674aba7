//! The arena: address ranges that are reserved, and pages in them that are committed, protected and given back.
//!
//! What an operating system's `mmap` is elsewhere. Two records: reservations, so that no address is given out twice, and
//! the permissions of every accepted page. Reserved pages that are not accepted are guards.

use core::ops::Range;

use twine_abi::layout::{ARENA_LEN, ARENA_OFFSET, PAGE_LEN};
use twine_abi::sgx::Permissions;

use crate::memory::ranges::RangeMap;
use crate::sync::Mutex;
use crate::{image, pages};

static ARENA: Mutex<Arena> = Mutex::new(Arena {
    reserved: RangeMap::new(),
    accepted: RangeMap::new(),
    next_reservation: 0,
});

struct Arena {
    /// Every reservation has a number of its own, so that neighbours do not merge.
    reserved: RangeMap<u64>,
    accepted: RangeMap<Permissions>,
    next_reservation: u64,
}

/// A request that the arena cannot fulfil.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ArenaError {
    /// No room in the address range.
    Full,
    /// Not wholly reserved, or not whole pages.
    NotReserved,
    /// The step from the page's permissions to those asked for is not one the enclave makes.
    NoSuchStep,
}

/// Reserves `len` bytes, rounded up to whole pages. Returns their address.
pub(crate) fn reserve(len: u64) -> Result<u64, ArenaError> {
    let len = len
        .checked_next_multiple_of(PAGE_LEN)
        .ok_or(ArenaError::Full)?;
    let mut arena = ARENA.lock();
    let bounds = ARENA_OFFSET..ARENA_OFFSET + ARENA_LEN;
    let offset = arena
        .reserved
        .find_gap(bounds, len)
        .ok_or(ArenaError::Full)?;
    let number = arena.next_reservation;
    arena.next_reservation += 1;
    arena.reserved.set(offset..offset + len, Some(number));
    Ok(image::base() + offset)
}

/// Makes the pages from `address` for `len` bytes accessible as `permissions` say, or inaccessible.
pub(crate) fn protect(
    address: u64,
    len: u64,
    permissions: Option<Permissions>,
) -> Result<(), ArenaError> {
    let mut arena = ARENA.lock();
    let range = arena.check(address, len)?;
    for (part, now) in arena.accepted.parts(range) {
        change(&part, now, permissions)?;
        arena.accepted.set(part, permissions);
    }
    Ok(())
}

/// Makes pages fresh: accepted ones are given back, and zeroed ones accepted if there are to be permissions.
pub(crate) fn renew(
    address: u64,
    len: u64,
    permissions: Option<Permissions>,
) -> Result<(), ArenaError> {
    protect(address, len, None)?;
    protect(address, len, permissions)
}

/// Gives back a range with all its pages.
pub(crate) fn release(address: u64, len: u64) -> Result<(), ArenaError> {
    protect(address, len, None)?;
    let mut arena = ARENA.lock();
    let range = arena.check(address, len)?;
    arena.reserved.set(range, None);
    Ok(())
}

/// The arena's record is in use by another thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Busy;

/// Whether an address lies in the arena. Trusted code never runs there.
pub(crate) fn contains(address: u64) -> bool {
    address
        .checked_sub(image::base() + ARENA_OFFSET)
        .is_some_and(|at| at < ARENA_LEN)
}

/// The permissions of the page at an address, if it was accepted. Does not wait.
pub(crate) fn permissions_at(address: u64) -> Result<Option<Permissions>, Busy> {
    let arena = ARENA.try_lock().ok_or(Busy)?;
    Ok(address
        .checked_sub(image::base())
        .and_then(|offset| arena.accepted.at(offset)))
}

impl Arena {
    /// The offsets of the pages that a range touches, if it begins with a page and all of them are reserved.
    fn check(&self, address: u64, len: u64) -> Result<Range<u64>, ArenaError> {
        let pages = || {
            let start = address.checked_sub(image::base())?;
            let end = start.checked_add(len)?.checked_next_multiple_of(PAGE_LEN)?;
            start.is_multiple_of(PAGE_LEN).then_some(start..end)
        };
        let range = pages().ok_or(ArenaError::NotReserved)?;
        let parts = self.reserved.parts(range.clone());
        if parts.iter().all(|(_, number)| number.is_some()) {
            Ok(range)
        } else {
            Err(ArenaError::NotReserved)
        }
    }
}

/// Takes pages of one kind to another. See [`pages`] for the steps.
fn change(
    part: &Range<u64>,
    now: Option<Permissions>,
    wanted: Option<Permissions>,
) -> Result<(), ArenaError> {
    let (offset, len) = (part.start, part.end - part.start);
    match (now, wanted) {
        (now, wanted) if now == wanted => {}
        (Some(_), None) => pages::remove(offset, len),
        (None, Some(Permissions::RW)) => pages::accept_many(offset, len),
        (Some(Permissions::RW), Some(Permissions::R)) => {
            pages::restrict(offset, len, Permissions::R)
        }
        (Some(Permissions::RW), Some(Permissions::RX)) => {
            pages::restrict(offset, len, Permissions::R);
            pages::extend(offset, len, Permissions::RX);
        }
        (Some(Permissions::R), Some(wider @ (Permissions::RW | Permissions::RX))) => {
            pages::extend(offset, len, wider);
        }
        _ => return Err(ArenaError::NoSuchStep),
    }
    Ok(())
}
