//! Single-stepping: the trap flag, on watched pages only.
//!
//! ```text
//!   a watched page cannot be executed ──fetch fault──► it can, and the trap flag is set ──┐
//!          ▲                                              ▲ one instruction, #DB, a look ─┤
//!          └────────── #DB on another page ◄──────────────┴───────────────────────────────┘
//! ```
//!
//! A thread costs some microseconds for each instruction that is watched, and nothing elsewhere. An instruction that changes
//! RFLAGS does not end the stepping: the flag is set anew each time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{FaultCode, Permissions, vector};

use crate::backend::PageRange;
use crate::backend::emulator::stepper::{Moment, Next, Stepper};

use super::context::Context;
use super::exits::{self, Cause, FLAG_TRAP};
use super::frame::Frame;
use super::instance::Instance;
use super::switch::{self, LEFT_OTHERWISE};

/// The stepper of an enclave, and how far its pages are open.
#[derive(Debug)]
pub(super) struct Stepping {
    stepper: Arc<Stepper>,
    /// Whether watched pages can be executed at the moment.
    open: AtomicBool,
}

impl Stepping {
    pub(super) fn new(stepper: Arc<Stepper>) -> Self {
        Self {
            stepper,
            // Until the first entry closes them.
            open: AtomicBool::new(true),
        }
    }

    /// Makes watched pages fault when they are next executed.
    ///
    /// # Errors
    /// Whatever `mprotect` says.
    pub(super) fn close(&self, instance: &Instance) -> io::Result<()> {
        if self.open.swap(false, Ordering::SeqCst) {
            self.map(instance, Permissions::RW)?;
        }
        Ok(())
    }

    fn open(&self, instance: &Instance) -> io::Result<()> {
        self.map(instance, Permissions::RWX)?;
        self.open.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn map(&self, instance: &Instance, permissions: Permissions) -> io::Result<()> {
        self.stepper.pages().iter().try_for_each(|pages| {
            let range = PageRange {
                offset: pages.start,
                count: (pages.end - pages.start) / PAGE_LEN,
            };
            instance.map(range, permissions)
        })
    }

    /// Deals with a fault inside that comes of stepping. Returns whether it does.
    pub(super) fn on_fault(
        &self,
        instance: &Instance,
        frame: &mut Frame<'_>,
        context: &mut Context,
    ) -> bool {
        let rip = frame.rip();
        let base = instance.range.base();
        let is_watched =
            |address: u64| instance.contains(address) && self.stepper.watches(address - base);
        match frame.vector() {
            vector::DB if is_watched(rip) => self.look(instance, frame, context),
            vector::DB => {
                frame.run_on();
                self.done(self.close(instance), frame, context);
            }
            vector::PF => {
                let is_fetch = FaultCode::from_bits(frame.error_code()).contains(FaultCode::FETCH);
                let address = frame.fault_address();
                if !is_fetch || !is_watched(address) || self.open.load(Ordering::SeqCst) {
                    return false;
                }
                if let Err(error) = self.open(instance) {
                    self.done(Err(error), frame, context);
                } else if address == rip {
                    self.look(instance, frame, context);
                } else {
                    // The end of an instruction that begins on a page that is not watched.
                    frame.step();
                    context.inside = 1;
                }
            }
            _ => return false,
        }
        true
    }

    /// Shows the moment, and does what is then wanted.
    fn look(&self, instance: &Instance, frame: &mut Frame<'_>, context: &mut Context) {
        let mut registers = frame.registers();
        registers.rflags &= !FLAG_TRAP;
        let base = instance.range.base();
        let next = self.stepper.look(&mut Moment {
            offset: registers.rip - base,
            base,
            frame: context.entered.current_frame,
            registers: &mut registers,
            xstate: frame.xstate().unwrap_or_default(),
        });
        frame.set_registers(&registers);
        match next {
            Next::Step => {
                frame.step();
                context.inside = 1;
            }
            Next::Run => {
                frame.run_on();
                context.inside = 1;
            }
            Next::Leave => {
                frame.capture(context);
                exits::leave(instance, context, Cause::Interrupt);
                frame.leave(context, LEFT_OTHERWISE);
            }
        }
    }

    /// Goes on inside, or leaves if the page tables could not be changed.
    fn done(&self, result: io::Result<()>, frame: &mut Frame<'_>, context: &mut Context) {
        match result {
            Ok(()) => context.inside = 1,
            Err(error) => {
                context.outcome = Some(Err(exits::os(error)));
                frame.leave(context, LEFT_OTHERWISE);
            }
        }
    }
}

/// Ends the stepping of a thread that has come to a trampoline, on its way to a leaf. Returns whether it has.
pub(super) fn stepped_out(frame: &mut Frame<'_>) -> bool {
    let context = switch::current();
    if frame.vector() != vector::DB || context.is_null() {
        return false;
    }
    // SAFETY: a current context is alive, and only its own thread, which is here, changes it.
    let instance = unsafe { &*context }.instance();
    if !instance.range.is_trampoline(frame.rip()) {
        return false;
    }
    let Some(stepping) = &instance.stepping else {
        return false;
    };
    frame.run_on();
    // If the pages stay open, they are closed at the next entry at the latest.
    _ = stepping.close(instance);
    true
}
