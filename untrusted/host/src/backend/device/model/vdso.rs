//! A function with the ABI of the vDSO's, for enclaves of the model.
//!
//! As the real one: the seventh argument is on the stack; reserved bytes that are not zero and other leaves than EENTER
//! and ERESUME are EINVAL; an exception comes back as zero with the leaf in `run.function`; RBX and RBP are preserved. And
//! nothing else is: where the real one leaves what the enclave left, this one leaves the worst that an enclave could.
//!
//! In the place of ENCLU, which stands there to be found but is jumped over, the emulated processor is called.

#![expect(
    unsafe_code,
    reason = "a function with the vDSO's ABI is assembly, and is given addresses"
)]

use std::arch::global_asm;
use std::collections::BTreeMap;
use std::mem::offset_of;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::World;
use crate::backend::device::kernel::found_at_the_aep;
use crate::backend::device::seam::EntryFunction;
use crate::backend::device::uapi::Run;
use crate::backend::emulator::Bare;
use crate::backend::{BackendError, Leaf, Left, Refusal, Registers};

/// The registers that ENCLU takes and leaves, and how it went.
#[derive(Debug)]
#[repr(C)]
struct Enclu {
    rax: u64,
    tcs: u64,
    registers: Registers,
    stack: u64,
    /// Vector, error code and address of an exception.
    vector: u64,
    error: u64,
    address: u64,
    /// Where a handler led the thread.
    rip: u64,
    rbx: u64,
    reserved: u64,
}

const EXITED: u32 = 0;
const EXCEPTION: u32 = 1;
const DIVERTED: u32 = 2;
/// What is left in registers that carry nothing.
const POISON: u64 = 0xbadd_cafe_badd_cafe;

