//! Where things lie in the enclave's address range.
//!
//! All offsets count bytes from the enclave's base, which is naturally aligned to [`ENCLAVE_LEN`]. The base itself is
//! not measured and differs from launch to launch; everything below is compiled into both sides.
//!
//! ```text
//! 0                IMAGE     code, constants, data of the image, page by page with the permissions of its segments
//! THREADS_OFFSET   THREADS   THREAD_COUNT areas of THREAD_AREA_LEN bytes each
//! HEAP_OFFSET      HEAP      the runtime's allocator; pages are accepted as it grows, never removed
//! ARENA_OFFSET     ARENA     linear memories with their guards, tables, machine code; pages come and go
//! ENCLAVE_LEN
//!
//! One thread area, offsets from its start:
//!
//! 0                 guard
//! STACK_OFFSET      stack, grows down from STACK_TOP; the highest STACK_INITIAL_LEN bytes exist from the start
//! STACK_TOP         guard
//! EXCEPTION_OFFSET  exception stack, all of it exists from the start
//! EXCEPTION_TOP     guard
//! SSA_OFFSET        SSA_FRAMES frames of one page
//! BLOCK_OFFSET      the thread block (GS points here)
//! TCS_OFFSET        the TCS
//!                   guard to the end of the area
//! ```
//!
//! A guard has no page: whatever the host maps there, an access from inside faults.

/// Bytes in a page. SGX knows no other size.
pub const PAGE_LEN: u64 = 4096;

/// Length of the enclave's address range (SECS.SIZE): 64 GiB, the largest power of two that every processor with SGX2
/// allows (`CPUID.(EAX=12H,ECX=0):EDX[15:8]` is at least 36).
pub const ENCLAVE_LEN: u64 = 1 << 36;

/// Most bytes the image's own segments may span.
pub const IMAGE_LEN_MAX: u64 = 16 << 20;

/// First byte of the thread areas.
pub const THREADS_OFFSET: u64 = 256 << 20;

/// Number of threads (TCS pages) in the image.
pub const THREAD_COUNT: u64 = 4;

/// Length of one thread area.
pub const THREAD_AREA_LEN: u64 = 32 << 20;

/// Lowest byte of a thread's stack, from the start of its area.
pub const STACK_OFFSET: u64 = 64 << 10;

/// Longest a thread's stack can become.
pub const STACK_LEN_MAX: u64 = 16 << 20;

/// One past the highest byte of a thread's stack, from the start of its area.
pub const STACK_TOP: u64 = STACK_OFFSET + STACK_LEN_MAX;

/// Bytes of stack that exist when the enclave starts.
pub const STACK_INITIAL_LEN: u64 = 64 << 10;

/// Lowest byte of the exception stack, from the start of its area.
pub const EXCEPTION_OFFSET: u64 = STACK_TOP + (64 << 10);

/// Length of the exception stack.
pub const EXCEPTION_LEN: u64 = 16 << 10;

/// One past the highest byte of the exception stack, from the start of its area.
pub const EXCEPTION_TOP: u64 = EXCEPTION_OFFSET + EXCEPTION_LEN;

/// First SSA frame, from the start of the thread area.
pub const SSA_OFFSET: u64 = EXCEPTION_TOP + (64 << 10);

/// SSA frames a thread (TCS.NSSA): one for the interrupted program, one for an interrupted exception handler.
pub const SSA_FRAMES: u32 = 2;

/// Pages in one SSA frame (SECS.SSAFRAMESIZE). One page holds GPRSGX, MISC and the XSAVE area of [`XFRM`].
pub const SSA_FRAME_PAGES: u32 = 1;

/// The thread block, from the start of the thread area. TCS.OGSBASE points here.
pub const BLOCK_OFFSET: u64 = SSA_OFFSET + 2 * PAGE_LEN;

/// Where a thread that is in a host call keeps its stack pointer, from the start of its block: for debuggers.
pub const BLOCK_STACK_OFFSET: u64 = 40;

/// The TCS page, from the start of the thread area.
pub const TCS_OFFSET: u64 = BLOCK_OFFSET + PAGE_LEN;

/// First byte of the heap.
pub const HEAP_OFFSET: u64 = 1 << 30;

/// Longest the heap can become.
pub const HEAP_LEN_MAX: u64 = 3 << 30;

/// First byte of the arena.
pub const ARENA_OFFSET: u64 = HEAP_OFFSET + HEAP_LEN_MAX;

/// Length of the arena.
pub const ARENA_LEN: u64 = ENCLAVE_LEN - ARENA_OFFSET;

/// SECS.ATTRIBUTES.XFRM: x87, SSE and AVX state. Wider state would only widen what an exit has to clear.
pub const XFRM: u64 = 0b111;

/// The start of thread area `index`, or `None` if there is no such thread.
#[must_use]
pub const fn thread_area(index: u64) -> Option<u64> {
    if index < THREAD_COUNT {
        Some(THREADS_OFFSET + index * THREAD_AREA_LEN)
    } else {
        None
    }
}

const _: () = {
    assert!(IMAGE_LEN_MAX <= THREADS_OFFSET);
    assert!(TCS_OFFSET + PAGE_LEN < THREAD_AREA_LEN);
    assert!(SSA_FRAMES as u64 * SSA_FRAME_PAGES as u64 == 2);
    assert!(THREADS_OFFSET + THREAD_COUNT * THREAD_AREA_LEN <= HEAP_OFFSET);
    assert!(ARENA_OFFSET < ENCLAVE_LEN);
};
