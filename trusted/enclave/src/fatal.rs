//! The end: what happens when the enclave cannot go on.
//!
//! A panic, a host that breaks the rules of paging, an exception in trusted code: the enclave says why if it was launched
//! for debugging (the message could hold secrets), sets a flag that every entry checks first, and leaves. It never runs
//! again.

use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::{entry, host};

/// Not zero once the enclave has killed itself. Checked in `entry.s` before anything else.
pub(crate) static DEAD: AtomicU32 = AtomicU32::new(0);

/// Whether this is a debug launch, by the processor's word (REPORT.ATTRIBUTES).
static DEBUG: AtomicBool = AtomicBool::new(false);

/// Longest message. Longer ones are cut.
const MESSAGE_LEN_MAX: usize = 1024;

/// Allows messages from now on.
pub(crate) fn allow_messages() {
    DEBUG.store(true, Ordering::Relaxed);
}

/// Kills the enclave for good.
pub(crate) fn kill(reason: fmt::Arguments<'_>) -> ! {
    // Only the first to die speaks: a panic while it speaks must not start over.
    if DEAD.swap(1, Ordering::SeqCst) == 0 && DEBUG.load(Ordering::Relaxed) {
        let mut message = Message::default();
        // A message that does not fit is cut; there is nobody to tell.
        let _ = message.write_fmt(reason);
        host::log(message.as_bytes());
    }
    entry::die()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    kill(format_args!("{info}"))
}

/// A message of bounded length on the stack: a dying enclave does not allocate.
struct Message {
    bytes: [u8; MESSAGE_LEN_MAX],
    len: usize,
}

impl Default for Message {
    fn default() -> Self {
        Self {
            bytes: [0; MESSAGE_LEN_MAX],
            len: 0,
        }
    }
}

impl Message {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        let len = text.len().min(room.len());
        for (to, from) in room.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        self.len += len;
        if len == text.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

/// Named by the precompiled core library; unwinding does not exist here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {
    abort()
}

/// Named by the precompiled core library; unwinding does not exist here.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() {
    abort()
}

fn abort() -> ! {
    kill(format_args!("unwinding was asked for"))
}
