//! Host memory that the enclave copies from and to.
//!
//! The enclave moves whole words at addresses aligned to 8 (CVE-2022-21233), so a buffer starts at such an address and
//! is padded to a multiple of 8 with bytes that are its own. It never moves and never grows: its address is handed to
//! the enclave as a number.

use std::fmt;
use std::io::{self, Read};

use twine_abi::exchange::Span;

/// Bytes at an address aligned to 8, padded with zeros to a multiple of 8.
pub struct SharedBuffer {
    storage: Vec<u8>,
    start: usize,
    len: usize,
}

impl SharedBuffer {
    /// Returns `len` zero bytes.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        // The allocator need not align bytes, so there is room to choose the first one: no unsafe code is needed.
        let storage = vec![0; len.next_multiple_of(ALIGNMENT) + ALIGNMENT];
        let start = storage.as_ptr().align_offset(ALIGNMENT);
        assert!(start <= ALIGNMENT, "a byte pointer can always be aligned");
        Self {
            storage,
            start,
            len,
        }
    }

    /// Returns a copy of `bytes`.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut buffer = Self::zeroed(bytes.len());
        buffer.bytes_mut().copy_from_slice(bytes);
        buffer
    }

    /// Reads exactly `len` bytes.
    ///
    /// # Errors
    /// Those of the reader; [`io::ErrorKind::UnexpectedEof`] if it has fewer bytes.
    pub fn read_exactly(mut reader: impl Read, len: usize) -> io::Result<Self> {
        let mut buffer = Self::zeroed(len);
        reader.read_exact(buffer.bytes_mut())?;
        Ok(buffer)
    }

    /// The bytes, without the padding.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let (_, tail) = self.storage.split_at(self.start);
        tail.split_at(self.len).0
    }

    /// The bytes, without the padding.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let (_, tail) = self.storage.split_at_mut(self.start);
        tail.split_at_mut(self.len).0
    }

    /// Where the enclave finds the bytes. It only reads them.
    #[must_use]
    pub fn span(&self) -> Span {
        Span {
            address: address(self.bytes().as_ptr().expose_provenance()),
            len: address(self.len),
        }
    }

    /// Where the enclave finds the bytes, to read and to write until they are next used here.
    #[must_use]
    pub fn address_mut(&mut self) -> u64 {
        address(self.bytes_mut().as_mut_ptr().expose_provenance())
    }
}

impl fmt::Debug for SharedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedBuffer({} bytes)", self.len)
    }
}

/// A number of this processor's words; SGX exists on 64-bit processors only.
const fn address(number: usize) -> u64 {
    const _: () = assert!(size_of::<usize>() == size_of::<u64>());
    number as u64
}

const ALIGNMENT: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_of_any_length_is_aligned_and_padded_with_its_own_bytes() {
        for len in 0..40 {
            let buffer = SharedBuffer::copy_of(&vec![7; len]);
            assert_eq!(buffer.span().address % 8, 0);
            assert_eq!(buffer.span().len, len as u64);
            assert!(buffer.start + len.next_multiple_of(8) <= buffer.storage.len());
            assert!(buffer.bytes().iter().all(|byte| *byte == 7));
        }
    }

    #[test]
    fn a_reader_that_ends_early_is_an_error() {
        let error = SharedBuffer::read_exactly(&b"abc"[..], 4).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
