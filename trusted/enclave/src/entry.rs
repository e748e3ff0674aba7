//! The border in assembly: entry, exit, and the two places where ERESUME may be sent.
//!
//! ```text
//!  EENTER, CSSA = 0 ─┬─ dead? ───────────────► EEXIT Dead
//!                    ├─ idle, Call ──────────► own stack, clean registers ──► enter_call ──► EEXIT Done
//!                    ├─ outside, Return ─────► the stack it left from ──► back in leave_for_host
//!                    └─ anything else ───────► EEXIT Refused, nothing touched
//!  EENTER, CSSA = 1 ──── exception stack ────► handle_exception ──► EEXIT Resume or Refused
//! ```
//!
//! What each rule in `entry.s` answers:
//!
//! | attack | defence |
//! |---|---|
//! | host leaves DF or AC set, MXCSR with exceptions unmasked, x87 in MMX mode (CVE-2020-0561 and kin, "A Tale of Two Worlds", CCS 2019) | `cld` first; flags and XRSTOR of a constant image before Rust runs |
//! | host chooses the stack | the stack comes from the measured layout and GS alone |
//! | re-entry in the middle of a host call or of an exception (SmashEx, CCS 2021) | one state word, checked before anything is touched; the exception stack is its own |
//! | registers leak secrets at EEXIT | every general register is zero or a host value; vectors and flags are constants |
//! | speculation past a check (Spectre v1), injected loads (LVI) on the way in | LFENCE after each conditional on a host value; returns as `pop; lfence; jmp` |
//! | the host chooses where EEXIT goes | it goes to the RCX of EENTER, which the processor writes: the address behind that instruction, outside |

use core::arch::global_asm;
use core::mem::offset_of;

use twine_abi::entry::{Entry, Exit, Status};
use twine_abi::layout;

use crate::thread::{self, ThreadBlock};

/// ENCLU leaf of EEXIT. Intel SDM vol. 3D, "EEXIT".
const EEXIT: u64 = 4;

/// MXCSR inside and at every exit; see `entry.s`.
const MXCSR: u64 = 0x1FBF;

global_asm!(
    include_str!("entry.s"),
    dead = sym crate::fatal::DEAD,
    enter_call = sym crate::call::enter_call,
    handle_exception = sym crate::exception::handle_exception,
    deliver_trap = sym crate::engine::deliver_trap,
    finish_stopped = sym crate::call::finish_stopped,
    area = const offset_of!(ThreadBlock, area),
    state = const offset_of!(ThreadBlock, state),
    host_rsp = const offset_of!(ThreadBlock, host_rsp),
    host_rbp = const offset_of!(ThreadBlock, host_rbp),
    host_return = const offset_of!(ThreadBlock, host_return),
    trusted_rsp = const offset_of!(ThreadBlock, trusted_rsp),
    exception_host_rsp = const offset_of!(ThreadBlock, exception_host_rsp),
    exception_host_rbp = const offset_of!(ThreadBlock, exception_host_rbp),
    exception_host_return = const offset_of!(ThreadBlock, exception_host_return),
    in_exception = const offset_of!(ThreadBlock, in_exception),
    IDLE = const thread::IDLE,
    RUNNING = const thread::RUNNING,
    OUTSIDE = const thread::OUTSIDE,
    STACK_TOP = const layout::STACK_TOP,
    EXCEPTION_TOP = const layout::EXCEPTION_TOP,
    XFRM = const layout::XFRM,
    MXCSR = const MXCSR,
    EEXIT = const EEXIT,
    ENTRY_CALL = const Entry::Call as u64,
    ENTRY_RETURN = const Entry::Return as u64,
    EXIT_DONE = const Exit::Done as u64,
    EXIT_HOST_CALL = const Exit::HostCall as u64,
    EXIT_DEAD = const Exit::Dead as u64,
    EXIT_REFUSED = const Exit::Refused as u64,
    STATUS_WRONG_STATE = const Status::WrongState as u64,
);

unsafe extern "sysv64" {
    /// Leaves for the host with [`Exit::HostCall`] and returns when the host enters again with [`Entry::Return`].
    fn leave_for_host();
    /// Leaves the enclave with [`Exit::Dead`].
    pub(crate) safe fn die() -> !;
    /// Where the exception handler sends a faulting guest.
    pub(crate) safe fn trap_landing();
    /// Where the exception handler sends a guest that is being stopped.
    pub(crate) safe fn stop_landing();
}

/// Leaves the enclave with the host call that stands in this thread's exchange area, and returns when it is served.
pub(crate) fn host_call() {
    // SAFETY: the routine keeps to the calling convention: callee-saved registers are on the stack while it is away, and
    // the state word lets nothing but `Entry::Return` bring this thread back.
    unsafe { leave_for_host() }
}
