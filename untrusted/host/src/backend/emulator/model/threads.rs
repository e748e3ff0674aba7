//! Threads: which may enter, where they begin, and where their state goes when they are interrupted.
//!
//! ```text
//!            EENTER, CSSA < NSSA                     asynchronous exit: state to SSA[CSSA], CSSA + 1
//!   idle ──────────────────────────► busy ──────────────────────────────────────────► idle
//!     ▲                               │ EEXIT                                            │
//!     └───────────────────────────────┘        ERESUME, CSSA > 0: CSSA - 1, state from SSA[CSSA] ──► busy
//! ```
//!
//! Manual, "EENTER", "ERESUME", "EEXIT", "Asynchronous Enclave Exit". EENTER and ERESUME are done in two steps here:
//! first everything is checked, then, once the caller has read what it needs from memory, the thread is occupied.

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{PageKind, Permissions, Tcs};

use crate::backend::Refusal;
use crate::backend::emulator::PAGE_BYTES;

use super::pages::PageState;
use super::{Model, is_canonical, require};

/// Whether a host thread is inside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Idle,
    Busy,
}

/// The part of a TCS that the processor uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thread {
    stage: Stage,
    entry: u64,
    frames: u64,
    frame_count: u32,
    current_frame: u32,
    fs_base: u64,
    gs_base: u64,
}

impl Thread {
    /// An idle thread.
    pub(super) fn new(tcs: Tcs) -> Self {
        Self {
            stage: Stage::Idle,
            entry: tcs.oentry,
            frames: tcs.ossa,
            frame_count: tcs.nssa,
            current_frame: 0,
            fs_base: tcs.ofsbase,
            gs_base: tcs.ogsbase,
        }
    }
}

/// What EENTER and ERESUME find out about a thread.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::backend::emulator) struct Entered {
    /// Address of the entry point.
    pub(in crate::backend::emulator) entry: u64,
    /// Index of the SSA frame that is in use while the thread is inside (TCS.CSSA).
    pub(in crate::backend::emulator) current_frame: u32,
    /// Offset of that frame: ERESUME reads it, the next asynchronous exit writes it.
    pub(in crate::backend::emulator) frame: u64,
    /// FS base inside.
    pub(in crate::backend::emulator) fs_base: u64,
    /// GS base inside, at EENTER.
    pub(in crate::backend::emulator) gs_base: u64,
}

impl Model {
    /// The checks of EENTER for the TCS at `tcs`.
    pub(in crate::backend::emulator) fn check_enter(&self, tcs: u64) -> Result<Entered, Refusal> {
        let thread = self.idle_thread(tcs)?;
        require(
            thread.current_frame < thread.frame_count,
            "EENTER: no SSA frame is left (CSSA is not below NSSA)",
        )?;
        self.entered(thread, thread.current_frame)
    }

    /// The checks of ERESUME for the TCS at `tcs`.
    pub(in crate::backend::emulator) fn check_resume(&self, tcs: u64) -> Result<Entered, Refusal> {
        let thread = self.idle_thread(tcs)?;
        let Some(frame) = thread.current_frame.checked_sub(1) else {
            return Err(Refusal::GeneralProtection(
                "ERESUME: no asynchronous exit to return from (CSSA is zero)",
            ));
        };
        self.entered(thread, frame)
    }

    /// Completes EENTER or ERESUME.
    pub(in crate::backend::emulator) fn occupy(&mut self, tcs: u64, entered: &Entered) {
        if let Some(thread) = self.threads.get_mut(&tcs) {
            thread.stage = Stage::Busy;
            thread.current_frame = entered.current_frame;
        }
    }

    /// EEXIT.
    pub(in crate::backend::emulator) fn exit(&mut self, tcs: u64) {
        if let Some(thread) = self.threads.get_mut(&tcs) {
            thread.stage = Stage::Idle;
        }
    }

    /// Completes an asynchronous exit, after the state has been written to the current frame.
    pub(in crate::backend::emulator) fn interrupt(&mut self, tcs: u64) {
        if let Some(thread) = self.threads.get_mut(&tcs) {
            thread.stage = Stage::Idle;
            thread.current_frame = thread.current_frame.saturating_add(1);
        }
    }

    /// Whether any thread is inside.
    pub(super) fn has_thread_inside(&self) -> bool {
        self.threads
            .values()
            .any(|thread| thread.stage == Stage::Busy)
    }

    fn idle_thread(&self, tcs: u64) -> Result<&Thread, Refusal> {
        require(tcs.is_multiple_of(PAGE_LEN), "the TCS is misaligned")?;
        require(tcs < self.secs.size, "the TCS lies outside the enclave")?;
        require(self.is_initialised(), "the enclave is not initialised")?;
        let address = self.secs.base.wrapping_add(tcs);
        let unsettled = PageState::PENDING.union(PageState::MODIFIED);
        let thread = self
            .page(tcs)
            .filter(|page| page.kind == PageKind::Tcs && !page.state.intersects(unsettled))
            .and_then(|_| self.threads.get(&tcs))
            .ok_or(Refusal::PageFault { address })?;
        require(thread.stage == Stage::Idle, "the TCS is busy")?;
        let aligned = [thread.frames, thread.fs_base, thread.gs_base]
            .iter()
            .all(|offset| offset.is_multiple_of(PAGE_LEN));
        require(aligned, "TCS: OSSA, OFSBASE or OGSBASE is not page-aligned")?;
        Ok(thread)
    }

    fn entered(&self, thread: &Thread, current_frame: u32) -> Result<Entered, Refusal> {
        let outside = Refusal::GeneralProtection("TCS: an offset leaves the enclave");
        let frame_len = self.ssa_frame_len();
        let frame = u64::from(current_frame)
            .checked_mul(frame_len)
            .and_then(|offset| offset.checked_add(thread.frames))
            .filter(|&frame| frame < self.secs.size)
            .ok_or(outside)?;
        self.check_frame(frame, frame_len)?;
        let address_of = |offset: u64| self.secs.base.wrapping_add(offset);
        let entered = Entered {
            entry: address_of(thread.entry),
            current_frame,
            frame,
            fs_base: address_of(thread.fs_base),
            gs_base: address_of(thread.gs_base),
        };
        let canonical = [entered.entry, entered.fs_base, entered.gs_base]
            .into_iter()
            .all(is_canonical);
        require(
            canonical,
            "TCS: OENTRY, OFSBASE or OGSBASE leads to no canonical address",
        )?;
        Ok(entered)
    }

    /// Every page of the frame must be a regular page that can be read and written.
    fn check_frame(&self, frame: u64, len: u64) -> Result<(), Refusal> {
        for offset in (frame..frame.saturating_add(len)).step_by(PAGE_BYTES) {
            let usable = self
                .page(offset)
                .is_some_and(|page| page.reachable().contains(Permissions::RW));
            if !usable {
                let address = self.secs.base.wrapping_add(offset);
                return Err(Refusal::PageFault { address });
            }
        }
        Ok(())
    }

    /// Bytes in an SSA frame.
    pub(in crate::backend::emulator) fn ssa_frame_len(&self) -> u64 {
        u64::from(self.secs.ssa_frame_size).saturating_mul(PAGE_LEN)
    }
}
