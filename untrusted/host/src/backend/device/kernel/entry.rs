//! The call of the vDSO's function, with the register discipline that it asks for.
//!
//! The function promises RBX and RBP. Everything else is the enclave's to change: the other callee-saved registers, MXCSR,
//! the x87 control word, flags. The routine here saves them.
//!
//! ```text
//!   Rust ──► routine ──(the thread's own stack)──► vDSO: EENTER ... EEXIT ──► landing ──► Rust
//!                                                    │ asynchronous exit, a signal of ours: the handler
//!                                                    └─────────────────────────────────────► landing
//! ```
//!
//! The vDSO's frame lies on a stack that belongs to the TCS, so the enclave sees the same stack pointer at every entry,
//! and finds the frame in place when it leaves after an exception and ERESUME. All entries write the same bytes there.

use std::arch::global_asm;
use std::io;
use std::mem::offset_of;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use crate::backend::device::seam::EntryFunction;
use crate::backend::device::uapi::Run;
use crate::backend::{Leaf, Registers};

/// Bytes of the stack that a TCS's entries use: the vDSO's frame, and handlers of the host's signals that ask for no
/// stack of their own. Memory is there when it is touched.
const STACK_LEN: usize = 256 << 10;

/// What the routine returns if [`interrupt`](super::interrupt) made the thread leave. No error number is positive.
const INTERRUPTED: u32 = 1;

/// What one TCS's entries share with the assembly.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Call {
    registers: Registers,
    function: u64,
    stack: u64,
    run: *mut Run,
    saved_stack: u64,
    leaf: u32,
    reserved: u32,

    // From here on the assembly looks at nothing.
    /// Address of the ENCLU.
    pub(super) enclu: u64,
    /// Not zero: whoever is inside, or goes inside next, is to leave.
    pub(super) pending: Arc<AtomicU32>,
}

/// One TCS as the host sees it.
#[derive(Debug)]
pub(super) struct Seat {
    run: Box<Run>,
    call: Box<Call>,
    /// What `call.stack` points into.
    _stack: Stack,
}

// SAFETY: the pointers lead into boxes and a mapping that the seat owns.
unsafe impl Send for Seat {}

/// How an entry ended, as the vDSO tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::backend::device) enum Ended {
    /// EEXIT.
    Exited(Registers),
    /// An exception, at the ENCLU itself or inside.
    Exception {
        /// The leaf in RAX when it was taken: EENTER if the enclave was not entered.
        leaf: u32,
        vector: u16,
        error: u16,
        address: u64,
    },
    /// A signal of ours made the thread leave asynchronously.
    Interrupted,
    /// The function refused its arguments: an error number.
    Refused(i32),
    /// The function came back with something that does not exist.
    Unknown(u32),
}

global_asm!(
    ".pushsection .text.twine_device, \"ax\", @progbits",
    // u32 routine(Call *rdi)
    ".p2align 4",
    ".hidden twine_device_enter",
    ".globl twine_device_enter",
    "twine_device_enter:",
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
    "mov [rdi + {saved_stack}], rsp",
    "mov rbx, rdi",
    "mov rsp, [rbx + {stack}]",
    // The seventh argument; the stack is aligned behind it.
    "sub rsp, 8",
    "push qword ptr [rbx + {run}]",
    "mov rdi, [rbx + {rdi}]",
    "mov rsi, [rbx + {rsi}]",
    "mov rdx, [rbx + {rdx}]",
    "mov r8, [rbx + {r8}]",
    "mov r9, [rbx + {r9}]",
    "mov ecx, [rbx + {leaf}]",
    "xor ebp, ebp",
    "call [rbx + {function}]",

    // In: rbx = call, eax = how it ended. Nothing else is known.
    ".hidden twine_device_landing",
    ".globl twine_device_landing",
    "twine_device_landing:",
    "mov rsp, [rbx + {saved_stack}]",
    "mov [rbx + {rdi}], rdi",
    "mov [rbx + {rsi}], rsi",
    "mov [rbx + {rdx}], rdx",
    "mov [rbx + {r8}], r8",
    "mov [rbx + {r9}], r9",
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
    ".popsection",
    saved_stack = const offset_of!(Call, saved_stack),
    stack = const offset_of!(Call, stack),
    run = const offset_of!(Call, run),
    leaf = const offset_of!(Call, leaf),
    function = const offset_of!(Call, function),
    rdi = const offset_of!(Call, registers) + offset_of!(Registers, rdi),
    rsi = const offset_of!(Call, registers) + offset_of!(Registers, rsi),
    rdx = const offset_of!(Call, registers) + offset_of!(Registers, rdx),
    r8 = const offset_of!(Call, registers) + offset_of!(Registers, r8),
    r9 = const offset_of!(Call, registers) + offset_of!(Registers, r9),
);

unsafe extern "C" {
    fn twine_device_enter(call: *mut libc::c_void) -> u32;
    static twine_device_landing: u8;
}

