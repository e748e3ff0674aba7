//! ENCLU, executed for the enclave: operands from registers and memory, the decision from the state machine, results
//! back.
//!
//! A leaf ends in one of three ways: the enclave goes on (perhaps with an error code in RAX), the enclave leaves (EEXIT),
//! or the instruction faults, which is an asynchronous exit with RIP still at the instruction.

use std::io;
use std::time::Duration;

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{
    Enclu, FaultCode, GprSgx, KeyRequest, Permissions, SecInfo, TargetInfo, Tcs, vector,
};

use crate::backend::Refusal;
use crate::backend::emulator::PAGE_BYTES;
use crate::backend::emulator::costs::{Costs, charge};
use crate::backend::emulator::model::{Accepted, Access, Model, is_canonical};

use super::context::Context;
use super::exits::{self, Cause, Exception};
use super::instance::Instance;
use super::mirror::{self, Reach};
use super::range::Range;

/// Length of a rebound ENCLU site: the instruction and the two bytes after it.
pub(super) const SITE_LEN: usize = 5;

/// How a leaf ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// The enclave goes on with the registers in the context.
    Inside,
    /// EEXIT.
    Exit,
    /// The context's outcome says.
    Left,
}

/// Why a leaf did not do as asked.
enum Trouble {
    Refused(Refusal),
    Os(io::Error),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Os(error)
    }
}

/// Called by the assembly for a rebound site. Returns zero to go on inside.
pub(super) extern "C" fn from_gate(context: *mut Context) -> u32 {
    // SAFETY: the assembly passes the context of the running thread, which nobody else uses meanwhile.
    let context = unsafe { &mut *context };
    let site = context.instance().range.base() + u64::from(context.site);
    context.gprs.rip = site;
    match step(context, site + SITE_LEN as u64) {
        Step::Inside => 0,
        Step::Exit | Step::Left => 1,
    }
}

/// Executes the ENCLU at the context's RIP; `after` is where the enclave goes on.
pub(super) fn step(context: &mut Context, after: u64) -> Step {
    let instance: *const Instance = context.instance();
    // SAFETY: the instance outlives the thread's stay inside; the detour frees the borrow of the context.
    let instance = unsafe { &*instance };
    let (result, cost) = execute(instance, &mut context.gprs);
    charge(cost);
    match result {
        Ok(Step::Exit) => Step::Exit,
        Ok(step) => {
            context.gprs.rip = after;
            step
        }
        Err(Trouble::Refused(Refusal::Code { code, .. })) => {
            context.gprs.rax = code;
            context.gprs.rflags = context.gprs.rflags & !FLAGS_CLEARED | FLAG_ZERO;
            context.gprs.rip = after;
            Step::Inside
        }
        Err(Trouble::Refused(refusal)) => {
            exits::leave(instance, context, Cause::Exception(exception(refusal)));
            Step::Left
        }
        Err(Trouble::Os(error)) => {
            context.outcome = Some(Err(exits::os(error)));
            Step::Left
        }
    }
}

/// ZF: the leaf returned an error code.
const FLAG_ZERO: u64 = 0x40;
/// CF, PF, AF, ZF, SF and OF: cleared by a leaf that returns a code; ZF is set again if there was an error.
const FLAGS_CLEARED: u64 = 0x8d5;

/// The exception that a refusal without an error code is.
fn exception(refusal: Refusal) -> Exception {
    match refusal {
        Refusal::PageFault { address } => Exception {
            vector: vector::PF,
            error: FaultCode::PRESENT
                .union(FaultCode::USER)
                .union(FaultCode::SGX)
                .bits(),
            address,
        },
        Refusal::GeneralProtection(_) | Refusal::Code { .. } => Exception {
            vector: vector::GP,
            error: 0,
            address: 0,
        },
    }
}

