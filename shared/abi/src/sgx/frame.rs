//! The state save area: where an asynchronous exit leaves a thread's state.
//!
//! ```text
//! 0                                                                       SSA frame length
//! ├─ XSAVE area (as ATTRIBUTES.XFRM says) ─┬─ … ─┬─ EXINFO 16 ─┬─ GPRSGX 184 ─┤
//! ```

/// The kind of exception in EXITINFO.EXIT_TYPE. Manual, "EXIT_INFO".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum ExitKind {
    /// Raised by the processor.
    Hardware = 3,
    /// Raised by an instruction made for it (INT3, INTO, BOUND).
    Software = 6,
}

bits! {
    /// EXITINFO: which exception caused the exit, if the manual lets the enclave know. Manual, "EXITINFO".
    ExitInfo: u32 {
        /// The vector.
        VECTOR = 0xff;
        /// The kind, an [`ExitKind`].
        EXIT_TYPE = 0b111 << 8;
        /// The rest has meaning.
        VALID = 1 << 31;
    }
}

impl ExitInfo {
    /// An exception that is reported.
    #[must_use]
    pub const fn new(vector: u8, kind: ExitKind) -> Self {
        Self::from_bits(vector as u32 | ((kind as u32) << 8)).union(Self::VALID)
    }

    /// The vector, if one was reported.
    #[must_use]
    pub const fn vector(self) -> Option<u8> {
        let [vector, ..] = self.bits().to_le_bytes();
        if self.contains(Self::VALID) {
            Some(vector)
        } else {
            None
        }
    }

    /// The kind, if an exception of a known one was reported.
    #[must_use]
    pub const fn kind(self) -> Option<ExitKind> {
        if !self.contains(Self::VALID) {
            return None;
        }
        match (self.bits() >> 8) & 0b111 {
            3 => Some(ExitKind::Hardware),
            6 => Some(ExitKind::Software),
            _ => None,
        }
    }
}

structure! {
    /// GPRSGX: the last 184 bytes of an SSA frame. Manual, "GPRSGX Region".
    GprSgx: size 184, align 8 {
        /// RAX.
        0 rax: u64,
        /// RCX.
        8 rcx: u64,
        /// RDX.
        16 rdx: u64,
        /// RBX.
        24 rbx: u64,
        /// RSP.
        32 rsp: u64,
        /// RBP.
        40 rbp: u64,
        /// RSI.
        48 rsi: u64,
        /// RDI.
        56 rdi: u64,
        /// R8.
        64 r8: u64,
        /// R9.
        72 r9: u64,
        /// R10.
        80 r10: u64,
        /// R11.
        88 r11: u64,
        /// R12.
        96 r12: u64,
        /// R13.
        104 r13: u64,
        /// R14.
        112 r14: u64,
        /// R15.
        120 r15: u64,
        /// RFLAGS.
        128 rflags: u64,
        /// RIP.
        136 rip: u64,
        /// URSP: RSP outside, as it was at EENTER.
        144 ursp: u64,
        /// URBP: RBP outside, as it was at EENTER.
        152 urbp: u64,
        /// EXITINFO.
        160 exit_info: ExitInfo,
        /// Zero.
        164 reserved: [u8; 3],
        /// AEXNOTIFY: bit 0, whether ERESUME is to enter instead.
        167 aex_notify: u8,
        /// FSBASE.
        168 fs_base: u64,
        /// GSBASE.
        176 gs_base: u64,
    }
}

bits! {
    /// A page fault's error code, as in EXINFO.ERRCD. Manual, "Page-Fault Error Code".
    FaultCode: u32 {
        /// The page is there; a right was missing.
        PRESENT = 1;
        /// A write.
        WRITE = 1 << 1;
        /// From user mode.
        USER = 1 << 2;
        /// An instruction fetch.
        FETCH = 1 << 4;
        /// The EPCM refused, not the page tables.
        SGX = 1 << 15;
    }
}

structure! {
    /// EXINFO: the 16 bytes below GPRSGX, with [`super::MiscSelect::EXINFO`]. Manual, "EXINFO Structure".
    ExInfo: size 16, align 8 {
        /// MADDR: the address of a page fault; zero with a general protection fault.
        0 address: u64,
        /// ERRCD: the exception's error code, a [`FaultCode`] with a page fault.
        8 error_code: u32,
        /// Zero.
        12 reserved: u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_without_the_valid_bit_reports_nothing() {
        let info = ExitInfo::new(14, ExitKind::Hardware);
        assert_eq!(info.bits(), 0x8000_030e);
        assert_eq!(info.vector(), Some(14));
        assert_eq!(info.kind(), Some(ExitKind::Hardware));
        let unreported = info.without(ExitInfo::VALID);
        assert_eq!(unreported.vector(), None);
        assert_eq!(unreported.kind(), None);
    }
}
