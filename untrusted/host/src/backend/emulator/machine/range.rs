//! The enclave's address range as real memory.
//!
//! ```text
//! base - 4096      base                                                        base + len
//!  │ trampoline     │ pages as the EPCM says; everything else PROT_NONE          │
//! ```
//!
//! The range is reserved as a whole, without memory behind it, at a random address that is a multiple of its length:
//! an image that depends on where it lies does not go unnoticed. Page permissions follow the EPCM by `mprotect`.
//!
//! Under the model of the driver the range is its loader's, who also says which parts are mapped: what is not mapped is
//! not granted, whatever the EPCM says. The trampoline page is then the loader's guard. Tests of hostile
//! operating systems change the mappings of a range of our own.

use std::io;
use std::ptr;

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::Permissions;

use super::mappings::Mappings;

/// Candidates for the base lie from here; below are programs linked to fixed addresses.
const BASE_MIN: u64 = 1 << 40;
/// Candidates for the base end here; above are the program, its heap, libraries and stacks.
const BASE_END: u64 = 64 << 40;
/// How many candidates are tried before giving up.
const ATTEMPTS: u32 = 64;

/// A reserved address range. Unmapped when dropped, if it is ours.
#[derive(Debug)]
pub(in crate::backend::emulator) struct Range {
    base: u64,
    len: u64,
    trampoline: u64,
    /// Length of what was reserved here, from the trampoline page on.
    reserved: u64,
    /// Which parts are mapped, if somebody else decides that; else all of it.
    mappings: Option<Mappings>,
}

