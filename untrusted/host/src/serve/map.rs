//! A map of a file, for the enclave to read. This process never looks at it.

use std::fs::File;
use std::io;
use std::ptr;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use twine_abi::exchange::Span;

/// Address space reserved for a map. It costs nothing until it is touched, and the file may grow into it: 1 TiB.
const MAP_LEN: usize = 1 << 40;

/// A file's contents in memory, read-only, for as long as this lives. Behind the file's end there is nothing: who reads
/// there gets SIGBUS.
#[derive(Debug)]
pub(super) struct FileMap {
    address: usize,
}

impl FileMap {
    /// Maps the file. Fails on file systems without maps and where address space is limited.
    #[expect(unsafe_code, reason = "the operating system's call")]
    pub(super) fn new(file: &File) -> io::Result<Self> {
        let flags = MapFlags::SHARED | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice, of which no reference is ever made: only its address
        // leaves this type. The offset is zero.
        let mapped = unsafe { mmap(ptr::null_mut(), MAP_LEN, ProtFlags::READ, flags, file, 0) }?;
        Ok(Self {
            address: mapped.expose_provenance(),
        })
    }

    /// Where the enclave finds it.
    pub(super) const fn span(&self) -> Span {
        Span {
            address: self.address as u64,
            len: MAP_LEN as u64,
        }
    }
}

impl Drop for FileMap {
    #[expect(unsafe_code, reason = "the operating system's call")]
    fn drop(&mut self) {
        let address = ptr::with_exposed_provenance_mut(self.address);
        // SAFETY: exactly what `new` mapped, and nobody has references into it. The enclave has the address, but whoever
        // drops this does not enter the enclave any more; if it is entered, it faults, which it survives or not.
        let unmapped = unsafe { munmap(address, MAP_LEN) };
        debug_assert!(unmapped.is_ok(), "mapped by `new`");
    }
}
