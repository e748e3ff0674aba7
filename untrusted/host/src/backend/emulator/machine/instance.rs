//! One emulated enclave: its memory, its state machine and who is inside.
//!
//! Everything about an enclave is decided under one lock. A thread that runs the enclave's code does not hold it; it takes
//! it for each leaf and each exit. What a thread needs while it is inside, its [`Context`], is handed out under the lock
//! when the TCS is occupied and taken back when it is freed.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use twine_abi::sgx::{GprSgx, Permissions, Secs};

use crate::backend::emulator::EmulatorConfig;
use crate::backend::emulator::audit::{Audit, AuditedPage};
use crate::backend::emulator::costs::{Costs, Tally, charge};
use crate::backend::emulator::model::{Entered, Model, Processor};
use crate::backend::{BackendError, Counts, Leaf, Left, Refusal, Registers};

use super::context::{Context, Slot};
use super::exits::{self, Cause};
use super::frame::Diversion;
use super::mappings::Mappings;
use super::range::Range;
use super::stepping::Stepping;
use super::switch::{self, LEFT_BY_EXIT, NOT_ENTERED};
use super::{cpu, signals, thread};

/// An enclave, from ECREATE on.
#[derive(Debug)]
pub(in crate::backend::emulator) struct Instance {
    pub(super) range: Range,
    pub(super) costs: Costs,
    pub(super) tally: Tally,
    pub(super) audit: Option<Arc<Audit>>,
    pub(super) stepping: Option<Stepping>,
    state: Mutex<State>,
    /// End of the pages added so far, as an offset.
    pub(super) end: u64,
}

/// Where an enclave is to lie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::backend::emulator) enum Place {
    /// At an address of the emulator's choice.
    Anywhere,
    /// At this address, which somebody has reserved.
    Given(u64),
}

/// What the lock protects.
#[derive(Debug)]
pub(super) struct State {
    pub(super) model: Model,
    seats: BTreeMap<u64, Seat>,
}

/// A TCS, and the host thread that is in it.
#[derive(Debug)]
struct Seat {
    slot: Arc<Slot>,
    occupant: Option<libc::pthread_t>,
}

/// What fills the registers that mean nothing at EENTER: an enclave that relies on them shows.
const POISON: u64 = 0xdead_c0de_dead_c0de;
/// Flags at EENTER.
const RFLAGS_HOST: u64 = 0x202;

impl Instance {
    /// ECREATE.
    pub(in crate::backend::emulator) fn create(
        processor: &Processor,
        secs: &Secs,
        config: &EmulatorConfig,
        place: Place,
    ) -> Result<Self, BackendError> {
        // The checks come first: a range of a senseless length must not be reserved.
        let unplaced = Secs { base: 0, ..*secs };
        Model::create(processor, &unplaced).map_err(refused("ECREATE"))?;
        signals::install().map_err(os("installing signal handlers"))?;
        let stepper = config.stepper.clone();
        let is_mapped_at_will = stepper.is_some() || config.page_tables.is_some();
        let range = match place {
            Place::Anywhere => Range::reserve(secs.size, is_mapped_at_will.then(Mappings::default)),
            Place::Given(base) => Range::adopt(base, secs.size),
        }
        .map_err(os("reserving the enclave's addresses"))?;
        let placed = Secs {
            base: range.base(),
            ..*secs
        };
        let model = Model::create(processor, &placed).map_err(refused("ECREATE"))?;
        let seats = BTreeMap::new();
        Ok(Self {
            range,
            costs: config.costs,
            tally: Tally::default(),
            audit: config.audit.clone(),
            stepping: stepper.map(Stepping::new),
            state: Mutex::new(State { model, seats }),
            end: 0,
        })
    }

    pub(in crate::backend::emulator) fn base(&self) -> u64 {
        self.range.base()
    }

