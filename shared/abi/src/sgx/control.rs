//! The enclave's and the threads' control structures: SECS, TCS, ATTRIBUTES, MISCSELECT.
//!
//! SECS and TCS fill a page each, and whoever hands them to the processor puts them into one. The types here do not ask
//! for a page's alignment: with it, rustc 1.95 (LLVM 22) miscompiles functions that keep one on the stack, when the stack
//! is probed page by page and the prologue is moved behind an early return (the frame is neither saved nor aligned).

use super::Digest;

bits! {
    /// ATTRIBUTES.FLAGS. Manual, "ATTRIBUTES".
    AttributeFlags: u64 {
        /// EINIT has succeeded. Zero at ECREATE.
        INIT = 1;
        /// A debugger may read and write the enclave.
        DEBUG = 1 << 1;
        /// The enclave runs in 64-bit mode.
        MODE64BIT = 1 << 2;
        /// The provisioning keys are available.
        PROVISIONKEY = 1 << 4;
        /// The key that authenticates launch tokens is available.
        EINITTOKENKEY = 1 << 5;
        /// Control-flow enforcement is on.
        CET = 1 << 6;
        /// Key separation and sharing: CONFIGID, CONFIGSVN, ISVEXTPRODID, ISVFAMILYID are in force.
        KSS = 1 << 7;
        /// Threads may ask to be told of asynchronous exits.
        AEXNOTIFY = 1 << 10;
    }
}

bits! {
    /// MISCSELECT: what an asynchronous exit saves besides registers. Manual, "MISCSELECT".
    MiscSelect: u32 {
        /// Page faults and general protection faults are reported (EXINFO).
        EXINFO = 1;
        /// Control protection faults are reported.
        CPINFO = 1 << 1;
    }
}

structure! {
    /// ATTRIBUTES. Also a mask over them. Manual, "ATTRIBUTES".
    Attributes: size 16, align 8 {
        /// Flags.
        0 flags: AttributeFlags,
        /// The processor state that XSAVE saves for the enclave (as in XCR0).
        8 xfrm: u64,
    }
}

impl Attributes {
    /// These attributes, as far as `mask` selects them.
    #[must_use]
    pub const fn masked(self, mask: Self) -> Self {
        Self {
            flags: AttributeFlags::from_bits(self.flags.bits() & mask.flags.bits()),
            xfrm: self.xfrm & mask.xfrm,
        }
    }
}

structure! {
    /// SECS: the enclave's control structure. Manual, "SGX Enclave Control Structure (SECS)".
    Secs: size 4096, align 8 {
        /// Length of the address range, a power of two.
        0 size: u64,
        /// Address of the first byte, a multiple of `size`.
        8 base: u64,
        /// Pages in one SSA frame.
        16 ssa_frame_size: u32,
        /// What an asynchronous exit saves besides registers.
        20 misc_select: MiscSelect,
        /// CET_LEG_BITMAP_OFFSET; zero without CET.
        24 cet_legacy_bitmap: u64,
        /// CET_ATTRIBUTES; zero without CET.
        32 cet_attributes: u8,
        /// Zero.
        33 reserved1: [u8; 15],
        /// Attributes.
        48 attributes: Attributes,
        /// MRENCLAVE; written by the processor.
        64 mr_enclave: Digest,
        /// Zero.
        96 reserved2: [u8; 32],
        /// MRSIGNER; written by the processor.
        128 mr_signer: Digest,
        /// Zero.
        160 reserved3: [u8; 32],
        /// CONFIGID: what the enclave is for, chosen at creation. Needs KSS.
        192 config_id: [u8; 64],
        /// ISVPRODID; written by the processor.
        256 isv_prod_id: u16,
        /// ISVSVN; written by the processor.
        258 isv_svn: u16,
        /// CONFIGSVN: version of CONFIGID, chosen at creation. Needs KSS.
        260 config_svn: u16,
        /// Zero at ECREATE; the processor's own afterwards.
        262 reserved4: [u8; 3834],
    }
}

bits! {
    /// TCS.FLAGS. Manual, "TCS.FLAGS".
    TcsFlags: u64 {
        /// A debugger may trap in this thread.
        DBGOPTIN = 1;
        /// The thread may be told of asynchronous exits.
        AEXNOTIFY = 1 << 1;
    }
}

structure! {
    /// TCS: a thread's control structure. Manual, "Thread Control Structure (TCS)".
    Tcs: size 4096, align 8 {
        /// STAGE: the processor's own (busy or not). Zero at EADD.
        0 stage: u64,
        /// Flags.
        8 flags: TcsFlags,
        /// OSSA: offset of the first SSA frame from the enclave's base.
        16 ossa: u64,
        /// CSSA: index of the current SSA frame. Zero at EADD.
        24 cssa: u32,
        /// NSSA: number of SSA frames.
        28 nssa: u32,
        /// OENTRY: offset of the entry point from the enclave's base.
        32 oentry: u64,
        /// AEP: the processor's own. Zero at EADD.
        40 aep: u64,
        /// OFSBASE: offset of FS from the enclave's base.
        48 ofsbase: u64,
        /// OGSBASE: offset of GS from the enclave's base.
        56 ogsbase: u64,
        /// FSLIMIT; matters in 32-bit mode only.
        64 fslimit: u32,
        /// GSLIMIT; matters in 32-bit mode only.
        68 gslimit: u32,
        /// OCETSSA; zero without CET.
        72 ocetssa: u64,
        /// PREVSSP; zero without CET.
        80 prevssp: u64,
        /// Zero.
        88 reserved: [u8; 4008],
    }
}
