//! The guest's linear memory during one call.
//!
//! Every address and length comes from the guest and is a claim: bytes can be reached only through
//! [`GuestMemory::slice`], which checks that they lie in memory. Nothing has to be aligned. The guest cannot run while a
//! call holds its memory, so what was checked stays true.

use crate::wasi::types::Errno;

/// The guest's linear memory, borrowed for one call.
pub(crate) struct GuestMemory<'a>(&'a mut [u8]);

/// A range that the guest names. Means nothing before [`GuestMemory::slice`] has checked it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct GuestRange {
    /// Address of the first byte.
    pub(crate) address: u32,
    /// Length in bytes.
    pub(crate) len: u32,
}

impl<'a> GuestMemory<'a> {
    pub(crate) const fn new(bytes: &'a mut [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes of `range`. An empty range is in memory if its address is, or is the end.
    pub(crate) fn slice(&self, range: GuestRange) -> Result<&[u8], Errno> {
        let (start, end) = range.bounds()?;
        self.0.get(start..end).ok_or(Errno::Fault)
    }

    /// The bytes of `range`, to be written.
    pub(crate) fn slice_mut(&mut self, range: GuestRange) -> Result<&mut [u8], Errno> {
        let (start, end) = range.bounds()?;
        self.0.get_mut(start..end).ok_or(Errno::Fault)
    }

    /// `N` bytes from `address`.
    pub(crate) fn array<const N: usize>(&self, address: u32) -> Result<[u8; N], Errno> {
        let start = usize::try_from(address).map_err(|_| Errno::Fault)?;
        let bytes = self.0.get(start..).and_then(<[u8]>::first_chunk);
        bytes.copied().ok_or(Errno::Fault)
    }

    /// Writes `bytes` at `address`.
    pub(crate) fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Errno> {
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?;
        self.slice_mut(GuestRange { address, len })?
            .copy_from_slice(bytes);
        Ok(())
    }

    /// Reads 4 bytes, little-endian.
    pub(crate) fn read_u32(&self, address: u32) -> Result<u32, Errno> {
        self.array(address).map(u32::from_le_bytes)
    }

    /// Writes 4 bytes, little-endian.
    pub(crate) fn write_u32(&mut self, address: u32, value: u32) -> Result<(), Errno> {
        self.write(address, &value.to_le_bytes())
    }

    /// Writes 8 bytes, little-endian.
    pub(crate) fn write_u64(&mut self, address: u32, value: u64) -> Result<(), Errno> {
        self.write(address, &value.to_le_bytes())
    }
}

impl GuestRange {
    fn bounds(self) -> Result<(usize, usize), Errno> {
        let start = usize::try_from(self.address).map_err(|_| Errno::Fault)?;
        let len = usize::try_from(self.len).map_err(|_| Errno::Fault)?;
        Ok((start, start.checked_add(len).ok_or(Errno::Fault)?))
    }
}

/// The address `offset` bytes after `address`, if 32 bits hold it.
pub(crate) fn offset(address: u32, offset: u32) -> Result<u32, Errno> {
    address.checked_add(offset).ok_or(Errno::Fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_reached_only_if_all_of_it_is_in_memory() {
        let mut bytes = [1, 2, 3, 4];
        let mut memory = GuestMemory::new(&mut bytes);
        let range = |address, len| GuestRange { address, len };
        assert_eq!(memory.slice(range(1, 3)), Ok(&[2, 3, 4][..]));
        assert_eq!(memory.slice(range(4, 0)), Ok(&[][..]));
        for (address, len) in [(1, 4), (4, 1), (5, 0), (u32::MAX, 1), (u32::MAX, u32::MAX)] {
            assert_eq!(memory.slice(range(address, len)), Err(Errno::Fault));
            assert_eq!(memory.slice_mut(range(address, len)), Err(Errno::Fault));
        }
        assert_eq!(memory.array(0), Ok([1, 2, 3, 4]));
        assert_eq!(memory.array::<4>(1), Err(Errno::Fault));
        assert_eq!(memory.write_u32(1, 0), Err(Errno::Fault));
        assert_eq!(memory.write_u32(0, 0x0403_0201), Ok(()));
        assert_eq!(memory.read_u32(0), Ok(0x0403_0201));
        assert_eq!(offset(u32::MAX, 1), Err(Errno::Fault));
    }
}