impl Seat {
    /// A seat for the TCS at this address, whose occupant leaves when `pending` is not zero.
    ///
    /// # Errors
    /// Those of `mmap(2)`, if there is no room for the stack.
    pub(super) fn new(tcs: u64, entry: EntryFunction, pending: Arc<AtomicU32>) -> io::Result<Self> {
        let stack = Stack::new()?;
        let mut run = Box::new(Run::new(tcs));
        let call = Box::new(Call {
            registers: Registers::default(),
            function: entry.function,
            stack: stack.top(),
            run: ptr::from_mut(&mut *run),
            saved_stack: 0,
            leaf: 0,
            reserved: 0,
            enclu: entry.enclu,
            pending,
        });
        Ok(Self {
            run,
            call,
            _stack: stack,
        })
    }

    /// Enters and comes back.
    pub(super) fn enter(&mut self, leaf: Leaf, registers: Registers) -> Ended {
        self.call.registers = registers;
        self.call.leaf = match leaf {
            Leaf::Enter => 2,
            Leaf::Resume => 3,
        };
        let call = ptr::from_mut(&mut *self.call);
        // SAFETY:
        // - The call's stack and structures are the seat's, which is borrowed for as long as the thread is inside.
        // - The function is the vDSO's or one with its ABI; the routine restores what the ABI of C asks for.
        let code = super::interrupt::listening(call, || unsafe { twine_device_enter(call.cast()) });
        self.ended(code)
    }

    fn ended(&self, code: u32) -> Ended {
        // SAFETY: the thread is outside, so nobody else uses the structure that the vDSO wrote.
        let run = unsafe { ptr::from_ref(&*self.run).read_volatile() };
        match (code, run.function) {
            (INTERRUPTED, _) => Ended::Interrupted,
            (0, 4) => Ended::Exited(self.call.registers),
            (0, leaf @ (2 | 3)) => Ended::Exception {
                leaf,
                vector: run.exception_vector,
                error: run.exception_error_code,
                address: run.exception_addr,
            },
            (0, function) => Ended::Unknown(function),
            (code, _) => Ended::Refused(code.cast_signed().wrapping_neg()),
        }
    }
}

/// Where a thread goes on that leaves otherwise: RBX is the call, RAX is [`interrupted`].
pub(super) fn landing() -> u64 {
    (&raw const twine_device_landing).addr() as u64
}

/// What RAX has to be at [`landing`] if the thread was made to leave.
pub(super) fn interrupted() -> u64 {
    INTERRUPTED.into()
}

/// A stack with a page below it that cannot be used.
#[derive(Debug)]
struct Stack {
    start: *mut libc::c_void,
}

impl Stack {
    const GUARD_LEN: usize = 4096;
    const LEN: usize = Self::GUARD_LEN + STACK_LEN;

