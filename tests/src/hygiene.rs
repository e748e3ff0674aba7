//! What the enclave leaves in registers, and what memory of the host's it touches: rules that hold at every instruction.
//!
//! Registers are filled with a pattern where the code that follows must not depend on them any more, so that what an exit
//! forgets to clear shows as that pattern outside, and what it should not have used goes wrong inside.

#![expect(
    clippy::indexing_slicing,
    reason = "offsets of the XSAVE area are constants, and its length is looked at first"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use iced_x86::{FlowControl, Instruction, InstructionInfoFactory, Mnemonic};
use twine::abi::layout::ENCLAVE_LEN;
use twine::backend::emulator::{Moment, Next};

use crate::border::{Access, Code, accesses};

/// What has been seen so far.
pub struct Hygiene {
    code: Arc<Code>,
    /// Where registers are filled with the pattern.
    poisonings: BTreeMap<u64, Kept>,
    /// Instructions that have been decoded.
    instructions: BTreeMap<u64, Instruction>,
    factory: InstructionInfoFactory,
    /// Rules that were broken, in words.
    pub complaints: Vec<String>,
    /// EEXITs looked at.
    pub exits: u64,
    /// EEXITs whose registers had been filled with the pattern before.
    pub poisoned_exits: u64,
    /// Words of host memory read.
    pub reads: u64,
    /// Words of host memory written.
    pub writes: u64,
    /// Words read since the thread was last entered.
    fresh: BTreeSet<u64>,
    /// The last of them, and the instruction that read it.
    last: Option<(u64, Access)>,
    /// SSA frame and host's RSP at EENTER to RCX, RBP and the vector state there.
    entries: BTreeMap<(u32, u64), (u64, u64, Vec<u8>)>,
    is_poisoned: bool,
}

/// What is left in registers that must not matter.
const POISON: u64 = 0x5ec2_e75e_c2e7_5ec2;
/// CF, PF, AF, ZF, SF, DF, OF.
const POISON_FLAGS: u64 = 0xcd5;
/// ZF and PF as the last XOR leaves them, IF, and the bit that is always set.
const EXIT_FLAGS: u64 = 0x246;
/// AF, which XOR leaves undefined, and RF, which belongs to the exception that showed us the moment.
const FLAGS_IGNORED: u64 = 0x10 | 0x1_0000;
/// MXCSR at every exit (`trusted/enclave/src/entry.rs`).
const MXCSR: u32 = 0x1fbf;
/// Leaf number of EEXIT.
const EEXIT: u64 = 4;

impl Hygiene {
    /// For this image.
    #[must_use]
    pub fn new(code: Arc<Code>) -> Self {
        Self {
            poisonings: Kept::places(&code),
            code,
            instructions: BTreeMap::new(),
            factory: InstructionInfoFactory::new(),
            complaints: Vec::new(),
            exits: 0,
            poisoned_exits: 0,
            reads: 0,
            writes: 0,
            fresh: BTreeSet::new(),
            last: None,
            entries: BTreeMap::new(),
            is_poisoned: false,
        }
    }

    /// Looks at a moment and what will come of it.
    pub fn look(&mut self, moment: &mut Moment<'_>, next: Next) {
        if moment.offset == self.code.border().start {
            let registers = &moment.registers;
            let state = (registers.rcx, registers.rbp, canonical(moment.xstate));
            self.entries.insert((moment.frame, registers.rsp), state);
        }
        let instruction = *self
            .instructions
            .entry(moment.offset)
            .or_insert_with(|| self.code.at(moment.offset));
        if instruction.mnemonic() == Mnemonic::Enclu && moment.registers.rax == EEXIT {
            self.look_at_exit(moment);
            self.fresh.clear();
            self.last = None;
        }
        if next != Next::Leave {
            for access in accesses(&mut self.factory, &instruction, moment.registers) {
                self.look_at_access(moment, access, instruction.mnemonic());
            }
        }
        self.poison(moment);
    }

