//! The enclave's address range, reserved before there is an enclave to map into it.
//!
//! SGX wants the base aligned to the length. Twice the length is reserved without access and without memory, and what lies
//! before and behind the aligned part is given back, but for a page before it: whoever runs off the enclave's beginning from
//! outside meets that, and the model of the driver has a use for it.

use std::io;
use std::ptr;

use super::invalid;

/// An address range that nobody else uses, aligned to its length. Unmapped when dropped, with what was mapped into it.
#[derive(Debug)]
pub struct Reservation {
    base: u64,
    len: u64,
}

impl Reservation {
    /// Reserves `len` bytes, a power of two of at least a page.
    ///
    /// # Errors
    /// Those of `mmap(2)`; EINVAL if the length is not a power of two.
    pub fn new(len: u64) -> io::Result<Self> {
        if !len.is_power_of_two() || len < 4096 {
            return Err(invalid());
        }
        let room = len
            .checked_mul(2)
            .and_then(|twice| twice.checked_add(GUARD));
        let room = room.ok_or_else(invalid)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping at a place of the kernel's choice touches nobody's memory.
        let got =
            unsafe { libc::mmap(ptr::null_mut(), bytes(room)?, libc::PROT_NONE, flags, -1, 0) };
        if got == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = got.expose_provenance() as u64;
        let base = (start + GUARD).next_multiple_of(len);
        give_back(start, base - GUARD - start);
        give_back(base + len, start + room - base - len);
        Ok(Self { base, len })
    }

    /// Address of the first byte.
    #[must_use]
    pub const fn base(&self) -> u64 {
        self.base
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no byte. Never.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The address at `offset`, if `len` bytes from there lie inside.
    pub(super) fn address(&self, offset: u64, len: u64) -> io::Result<usize> {
        offset
            .checked_add(len)
            .filter(|end| *end <= self.len)
            .and_then(|_| usize::try_from(self.base + offset).ok())
            .ok_or_else(invalid)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        give_back(self.base - GUARD, self.len + GUARD);
    }
}

/// Bytes before the range that are reserved, too.
const GUARD: u64 = 4096;

fn give_back(start: u64, len: u64) {
    let (Ok(address), Ok(len)) = (usize::try_from(start), bytes(len)) else {
        return;
    };
    if len > 0 {
        // SAFETY: a part of what `new` mapped that nobody uses: slack, or the whole when its owner is gone.
        unsafe { libc::munmap(ptr::with_exposed_provenance_mut(address), len) };
    }
}

fn bytes(len: u64) -> io::Result<usize> {
    usize::try_from(len).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_is_aligned_to_its_length_and_knows_its_bounds() {
        let place = Reservation::new(1 << 36).unwrap();
        assert_eq!(place.base() % place.len(), 0);
        place.address(0, place.len()).unwrap();
        place.address(4096, place.len()).unwrap_err();
        place.address(u64::MAX, 2).unwrap_err();
        Reservation::new(3 << 20).unwrap_err();
        Reservation::new(0).unwrap_err();
    }
}
