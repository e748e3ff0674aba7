//! The allocator behind `alloc`: dlmalloc over a heap that grows by accepting pages and never shrinks.
//!
//! What comes back is overwritten. Keys erase themselves where they end, but not where they have been: moving a value
//! leaves its bytes behind, in a box that was emptied or a vector that grew. Blocks of a page and more are left as they
//! are: no key is that long, and whoever keeps secrets in them wipes them (files in memory), or they were sealed before.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicU64, Ordering};

use dlmalloc::Dlmalloc;
use twine_abi::layout::{HEAP_LEN_MAX, HEAP_OFFSET};

use crate::memory::PAGE_SIZE;
use crate::sync::Mutex;
use crate::{image, pages};

#[global_allocator]
static HEAP: Heap = Heap(Mutex::new(Dlmalloc::new_with_allocator(Pages)));

/// Bytes of the heap that have been accepted.
static ACCEPTED_LEN: AtomicU64 = AtomicU64::new(0);

struct Heap(Mutex<Dlmalloc<Pages>>);

// Not inlined: the image allocates in thousands of places, and would be 100 KB longer with the lock in each.
// SAFETY: dlmalloc keeps the contract of an allocator; the lock lets one thread at a time in.
unsafe impl GlobalAlloc for Heap {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller gives a layout of non-zero size.
        unsafe { self.0.lock().malloc(layout.size(), layout.align()) }
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for `alloc`.
        unsafe { self.0.lock().calloc(layout.size(), layout.align()) }
    }

    #[inline(never)]
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if layout.size() < PAGE_SIZE {
            // SAFETY: the block is the caller's, and as long as its layout says.
            unsafe { at.write_bytes(0, layout.size()) };
        }
        // SAFETY: the caller gives what `alloc` gave for this layout.
        unsafe { self.0.lock().free(at, layout.size(), layout.align()) }
    }

    #[inline(never)]
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, new_len: usize) -> *mut u8 {
        if layout.size() < PAGE_SIZE {
            // SAFETY: the same contract.
            return unsafe { self.move_to(at, layout, new_len) };
        }
        // SAFETY: as for `dealloc`, and a new size that is not zero.
        unsafe {
            self.0
                .lock()
                .realloc(at, layout.size(), layout.align(), new_len)
        }
    }
}

impl Heap {
    /// Gives a block another length, elsewhere, and the old one back.
    ///
    /// # Safety
    /// As [`GlobalAlloc::realloc`].
    unsafe fn move_to(&self, from: *mut u8, layout: Layout, new_len: usize) -> *mut u8 {
        let Ok(new_layout) = Layout::from_size_align(new_len, layout.align()) else {
            return core::ptr::null_mut();
        };
        // SAFETY: whoever reallocates gives a new length that is not zero.
        let to = unsafe { self.alloc(new_layout) };
        if !to.is_null() {
            // SAFETY: both blocks are at least that long, and they are two.
            unsafe { to.copy_from_nonoverlapping(from, layout.size().min(new_len)) };
            // SAFETY: the caller gave the block up, with its layout.
            unsafe { self.dealloc(from, layout) };
        }
        to
    }
}

/// Where dlmalloc gets memory from.
struct Pages;

// SAFETY: `alloc` gives ranges that were accepted just now and that nobody else has; nothing is ever taken back.
unsafe impl dlmalloc::Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        const NONE: (*mut u8, usize, u32) = (core::ptr::null_mut(), 0, 0);
        let Some(len) = size.checked_next_multiple_of(PAGE_SIZE) else {
            return NONE;
        };
        // The allocator's lock is held: nobody else grows the heap.
        let start = ACCEPTED_LEN.load(Ordering::Relaxed);
        let Some(end) = start
            .checked_add(len as u64)
            .filter(|end| *end <= HEAP_LEN_MAX)
        else {
            return NONE;
        };
        let offset = HEAP_OFFSET + start;
        pages::accept(offset, len as u64);
        ACCEPTED_LEN.store(end, Ordering::Relaxed);
        ((image::base() + offset) as *mut u8, len, 0)
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        core::ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        PAGE_SIZE
    }
}
