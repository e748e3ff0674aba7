//! Stacks: how much of one exists, and how it becomes longer.
//!
//! The image brings the top of every stack. A launch that allows the guest more has the rest accepted before the guest
//! runs; below it the guard begins. After the launch, what it left there is wiped.

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use twine_abi::layout::{
    EXCEPTION_LEN, EXCEPTION_OFFSET, PAGE_LEN, SSA_FRAME_PAGES, SSA_FRAMES, SSA_OFFSET,
    STACK_INITIAL_LEN, STACK_LEN_MAX, STACK_TOP,
};
use zeroize::zeroize_stack;

use crate::{image, pages, thread};

/// Bytes of the first thread's stack that exist. The other threads' stacks do not grow.
static LEN: AtomicU64 = AtomicU64::new(STACK_INITIAL_LEN);

/// Makes the main thread's stack at least `len` bytes long. Returns whether it can be; called by that thread only.
pub(crate) fn grow(len: u64) -> bool {
    let Some(len) = len
        .checked_next_multiple_of(PAGE_LEN)
        .filter(|len| *len <= STACK_LEN_MAX)
    else {
        return false;
    };
    let now = LEN.load(Ordering::Relaxed);
    if len > now {
        assert!(
            thread::is_main(),
            "only the guest's thread has a stack that grows"
        );
        let top = thread::area() - image::base() + STACK_TOP;
        pages::accept(top - len, len - now);
        LEN.store(len, Ordering::Relaxed);
    }
    true
}

/// Overwrites what is left of calls that have returned: the main thread's stack below the caller's frame, its exception
/// stack and its SSA frames. Called by that thread, outside of an exception.
pub(crate) fn wipe() {
    // What lies between the caller's frame and the end of this one's.
    zeroize_stack::<{ RED_ZONE_LEN * 8 }>();
    let area = thread::area();
    let stack: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) stack, options(nomem, nostack, preserves_flags)) };
    let bottom = area + STACK_TOP - LEN.load(Ordering::Relaxed);
    let frames = u64::from(SSA_FRAMES) * u64::from(SSA_FRAME_PAGES) * PAGE_LEN;
    for (from, to) in [
        (bottom, stack.saturating_sub(RED_ZONE_LEN as u64)),
        (
            area + EXCEPTION_OFFSET,
            area + EXCEPTION_OFFSET + EXCEPTION_LEN,
        ),
        (area + SSA_OFFSET, area + SSA_OFFSET + frames),
    ] {
        // SAFETY:
        // - Ours: the stack exists down to `bottom` (`grow`), and no object lies below the stack pointer and its red zone;
        //   nothing is called meanwhile. The exception stack and the SSA frames are in use only while an exception is
        //   handled, and none is while this thread is here. One that comes in between is over, with all it wrote, when
        //   the thread goes on.
        // - The direction flag is clear, as the calling convention has it.
        unsafe {
            asm!("rep stosb", inout("rdi") from => _, inout("rcx") to.saturating_sub(from) => _, in("al") 0_u8,
                options(nostack, preserves_flags));
        }
    }
}

/// Bytes below the stack pointer that a function may use that calls no other. System V ABI, "The Stack Frame".
const RED_ZONE_LEN: usize = 128;