    fn new() -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping touches nobody's memory.
        let start = unsafe { libc::mmap(ptr::null_mut(), Self::LEN, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // From here on dropping `stack` gives everything back.
        let stack = Self { start };
        // SAFETY: the first page of the mapping made above, which nobody uses yet.
        if unsafe { libc::mprotect(start, Self::GUARD_LEN, libc::PROT_NONE) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(stack)
    }

    fn top(&self) -> u64 {
        self.start.expose_provenance() as u64 + Self::LEN as u64
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped; the seat goes with the enclave, when no thread is inside.
        unsafe { libc::munmap(self.start, Self::LEN) };
    }
}

#[cfg(test)]
mod tests {
    use std::arch::asm;

    use super::*;
    use crate::backend::device::model::vdso::{self, Came, Inside};

    /// Adds up what it is given, or takes an exception where it is told to.
    struct Adder;

    impl Inside for Adder {
        fn enclu(&self, leaf: Leaf, tcs: u64, registers: &mut Registers) -> Came {
            let Registers {
                rdi,
                rsi,
                rdx,
                r8,
                r9,
            } = *registers;
            *registers = Registers {
                rdi: rdi + rsi + rdx + r8 + r9,
                rsi: tcs,
                rdx: u64::from(leaf == Leaf::Resume),
                r8: 8,
                r9: 9,
            };
            match tcs {
                FAULTING => Came::Exception {
                    inside: true,
                    vector: 14,
                    error: 0x8007,
                    address: 0xabc0_0000,
                },
                REFUSING => Came::Exception {
                    inside: false,
                    vector: 13,
                    error: 0,
                    address: 0,
                },
                _ => Came::Exit,
            }
        }
    }

    const FAULTING: u64 = 0x1000;
    const REFUSING: u64 = 0x2000;
    const GOOD: u64 = 0x3000;

    /// A seat at one of the places above; each test has a base of its own.
    fn seat(base: u64, tcs: u64) -> (Arc<Adder>, Seat) {
        let inside = Arc::new(Adder);
        vdso::remember(base, 0x10000, &inside, &Arc::default());
        let seat = Seat::new(base + tcs, vdso::entry(), Arc::default()).unwrap();
        (inside, seat)
    }

    const FIVE: Registers = Registers {
        rdi: 1,
        rsi: 20,
        rdx: 300,
        r8: 4000,
        r9: 50000,
    };

    #[test]
    fn five_registers_go_in_and_come_out() {
        let (_inside, mut seat) = seat(0x10_0000, GOOD);
        for (leaf, resumed) in [(Leaf::Enter, 0), (Leaf::Resume, 1)] {
            let expected = Registers {
                rdi: 54321,
                rsi: GOOD,
                rdx: resumed,
                r8: 8,
                r9: 9,
            };
            assert_eq!(seat.enter(leaf, FIVE), Ended::Exited(expected));
        }
    }

    #[test]
    fn exceptions_come_back_with_the_leaf_that_tells_where_they_were_taken() {
        let (_inside, mut faulting) = seat(0x20_0000, FAULTING);
        let expected = Ended::Exception {
            leaf: 3,
            vector: 14,
            error: 0x8007,
            address: 0xabc0_0000,
        };
        assert_eq!(faulting.enter(Leaf::Enter, FIVE), expected);
        let (_inside, mut refusing) = seat(0x30_0000, REFUSING);
        let Ended::Exception { leaf, vector, .. } = refusing.enter(Leaf::Enter, FIVE) else {
            panic!("an exception");
        };
        assert_eq!((leaf, vector), (2, 13));
    }

    #[test]
    fn reserved_bytes_that_are_not_zero_are_refused() {
        let (_inside, mut seat) = seat(0x40_0000, GOOD);
        for place in [0, 100, 215] {
            seat.run.reserved = [0; 216];
            seat.run.reserved[place] = 1;
            assert_eq!(seat.enter(Leaf::Enter, FIVE), Ended::Refused(libc::EINVAL));
        }
        seat.run.reserved = [0; 216];
        assert!(matches!(seat.enter(Leaf::Enter, FIVE), Ended::Exited(_)));
    }

    #[test]
    fn other_leaves_are_refused() {
        let (_inside, mut seat) = seat(0x50_0000, GOOD);
        for leaf in [0, 1, 4, 5, u32::MAX] {
            seat.call.leaf = leaf;
            let call = ptr::from_mut(&mut *seat.call);
            // SAFETY: as in `Seat::enter`.
            let code = unsafe { twine_device_enter(call.cast()) };
            assert_eq!(code.cast_signed(), -libc::EINVAL);
        }
    }

    /// What the control registers are before and after a call, and what they are to be again.
    #[derive(Debug)]
    #[repr(C)]
    struct Control {
        mxcsr: u32,
        x87: u32,
        mxcsr_after: u32,
        x87_after: u32,
        flags_after: u64,
        mxcsr_again: u32,
        x87_again: u32,
    }

    /// DF and AC.
    const FLAGS_THAT_HURT: u64 = 0x40400;

    #[test]
    fn what_a_function_keeps_is_kept_whatever_the_enclave_leaves() {
        let (_inside, mut seat) = seat(0x60_0000, GOOD);
        let call = ptr::from_mut(&mut *seat.call);
        seat.call.leaf = 2;
        let kept = [12_u64, 13, 14, 15];
        let [mut r12, mut r13, mut r14, mut r15] = kept;
        // Rounding that neither a program starts with nor the function leaves.
        let mut control = Control {
            mxcsr: 0x5f80,
            x87: 0x077f,
            mxcsr_after: 0,
            x87_after: 0,
            flags_after: u64::MAX,
            mxcsr_again: 0x1f80,
            x87_again: 0x037f,
        };
        let code: u64;
        // SAFETY:
        // - The routine is called as a function of the C ABI, on an aligned stack.
        // - Control registers are put back to what Rust expects; all else that changes is declared.
        unsafe {
            asm!(
                "push r11",
                "push r11",
                "ldmxcsr [r11]",
                "fldcw [r11 + 4]",
                "call {routine}",
                "pop r11",
                "pop r11",
                "stmxcsr [r11 + 8]",
                "fnstcw [r11 + 12]",
                "pushfq",
                "pop qword ptr [r11 + 16]",
                "ldmxcsr [r11 + 24]",
                "fldcw [r11 + 28]",
                routine = sym twine_device_enter,
                inout("r11") &raw mut control => _,
                inout("rdi") call => _,
                lateout("rax") code,
                inout("r12") r12,
                inout("r13") r13,
                inout("r14") r14,
                inout("r15") r15,
                clobber_abi("C"),
            );
        }
        assert_eq!(code, 0);
        assert_eq!([r12, r13, r14, r15], kept);
        assert_eq!((control.mxcsr_after, control.x87_after), (0x5f80, 0x077f));
        assert_eq!(control.flags_after & FLAGS_THAT_HURT, 0);
    }
}
