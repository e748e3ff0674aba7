//! Which instructions must not be in the image, and why.

use iced_x86::{EncodingKind, Instruction, Mnemonic, OpKind, Register};

/// Why an instruction must not be there.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Rule {
    /// Intel SDM volume 3D (325462-083), "Illegal Instructions Inside an Enclave".
    #[error("illegal inside an enclave")]
    Illegal,
    /// Needs privilege level 0; an enclave runs at 3.
    #[error("privileged")]
    Privileged,
    /// Not an instruction.
    #[error("not an instruction")]
    Unknown,
    /// RDTSC, RDTSCP, RDPID, XGETBV. The host chooses the answer, and older processors refuse RDTSC inside.
    #[error("its answer is the host's choice")]
    HostsAnswer,
    /// WRFSBASE, WRGSBASE. GS is what the entry code finds itself by; FS is the host's.
    #[error("the bases of FS and GS are the processor's to set, from the TCS")]
    SegmentBase,
    /// Memory through FS: host signal handlers keep their thread-local storage there when an enclave is emulated.
    #[error("FS is not used inside")]
    FsMemory,
    /// EVEX and other encodings for state that XFRM does not contain.
    #[error("needs processor state that is not the enclave's (XFRM)")]
    Unsaved,
    /// ENCLU that is not followed by what the emulator recognises.
    #[error("ENCLU must be followed by ud2 (EEXIT) or a two-byte nop (all others)")]
    EncluForm,
    /// ENCLU's bytes inside other instructions: a jump there would be an exit nobody has looked at.
    #[error("holds ENCLU inside")]
    HiddenEnclu,
}

/// The rule that an instruction breaks, wherever it stands.
pub(super) fn of(instruction: &Instruction) -> Option<Rule> {
    if instruction.is_invalid() {
        Some(Rule::Unknown)
    } else if is_illegal(instruction) {
        Some(Rule::Illegal)
    } else if instruction.is_privileged() {
        Some(Rule::Privileged)
    } else if uses_fs(instruction) {
        Some(Rule::FsMemory)
    } else if !matches!(
        instruction.encoding(),
        EncodingKind::Legacy | EncodingKind::VEX
    ) {
        Some(Rule::Unsaved)
    } else {
        unwanted(instruction.mnemonic())
    }
}

fn is_illegal(instruction: &Instruction) -> bool {
    loads_segment(instruction)
        || instruction.is_call_far()
        || instruction.is_call_far_indirect()
        || instruction.is_jmp_far()
        || instruction.is_jmp_far_indirect()
        || ILLEGAL.contains(&instruction.mnemonic())
}

/// MOV to and POP of a segment register.
fn loads_segment(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Mov | Mnemonic::Pop)
        && instruction.op0_kind() == OpKind::Register
        && instruction.op0_register().is_segment_register()
}

fn uses_fs(instruction: &Instruction) -> bool {
    let has_memory =
        (0..instruction.op_count()).any(|index| instruction.op_kind(index) == OpKind::Memory);
    instruction.segment_prefix() == Register::FS
        || has_memory && instruction.memory_segment() == Register::FS
}

fn unwanted(mnemonic: Mnemonic) -> Option<Rule> {
    match mnemonic {
        Mnemonic::Rdtsc | Mnemonic::Rdtscp | Mnemonic::Rdpid | Mnemonic::Xgetbv => {
            Some(Rule::HostsAnswer)
        }
        Mnemonic::Wrfsbase | Mnemonic::Wrgsbase => Some(Rule::SegmentBase),
        _ => None,
    }
}

/// The manual's list, less what has a form of its own above.
const ILLEGAL: &[Mnemonic] = &[
    Mnemonic::Cpuid,
    Mnemonic::Getsec,
    Mnemonic::Rdpmc,
    Mnemonic::Sgdt,
    Mnemonic::Sidt,
    Mnemonic::Sldt,
    Mnemonic::Str,
    Mnemonic::Smsw,
    Mnemonic::Vmcall,
    Mnemonic::Vmfunc,
    Mnemonic::In,
    Mnemonic::Insb,
    Mnemonic::Insw,
    Mnemonic::Insd,
    Mnemonic::Out,
    Mnemonic::Outsb,
    Mnemonic::Outsw,
    Mnemonic::Outsd,
    Mnemonic::Retf,
    Mnemonic::Int,
    Mnemonic::Int1,
    Mnemonic::Into,
    Mnemonic::Iret,
    Mnemonic::Iretd,
    Mnemonic::Iretq,
    Mnemonic::Lds,
    Mnemonic::Les,
    Mnemonic::Lfs,
    Mnemonic::Lgs,
    Mnemonic::Lss,
    Mnemonic::Syscall,
    Mnemonic::Sysret,
    Mnemonic::Sysretq,
    Mnemonic::Sysenter,
    Mnemonic::Sysexit,
    Mnemonic::Sysexitq,
    Mnemonic::Encls,
    Mnemonic::Enclv,
];
