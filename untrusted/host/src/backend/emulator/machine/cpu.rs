//! The two things asked of the real processor: the GS base, and whether it has AVX state.

use std::arch::asm;
use std::sync::OnceLock;

/// Bit of AT_HWCAP2 that says that user programs may use RDGSBASE and WRGSBASE (Linux, `asm/hwcap2.h`).
const HWCAP2_FSGSBASE: u64 = 1 << 1;
/// Operation of arch_prctl (Linux, `asm/prctl.h`).
const ARCH_SET_GS: i32 = 0x1001;
/// Operation of arch_prctl (Linux, `asm/prctl.h`).
const ARCH_GET_GS: i32 = 0x1004;

/// Whether the GS base can be reached without a system call.
fn has_fsgsbase() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    // SAFETY: getauxval has no preconditions.
    *ANSWER.get_or_init(|| unsafe { libc::getauxval(libc::AT_HWCAP2) } & HWCAP2_FSGSBASE != 0)
}

/// The thread's GS base.
pub(super) fn gs_base() -> u64 {
    let mut base = 0_u64;
    if has_fsgsbase() {
        // SAFETY: the instruction exists and is enabled, as has_fsgsbase says; it writes one register.
        unsafe { asm!("rdgsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    } else {
        // SAFETY: ARCH_GET_GS writes eight bytes to the given address, which is that of `base`.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_GET_GS, &raw mut base) };
    }
    base
}

/// Sets the thread's GS base. Nothing on the host's side of a 64-bit Linux program uses GS.
pub(super) fn set_gs_base(base: u64) {
    if has_fsgsbase() {
        // SAFETY: the instruction exists and is enabled, as has_fsgsbase says. No Rust code depends on GS.
        unsafe { asm!("wrgsbase {}", in(reg) base, options(nomem, nostack, preserves_flags)) };
    } else {
        // SAFETY: ARCH_SET_GS reads no memory. No Rust code depends on GS.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, base) };
    }
}
