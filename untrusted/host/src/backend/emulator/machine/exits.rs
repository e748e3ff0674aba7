//! Asynchronous exit and ERESUME: a thread's state goes to an SSA frame and comes back from it.
//!
//! Manual, "Asynchronous Enclave Exit Flow" and "ERESUME". What the enclave gets to know about an exception is what the
//! manual says it gets to know, no more: EXITINFO is valid for a fixed list of vectors, and for #PF and #GP only with
//! MISCSELECT.EXINFO.

use std::io;

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{ExInfo, ExitInfo, ExitKind, GprSgx, MiscSelect, Permissions, vector};

use crate::backend::emulator::PAGE_BYTES;
use crate::backend::emulator::model::{Model, is_canonical, xsave_len};
use crate::backend::{BackendError, Left, Refusal};

use super::context::{Context, MXCSR_INITIAL, XSAVE_HEADER, XSAVE_MXCSR, pick};
use super::cpu;
use super::instance::Instance;
use super::mirror::{self, Reach};
use super::range::Range;

/// An exception, as the processor reports it to the operating system.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Exception {
    pub(super) vector: u8,
    pub(super) error: u32,
    pub(super) address: u64,
}

/// Why a thread leaves asynchronously.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cause {
    /// Something outside wants attention; the enclave is not told what.
    Interrupt,
    /// The enclave's own doing.
    Exception(Exception),
}

/// Saves the state in the context to the current SSA frame and frees the TCS. The context's outcome is set.
pub(super) fn leave(instance: &Instance, context: &mut Context, cause: Cause) {
    context.outcome = Some(save(instance, context, cause).map(|()| left(cause)));
}

/// What the host is told.
fn left(cause: Cause) -> Left {
    match cause {
        Cause::Interrupt => Left::Interrupted,
        Cause::Exception(exception) => {
            let [low, high, ..] = exception.error.to_le_bytes();
            Left::Exception {
                vector: exception.vector,
                error: u16::from_le_bytes([low, high]),
                // The processor hides where in a page an enclave faulted.
                address: exception.address - exception.address % PAGE_LEN,
            }
        }
    }
}

/// Writes the frame and counts it.
///
/// # Errors
/// [`BackendError::Lost`] if the frame cannot be written any more: the state of the thread is gone.
pub(super) fn save(
    instance: &Instance,
    context: &mut Context,
    cause: Cause,
) -> Result<(), BackendError> {
    let mut state = instance.lock();
    let model = &mut state.model;
    let frame = context.entered.frame;
    let len = model.ssa_frame_len();
    reach_frame(&instance.range, model, frame, len)?;
    let gprs_at = frame + len - GprSgx::LEN as u64;
    let exinfo_at = gprs_at - ExInfo::LEN as u64;

    let misc = model.secs().misc_select;
    // A thread that is stepped through does not see it, and nor does who reads the frame.
    context.gprs.rflags &= !FLAG_TRAP;
    context.gprs.ursp = context.presented;
    context.gprs.urbp = context.presented;
    context.gprs.exit_info = exit_info(cause, misc);
    context.gprs.reserved = [0; 3];
    context.gprs.aex_notify = 0;
    context.gprs.fs_base = context.entered.fs_base;
    context.gprs.gs_base = cpu::gs_base();
    let (xsave, _) = context.xsave.split_at(xsave_len(context.xfrm));
    // SAFETY: reach_frame made every page of the frame writable, and the lock keeps it so.
    unsafe { instance.range.write(frame, xsave) };
    if let Some(exinfo) = exinfo(cause, misc) {
        // SAFETY: as above.
        unsafe { instance.range.write(exinfo_at, &exinfo.to_bytes()) };
    }
    // SAFETY: as above.
    unsafe { instance.range.write(gprs_at, &context.gprs.to_bytes()) };
    model.interrupt(context.tcs);
    Ok(())
}

fn reach_frame(range: &Range, model: &mut Model, frame: u64, len: u64) -> Result<(), BackendError> {
    for offset in (frame..frame + len).step_by(PAGE_BYTES) {
        let reach = mirror::reach(range, model, offset, Permissions::RW).map_err(os)?;
        if reach == Reach::Denied {
            return Err(BackendError::Lost);
        }
    }
    Ok(())
}

