//! What a host thread carries while it is inside: one structure per TCS, shared with the assembly in
//! `switch`.
//!
//! A context belongs to the thread that occupies the TCS, and to nobody while the TCS is idle; signal handlers that use
//! it run on that same thread. What other threads may touch (the request to leave) lies outside it, in [`Slot`].

use std::cell::UnsafeCell;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use twine_abi::sgx::GprSgx;

use crate::backend::{BackendError, Left};

use super::frame::Diversion;
use super::instance::Instance;
use super::rebind::ENCLU;
use super::switch;
use crate::backend::emulator::model::Entered;

/// Length of the XSAVE area: x87, SSE and AVX state in the standard format.
pub(super) const XSAVE_LEN: usize = 832;

/// Length of the stack whose top the enclave sees as the host's.
const STACK_LEN: usize = 64 << 10;

/// Distance between the end of that stack and the pointer that the enclave sees.
const STACK_HEADROOM: usize = 256;

/// Control word of the x87 after reset by FNINIT.
pub(super) const FCW_INITIAL: u16 = 0x37f;
/// MXCSR after reset.
pub(super) const MXCSR_INITIAL: u32 = 0x1f80;

/// The state of a thread that is inside, going in, or coming out.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Context {
    /// x87, SSE and AVX state, when it has to be kept or brought in.
    pub(super) xsave: [u8; XSAVE_LEN],
    /// The enclave's registers, when it is not running.
    pub(super) gprs: GprSgx,
    /// Stack pointer of the function that went in; all callee-saved registers are on that stack.
    pub(super) host_rsp: u64,
    /// RSP and RBP as the enclave sees them at EENTER.
    pub(super) presented: u64,
    /// Which processor state the enclave has.
    pub(super) xfrm: u64,
    /// The [`Slot`]'s request to leave.
    pub(super) pending: *const AtomicU32,
    /// 1 while the enclave's code runs.
    pub(super) inside: u32,
    /// 1 if `xsave` is to be brought in.
    pub(super) restore_xstate: u32,
    /// Offset of the ENCLU site from the base, written by a trampoline.
    pub(super) site: u32,
    pub(super) reserved: u32,

    // From here on the assembly looks at nothing.
    /// The enclave.
    pub(super) instance: *const Instance,
    /// Offset of the TCS.
    pub(super) tcs: u64,
    /// What EENTER or ERESUME found out.
    pub(super) entered: Entered,
    /// GS base for the enclave.
    pub(super) gs_base: u64,
    /// GS base outside.
    pub(super) host_gs_base: u64,
    /// Where an asynchronous exit goes on, as the host sees it.
    pub(super) aep: u64,
    /// Where a handler of the host's has led the thread.
    pub(super) diversion: Option<Diversion>,
    /// How the thread came out, when it did not leave by EEXIT.
    pub(super) outcome: Option<Result<Left, BackendError>>,
}

/// One TCS as the host sees it. Made when it is first needed, and kept until the enclave goes.
#[derive(Debug)]
pub(super) struct Slot {
    context: Box<UnsafeCell<Context>>,
    pending: Box<AtomicU32>,
    /// What `presented` points into.
    _stack: HostStack,
}

// SAFETY: the context is used only by the thread that occupies the TCS, which `Instance` decides under its lock; everything
// else in here is atomic or never changes.
unsafe impl Send for Slot {}
// SAFETY: as above.
unsafe impl Sync for Slot {}

