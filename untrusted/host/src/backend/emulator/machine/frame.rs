//! Registers in a signal frame: from there to a context and back.
//!
//! The kernel saves the floating-point and vector state in the standard XSAVE format, which is the format of an SSA frame
//! (Linux, `asm/sigcontext.h`, `struct _fpstate` and `FP_XSTATE_MAGIC1`).

use std::ptr;

use libc::ucontext_t;
use twine_abi::sgx::GprSgx;

use super::context::{
    Context, FCW_INITIAL, MXCSR_INITIAL, XSAVE_AVX, XSAVE_HEADER, XSAVE_LEN, XSAVE_MXCSR, pick, put,
};
use super::exits::FLAG_TRAP;
use super::switch;

/// RFLAGS of code outside: nothing set but what always is.
const RFLAGS_HOST: u64 = 0x202;
/// Marks a frame that holds more than x87 and SSE state.
const XSTATE_MAGIC: u32 = 0x4650_5853;
/// Offset of that mark.
const XSTATE_MAGIC_AT: usize = 464;
/// Bytes of the legacy region that belong to the processor.
const LEGACY_LEN: usize = 464;
/// x87 and SSE state.
const LEGACY: u64 = 0b11;
/// AVX state.
const AVX: u64 = 1 << 2;

/// The registers of an interrupted thread, in the kernel's signal frame. Changing them changes where and how the thread
/// goes on when the handler returns.
pub(super) struct Frame<'a> {
    context: &'a mut ucontext_t,
}

/// Pairs of a register in GPRSGX and its index in the signal frame.
macro_rules! for_each_register {
    ($do:ident) => {
        $do!(
            rax REG_RAX, rbx REG_RBX, rcx REG_RCX, rdx REG_RDX, rsi REG_RSI, rdi REG_RDI, rbp REG_RBP,
            rsp REG_RSP, r8 REG_R8, r9 REG_R9, r10 REG_R10, r11 REG_R11, r12 REG_R12, r13 REG_R13,
            r14 REG_R14, r15 REG_R15, rflags REG_EFL, rip REG_RIP
        )
    };
}

impl<'a> Frame<'a> {
    /// # Safety
    /// `ucontext` is the third argument of a signal handler that has not returned yet, and nobody else uses it.
    pub(super) unsafe fn new(ucontext: *mut libc::c_void) -> Self {
        let context = ucontext.cast::<ucontext_t>();
        Self {
            // SAFETY: as this function's own condition.
            context: unsafe { &mut *context },
        }
    }

    pub(super) fn rip(&self) -> u64 {
        self.register(libc::REG_RIP)
    }

    /// The vector of the exception that the kernel turned into a signal.
    pub(super) fn vector(&self) -> u8 {
        let [vector, ..] = self.register(libc::REG_TRAPNO).to_le_bytes();
        vector
    }

    /// Its error code.
    pub(super) fn error_code(&self) -> u32 {
        let [a, b, ..] = self.register(libc::REG_ERR).to_le_bytes();
        u32::from(u16::from_le_bytes([a, b]))
    }

    /// The address of a page fault.
    pub(super) fn fault_address(&self) -> u64 {
        self.register(libc::REG_CR2)
    }

    /// Makes the next instruction trap.
    pub(super) fn step(&mut self) {
        let flags = self.register(libc::REG_EFL);
        self.set_register(libc::REG_EFL, flags | FLAG_TRAP);
    }

    /// Makes it not trap.
    pub(super) fn run_on(&mut self) {
        let flags = self.register(libc::REG_EFL);
        self.set_register(libc::REG_EFL, flags & !FLAG_TRAP);
    }

    fn register(&self, index: libc::c_int) -> u64 {
        let Some(value) = self.context.uc_mcontext.gregs.get(at(index)) else {
            unreachable!("the constants of libc name registers of the frame");
        };
        value.cast_unsigned()
    }

    fn set_register(&mut self, index: libc::c_int, value: u64) {
        let Some(place) = self.context.uc_mcontext.gregs.get_mut(at(index)) else {
            unreachable!("the constants of libc name registers of the frame");
        };
        *place = value.cast_signed();
    }