    /// Whether the address lies in the enclave's range.
    pub(super) fn contains(&self, address: u64) -> bool {
        self.range.contains(address)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what has become of a page.
    pub(super) fn note(&self, model: &Model, offset: u64, leaf: &'static str) {
        if let Some(audit) = &self.audit {
            audit.note(self.range.base(), offset, leaf, model.page(offset));
        }
    }

    /// What has been done so far.
    pub(in crate::backend::emulator) fn counts(&self) -> Counts {
        self.tally.counts()
    }

    /// What the page at `offset` is, if there is one.
    pub(in crate::backend::emulator) fn audited(&self, offset: u64) -> Option<AuditedPage> {
        self.lock().model.page(offset).map(AuditedPage::of)
    }

    /// EENTER or ERESUME, and what follows until the thread leaves.
    pub(in crate::backend::emulator) fn enter(
        &self,
        tcs: u64,
        leaf: Leaf,
        registers: &mut Registers,
    ) -> Result<Left, BackendError> {
        let (left, _) = self.enter_from(switch::leave(), tcs, leaf, registers)?;
        left
    }

    /// The same with another address for asynchronous exits to go on at. A host's handler may lead the thread away from
    /// there; then this says where.
    pub(in crate::backend::emulator) fn enter_from(
        &self,
        aep: u64,
        tcs: u64,
        leaf: Leaf,
        registers: &mut Registers,
    ) -> Result<(Result<Left, BackendError>, Option<Diversion>), BackendError> {
        thread::prepare().map_err(os("setting up an alternate signal stack"))?;
        charge(self.costs.transition);
        let slot = self.admit(aep, tcs, leaf, registers)?;
        self.tally.entries.add(1);
        let left = self.run(slot.context(), registers);
        // SAFETY: the thread is outside again, and still occupies the seat.
        let diversion = unsafe { (*slot.context()).diversion.take() };
        if let Some(seat) = self.lock().seats.get_mut(&tcs) {
            seat.occupant = None;
        }
        charge(self.costs.transition);
        Ok((left, diversion))
    }

    /// Checks, prepares the context and occupies the TCS.
    fn admit(
        &self,
        aep: u64,
        tcs: u64,
        leaf: Leaf,
        registers: &Registers,
    ) -> Result<Arc<Slot>, BackendError> {
        let mut state = self.lock();
        let State { model, seats } = &mut *state;
        let (name, entered) = match leaf {
            Leaf::Enter => ("EENTER", model.check_enter(tcs)),
            Leaf::Resume => ("ERESUME", model.check_resume(tcs)),
        };
        let entered = entered.map_err(refused(name))?;
        for page in [tcs, entered.frame] {
            if !self.range.mapped(page).contains(Permissions::RW) {
                let address = self.range.base() + page;
                return Err(refused(name)(Refusal::PageFault { address }));
            }
        }
        let seat = Self::seat(seats, model, tcs)?;
        if seat.occupant.is_some() {
            // Between an asynchronous exit for the host's own signal and the resumption that follows it.
            let reason = Refusal::GeneralProtection("the TCS is busy");
            return Err(refused(name)(reason));
        }
        // SAFETY: the TCS is idle and nobody occupies the seat, so nobody uses the context; the lock keeps it so.
        let context = unsafe { &mut *seat.slot.context() };
        context.instance = self;
        context.entered = entered;
        context.outcome = None;
        context.diversion = None;
        context.aep = aep;
        match leaf {
            Leaf::Enter => self.present(context, &entered, registers),
            Leaf::Resume => exits::load(self, model, context)?,
        }
        model.occupy(tcs, &entered);
        // SAFETY: no preconditions.
        seat.occupant = Some(unsafe { libc::pthread_self() });
        Ok(Arc::clone(&seat.slot))
    }

    fn seat<'a>(
        seats: &'a mut BTreeMap<u64, Seat>,
        model: &Model,
        tcs: u64,
    ) -> Result<&'a mut Seat, BackendError> {
        use std::collections::btree_map::Entry;
        match seats.entry(tcs) {
            Entry::Occupied(seat) => Ok(seat.into_mut()),
            Entry::Vacant(place) => {
                let slot = Slot::new(tcs, model.secs().attributes.xfrm)
                    .map_err(os("allocating a stack"))?;
                Ok(place.insert(Seat {
                    slot: Arc::new(slot),
                    occupant: None,
                }))
            }
        }
    }

    /// The registers as the enclave sees them at EENTER.
    fn present(&self, context: &mut Context, entered: &Entered, registers: &Registers) {
        context.restore_xstate = 0;
        context.gs_base = entered.gs_base;
        context.gprs = GprSgx {
            rax: u64::from(entered.current_frame),
            rbx: self.range.base() + context.tcs,
            rcx: context.returns_to(),
            rdx: registers.rdx,
            rsi: registers.rsi,
            rdi: registers.rdi,
            r8: registers.r8,
            r9: registers.r9,
            rsp: context.presented,
            rbp: context.presented,
            r10: POISON,
            r11: POISON,
            r12: POISON,
            r13: POISON,
            r14: POISON,
            r15: POISON,
            rflags: RFLAGS_HOST,
            rip: entered.entry,
            ..GprSgx::ZERO
        };
    }

    /// Runs the thread until it leaves.
    fn run(&self, context: *mut Context, registers: &mut Registers) -> Result<Left, BackendError> {
        if let Some(stepping) = &self.stepping {
            stepping.close(self).map_err(exits::os)?;
        }
        let host_gs_base = cpu::gs_base();
        {
            // SAFETY: `admit` gave the context to this thread.
            let context = unsafe { &mut *context };
            context.host_gs_base = host_gs_base;
            cpu::set_gs_base(context.gs_base);
        }
        // SAFETY: the context is made current, its registers are those that `admit` prepared, and `enter` has made sure
        // of the alternate stack.
        let code = switch::with_current(context, || unsafe { switch::switch(context) });
        // SAFETY: the thread is outside again; handlers no longer find the context.
        let context = unsafe { &mut *context };
        let left = match code {
            LEFT_BY_EXIT => self.exited(context, registers),
            NOT_ENTERED => {
                self.interrupted_at_the_border(context);
                context.outcome.take().unwrap_or(Err(BackendError::Lost))
            }
            _ => context.outcome.take().unwrap_or(Err(BackendError::Lost)),
        };
        cpu::set_gs_base(host_gs_base);
        left
    }

    /// EEXIT.
    fn exited(&self, context: &Context, registers: &mut Registers) -> Result<Left, BackendError> {
        self.lock().model.exit(context.tcs);
        let gprs = &context.gprs;
        if gprs.rbx != context.returns_to()
            || gprs.rsp != context.presented
            || gprs.rbp != context.presented
        {
            // Silicon would jump there and the host crash.
            let rule = "RBX, RSP or RBP is not what the host had at EENTER";
            return Err(refused("EEXIT")(Refusal::GeneralProtection(rule)));
        }
        *registers = Registers {
            rdi: gprs.rdi,
            rsi: gprs.rsi,
            rdx: gprs.rdx,
            r8: gprs.r8,
            r9: gprs.r9,
        };
        Ok(Left::Exited)
    }

    /// The request to leave came before the enclave's next instruction: the registers in the context are its state.
    fn interrupted_at_the_border(&self, context: &mut Context) {
        context.take_interrupt();
        context.inside = 0;
        if context.restore_xstate == 0 {
            context.reset_xstate();
        }
        exits::leave(self, context, Cause::Interrupt);
    }

    /// ERESUME of the thread whose context this is, right after an asynchronous exit for the host's own signal.
    pub(super) fn resume(&self, context: &mut Context) -> Result<(), BackendError> {
        let mut state = self.lock();
        let model = &mut state.model;
        let entered = model
            .check_resume(context.tcs)
            .map_err(refused("ERESUME"))?;
        context.entered = entered;
        exits::load(self, model, context)?;
        model.occupy(context.tcs, &entered);
        Ok(())
    }

    /// Asks the thread in the TCS to leave.
    pub(in crate::backend::emulator) fn interrupt(&self, tcs: u64) {
        let mut state = self.lock();
        let State { model, seats } = &mut *state;
        let Ok(seat) = Self::seat(seats, model, tcs) else {
            return;
        };
        seat.slot.request_interrupt();
        if let Some(thread) = seat.occupant {
            signals::interrupt(thread);
        }
    }
}

/// Names the instruction that was refused.
pub(super) fn refused(leaf: &'static str) -> impl Fn(Refusal) -> BackendError {
    move |reason| BackendError::Refused { leaf, reason }
}

/// Names what the operating system failed at.
pub(super) fn os(what: &'static str) -> impl Fn(io::Error) -> BackendError {
    move |source| BackendError::Os { what, source }
}