    fn complain(&mut self, moment: &Moment<'_>, what: impl std::fmt::Display) {
        const ENOUGH: usize = 20;
        if self.complaints.len() < ENOUGH {
            self.complaints
                .push(format!("at {:#x}: {what}", moment.offset));
        }
    }

    fn look_at_exit(&mut self, moment: &Moment<'_>) {
        self.exits += 1;
        self.poisoned_exits += u64::from(std::mem::take(&mut self.is_poisoned));
        let it = &*moment.registers;
        let cleared = [
            it.rcx, it.rdx, it.r8, it.r9, it.r10, it.r11, it.r12, it.r13, it.r14, it.r15,
        ];
        if cleared != [0; 10] {
            self.complain(moment, format_args!("general registers are left: {it:x?}"));
        }
        const LARGEST_CODE: u64 = 4;
        if it.rdi > LARGEST_CODE || it.rsi > LARGEST_CODE {
            self.complain(moment, format_args!("no code and status: {it:x?}"));
        }
        if it.rflags & !FLAGS_IGNORED != EXIT_FLAGS {
            self.complain(moment, format_args!("flags are left: {:#x}", it.rflags));
        }
        let Some((rcx, rbp, xstate)) = self.entries.get(&(moment.frame, it.rsp)).cloned() else {
            return self.complain(moment, "RSP is not the host's");
        };
        if (it.rbx, it.rbp) != (rcx, rbp) {
            self.complain(
                moment,
                format_args!("RBX or RBP is not the host's: {it:x?}"),
            );
        }
        // An entry that is refused touches no vector register: what the host had is what it gets.
        let now = canonical(moment.xstate);
        if now != initial() && now != xstate {
            self.complain(moment, "x87 or vector state is left");
        }
    }

    /// Host memory is touched by whole aligned words, in the routine for it, and no word is read twice.
    fn look_at_access(&mut self, moment: &Moment<'_>, access: Access, mnemonic: Mnemonic) {
        const WORD_LEN: u64 = 8;
        let inside = moment.base..moment.base + ENCLAVE_LEN;
        let last = access.address.wrapping_add(access.len.saturating_sub(1));
        match (inside.contains(&access.address), inside.contains(&last)) {
            (true, true) => return,
            (false, false) => {}
            _ => return self.complain(moment, format_args!("half outside: {access:x?}")),
        }
        if mnemonic != Mnemonic::Movsq {
            self.complain(
                moment,
                format_args!("{mnemonic:?} touches the host's memory: {access:x?}"),
            );
        }
        if access.len != WORD_LEN || !access.address.is_multiple_of(WORD_LEN) {
            self.complain(moment, format_args!("not an aligned word: {access:x?}"));
        }
        if access.writes {
            self.writes += 1;
            return;
        }
        // An interrupt may have come before the instruction was executed.
        let place = Some((moment.offset, access));
        if std::mem::replace(&mut self.last, place) == place {
            return;
        }
        self.reads += 1;
        if !self.fresh.insert(access.address) {
            self.complain(moment, format_args!("read a second time: {access:x?}"));
        }
    }

    /// Fills what the code that follows must not use.
    fn poison(&mut self, moment: &mut Moment<'_>) {
        let Some(kept) = self.poisonings.get(&moment.offset) else {
            return;
        };
        let it = &mut *moment.registers;
        let (rax, rdx) = (it.rax, it.rdx);
        for register in [
            &mut it.rax,
            &mut it.rbx,
            &mut it.rcx,
            &mut it.rdx,
            &mut it.rsi,
            &mut it.rdi,
            &mut it.rbp,
            &mut it.r8,
            &mut it.r9,
            &mut it.r10,
            &mut it.r11,
            &mut it.r12,
            &mut it.r13,
            &mut it.r14,
            &mut it.r15,
        ] {
            *register = POISON;
        }
        match kept {
            Kept::Nothing => {}
            Kept::Rax => it.rax = rax,
            Kept::RaxAndRdx => (it.rax, it.rdx) = (rax, rdx),
        }
        it.rflags |= POISON_FLAGS;
        poison_xstate(moment.xstate);
        self.is_poisoned = true;
    }
}

