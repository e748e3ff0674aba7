//! The engine profile: what the compiler outside and the engine inside must agree on.
//!
//! Machine code compiled for another profile is refused by the engine when it is loaded. The list is kept here, once;
//! both sides turn it into their own configuration.

/// The engine, as the cache and the launch document name it. Changes whenever compiled code changes meaning.
pub const ENGINE: &str = "wasmtime-48";

/// The compilation target.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// One instruction-set extension that compiled code may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CpuFeature {
    /// The compiler's (Cranelift's) flag.
    pub flag: &'static str,
    /// The name under which the engine asks whether the processor has it.
    pub name: &'static str,
}

/// The extensions that compiled code may use: x86-64-v3, which every processor with SGX2, flexible launch control and
/// KSS has.
pub const CPU_FEATURES: [CpuFeature; 12] = [
    CpuFeature {
        flag: "has_cmpxchg16b",
        name: "cmpxchg16b",
    },
    CpuFeature {
        flag: "has_sse3",
        name: "sse3",
    },
    CpuFeature {
        flag: "has_ssse3",
        name: "ssse3",
    },
    CpuFeature {
        flag: "has_sse41",
        name: "sse4.1",
    },
    CpuFeature {
        flag: "has_sse42",
        name: "sse4.2",
    },
    CpuFeature {
        flag: "has_popcnt",
        name: "popcnt",
    },
    CpuFeature {
        flag: "has_avx",
        name: "avx",
    },
    CpuFeature {
        flag: "has_avx2",
        name: "avx2",
    },
    CpuFeature {
        flag: "has_fma",
        name: "fma",
    },
    CpuFeature {
        flag: "has_bmi1",
        name: "bmi1",
    },
    CpuFeature {
        flag: "has_bmi2",
        name: "bmi2",
    },
    CpuFeature {
        flag: "has_lzcnt",
        name: "lzcnt",
    },
];

/// Whether compiled code may use the extension that the engine calls `name`; `None` if the engine asks for one that
/// this profile does not know.
#[must_use]
pub fn has_cpu_feature(name: &str) -> Option<bool> {
    CPU_FEATURES
        .iter()
        .any(|feature| feature.name == name)
        .then_some(true)
}

/// Address range reserved for one linear memory. A 32-bit memory can never outgrow it, so no access needs a check.
pub const MEMORY_RESERVATION_LEN: u64 = 4 << 30;

/// Guard behind (and before) the reservation: larger than any constant offset that the compiler folds into an access
/// without a check of its own.
pub const MEMORY_GUARD_LEN: u64 = 32 << 20;
