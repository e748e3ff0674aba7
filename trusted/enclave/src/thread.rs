//! The thread block: what a thread knows about itself, reached through GS.
//!
//! ```text
//!  TCS.OGSBASE ──► area │ state │ host registers of the last entry │ … of the last exception entry │ engine slots │ exchange
//! ```
//!
//! The first word is measured (the image builder writes it); everything else starts as zero.

use core::mem::offset_of;

use twine_abi::layout;

use crate::image;
use crate::memory::PAGE_SIZE;

/// A thread is free for a call.
pub(crate) const IDLE: u64 = 0;
/// A thread is inside.
pub(crate) const RUNNING: u64 = 1;
/// A thread has left for a host call.
pub(crate) const OUTSIDE: u64 = 2;

/// What lies at the start of a thread's block page.
#[repr(C)]
pub(crate) struct ThreadBlock {
    /// The thread's area, as an offset from the base. Measured.
    pub(crate) area: u64,
    pub(crate) state: u64,
    pub(crate) host_rsp: u64,
    pub(crate) host_rbp: u64,
    pub(crate) host_return: u64,
    pub(crate) trusted_rsp: u64,
    pub(crate) exception_host_rsp: u64,
    pub(crate) exception_host_rbp: u64,
    pub(crate) exception_host_return: u64,
    pub(crate) in_exception: u32,
    pub(crate) reserved: u32,
    /// The exchange area of the current call; checked when the call began.
    pub(crate) exchange: u64,
    /// The engine's thread-local pointers.
    pub(crate) engine: [u64; 2],
}

const _: () = assert!(size_of::<ThreadBlock>() < PAGE_SIZE);
const _: () = assert!(offset_of!(ThreadBlock, trusted_rsp) as u64 == layout::BLOCK_STACK_OFFSET);

/// Reads the word at `$offset` of this thread's block.
macro_rules! read {
    ($offset:expr) => {{
        let value: u64;
        // SAFETY:
        // - In bounds: the offset is that of a field of `ThreadBlock`, which fits its page (asserted above), and GS points
        //   at that page from EENTER on (TCS.OGSBASE, measured).
        // - No race: a thread block is used by its own thread only.
        unsafe {
            core::arch::asm!("mov {}, qword ptr gs:[{}]", out(reg) value, const $offset,
                options(nostack, preserves_flags, readonly));
        }
        value
    }};
}

/// Writes the word at `$offset` of this thread's block.
macro_rules! write {
    ($offset:expr, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: as for `read!`.
        unsafe {
            core::arch::asm!("mov qword ptr gs:[{}], {}", const $offset, in(reg) value, options(nostack, preserves_flags));
        }
    }};
}

/// The address of this thread's area.
pub(crate) fn area() -> u64 {
    image::base() + read!(offset_of!(ThreadBlock, area))
}

/// Whether this is the thread that runs the guest: the first one.
pub(crate) fn is_main() -> bool {
    read!(offset_of!(ThreadBlock, area)) == layout::THREADS_OFFSET
}

/// The exchange area of this thread's current call.
pub(crate) fn exchange() -> u64 {
    read!(offset_of!(ThreadBlock, exchange))
}

/// Sets the exchange area of this thread's current call.
pub(crate) fn set_exchange(address: u64) {
    write!(offset_of!(ThreadBlock, exchange), address);
}

/// The engine's thread-local pointer in slot 0 or 1; null in any other.
pub(crate) fn engine_slot(slot: usize) -> u64 {
    match slot {
        0 => read!(offset_of!(ThreadBlock, engine)),
        1 => read!(offset_of!(ThreadBlock, engine) + 8),
        _ => 0,
    }
}

/// Sets the engine's thread-local pointer in slot 0 or 1.
pub(crate) fn set_engine_slot(slot: usize, value: u64) {
    match slot {
        0 => write!(offset_of!(ThreadBlock, engine), value),
        1 => write!(offset_of!(ThreadBlock, engine) + 8, value),
        _ => {}
    }
}