global_asm!(
    ".pushsection .text.twine_model, \"ax\", @progbits",
    ".p2align 4",
    ".hidden twine_model_vdso",
    ".globl twine_model_vdso",
    "twine_model_vdso:",
    "push rbp",
    "mov rbp, rsp",
    "push rbx",
    "mov eax, ecx",
    "cmp eax, 2",
    "jb 8f",
    "cmp eax, 3",
    "ja 8f",
    "mov rcx, [rbp + 16]",
    "mov ebx, {reserved}",
    "2:",
    "cmp qword ptr [rcx + rbx], 0",
    "jne 8f",
    "add rbx, 8",
    "cmp rbx, {run_len}",
    "jne 2b",
    "mov rbx, [rcx + {run_tcs}]",
    "jmp 3f",
    ".hidden twine_model_enclu",
    ".globl twine_model_enclu",
    "twine_model_enclu:",
    ".byte 0x0f, 0x01, 0xd7",
    "3:",
    "mov r10, rsp",
    "sub rsp, {len}",
    "and rsp, -16",
    "mov [rsp + {rax}], rax",
    "mov [rsp + {tcs}], rbx",
    "mov [rsp + {rdi}], rdi",
    "mov [rsp + {rsi}], rsi",
    "mov [rsp + {rdx}], rdx",
    "mov [rsp + {r8}], r8",
    "mov [rsp + {r9}], r9",
    "mov [rsp + {stack}], r10",
    "mov rdi, rsp",
    "call {serve}",
    "mov r11, [rbp + 16]",
    "cmp eax, {diverted}",
    "je 6f",
    "cmp eax, {exception}",
    "je 4f",
    "mov dword ptr [r11 + {run_function}], 4",
    "mov rdi, [rsp + {rdi}]",
    "mov rsi, [rsp + {rsi}]",
    "mov rdx, [rsp + {rdx}]",
    "mov r8, [rsp + {r8}]",
    "mov r9, [rsp + {r9}]",
    "jmp 5f",
    "4:",
    "mov rax, [rsp + {rax}]",
    "mov [r11 + {run_function}], eax",
    "mov rdi, [rsp + {vector}]",
    "mov [r11 + {run_vector}], di",
    "mov rsi, [rsp + {error}]",
    "mov [r11 + {run_error}], si",
    "mov rdx, [rsp + {address}]",
    "mov [r11 + {run_address}], rdx",
    "5:",
    "lea rsp, [rbp - 8]",
    // The worst that an enclave could leave: flags, x87 with a full register, MXCSR, every register.
    "fninit",
    "fld1",
    "push 0x0c3f",
    "fldcw [rsp]",
    "mov dword ptr [rsp], 0x1fbf",
    "ldmxcsr [rsp]",
    "pop rcx",
    "pcmpeqd xmm0, xmm0",
    "pcmpeqd xmm6, xmm6",
    "pcmpeqd xmm15, xmm15",
    "movabs rcx, {poison}",
    "mov r10, rcx",
    "mov r11, rcx",
    "mov r12, rcx",
    "mov r13, rcx",
    "mov r14, rcx",
    "mov r15, rcx",
    "pushfq",
    "or qword ptr [rsp], 0x40400",
    "popfq",
    "mov eax, 0",
    "7:",
    "pop rbx",
    "leave",
    "ret",
    "6:",
    "mov rax, [rsp + {rax}]",
    "mov rbx, [rsp + {rbx}]",
    "jmp [rsp + {rip}]",
    "8:",
    "mov eax, -22",
    "jmp 7b",
    ".popsection",
    reserved = const offset_of!(Run, reserved),
    run_len = const size_of::<Run>(),
    run_tcs = const offset_of!(Run, tcs),
    run_function = const offset_of!(Run, function),
    run_vector = const offset_of!(Run, exception_vector),
    run_error = const offset_of!(Run, exception_error_code),
    run_address = const offset_of!(Run, exception_addr),
    len = const size_of::<Enclu>(),
    rax = const offset_of!(Enclu, rax),
    tcs = const offset_of!(Enclu, tcs),
    rdi = const offset_of!(Enclu, registers) + offset_of!(Registers, rdi),
    rsi = const offset_of!(Enclu, registers) + offset_of!(Registers, rsi),
    rdx = const offset_of!(Enclu, registers) + offset_of!(Registers, rdx),
    r8 = const offset_of!(Enclu, registers) + offset_of!(Registers, r8),
    r9 = const offset_of!(Enclu, registers) + offset_of!(Registers, r9),
    stack = const offset_of!(Enclu, stack),
    vector = const offset_of!(Enclu, vector),
    error = const offset_of!(Enclu, error),
    address = const offset_of!(Enclu, address),
    rip = const offset_of!(Enclu, rip),
    rbx = const offset_of!(Enclu, rbx),
    exception = const EXCEPTION,
    diverted = const DIVERTED,
    poison = const POISON,
    serve = sym serve,
);

unsafe extern "C" {
    static twine_model_vdso: u8;
    static twine_model_enclu: u8;
}

/// The function.
pub(in crate::backend::device) fn entry() -> EntryFunction {
    EntryFunction {
        function: (&raw const twine_model_vdso).addr() as u64,
        enclu: (&raw const twine_model_enclu).addr() as u64,
    }
}

/// What is inside an address range, for the function.
pub(in crate::backend::device) trait Inside: Send + Sync {
    /// EENTER or ERESUME for the TCS at this offset.
    fn enclu(&self, leaf: Leaf, tcs: u64, registers: &mut Registers) -> Came;
}

/// How a thread came out.
pub(in crate::backend::device) enum Came {
    /// EEXIT.
    Exit,
    /// An exception: whether RAX is at the AEP's leaf already (inside) or still the one given (at the instruction).
    Exception {
        inside: bool,
        vector: u8,
        error: u16,
        address: u64,
    },
    /// A handler led it elsewhere: RIP, RAX, RBX.
    Diverted(u64, u64, u64),
}

