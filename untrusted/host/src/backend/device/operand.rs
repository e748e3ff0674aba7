//! Memory that the driver reads operands from: whole pages, at page addresses, in anonymous memory.
//!
//! The driver adds pages only from memory that could be executed, which a file on a `noexec` mount could not; a copy in
//! anonymous memory always can.

/// A copy of some bytes, filled up to whole pages with zeroes.
#[derive(Debug)]
pub(super) struct PageBuffer {
    pages: Vec<Page>,
}

#[derive(Clone, Debug)]
#[repr(C, align(4096))]
struct Page([u8; PAGE]);

/// Bytes in a page.
pub(super) const PAGE: usize = 4096;

impl PageBuffer {
    /// A copy of these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let pages = bytes.chunks(PAGE).map(|chunk| {
            let mut page = Page([0; PAGE]);
            let (used, _) = page.0.split_at_mut(chunk.len());
            used.copy_from_slice(chunk);
            page
        });
        Self {
            pages: pages.collect(),
        }
    }

    /// Address of the first byte, for the driver.
    pub(super) fn address(&self) -> u64 {
        self.pages.as_ptr().expose_provenance() as u64
    }

    /// Length in bytes.
    pub(super) fn len(&self) -> u64 {
        (self.pages.len() * PAGE) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_begins_with_a_page_and_is_filled_up_with_zeroes() {
        let buffer = PageBuffer::of(&[7; PAGE + 1]);
        assert_eq!(buffer.len(), 2 * PAGE as u64);
        assert_eq!(buffer.address() % PAGE as u64, 0);
        assert_eq!(buffer.pages[1].0[..2], [7, 0]);
        assert_eq!(PageBuffer::of(&[]).len(), 0);
    }
}
