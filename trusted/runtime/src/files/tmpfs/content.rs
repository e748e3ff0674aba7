//! The bytes of a file in memory: pages, and zeros where there are none.

use alloc::boxed::Box;
use alloc::collections::btree_map::{BTreeMap, Entry};
use alloc::vec::Vec;

use zeroize::optimization_barrier;

use super::Room;
use crate::files::{Error, Result};
use crate::limits::FILE_LEN_BYTES_MAX;

/// The bytes of a file. Beyond the size every page is zero, so that growing shows zeros.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pages: BTreeMap<u64, Page>,
    size: u64,
}

/// A page. Overwritten before its memory goes back: what the guest or the runtime keeps in it may be secret.
#[derive(Debug)]
struct Page(Box<[u8]>);

impl Drop for Page {
    // Not byte by byte, as overwriting is usually made sure of: pages come and go with every temporary file.
    fn drop(&mut self) {
        self.0.fill(0);
        optimization_barrier(&self.0);
    }
}

/// Bytes in a page, also in 64 bits.
const PAGE_LEN: usize = 4096;
const PAGE_LEN_U64: u64 = 4096;

impl Pages {
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Room that the pages take.
    pub(super) fn cost(&self) -> u64 {
        PAGE_LEN_U64 * count(self.pages.len())
    }

    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let there = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = there.min(into.len());
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..len).filter(|rest| !rest.is_empty()) {
            let (page, start) = place(offset + count(done));
            let part = rest.len().min(PAGE_LEN - start);
            let bytes = self.pages.get(&page).and_then(|page| page.0.get(start..));
            match (rest.get_mut(..part), bytes) {
                (Some(to), Some(bytes)) => {
                    to.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from)
                }
                (Some(to), None) => to.fill(0),
                (None, _) => {}
            }
            done += part;
        }
        len
    }

    /// Writes as much as there is room for.
    pub(super) fn write(&mut self, room: &mut Room, offset: u64, data: &[u8]) -> Result<usize> {
        end(offset, count(data.len()))?;
        let mut done = 0;
        while let Some(rest) = data.get(done..).filter(|rest| !rest.is_empty()) {
            let (number, start) = place(offset + count(done));
            let page = match self.page(room, number) {
                Ok(page) => page,
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            };
            let to = page.get_mut(start..).unwrap_or_default();
            to.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            done += rest.len().min(PAGE_LEN - start);
            self.size = self.size.max(offset + count(done));
        }
        Ok(done)
    }

    pub(super) fn set_size(&mut self, room: &mut Room, size: u64) -> Result {
        end(size, 0)?;
        if size < self.size {
            for _ in self.pages.split_off(&size.div_ceil(PAGE_LEN_U64)) {
                room.give(PAGE_LEN_U64);
            }
            let (last, start) = place(size);
            if let Some(tail) = self
                .pages
                .get_mut(&last)
                .and_then(|page| page.0.get_mut(start..))
            {
                tail.fill(0);
            }
        }
        self.size = size;
        Ok(())
    }

    /// Puts pages where there are none, so that later writes find room.
    pub(super) fn allocate(&mut self, room: &mut Room, offset: u64, len: u64) -> Result {
        let end = end(offset, len)?;
        let pages = offset / PAGE_LEN_U64..end.div_ceil(PAGE_LEN_U64);
        let there = count(self.pages.range(pages.clone()).count());
        if (pages.end - pages.start).saturating_sub(there) > room.0 / PAGE_LEN_U64 {
            return Err(Error::NoSpace);
        }
        for number in pages {
            self.page(room, number)?;
        }
        self.size = self.size.max(end);
        Ok(())
    }

    fn page(&mut self, room: &mut Room, number: u64) -> Result<&mut [u8]> {
        match self.pages.entry(number) {
            Entry::Occupied(page) => Ok(&mut page.into_mut().0),
            Entry::Vacant(place) => {
                room.take(PAGE_LEN_U64)?;
                let page = zeroed().inspect_err(|_| room.give(PAGE_LEN_U64))?;
                Ok(&mut place.insert(page).0)
            }
        }
    }
}

/// A page of zeros, if memory suffices: the limit may be larger than what the enclave has.
fn zeroed() -> Result<Page> {
    let mut page = Vec::new();
    page.try_reserve_exact(PAGE_LEN)
        .map_err(|_| Error::NoSpace)?;
    page.resize(PAGE_LEN, 0);
    Ok(Page(page.into_boxed_slice()))
}

/// The number of the page that holds `offset`, and where in it.
fn place(offset: u64) -> (u64, usize) {
    let start = usize::try_from(offset % PAGE_LEN_U64).unwrap_or(0);
    (offset / PAGE_LEN_U64, start)
}

fn end(offset: u64, len: u64) -> Result<u64> {
    let end = offset.checked_add(len);
    end.filter(|&end| end <= FILE_LEN_BYTES_MAX)
        .ok_or(Error::TooLarge)
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