    /// Copies the registers and the vector state into the context.
    pub(super) fn capture(&mut self, context: &mut Context) {
        context.gprs = self.registers();
        let xfrm = context.xfrm;
        context.reset_xstate();
        if let Some(area) = self.xstate() {
            capture_xstate(area, &mut context.xsave, xfrm);
        }
    }

    /// The general registers.
    pub(super) fn registers(&self) -> GprSgx {
        let mut gprs = GprSgx::ZERO;
        macro_rules! copy {
            ($($field:ident $index:ident),+) => {
                $(gprs.$field = self.register(libc::$index);)+
            };
        }
        for_each_register!(copy);
        gprs
    }

    /// Changes the general registers; vector state stays as it is in the frame.
    pub(super) fn set_registers(&mut self, gprs: &GprSgx) {
        macro_rules! copy {
            ($($field:ident $index:ident),+) => {
                $(self.set_register(libc::$index, gprs.$field);)+
            };
        }
        for_each_register!(copy);
    }

    /// Copies the general registers from the context; vector state stays as it is in the frame.
    pub(super) fn restore_registers(&mut self, context: &Context) {
        self.set_registers(&context.gprs);
    }

    /// Copies everything from the context.
    pub(super) fn restore(&mut self, context: &Context) {
        self.restore_registers(context);
        if let Some(area) = self.xstate() {
            restore_xstate(area, &context.xsave);
        }
    }

    /// Makes the thread go on outside, where [`switch::switch`] returns `code`. Nothing of the enclave's state stays.
    pub(super) fn leave(&mut self, context: &Context, code: u64) {
        self.make_synthetic(context);
        self.set_register(libc::REG_RAX, code);
        self.set_register(libc::REG_RSP, context.host_rsp);
        self.set_register(libc::REG_RIP, switch::leave());
    }

    /// Makes a thread that is on its way in turn back.
    pub(super) fn turn_back(&mut self, context: *mut Context) {
        self.set_register(libc::REG_RDI, context.expose_provenance() as u64);
        self.set_register(libc::REG_RIP, switch::abort());
    }

    /// The state that an asynchronous exit leaves in the registers (manual, "Synthetic State on Asynchronous Enclave
    /// Exit"): RAX = ERESUME, RBX = TCS, RCX = where to resume from, the host's stack, everything else after reset.
    pub(super) fn make_synthetic(&mut self, context: &Context) {
        macro_rules! clear {
            ($($field:ident $index:ident),+) => {
                $(self.set_register(libc::$index, 0);)+
            };
        }
        for_each_register!(clear);
        let tcs = context.instance().range.base() + context.tcs;
        self.set_register(libc::REG_RAX, twine_abi::sgx::Enclu::Resume as u64);
        self.set_register(libc::REG_RBX, tcs);
        self.set_register(libc::REG_RCX, context.aep);
        self.set_register(libc::REG_RSP, context.presented);
        self.set_register(libc::REG_RBP, context.presented);
        self.set_register(libc::REG_RIP, context.aep);
        self.set_register(libc::REG_EFL, RFLAGS_HOST);
        if let Some(area) = self.xstate() {
            let mut reset = [0; XSAVE_LEN];
            put(&mut reset, 0, &FCW_INITIAL.to_le_bytes());
            put(&mut reset, XSAVE_MXCSR, &MXCSR_INITIAL.to_le_bytes());
            restore_xstate(area, &reset);
        }
    }

    /// The vector state in the frame: [`XSAVE_LEN`] bytes, or fewer on a processor without AVX.
    pub(super) fn xstate(&mut self) -> Option<&mut [u8]> {
        let area = self.context.uc_mcontext.fpregs.cast::<u8>();
        if area.is_null() {
            return None;
        }
        // SAFETY: the kernel's frame has 512 bytes of legacy state at least.
        let legacy = unsafe { std::slice::from_raw_parts(area, XSAVE_HEADER) };
        let magic = u32::from_le_bytes(pick(legacy, XSTATE_MAGIC_AT));
        if magic != XSTATE_MAGIC {
            return None;
        }
        // The processor state's length follows magic, the frame's length and the state's components.
        let len = u32::from_le_bytes(pick(legacy, XSTATE_MAGIC_AT + 16));
        let len = usize::try_from(len).ok()?.min(XSAVE_LEN);
        if len < XSAVE_AVX {
            return None;
        }
        // SAFETY: the kernel says that its frame has so many bytes; `self` is borrowed as long as the slice lives.
        Some(unsafe { std::slice::from_raw_parts_mut(area, len) })
    }
}

