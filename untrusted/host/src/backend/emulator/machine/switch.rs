//! The border itself: the few instructions between the host's registers and the enclave's.
//!
//! ```text
//!   Rust ──► switch ──► go_inside ──► IRETQ ──► enclave ──► trampoline ──► gate ──┬──► EEXIT: leave ──► Rust
//!                          ▲  │                                                   │
//!                          │  └─ asked to leave: abort ──► Rust                   └──► other leaves: Rust,
//!                          └──────────────────────────────────────────────────────────  back inside, or leave
//! ```
//!
//! All ways in lead through `go_inside`, which loads every register from the context and jumps with IRETQ; all ways
//! out lead through `leave`, which restores what `switch` saved. A signal handler moves a thread out by making it
//! continue at `leave`.
//!
//! Between the test of the request to leave and the enclave's first instruction lies a window in which a request would
//! be lost. The handler of the interrupting signal recognises it by the instruction pointer (`WINDOW`) and sends the
//! thread to `abort`; nothing has happened yet that would have to be undone.
//!
//! The thread's context is found through two words of thread-local storage, `current` and `scratch`. They lie at a fixed
//! distance from FS (the initial-exec model), so that a trampoline can use them without a free register.

use std::arch::global_asm;
use std::ffi::c_void;
use std::mem::offset_of;
use std::ops::Range;

use twine_abi::sgx::GprSgx;

use super::context::Context;

/// The enclave left by EEXIT.
pub(super) const LEFT_BY_EXIT: u64 = 0;
/// The context's outcome says how it left.
pub(super) const LEFT_OTHERWISE: u64 = 1;
/// There was a request to leave before the enclave ran; its registers are in the context, unchanged.
pub(super) const NOT_ENTERED: u64 = 2;

/// Offset of one of the enclave's registers in the context.
macro_rules! gpr {
    ($register:ident) => {
        offset_of!(Context, gprs) + offset_of!(GprSgx, $register)
    };
}

