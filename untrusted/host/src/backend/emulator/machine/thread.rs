//! The alternate signal stack of each host thread that enters enclaves.
//!
//! A handler that runs while the enclave's code runs must not use the enclave's stack. Rust's own alternate stack is made
//! for a message and an abort and is too small, so a thread gets a larger one before it first enters, for as long as it
//! lives.

use std::cell::OnceCell;
use std::io;
use std::ptr;

use crate::backend::emulator::PAGE_BYTES;

/// Length of the alternate stack: several nested handlers, each with the kernel's frame (3 to 11 KiB, depending on the
/// processor's vector state).
const STACK_LEN: usize = 64 << 10;
/// Below it lies one page that cannot be used, so that an overflow is noticed.
const GUARD_LEN: usize = PAGE_BYTES;

thread_local! {
    static STACK: OnceCell<AlternateStack> = const { OnceCell::new() };
}

/// Makes sure that the calling thread has the alternate stack.
///
/// # Errors
/// The operating system's.
pub(super) fn prepare() -> io::Result<()> {
    STACK.with(|stack| {
        if stack.get().is_none() {
            let new = AlternateStack::install()?;
            assert!(stack.set(new).is_ok(), "the cell was empty a moment ago");
        }
        Ok(())
    })
}

/// A mapping that is the thread's alternate stack.
struct AlternateStack {
    start: *mut libc::c_void,
}

impl AlternateStack {
    fn install() -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping touches nobody's memory.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                GUARD_LEN + STACK_LEN,
                protection,
                flags,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // From here on dropping `stack` gives everything back.
        let stack = Self { start };
        // SAFETY: the first page of the mapping made above, which nobody uses yet.
        check(unsafe { libc::mprotect(start, GUARD_LEN, libc::PROT_NONE) })?;
        let description = stack.description(0);
        // SAFETY: the memory is this thread's own until `drop`, which takes it out of use first.
        check(unsafe { libc::sigaltstack(&raw const description, ptr::null_mut()) })?;
        Ok(stack)
    }

    fn description(&self, flags: libc::c_int) -> libc::stack_t {
        libc::stack_t {
            ss_sp: self.start.wrapping_byte_add(GUARD_LEN),
            ss_flags: flags,
            ss_size: STACK_LEN,
        }
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        let mut current = self.description(libc::SS_DISABLE);
        // SAFETY: only asks for the current one.
        let asked = unsafe { libc::sigaltstack(ptr::null(), &raw mut current) };
        let is_ours = asked == 0 && current.ss_sp == self.start.wrapping_byte_add(GUARD_LEN);
        if is_ours {
            let none = self.description(libc::SS_DISABLE);
            // SAFETY: disables the stack. What was there before is not put back: the thread is ending, and its owner
            // may have given it up.
            unsafe { libc::sigaltstack(&raw const none, ptr::null_mut()) };
        }
        // SAFETY: exactly what `install` mapped, and no longer in use.
        unsafe { libc::munmap(self.start, GUARD_LEN + STACK_LEN) };
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