impl Slot {
    /// A slot for the TCS at `tcs`.
    ///
    /// # Errors
    /// The operating system's, if there is no memory for the stack.
    pub(super) fn new(tcs: u64, xfrm: u64) -> io::Result<Self> {
        let pending = Box::new(AtomicU32::new(0));
        let stack = HostStack::new()?;
        let context = Context {
            xsave: [0; XSAVE_LEN],
            gprs: GprSgx::ZERO,
            host_rsp: 0,
            presented: stack.presented(),
            xfrm,
            pending: &raw const *pending,
            inside: 0,
            restore_xstate: 0,
            site: 0,
            reserved: 0,
            instance: ptr::null(),
            tcs,
            entered: Entered::default(),
            gs_base: 0,
            host_gs_base: 0,
            aep: switch::leave(),
            diversion: None,
            outcome: None,
        };
        Ok(Self {
            context: Box::new(UnsafeCell::new(context)),
            pending,
            _stack: stack,
        })
    }

    /// The context. Only the thread that occupies the TCS may use it.
    pub(super) fn context(&self) -> *mut Context {
        self.context.get()
    }

    /// Asks the thread that is, or will be, inside to leave.
    pub(super) fn request_interrupt(&self) {
        self.pending.store(1, Ordering::SeqCst);
    }
}

impl Context {
    /// Takes the request to leave, if there is one.
    pub(super) fn take_interrupt(&self) -> bool {
        // SAFETY: `pending` points into the slot that owns this context and lives as long.
        let pending = unsafe { &*self.pending };
        pending.swap(0, Ordering::SeqCst) != 0
    }

    /// Where EEXIT is to go: behind the instruction that entered, which on silicon is the AEP too.
    pub(super) fn returns_to(&self) -> u64 {
        if self.aep == switch::leave() {
            self.aep
        } else {
            self.aep + ENCLU.len() as u64
        }
    }

    /// The enclave.
    pub(super) fn instance(&self) -> &Instance {
        // SAFETY: set by `Instance::enter` from a reference that it holds for as long as the thread occupies the TCS, which is
        // the only time a context is used.
        unsafe { &*self.instance }
    }

    /// Puts the state into `xsave` that the processor has after reset.
    pub(super) fn reset_xstate(&mut self) {
        self.xsave = [0; XSAVE_LEN];
        put(&mut self.xsave, 0, &FCW_INITIAL.to_le_bytes());
        put(&mut self.xsave, XSAVE_MXCSR, &MXCSR_INITIAL.to_le_bytes());
    }
}

/// Offset of MXCSR in an XSAVE area.
pub(super) const XSAVE_MXCSR: usize = 24;
/// Offset of XSTATE_BV in an XSAVE area.
pub(super) const XSAVE_HEADER: usize = 512;
/// Offset of the AVX component in an XSAVE area in the standard format.
pub(super) const XSAVE_AVX: usize = 576;

/// Writes `bytes` at `offset`.
pub(super) fn put(area: &mut [u8], offset: usize, bytes: &[u8]) {
    let Some(place) = area
        .get_mut(offset..)
        .and_then(|rest| rest.get_mut(..bytes.len()))
    else {
        unreachable!("the offsets of an XSAVE area are constants within it");
    };
    place.copy_from_slice(bytes);
}

/// Reads `N` bytes at `offset`.
pub(super) fn pick<const N: usize>(area: &[u8], offset: usize) -> [u8; N] {
    let Some(place) = area.get(offset..).and_then(|rest| rest.first_chunk()) else {
        unreachable!("the offsets of an XSAVE area are constants within it");
    };
    *place
}

/// The stack whose pointer the enclave sees as the host's: always the same for one TCS, whatever the depth of the call
/// that goes in.
#[derive(Debug)]
struct HostStack {
    start: *mut libc::c_void,
}

impl HostStack {
    fn new() -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping touches nobody's memory.
        let start = unsafe { libc::mmap(ptr::null_mut(), STACK_LEN, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            Err(io::Error::last_os_error())
        } else {
            Ok(Self { start })
        }
    }

    fn presented(&self) -> u64 {
        self.start.expose_provenance() as u64 + (STACK_LEN - STACK_HEADROOM) as u64
    }
}

impl Drop for HostStack {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped; the slot goes with the enclave, when no thread is inside.
        unsafe { libc::munmap(self.start, STACK_LEN) };
    }
}