/// Executes the leaf in RAX. Returns what it costs besides.
fn execute(instance: &Instance, gprs: &mut GprSgx) -> (Result<Step, Trouble>, Duration) {
    let [leaf, _] = halves(gprs.rax);
    let costs = instance.costs;
    match Enclu::try_from(leaf) {
        Ok(Enclu::Exit) => (exit(gprs), Duration::ZERO),
        Ok(Enclu::Report) => (report(instance, gprs), Duration::ZERO),
        Ok(Enclu::GetKey) => (get_key(instance, gprs), Duration::ZERO),
        Ok(Enclu::Accept) => accepted(accept(instance, gprs), costs),
        Ok(Enclu::AcceptCopy) => accepted(accept_copy(instance, gprs), costs),
        Ok(Enclu::ModPe) => (extend_permissions(instance, gprs), costs.accept),
        // EENTER and ERESUME inside, and everything that is not a leaf.
        _ => {
            let refusal = Refusal::GeneralProtection("ENCLU: no such leaf inside an enclave");
            (Err(refusal.into()), Duration::ZERO)
        }
    }
}

fn exit(gprs: &GprSgx) -> Result<Step, Trouble> {
    if is_canonical(gprs.rbx) {
        Ok(Step::Exit)
    } else {
        Err(Refusal::GeneralProtection("EEXIT: RBX is not canonical").into())
    }
}

fn report(instance: &Instance, gprs: &GprSgx) -> Result<Step, Trouble> {
    let mut state = instance.lock();
    let mut memory = Memory::new(&instance.range, &mut state.model);
    let target = TargetInfo::from_bytes(&memory.fetch(gprs.rbx, 512)?);
    let data = memory.fetch::<64>(gprs.rcx, 128)?;
    let output = memory.place(gprs.rdx, 512, Access::Write)?;
    let report = memory.model.report(&target, data);
    memory.store(output, &report.to_bytes());
    Ok(Step::Inside)
}

fn get_key(instance: &Instance, gprs: &mut GprSgx) -> Result<Step, Trouble> {
    let mut state = instance.lock();
    let mut memory = Memory::new(&instance.range, &mut state.model);
    let request = KeyRequest::from_bytes(&memory.fetch(gprs.rbx, 512)?);
    let output = memory.place(gprs.rcx, 16, Access::Write)?;
    let key = memory.model.key(&request)?;
    memory.store(output, &key);
    if let Some(audit) = &instance.audit {
        audit.note_key(&key);
    }
    succeed(gprs);
    Ok(Step::Inside)
}

/// Whether a page was there before it was accepted, or was added because of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Augmented {
    Before,
    Now,
}

/// What accepting costs, if it was not free.
fn accepted(result: Result<Augmented, Trouble>, costs: Costs) -> (Result<Step, Trouble>, Duration) {
    match result {
        Ok(Augmented::Now) => (Ok(Step::Inside), costs.accept + costs.augment),
        Ok(Augmented::Before) => (Ok(Step::Inside), costs.accept),
        Err(trouble) => (Err(trouble), costs.accept),
    }
}

fn accept(instance: &Instance, gprs: &mut GprSgx) -> Result<Augmented, Trouble> {
    let mut state = instance.lock();
    let mut memory = Memory::new(&instance.range, &mut state.model);
    let info = SecInfo::from_bytes(&memory.fetch(gprs.rbx, 64)?);
    let target = memory.model.page_operand(gprs.rcx)?;
    let (accepted, augmented) =
        memory.with_page(instance, target, |model| model.accept(target, &info))?;
    if accepted == Accepted::Thread {
        let tcs = memory.read_tcs(target)?;
        memory.model.adopt_thread(target, tcs);
    }
    instance.note(memory.model, target, "EACCEPT");
    instance.tally.accepted.add(1);
    succeed(gprs);
    Ok(augmented)
}

fn accept_copy(instance: &Instance, gprs: &mut GprSgx) -> Result<Augmented, Trouble> {
    let mut state = instance.lock();
    let mut memory = Memory::new(&instance.range, &mut state.model);
    let info = SecInfo::from_bytes(&memory.fetch(gprs.rbx, 64)?);
    let target = memory.model.page_operand(gprs.rcx)?;
    let contents = memory.fetch::<PAGE_BYTES>(gprs.rdx, PAGE_LEN)?;
    let ((), augmented) =
        memory.with_page(instance, target, |model| model.accept_copy(target, &info))?;
    instance.note(memory.model, target, "EACCEPTCOPY");
    instance.tally.accepted.add(1);
    memory.reach(target, Permissions::W, gprs.rcx)?;
    memory.store(target, &contents);
    succeed(gprs);
    Ok(augmented)
}