global_asm!(
    // Thread-local words.
    ".pushsection .tbss.twine_emulator, \"awT\", @nobits",
    ".p2align 3",
    ".hidden twine_emulator_current",
    ".globl twine_emulator_current",
    ".type twine_emulator_current, @object",
    ".size twine_emulator_current, 8",
    "twine_emulator_current: .zero 8",
    ".hidden twine_emulator_scratch",
    ".globl twine_emulator_scratch",
    ".type twine_emulator_scratch, @object",
    ".size twine_emulator_scratch, 8",
    "twine_emulator_scratch: .zero 8",
    ".popsection",

    ".pushsection .text.twine_emulator, \"ax\", @progbits",
    ".p2align 4",
    ".hidden twine_emulator_get",
    ".globl twine_emulator_get",
    "twine_emulator_get:",
    "mov rax, qword ptr [rip + twine_emulator_current@GOTTPOFF]",
    "mov rax, fs:[rax]",
    "ret",
    ".hidden twine_emulator_set",
    ".globl twine_emulator_set",
    "twine_emulator_set:",
    "mov rax, qword ptr [rip + twine_emulator_current@GOTTPOFF]",
    "mov fs:[rax], rdi",
    "ret",
    ".hidden twine_emulator_current_offset",
    ".globl twine_emulator_current_offset",
    "twine_emulator_current_offset:",
    "mov rax, qword ptr [rip + twine_emulator_current@GOTTPOFF]",
    "ret",
    ".hidden twine_emulator_scratch_offset",
    ".globl twine_emulator_scratch_offset",
    "twine_emulator_scratch_offset:",
    "mov rax, qword ptr [rip + twine_emulator_scratch@GOTTPOFF]",
    "ret",

    // u64 switch(Context *rdi)
    ".p2align 4",
    ".hidden twine_emulator_switch",
    ".globl twine_emulator_switch",
    ".hidden twine_emulator_begin",
    ".globl twine_emulator_begin",
    "twine_emulator_begin:",
    "twine_emulator_switch:",
    "push rbp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "pushfq",
    "sub rsp, 16",
    "stmxcsr [rsp]",
    "fnstcw [rsp + 4]",
    "mov [rdi + {host_rsp}], rsp",

    // In: rdi = context. From here to the window's end a request to leave still finds nothing done.
    ".hidden twine_emulator_window",
    ".globl twine_emulator_window",
    "twine_emulator_window:",
    "2:",
    "mov rax, [rdi + {pending}]",
    "cmp dword ptr [rax], 0",
    "jne 5f",
    "cmp dword ptr [rdi + {restore_xstate}], 0",
    "je 3f",
    "mov eax, [rdi + {xfrm}]",
    "mov edx, [rdi + {xfrm} + 4]",
    "xrstor64 [rdi + {xsave}]",
    "3:",
    "mov rsp, [rdi + {presented}]",
    "mov eax, ss",
    "push rax",
    "push qword ptr [rdi + {rsp}]",
    "push qword ptr [rdi + {rflags}]",
    "mov eax, cs",
    "push rax",
    "push qword ptr [rdi + {rip}]",
    "mov rax, [rdi + {rax}]",
    "mov rbx, [rdi + {rbx}]",
    "mov rcx, [rdi + {rcx}]",
    "mov rdx, [rdi + {rdx}]",
    "mov rsi, [rdi + {rsi}]",
    "mov rbp, [rdi + {rbp}]",
    "mov r8, [rdi + {r8}]",
    "mov r9, [rdi + {r9}]",
    "mov r10, [rdi + {r10}]",
    "mov r11, [rdi + {r11}]",
    "mov r12, [rdi + {r12}]",
    "mov r13, [rdi + {r13}]",
    "mov r14, [rdi + {r14}]",
    "mov r15, [rdi + {r15}]",
    "mov dword ptr [rdi + {inside}], 1",
    "mov rdi, [rdi + {rdi}]",
    "iretq",
    ".hidden twine_emulator_window_end",
    ".globl twine_emulator_window_end",
    "twine_emulator_window_end:",

    // In: rdi = context.
    ".hidden twine_emulator_abort",
    ".globl twine_emulator_abort",
    "twine_emulator_abort:",
    "5:",
    "mov rsp, [rdi + {host_rsp}]",
    "mov eax, {not_entered}",

    // In: rax = how it left, rsp = host_rsp.
    ".hidden twine_emulator_leave",
    ".globl twine_emulator_leave",
    "twine_emulator_leave:",
    "6:",
    "fninit",
    "fldcw [rsp + 4]",
    "ldmxcsr [rsp]",
    "add rsp, 16",
    "popfq",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",

    // From a trampoline. In: r11 = context, its own value in `scratch`; everything else is the enclave's.
    ".p2align 4",
    ".hidden twine_emulator_gate",
    ".globl twine_emulator_gate",
    "twine_emulator_gate:",
    "mov dword ptr [r11 + {inside}], 0",
    "mov [r11 + {rsp}], rsp",
    "mov rsp, [r11 + {host_rsp}]",
    "mov [r11 + {rax}], rax",
    "mov [r11 + {rbx}], rbx",
    "mov [r11 + {rcx}], rcx",
    "mov [r11 + {rdx}], rdx",
    "mov [r11 + {rsi}], rsi",
    "mov [r11 + {rdi}], rdi",
    "mov [r11 + {rbp}], rbp",
    "mov [r11 + {r8}], r8",
    "mov [r11 + {r9}], r9",
    "mov [r11 + {r10}], r10",
    "mov [r11 + {r12}], r12",
    "mov [r11 + {r13}], r13",
    "mov [r11 + {r14}], r14",
    "mov [r11 + {r15}], r15",
    "pushfq",
    "pop qword ptr [r11 + {rflags}]",
    "mov rbx, qword ptr [rip + twine_emulator_scratch@GOTTPOFF]",
    "mov rbx, fs:[rbx]",
    "mov [r11 + {r11}], rbx",
    // Direction and alignment check flags as Rust expects them.
    "push 2",
    "popfq",
    "cmp eax, {exit_leaf}",
    "je 7f",
    "mov eax, [r11 + {xfrm}]",
    "mov edx, [r11 + {xfrm} + 4]",
    "xsave64 [r11 + {xsave}]",
    "mov dword ptr [r11 + {restore_xstate}], 1",
    "mov rbx, r11",
    "mov rdi, r11",
    "call {leaf}",
    "mov rdi, rbx",
    "test eax, eax",
    "je 2b",
    "mov eax, {left_otherwise}",
    "jmp 6b",
    "7:",
    "mov eax, {left_by_exit}",
    "jmp 6b",
    ".hidden twine_emulator_end",
    ".globl twine_emulator_end",
    "twine_emulator_end:",
    ".popsection",
    host_rsp = const offset_of!(Context, host_rsp),
    presented = const offset_of!(Context, presented),
    xfrm = const offset_of!(Context, xfrm),
    xsave = const offset_of!(Context, xsave),
    pending = const offset_of!(Context, pending),
    inside = const offset_of!(Context, inside),
    restore_xstate = const offset_of!(Context, restore_xstate),
    rax = const gpr!(rax),
    rbx = const gpr!(rbx),
    rcx = const gpr!(rcx),
    rdx = const gpr!(rdx),
    rsi = const gpr!(rsi),
    rdi = const gpr!(rdi),
    rbp = const gpr!(rbp),
    rsp = const gpr!(rsp),
    r8 = const gpr!(r8),
    r9 = const gpr!(r9),
    r10 = const gpr!(r10),
    r11 = const gpr!(r11),
    r12 = const gpr!(r12),
    r13 = const gpr!(r13),
    r14 = const gpr!(r14),
    r15 = const gpr!(r15),
    rflags = const gpr!(rflags),
    rip = const gpr!(rip),
    exit_leaf = const twine_abi::sgx::Enclu::Exit as u32,
    not_entered = const NOT_ENTERED,
    left_by_exit = const LEFT_BY_EXIT,
    left_otherwise = const LEFT_OTHERWISE,
    leaf = sym super::leaves::from_gate,
);