impl Inside for Bare {
    fn enclu(&self, leaf: Leaf, tcs: u64, registers: &mut Registers) -> Came {
        let at_the_instruction = |error: &BackendError| match error {
            BackendError::Refused {
                reason: Refusal::PageFault { address },
                ..
            } => Came::Exception {
                inside: false,
                vector: 14,
                error: 0x8005,
                address: *address,
            },
            _ => Came::Exception {
                inside: false,
                vector: 13,
                error: 0,
                address: 0,
            },
        };
        match self.enter(entry().enclu, tcs, leaf, registers) {
            Err(error) => at_the_instruction(&error),
            Ok((_, Some(diversion))) => Came::Diverted(diversion.rip, diversion.rax, diversion.rbx),
            Ok((Ok(Left::Exited), None)) => Came::Exit,
            Ok((
                Ok(Left::Exception {
                    vector,
                    error,
                    address,
                }),
                None,
            )) => Came::Exception {
                inside: true,
                vector,
                error,
                address,
            },
            // Interrupted where a test wanted it, and not by a signal: as if one of ours had come with it.
            Ok((Ok(Left::Interrupted), None)) => match found_at_the_aep() {
                Some([rip, rax, rbx]) => Came::Diverted(rip, rax, rbx),
                None => at_the_instruction(&BackendError::Lost),
            },
            Ok((Err(error), None)) => at_the_instruction(&error),
        }
    }
}

/// An enclave that can be entered.
struct Known {
    len: u64,
    inside: Weak<dyn Inside>,
    world: Arc<World>,
    /// The stack pointer that each TCS has seen.
    stacks: BTreeMap<u64, u64>,
}

static KNOWN: Mutex<BTreeMap<u64, Known>> = Mutex::new(BTreeMap::new());

/// Makes an enclave known to the function.
pub(in crate::backend::device) fn remember<T: Inside + 'static>(
    base: u64,
    len: u64,
    inside: &Arc<T>,
    world: &Arc<World>,
) {
    let inside: Weak<dyn Inside> = Arc::<T>::downgrade(inside);
    let known = Known {
        len,
        inside,
        world: Arc::clone(world),
        stacks: BTreeMap::new(),
    };
    lock().insert(base, known);
}

/// Makes it unknown.
pub(in crate::backend::device) fn forget(base: u64) {
    lock().remove(&base);
}

fn lock() -> std::sync::MutexGuard<'static, BTreeMap<u64, Known>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Called by the assembly in the place of ENCLU.
extern "C" fn serve(enclu: *mut Enclu) -> u32 {
    // SAFETY: the assembly passes its own frame.
    let enclu = unsafe { &mut *enclu };
    let leaf = if enclu.rax == 2 {
        Leaf::Enter
    } else {
        Leaf::Resume
    };
    let found = find(enclu);
    let came = match found {
        Some((inside, tcs)) => inside.enclu(leaf, tcs, &mut enclu.registers),
        // No enclave there: whatever is mapped is no EPC page.
        None => Came::Exception {
            inside: false,
            vector: 14,
            error: 4,
            address: enclu.tcs,
        },
    };
    match came {
        Came::Exit => EXITED,
        Came::Exception {
            inside,
            vector,
            error,
            address,
        } => {
            if inside {
                enclu.rax = 3;
            }
            enclu.vector = vector.into();
            enclu.error = error.into();
            enclu.address = address;
            EXCEPTION
        }
        Came::Diverted(rip, rax, rbx) => {
            enclu.rip = rip;
            enclu.rax = rax;
            enclu.rbx = rbx;
            DIVERTED
        }
    }
}

/// The enclave that the TCS lies in, and the TCS's offset.
fn find(enclu: &Enclu) -> Option<(Arc<dyn Inside>, u64)> {
    let mut known = lock();
    let (base, enclave) = known.range_mut(..=enclu.tcs).next_back()?;
    let tcs = enclu.tcs - base;
    if tcs >= enclave.len {
        return None;
    }
    let before = *enclave.stacks.entry(tcs).or_insert(enclu.stack);
    if before != enclu.stack {
        enclave
            .world
            .note("the vDSO's frame is at one place for all entries of a TCS");
    }
    Some((enclave.inside.upgrade()?, tcs))
}