fn extend_permissions(instance: &Instance, gprs: &GprSgx) -> Result<Step, Trouble> {
    let mut state = instance.lock();
    let mut memory = Memory::new(&instance.range, &mut state.model);
    let info = SecInfo::from_bytes(&memory.fetch(gprs.rbx, 64)?);
    let target = memory.model.page_operand(gprs.rcx)?;
    memory.model.extend_permissions(target, &info)?;
    instance.note(memory.model, target, "EMODPE");
    instance.tally.changed.add(1);
    Ok(Step::Inside)
}

/// A leaf that returns a code returns success.
fn succeed(gprs: &mut GprSgx) {
    gprs.rax = 0;
    gprs.rflags &= !FLAGS_CLEARED;
}

/// Low and high half.
fn halves(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    ]
}

/// The enclave's memory under the lock: what the EPCM allows and the page tables grant stays so while this exists.
struct Memory<'a> {
    range: &'a Range,
    model: &'a mut Model,
}

impl<'a> Memory<'a> {
    fn new(range: &'a Range, model: &'a mut Model) -> Self {
        Self { range, model }
    }

    /// Reads an operand.
    fn fetch<const N: usize>(&mut self, address: u64, align: u64) -> Result<[u8; N], Trouble> {
        let offset = self.place(address, align, Access::Read)?;
        let mut bytes = [0; N];
        // SAFETY: `place` made sure that the page can be read, and an operand does not cross into the next one: its
        // length is at most its alignment. The lock keeps the page as it is.
        unsafe { self.range.read(offset, &mut bytes) };
        Ok(bytes)
    }

    /// Accepts the page at `offset`; if there is none, the instruction faults, the driver adds one (EAUG), and the
    /// instruction is executed again.
    fn with_page<T>(
        &mut self,
        instance: &Instance,
        offset: u64,
        accept: impl Fn(&mut Model) -> Result<T, Refusal>,
    ) -> Result<(T, Augmented), Trouble> {
        if !self.range.mapped(offset).contains(Permissions::R) {
            let address = self.range.base() + offset;
            return Err(Refusal::PageFault { address }.into());
        }
        match accept(self.model) {
            Err(Refusal::PageFault { .. }) => {
                self.model.augment(offset)?;
                instance.note(self.model, offset, "EAUG");
                instance.tally.augmented.add(1);
                instance.tally.faulted.add(1);
                Ok((accept(self.model)?, Augmented::Now))
            }
            result => Ok((result?, Augmented::Before)),
        }
    }

    /// Checks an operand and returns its offset.
    fn place(&mut self, address: u64, align: u64, access: Access) -> Result<u64, Trouble> {
        let offset = self.model.operand(address, align, access)?;
        let needed = match access {
            Access::Read => Permissions::R,
            Access::Write => Permissions::W,
        };
        self.reach(offset, needed, address)?;
        Ok(offset)
    }

    fn reach(&mut self, offset: u64, needed: Permissions, address: u64) -> Result<(), Trouble> {
        match mirror::reach(self.range, self.model, offset, needed)? {
            Reach::Granted => Ok(()),
            Reach::Denied => Err(Refusal::PageFault { address }.into()),
        }
    }

    /// Writes a result to a place that [`Memory::place`] has checked for writing.
    fn store(&mut self, offset: u64, bytes: &[u8]) {
        // SAFETY: the callers pass an offset that `place` or `reach` made writable, and lengths that do not cross into
        // the next page. The lock keeps the page as it is.
        unsafe { self.range.write(offset, bytes) };
    }

    /// Reads the contents of a page that has become a TCS, which no one can reach any more.
    fn read_tcs(&mut self, offset: u64) -> Result<Tcs, Trouble> {
        self.range.protect(offset, PAGE_LEN, Permissions::R)?;
        let mut bytes = [0; PAGE_BYTES];
        // SAFETY: made readable just now.
        unsafe { self.range.read(offset, &mut bytes) };
        self.range.protect(offset, PAGE_LEN, Permissions::EMPTY)?;
        Ok(Tcs::from_bytes(&bytes))
    }
}
