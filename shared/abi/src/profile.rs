//! The engine profile: what the compiler outside and the engine inside must agree on.
//!
//! Machine code compiled for another profile is refused by the engine when it is loaded. The settings are kept here,
//! once, and both sides apply them with [`apply_profile!`](crate::apply_profile): what the compiler assumes is then
//! what the engine does, by construction. Only what cannot change the compiled code's meaning is left to each side.

/// The engine, as the cache and the launch document name it. Changes whenever compiled code changes meaning:
/// the engine's version, then a number of the profile's own.
pub const ENGINE: &str = "wasmtime-48.3";

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

/// A setting of the compiler beyond the processor's extensions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CompilerFlag {
    /// The compiler's (Cranelift's) flag.
    pub flag: &'static str,
    /// Its value.
    pub value: &'static str,
}

/// Settings of the compiler that the engine inside cannot see, and that its safety depends on.
///
/// By default an access out of bounds is sent to address 0, which stops speculation and is expected to fault. Address 0
/// belongs to the host here: it can map a page there, and the guest would go on with whatever the host put into it, be
/// it a number or a function. So bounds are checked by a branch to a trap, which asks nobody.
pub const COMPILER_FLAGS: [CompilerFlag; 2] = [
    CompilerFlag {
        flag: "enable_heap_access_spectre_mitigation",
        value: "false",
    },
    CompilerFlag {
        flag: "enable_table_access_spectre_mitigation",
        value: "false",
    },
];

/// The module that compiled code imports [`NULL_CALL_NAME`] from.
pub const NULL_CALL_MODULE: &str = "twine";

/// The function that compiled code calls instead of a null function: it takes nothing, and traps.
///
/// To the engine's compiler a null function is one more read around address 0 that is expected to fault, and it has no
/// setting against it. So modules are given checks of their own before they are compiled.
pub const NULL_CALL_NAME: &str = "null_call";

/// Address range reserved for one linear memory. A 32-bit memory can never outgrow it, so no access needs a check.
pub const MEMORY_RESERVATION_LEN: u64 = 4 << 30;

/// Guard behind (and before) the reservation: larger than any constant offset that the compiler folds into an access
/// without a check of its own.
pub const MEMORY_GUARD_LEN: u64 = 32 << 20;

/// Applies the profile to an engine configuration, whichever side's: `apply_profile!(config)` with a
/// `&mut wasmtime::Config`. Evaluates to a `wasmtime::Result<()>`, an error only if the target is not compiled in.
///
/// A macro, because this crate does not depend on the engine: the calls resolve in the crate that uses it.
#[macro_export]
macro_rules! apply_profile {
    ($config:expr) => {{
        let config: &mut ::wasmtime::Config = $config;
        config.target($crate::profile::TARGET).map(|config| {
            // Memory: a reservation that cannot be outgrown, guards on both sides, no checks in the code. There is no
            // file system inside to map initial contents from.
            config
                .memory_reservation($crate::profile::MEMORY_RESERVATION_LEN)
                .memory_guard_size($crate::profile::MEMORY_GUARD_LEN)
                .guard_before_linear_memory(true)
                .memory_may_move(false)
                .memory_init_cow(false)
                .signals_based_traps(true);
            // Tables are filled at the start: an entry is then what is called, or null, and the check for null before each
            // indirect call is a test and a branch.
            config.table_lazy_init(false);
            // Deadlines are exceptions from outside, so the code counts nothing.
            config.epoch_interruption(false).consume_fuel(false);
            // Toolchains have inlined already (`docs/decisions/0010-no-inlining.md`).
            config.compiler_inlining(::wasmtime::Inlining::No);
            // Backtraces take names from the name section; symbols and line tables only make modules larger.
            config
                .debug_info(false)
                .debug_symbols(false)
                .wasm_backtrace_details(::wasmtime::WasmBacktraceDetails::Disable);
            // The language: the features in which toolchains emit WASI programs. The rest is off until a guest needs it:
            // memory64 would need checks in the code, and exceptions and GC objects a collector that collects.
            config
                .wasm_bulk_memory(true)
                .wasm_multi_value(true)
                .wasm_reference_types(true)
                .wasm_simd(true)
                .wasm_relaxed_simd(true)
                .wasm_tail_call(true)
                .wasm_extended_const(true)
                .wasm_multi_memory(false)
                .wasm_memory64(false)
                .wasm_function_references(false)
                .wasm_gc(false)
                .wasm_exceptions(false)
                .wasm_custom_page_sizes(false)
                .wasm_wide_arithmetic(false)
                .wasm_stack_switching(false);
            // The profile fixes the instruction set, so relaxed operations already give one result everywhere; forcing
            // the specification's deterministic lowering would only cost time.
            config.relaxed_simd_deterministic(false);
            // `externref` lives on a heap of its own, which a run is too short to need collected.
            config.collector(::wasmtime::Collector::Null);
            // One thread of one guest.
            config.concurrency_support(false);
        })
    }};
}