unsafe extern "C" {
    fn twine_emulator_get() -> *mut c_void;
    fn twine_emulator_set(context: *mut c_void);
    fn twine_emulator_current_offset() -> i64;
    fn twine_emulator_scratch_offset() -> i64;
    fn twine_emulator_switch(context: *mut c_void) -> u64;
    static twine_emulator_begin: u8;
    static twine_emulator_window: u8;
    static twine_emulator_window_end: u8;
    static twine_emulator_abort: u8;
    static twine_emulator_leave: u8;
    static twine_emulator_gate: u8;
    static twine_emulator_end: u8;
}

/// Goes inside with the registers in the context, and comes back when the thread leaves.
///
/// # Safety
/// The context is the calling thread's [`current`] one, its registers are those of an enclave thread that may run, and
/// the thread has an alternate signal stack.
pub(super) unsafe fn switch(context: *mut Context) -> u64 {
    // SAFETY: as this function's own conditions; the assembly keeps the calling convention.
    unsafe { twine_emulator_switch(context.cast()) }
}

/// The context of the enclave that the calling thread is in, or null.
pub(super) fn current() -> *mut Context {
    // SAFETY: reads a word of thread-local storage.
    unsafe { twine_emulator_get() }.cast()
}

/// Makes `context` current while `action` runs, and then the previous one again.
pub(super) fn with_current<T>(context: *mut Context, action: impl FnOnce() -> T) -> T {
    /// Restores the previous context even if `action` unwinds.
    struct Previous(*mut Context);
    impl Drop for Previous {
        fn drop(&mut self) {
            // SAFETY: writes a word of thread-local storage; the context was current before and is alive.
            unsafe { twine_emulator_set(self.0.cast()) };
        }
    }
    let _previous = Previous(current());
    // SAFETY: writes a word of thread-local storage.
    unsafe { twine_emulator_set(context.cast()) };
    action()
}

/// Where the two thread-local words lie, counted from FS.
pub(super) struct ThreadWords {
    /// The context.
    pub(super) current: i64,
    /// A place for one register.
    pub(super) scratch: i64,
}

/// Returns where the two thread-local words lie.
pub(super) fn thread_words() -> ThreadWords {
    ThreadWords {
        // SAFETY: reads a constant of the dynamic linker.
        current: unsafe { twine_emulator_current_offset() },
        // SAFETY: reads a constant of the dynamic linker.
        scratch: unsafe { twine_emulator_scratch_offset() },
    }
}

/// The instructions between the test of the request to leave and the enclave's first instruction.
pub(super) fn window() -> Range<u64> {
    address(&raw const twine_emulator_window)..address(&raw const twine_emulator_window_end)
}

/// All instructions of this module that run with a context.
pub(super) fn border() -> Range<u64> {
    address(&raw const twine_emulator_begin)..address(&raw const twine_emulator_end)
}

/// Where a thread continues that was on its way in. RDI holds the context.
pub(super) fn abort() -> u64 {
    address(&raw const twine_emulator_abort)
}

/// Where a thread continues that leaves otherwise than by EEXIT: RSP is the context's `host_rsp`, RAX says how. Also
/// what the enclave is told at EENTER as the place to return to.
pub(super) fn leave() -> u64 {
    address(&raw const twine_emulator_leave)
}

/// Where trampolines jump to.
pub(super) fn gate() -> u64 {
    address(&raw const twine_emulator_gate)
}

fn address(label: *const u8) -> u64 {
    label.addr() as u64
}