impl Range {
    /// Reserves `len` bytes (a power of two, at least a page) and one page for trampolines below them. All of it is mapped
    /// in `mappings` until somebody changes them.
    ///
    /// # Errors
    /// Whatever `mmap` says, in the end.
    pub(in crate::backend::emulator) fn reserve(
        len: u64,
        mappings: Option<Mappings>,
    ) -> io::Result<Self> {
        let mut failure = io::Error::from_raw_os_error(libc::ENOMEM);
        for _ in 0..ATTEMPTS {
            let slots = (BASE_END - BASE_MIN) / len;
            let slot = random()? % slots.max(1);
            let base = (BASE_MIN / len + slot).max(1).saturating_mul(len);
            match reserve_at(base - PAGE_LEN, len + PAGE_LEN) {
                Ok(()) => {
                    if let Some(mappings) = &mappings {
                        mappings.set(0, len, Permissions::RWX);
                    }
                    return Ok(Self {
                        base,
                        len,
                        trampoline: base - PAGE_LEN,
                        reserved: len + PAGE_LEN,
                        mappings,
                    });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Uses `len` bytes from `base` on, and the page before them, which somebody else has reserved without access and keeps
    /// reserved as long as this exists. Nothing of it is mapped yet.
    ///
    /// # Errors
    /// EINVAL if there is no page before them.
    pub(in crate::backend::emulator) fn adopt(base: u64, len: u64) -> io::Result<Self> {
        let before = base.checked_sub(PAGE_LEN);
        let trampoline = before.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
        Ok(Self {
            base,
            len,
            trampoline,
            reserved: 0,
            mappings: Some(Mappings::default()),
        })
    }

    /// Who decides what is mapped, if it is not this range itself.
    pub(super) const fn mappings(&self) -> Option<&Mappings> {
        self.mappings.as_ref()
    }

    /// What the mapping of the page at `offset` allows.
    pub(super) fn mapped(&self, offset: u64) -> Permissions {
        self.mappings
            .as_ref()
            .map_or(Permissions::RWX, |mappings| mappings.at(offset))
    }

    /// Address of the first byte.
    pub(in crate::backend::emulator) const fn base(&self) -> u64 {
        self.base
    }

    /// Whether the address lies in the enclave's range.
    pub(super) fn contains(&self, address: u64) -> bool {
        address.wrapping_sub(self.base) < self.len
    }

    /// Whether the address lies in the trampoline page.
    pub(super) fn is_trampoline(&self, address: u64) -> bool {
        address.wrapping_sub(self.trampoline()) < PAGE_LEN
    }

    /// Address of the trampoline page.
    pub(super) const fn trampoline(&self) -> u64 {
        self.trampoline
    }

    /// Makes the page tables grant `permissions` for `len` bytes from `offset`.
    ///
    /// # Errors
    /// Whatever `mprotect` says.
    pub(super) fn protect(
        &self,
        offset: u64,
        len: u64,
        permissions: Permissions,
    ) -> io::Result<()> {
        self.check(offset, len);
        protect_at(self.base + offset, len, permissions)
    }

    /// Makes the page tables grant `permissions` for the trampoline page.
    ///
    /// # Errors
    /// Whatever `mprotect` says.
    pub(super) fn protect_trampoline(&self, permissions: Permissions) -> io::Result<()> {
        protect_at(self.trampoline(), PAGE_LEN, permissions)
    }

    /// Gives the memory behind `len` bytes from `offset` back; they read as zero afterwards.
    ///
    /// # Errors
    /// Whatever `madvise` says.
    pub(super) fn discard(&self, offset: u64, len: u64) -> io::Result<()> {
        self.check(offset, len);
        let Ok(len) = usize::try_from(len) else {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        };
        let start = ptr::with_exposed_provenance_mut(address(self.base + offset));
        // SAFETY: the bytes lie in the range that `reserve` mapped and nobody else uses; no Rust object lives there.
        let result = unsafe { libc::madvise(start, len, libc::MADV_DONTNEED) };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Copies bytes out of the range, in whole words, one access each: an enclave's thread may write meanwhile.
    ///
    /// # Safety
    /// The page tables grant reading.
    pub(super) unsafe fn read(&self, offset: u64, bytes: &mut [u8]) {
        self.check(offset, bytes.len() as u64);
        let (words, rest) = bytes.as_chunks_mut::<8>();
        assert!(
            rest.is_empty() && offset.is_multiple_of(8),
            "operands are whole words"
        );
        for (index, word) in words.iter_mut().enumerate() {
            let from = ptr::with_exposed_provenance::<u64>(address(self.base + offset));
            // SAFETY: in bounds and readable as the caller says and `check` checked; aligned, as base and offset are
            // multiples of 8; volatile, so the value may change between accesses without harm.
            let value = unsafe { from.wrapping_add(index).read_volatile() };
            *word = value.to_le_bytes();
        }
    }

    /// Copies bytes into the range, in whole words, one access each.
    ///
    /// # Safety
    /// The page tables grant writing.
    pub(super) unsafe fn write(&self, offset: u64, bytes: &[u8]) {
        self.check(offset, bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        assert!(
            rest.is_empty() && offset.is_multiple_of(8),
            "operands are whole words"
        );
        for (index, word) in words.iter().enumerate() {
            let to = ptr::with_exposed_provenance_mut::<u64>(address(self.base + offset));
            // SAFETY: in bounds and writable as the caller says and `check` checked; aligned, as base and offset are
            // multiples of 8; no Rust object lives in the range.
            unsafe {
                to.wrapping_add(index)
                    .write_volatile(u64::from_le_bytes(*word))
            };
        }
    }

    /// Reads one byte at an address in the range.
    ///
    /// # Safety
    /// The page tables grant reading.
    pub(super) unsafe fn byte(&self, offset: u64) -> u8 {
        self.check(offset, 1);
        let from = ptr::with_exposed_provenance::<u8>(address(self.base + offset));
        // SAFETY: in bounds and readable, as the caller says and `check` checked.
        unsafe { from.read_volatile() }
    }

    /// Writes bytes of code into the range or the trampoline page, at an address.
    ///
    /// # Safety
    /// The page tables grant writing, and no thread executes these bytes meanwhile.
    pub(super) unsafe fn patch(&self, at: u64, bytes: &[u8]) {
        let len = bytes.len() as u64;
        let within = |start: u64, space: u64| {
            at.checked_sub(start)
                .and_then(|offset| offset.checked_add(len))
                .is_some_and(|end| end <= space)
        };
        assert!(
            within(self.base, self.len) || within(self.trampoline, PAGE_LEN),
            "code lies in the range or in the trampoline page"
        );
        let to = ptr::with_exposed_provenance_mut::<u8>(address(at));
        // SAFETY: the destination was checked above and is writable as the caller says; the source is a Rust slice
        // and cannot overlap memory in which no Rust object lives.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }

    fn check(&self, offset: u64, len: u64) {
        let end = offset.checked_add(len);
        assert!(
            end.is_some_and(|end| end <= self.len),
            "the state machine lets no offset out of the range pass"
        );
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        // What somebody else has reserved is not ours to give back.
        if self.reserved == 0 {
            return;
        }
        let start = ptr::with_exposed_provenance_mut(address(self.trampoline));
        // SAFETY: exactly what `reserve` mapped; whoever could enter the enclave held a reference that kept it
        // alive.
        unsafe { libc::munmap(start, address(self.reserved)) };
    }
}

/// A number of bytes or an address as the machine counts.
fn address(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn reserve_at(start: u64, len: u64) -> io::Result<()> {
    let wanted: *mut libc::c_void = ptr::with_exposed_provenance_mut(address(start));
    let flags =
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: MAP_FIXED_NOREPLACE never replaces a mapping, so nobody's memory is touched.
    let got = unsafe { libc::mmap(wanted, address(len), libc::PROT_NONE, flags, -1, 0) };
    if got == wanted {
        return Ok(());
    }
    if got == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // A kernel that does not know the flag took the address for a hint.
    // SAFETY: this mapping was made a moment ago and is used by nobody.
    unsafe { libc::munmap(got, address(len)) };
    Err(io::Error::from_raw_os_error(libc::EEXIST))
}

fn protect_at(start: u64, len: u64, permissions: Permissions) -> io::Result<()> {
    let flags = [
        (Permissions::R, libc::PROT_READ),
        (Permissions::W, libc::PROT_WRITE),
        (Permissions::X, libc::PROT_EXEC),
    ];
    let protection = flags
        .iter()
        .filter(|(permission, _)| permissions.contains(*permission))
        .fold(libc::PROT_NONE, |all, (_, flag)| all | flag);
    let start = ptr::with_exposed_provenance_mut(address(start));
    // SAFETY: the callers pass bytes of a range that `reserve` mapped, in which no Rust object lives.
    let result = unsafe { libc::mprotect(start, address(len), protection) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A random number, from the operating system.
fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    crate::backend::emulator::secret::random(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}
