//! A look at every page of a range, without a signal where one is not to be had.
//!
//! A load would do, but what it cannot read ends in SIGBUS or SIGSEGV. So the kernel does the loads: it writes one byte of each
//! page to a file in memory, a thousand pages with one call, and says how far it came.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::ptr;

use twine_abi::layout::PAGE_LEN;

use crate::backend::device::operand::PAGE;

/// Pages that one call looks at: as many pieces as the kernel takes (IOV_MAX).
const PAGES_MAX: u64 = 1024;

/// Reads a byte of each page from `address` (a page's) on, for `len` bytes (whole pages) or [`PAGES_MAX`] pages. Returns how
/// many bytes' pages could be read.
///
/// # Errors
/// EFAULT if the first page could not be, and those of `memfd_create(2)`.
pub(super) fn touch(address: usize, len: u64) -> io::Result<u64> {
    let pages = (len / PAGE_LEN).min(PAGES_MAX);
    let bytes: Vec<libc::iovec> = (address..)
        .step_by(PAGE)
        .take(usize::try_from(pages).map_err(|_| super::invalid())?)
        .map(|page| libc::iovec {
            iov_base: ptr::with_exposed_provenance_mut(page),
            iov_len: 1,
        })
        .collect();
    let sink = sink()?;
    let count = libc::c_int::try_from(bytes.len()).map_err(|_| super::invalid())?;
    // SAFETY: only the kernel reads at these addresses, and answers EFAULT where nothing can be read.
    let read = unsafe { libc::pwritev(sink.as_raw_fd(), bytes.as_ptr(), count, 0) };
    let read = u64::try_from(read).map_err(|_| io::Error::last_os_error())?;
    Ok(read * PAGE_LEN)
}

/// A file in memory, which is gone when it is closed.
fn sink() -> io::Result<File> {
    // SAFETY: the name is a string with its end.
    let file = unsafe { libc::memfd_create(c"twine".as_ptr(), libc::MFD_CLOEXEC) };
    if file < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: made a moment ago, and nobody else's.
    Ok(unsafe { File::from_raw_fd(file) })
}

#[cfg(test)]
mod tests {
    use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

    use super::*;

    fn resident(start: *mut libc::c_void, pages: usize) -> usize {
        let mut states = vec![0; pages];
        // SAFETY: the kernel writes a byte for each page.
        let result = unsafe { libc::mincore(start, pages * PAGE, states.as_mut_ptr()) };
        assert_eq!(result, 0);
        states.iter().filter(|state| *state & 1 == 1).count()
    }

    #[test]
    fn each_page_is_looked_at_up_to_the_first_that_cannot_be() {
        const PAGES: usize = 3000;
        const GUARD: usize = 2000;
        let (len, all) = (PAGES * PAGE, ProtFlags::READ | ProtFlags::WRITE);
        // SAFETY: a new mapping at a place of the kernel's choice.
        let start =
            unsafe { mmap_anonymous(ptr::null_mut(), len, all, MapFlags::PRIVATE) }.unwrap();
        let guard = start.wrapping_byte_add(GUARD * PAGE);
        // SAFETY: a page of this test's own.
        unsafe { mprotect(guard, PAGE, MprotectFlags::empty()) }.unwrap();
        let from = |page: usize| {
            let len = ((PAGES - page) * PAGE) as u64;
            touch(start.expose_provenance() + page * PAGE, len)
        };
        let pages = |count: u64| count * PAGE_LEN;
        assert_eq!(resident(start, PAGES), 0);
        assert_eq!(from(0).unwrap(), pages(PAGES_MAX));
        assert_eq!(resident(start, PAGES), 1024);
        assert_eq!(from(1024).unwrap(), pages(2000 - 1024));
        assert_eq!(from(GUARD).unwrap_err().raw_os_error(), Some(libc::EFAULT));
        assert_eq!(from(GUARD + 1).unwrap(), pages(999));
        assert_eq!(resident(start, PAGES), PAGES - 1);
        // SAFETY: this test's own, and not used any more.
        unsafe { munmap(start, len) }.unwrap();
    }
}