/// EXITINFO, with the manual's rules on what is reported.
fn exit_info(cause: Cause, misc: MiscSelect) -> ExitInfo {
    let Cause::Exception(exception) = cause else {
        return ExitInfo::EMPTY;
    };
    match exception.vector {
        vector::BP => ExitInfo::new(vector::BP, ExitKind::Software),
        vector::DE
        | vector::DB
        | vector::BR
        | vector::UD
        | vector::MF
        | vector::AC
        | vector::XM => ExitInfo::new(exception.vector, ExitKind::Hardware),
        vector::PF | vector::GP if misc.contains(MiscSelect::EXINFO) => {
            ExitInfo::new(exception.vector, ExitKind::Hardware)
        }
        _ => ExitInfo::EMPTY,
    }
}

/// EXINFO, for the two exceptions that have one, if it was asked for.
fn exinfo(cause: Cause, misc: MiscSelect) -> Option<ExInfo> {
    let Cause::Exception(exception) = cause else {
        return None;
    };
    if !misc.contains(MiscSelect::EXINFO) {
        return None;
    }
    let address = match exception.vector {
        vector::PF => exception.address,
        vector::GP => 0,
        _ => return None,
    };
    Some(ExInfo {
        address,
        error_code: exception.error,
        reserved: 0,
    })
}

/// TF: a debug exception after each instruction.
pub(super) const FLAG_TRAP: u64 = 0x100;
/// Flags that ERESUME takes from the frame: the arithmetic ones, DF, RF, AC and ID. TF stays clear: an enclave is not
/// stepped through here.
const RFLAGS_RESUMED: u64 = 0x0025_0cd5;
/// Flags that are always set: the second bit by definition, and IF in a user program.
const RFLAGS_FIXED: u64 = 0x202;
/// Bits that MXCSR has on every processor.
const MXCSR_BITS: u32 = 0xffff;

/// Loads the state in the frame of `context.entered` into the context, as ERESUME does.
///
/// # Errors
/// [`Refusal`] if the enclave left a frame there that the processor would not load.
pub(super) fn load(
    instance: &Instance,
    model: &mut Model,
    context: &mut Context,
) -> Result<(), BackendError> {
    let frame = context.entered.frame;
    let len = model.ssa_frame_len();
    reach_frame(&instance.range, model, frame, len)?;
    let mut gprs = [0; GprSgx::LEN];
    // SAFETY: reach_frame made every page of the frame readable, and the caller's lock keeps it so.
    unsafe {
        instance
            .range
            .read(frame + len - GprSgx::LEN as u64, &mut gprs)
    };
    context.reset_xstate();
    let (xsave, _) = context.xsave.split_at_mut(xsave_len(context.xfrm));
    // SAFETY: as above.
    unsafe { instance.range.read(frame, xsave) };
    check_xsave(&context.xsave, context.xfrm).map_err(refused)?;

    context.gprs = GprSgx::from_bytes(&gprs);
    context.gprs.rflags = context.gprs.rflags & RFLAGS_RESUMED | RFLAGS_FIXED;
    if !is_canonical(context.gprs.rip) {
        return Err(refused("ERESUME: RIP in the SSA frame is not canonical"));
    }
    if !is_canonical(context.gprs.gs_base) {
        return Err(refused("ERESUME: GSBASE in the SSA frame is not canonical"));
    }
    context.gs_base = context.gprs.gs_base;
    context.restore_xstate = 1;
    Ok(())
}

/// The conditions under which XRSTOR loads an area in the standard format.
fn check_xsave(area: &[u8], xfrm: u64) -> Result<(), &'static str> {
    let components = u64::from_le_bytes(pick(area, XSAVE_HEADER));
    if components & !xfrm != 0 {
        return Err(
            "ERESUME: XSTATE_BV in the SSA frame names state that the enclave does not have",
        );
    }
    if pick::<56>(area, XSAVE_HEADER + 8) != [0; 56] {
        return Err("ERESUME: the XSAVE header in the SSA frame has reserved bits set");
    }
    if u32::from_le_bytes(pick(area, XSAVE_MXCSR)) & !MXCSR_BITS != 0 {
        return Err("ERESUME: MXCSR in the SSA frame has reserved bits set");
    }
    Ok(())
}

fn refused(rule: &'static str) -> BackendError {
    BackendError::Refused {
        leaf: "ERESUME",
        reason: Refusal::GeneralProtection(rule),
    }
}

pub(super) fn os(source: io::Error) -> BackendError {
    BackendError::Os {
        what: "changing the protection of enclave pages",
        source,
    }
}

const _: () = assert!(MXCSR_INITIAL & !MXCSR_BITS == 0);