/// Copies the components that the enclave has, as XSAVE would.
fn capture_xstate(area: &[u8], xsave: &mut [u8; XSAVE_LEN], xfrm: u64) {
    let components = u64::from_le_bytes(pick(area, XSAVE_HEADER)) & xfrm;
    if components & LEGACY != 0 {
        put(xsave, 0, &pick::<LEGACY_LEN>(area, 0));
    }
    if components & AVX != 0 && area.len() == XSAVE_LEN {
        put(
            xsave,
            XSAVE_AVX,
            &pick::<{ XSAVE_LEN - XSAVE_AVX }>(area, XSAVE_AVX),
        );
    }
    put(xsave, XSAVE_HEADER, &components.to_le_bytes());
}

/// Copies all components that a context holds; state beyond them goes back to its initial value.
fn restore_xstate(area: &mut [u8], xsave: &[u8; XSAVE_LEN]) {
    put(area, 0, &pick::<LEGACY_LEN>(xsave, 0));
    put(area, XSAVE_HEADER, &pick::<8>(xsave, XSAVE_HEADER));
    if area.len() == XSAVE_LEN {
        put(
            area,
            XSAVE_AVX,
            &pick::<{ XSAVE_LEN - XSAVE_AVX }>(xsave, XSAVE_AVX),
        );
    }
}

/// A copy of a signal frame with a vector state of its own, for a handler that must not see the enclave's.
pub(super) struct Decoy {
    context: ucontext_t,
    xstate: Box<XState>,
}

/// Room for the vector state that the kernel saves, aligned as it does. Larger states are not shown.
#[repr(C, align(64))]
struct XState([u8; XSAVE_LEN]);

impl Decoy {
    /// A frame that shows the state after an asynchronous exit and otherwise (signal mask, alternate stack) what `frame`
    /// shows.
    pub(super) fn new(frame: &Frame<'_>, context: &Context) -> Self {
        // SAFETY: a bitwise copy of a plain structure; its pointer to the vector state is replaced below before use.
        let copy = unsafe { ptr::read(&raw const *frame.context) };
        let mut decoy = Self {
            context: copy,
            xstate: Box::new(XState([0; XSAVE_LEN])),
        };
        put(&mut decoy.xstate.0, 0, &FCW_INITIAL.to_le_bytes());
        put(
            &mut decoy.xstate.0,
            XSAVE_MXCSR,
            &MXCSR_INITIAL.to_le_bytes(),
        );
        decoy.context.uc_mcontext.fpregs = ptr::from_mut(&mut *decoy.xstate).cast();
        Frame {
            context: &mut decoy.context,
        }
        .make_synthetic(context);
        decoy
    }

    /// Where the handler has led the thread, if it has, and not back to the AEP.
    pub(super) fn diversion(&mut self, context: &Context) -> Option<Diversion> {
        let frame = Frame {
            context: &mut self.context,
        };
        (frame.rip() != context.aep).then(|| Diversion {
            rip: frame.rip(),
            rax: frame.register(libc::REG_RAX),
            rbx: frame.register(libc::REG_RBX),
        })
    }

    pub(super) fn as_ptr(&mut self) -> *mut libc::c_void {
        ptr::from_mut(&mut self.context).cast()
    }
}

/// Where a handler of the host's has led a thread that it found at the AEP, with the registers that matter there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::backend) struct Diversion {
    pub(in crate::backend) rip: u64,
    pub(in crate::backend) rax: u64,
    pub(in crate::backend) rbx: u64,
}

/// An index of the C library as an index.
fn at(index: libc::c_int) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
