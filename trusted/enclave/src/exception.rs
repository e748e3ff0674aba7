//! Exceptions: what the enclave does when a thread was interrupted inside.
//!
//! ```text
//!  guest code ──fault──► SSA[0] (hardware) ──► host ──EENTER, CSSA = 1──► handle_exception
//!                                                                            │ rewrites SSA[0]
//!  trap_landing ◄──ERESUME── host ◄──EEXIT Resume───────────────────────────┘
//! ```
//!
//! Only what the processor wrote into `SSA[0]` counts. A fault is turned into a trap if it was a hardware #PF, #UD or #DE
//! and the program counter lies in the guest's machine code; then the stack is the guest's, no lock is held, and the
//! engine's own handler takes over. Everything else that the processor reports is an error in trusted code: fatal.
//! An exit that the processor does not report (an interrupt) changes nothing, whatever the host calls it; the host may
//! only use it to ask that the guest be stopped, which is in its power anyway.
//!
//! | attack | defence |
//! |---|---|
//! | the host invents exceptions or signals (Sigy, 2024) | EXITINFO.VALID, type and vector decide; the host's word is not read |
//! | the host interrupts the runtime half way and re-enters (SmashEx, CCS 2021) | state changes only if RIP is in guest code |
//! | the host unmaps a live page to forge a trap | a fault on a page that the enclave accepted is no trap: the entry is refused |
//! | the same exception delivered twice | EXITINFO is cleared when it has been dealt with |

use twine_abi::entry::{Event, Exit, Status};
use twine_abi::layout::{PAGE_LEN, SSA_OFFSET};
use twine_abi::sgx::{ExInfo, ExitInfo, ExitKind, GprSgx, Permissions, vector};

use crate::memory::arena::{self, Busy};
use crate::{call, entry, fatal, thread};

/// What the exception entry leaves with: RAX and RDX of the calling convention.
#[repr(C)]
pub(crate) struct Answer {
    exit: u64,
    status: u64,
}

const RESUME: Answer = Answer {
    exit: Exit::Resume as u64,
    status: Status::Ok as u64,
};

const fn refuse(status: Status) -> Answer {
    Answer {
        exit: Exit::Refused as u64,
        status: status as u64,
    }
}

/// RFLAGS with nothing set but the bit that always is.
const RFLAGS_CLEAR: u64 = 2;

/// Bytes below RSP that compiled code may use without moving it. System V ABI, "The Stack Frame".
const RED_ZONE_LEN: u64 = 128;

/// Handles an entry with `cssa` = 1 (hardware); called from `entry.s` on the exception stack.
pub(crate) extern "sysv64" fn handle_exception(event: u64, cssa: u64) -> Answer {
    if cssa != 1 {
        return refuse(Status::WrongState);
    }
    let frame = Frame::of_this_thread();
    let registers = frame.registers();
    let in_guest = match is_guest_code(registers.rip) {
        Ok(in_guest) => in_guest,
        Err(Busy) => return refuse(Status::NotNow),
    };
    match registers.exit_info.vector() {
        None if Event::try_from(event) == Ok(Event::Stop) => {
            if in_guest && thread::is_main() {
                stop(frame)
            } else {
                refuse(Status::NotNow)
            }
        }
        // An interrupt, or an exception already dealt with: ERESUME continues where it was.
        None => refuse(Status::WrongState),
        Some(vector) if in_guest && registers.exit_info.kind() == Some(ExitKind::Hardware) => {
            trap(frame, vector)
        }
        Some(vector) => fatal::kill(format_args!(
            "exception {vector} at {:#x} in trusted code",
            registers.rip
        )),
    }
}

/// Whether an address lies in the guest's machine code: executable pages of the arena.
fn is_guest_code(address: u64) -> Result<bool, Busy> {
    // Trusted code is told apart before the lock is tried, because it may be holding it.
    Ok(arena::contains(address) && arena::permissions_at(address)? == Some(Permissions::RX))
}

/// Sends a guest that faulted to the engine's trap handler.
fn trap(frame: Frame, vector: u8) -> Answer {
    let mut registers = frame.registers();
    let address = match vector {
        vector::PF => {
            let address = frame.extended().address;
            match arena::permissions_at(address) {
                Ok(None) => Some(address),
                Ok(Some(_)) => return refuse(Status::WrongState),
                Err(Busy) => return refuse(Status::NotNow),
            }
        }
        vector::UD | vector::DE => None,
        _ => fatal::kill(format_args!(
            "exception {vector} at {:#x} in guest code",
            registers.rip
        )),
    };
    registers.rdi = registers.rip;
    registers.rsi = registers.rbp;
    registers.rdx = u64::from(address.is_some());
    registers.rcx = address.unwrap_or(0);
    registers.rsp = (registers.rsp - RED_ZONE_LEN) & !15;
    registers.rip = entry::trap_landing as *const () as u64;
    registers.rflags = RFLAGS_CLEAR;
    registers.exit_info = ExitInfo::default();
    frame.set_registers(&registers);
    RESUME
}

/// Ends the guest's call. This is the thread that runs it, and it runs the guest's own code right now.
fn stop(frame: Frame) -> Answer {
    call::set_stopped();
    let mut registers = GprSgx {
        rflags: RFLAGS_CLEAR,
        ..frame.registers()
    };
    registers.rip = entry::stop_landing as *const () as u64;
    frame.set_registers(&registers);
    RESUME
}

/// This thread's `SSA[0]`. Hardware wrote it; while the exception is handled the thread itself cannot run, so it is ours.
#[derive(Clone, Copy)]
struct Frame {
    /// Address behind the frame.
    end: u64,
}

impl Frame {
    fn of_this_thread() -> Self {
        Self {
            end: thread::area() + SSA_OFFSET + PAGE_LEN,
        }
    }

    fn registers(self) -> GprSgx {
        // SAFETY: GPRSGX is the end of the frame (manual, "State Save Area (SSA) Frame"), aligned to 8, in a measured page
        // of this thread's area.
        unsafe { self.registers_at().read() }
    }

    fn set_registers(self, registers: &GprSgx) {
        // SAFETY: as for `registers`; CSSA is 1, so nothing else uses SSA[0] until ERESUME.
        unsafe { self.registers_at().write(*registers) };
    }

    fn registers_at(self) -> *mut GprSgx {
        (self.end - GprSgx::LEN as u64) as *mut GprSgx
    }

    /// EXINFO, which lies just below GPRSGX.
    fn extended(self) -> ExInfo {
        let at = (self.end - GprSgx::LEN as u64 - ExInfo::LEN as u64) as *const ExInfo;
        // SAFETY: as for `registers`.
        unsafe { at.read() }
    }
}