/// What still matters at a place of the border; RSP always does.
#[derive(Clone, Copy)]
enum Kept {
    Nothing,
    /// What a call has ended in.
    Rax,
    /// What the exception handler has decided.
    RaxAndRdx,
}

impl Kept {
    /// Behind the pushes of what a called function must keep; at the start of `die`; and where calls into Rust return.
    fn places(code: &Code) -> BTreeMap<u64, Self> {
        const PUSHED: usize = 6;
        let leaving = code.function("leave_for_host").start;
        let behind = code.instructions(leaving..leaving + 64).nth(PUSHED);
        let mut places = BTreeMap::from([(code.function("die").start, Self::Nothing)]);
        places.extend(behind.map(|instruction| (instruction.ip(), Self::Nothing)));
        let calls = [
            ("4call10enter_call", Self::Rax),
            ("9exception16handle_exception", Self::RaxAndRdx),
        ];
        for (name, kept) in calls {
            let target = code.function(name).start;
            let returns = code.instructions(code.border()).filter(|instruction| {
                instruction.flow_control() == FlowControl::Call
                    && instruction.near_branch_target() == target
            });
            places.extend(returns.map(|instruction| (instruction.next_ip(), kept)));
        }
        places
    }
}

/// Length of x87, SSE and AVX state with the header; Intel SDM vol. 1, "Layout of the XSAVE area".
const XSTATE_LEN: usize = 832;
const HEADER: usize = 512;
const MXCSR_AT: usize = 24;
/// The state's components: number, where it lies, what is fixed in it after initialisation.
const X87: u8 = 1;
const SSE: u8 = 2;
const AVX: u8 = 4;
const X87_CONTROL: [u8; 2] = [0x7f, 0x03];

/// The state with components that are in their initial configuration spelt out, so that two can be compared; empty where the
/// kernel shows none.
fn canonical(xstate: &[u8]) -> Vec<u8> {
    if xstate.len() < XSTATE_LEN {
        return Vec::new();
    }
    let mut state = initial();
    let in_use = xstate[HEADER];
    let parts = [
        (X87, 0..MXCSR_AT),
        (X87, 32..160),
        (SSE, 160..416),
        (AVX, 576..XSTATE_LEN),
    ];
    for (component, range) in parts {
        if in_use & component != 0 {
            state[range.clone()].copy_from_slice(&xstate[range]);
        }
    }
    state[MXCSR_AT..MXCSR_AT + 4].copy_from_slice(&xstate[MXCSR_AT..MXCSR_AT + 4]);
    state
}

/// What an exit leaves.
fn initial() -> Vec<u8> {
    let mut state = vec![0; XSTATE_LEN];
    state[..2].copy_from_slice(&X87_CONTROL);
    state[MXCSR_AT..MXCSR_AT + 4].copy_from_slice(&MXCSR.to_le_bytes());
    state
}

/// Control words that no default has, every register full.
fn poison_xstate(xstate: &mut [u8]) {
    if xstate.len() < XSTATE_LEN {
        return;
    }
    xstate[HEADER] |= X87 | SSE | AVX;
    // Control word with another precision, status word with condition codes, all registers valid.
    xstate[..5].copy_from_slice(&[0x7f, 0x02, 0x00, 0x41, 0xff]);
    xstate[MXCSR_AT..MXCSR_AT + 4].copy_from_slice(&0xff80_u32.to_le_bytes());
    for range in [32..416, 576..XSTATE_LEN] {
        xstate[range].fill(0x5e);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_that_is_not_in_use_is_the_initial_one_whatever_bytes_lie_there() {
        let mut xstate = vec![0xab; XSTATE_LEN];
        xstate[HEADER] = 0;
        xstate[MXCSR_AT..MXCSR_AT + 4].copy_from_slice(&MXCSR.to_le_bytes());
        assert_eq!(canonical(&xstate), initial());
        poison_xstate(&mut xstate);
        assert_ne!(canonical(&xstate), initial());
    }
}
