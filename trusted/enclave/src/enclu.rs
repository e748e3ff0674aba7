//! The processor's instructions for enclaves, as functions.
//!
//! Every operand lies in the enclave, at the alignment its type carries. Operands that hold secrets are the caller's to
//! zeroize.

use core::arch::asm;

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{
    Align16, Align128, Align512, Enclu, KeyRequest, PageKind, Permissions, Report, SecInfo,
    SecInfoFlags, TargetInfo,
};
use zeroize::{Zeroize as _, Zeroizing};

unsafe extern "sysv64" {
    /// Executes ENCLU with `leaf` in RAX and the operands in RBX, RCX and RDX; returns RAX. See `entry.s`.
    fn enclu(leaf: u64, rbx: u64, rcx: u64, rdx: u64) -> u64;
}

/// A refusal: the error code that the instruction left in RAX. Manual, "Error Codes".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refused(u64);

/// Makes a report for `target` that carries `data` (EREPORT).
pub(crate) fn report(target: &TargetInfo, data: &[u8; 64]) -> Report {
    let data = Align128(*data);
    let mut report = Align512(Report::ZERO);
    // SAFETY: TARGETINFO, REPORTDATA and the output lie in the enclave with the alignments 512, 128 and 512 that the
    // manual asks for, and the output is as long as a report.
    unsafe {
        enclu(
            Enclu::Report as u64,
            core::ptr::from_ref(target) as u64,
            (&raw const data) as u64,
            (&raw mut report) as u64,
        );
    }
    compiler_wrote(&mut report);
    report.0
}

/// Derives a key (EGETKEY). Refused if the request names versions higher than the enclave's or the processor's.
pub(crate) fn key(request: &KeyRequest) -> Result<Zeroizing<[u8; 16]>, Refused> {
    let request = Align512(*request);
    let mut key = Align16([0; 16]);
    // SAFETY: KEYREQUEST and the output lie in the enclave with the alignments 512 and 16 that the manual asks for, and
    // the output is as long as a key.
    let code = unsafe {
        enclu(
            Enclu::GetKey as u64,
            (&raw const request) as u64,
            (&raw mut key) as u64,
            0,
        )
    };
    compiler_wrote(&mut key);
    let taken = Zeroizing::new(key.0);
    key.0.zeroize();
    match code {
        0 => Ok(taken),
        code => Err(Refused(code)),
    }
}

/// Accepts what the driver did to the page at `address` (EACCEPT): the page is now exactly what `info` says.
pub(crate) fn accept(address: u64, info: &SecInfo) -> Result<(), Refused> {
    debug_assert!(address.is_multiple_of(PAGE_LEN));
    // SAFETY: SECINFO lies in the enclave, aligned to 64. The instruction changes the page's EPCM entry only, and only to
    // what the caller asked for; the callers in `pages` own the page.
    match unsafe {
        enclu(
            Enclu::Accept as u64,
            core::ptr::from_ref(info) as u64,
            address,
            0,
        )
    } {
        0 => Ok(()),
        code => Err(Refused(code)),
    }
}

/// Extends the permissions of the page at `address` (EMODPE).
pub(crate) fn extend(address: u64, permissions: Permissions) {
    let info = SecInfo::new(PageKind::Reg, permissions);
    // SAFETY: as for `accept`.
    unsafe { enclu(Enclu::ModPe as u64, (&raw const info) as u64, address, 0) };
}

/// What a page added to the running enclave must be: zeroed, readable and writable.
pub(crate) const FRESH: SecInfo =
    SecInfo::new(PageKind::Reg, Permissions::RW).with(SecInfoFlags::PENDING);

/// What a trimmed page must be.
pub(crate) const TRIMMED: SecInfo =
    SecInfo::new(PageKind::Trim, Permissions::from_bits(0)).with(SecInfoFlags::MODIFIED);

/// What a page must be whose permissions were restricted.
pub(crate) const fn restricted(permissions: Permissions) -> SecInfo {
    SecInfo::new(PageKind::Reg, permissions).with(SecInfoFlags::PR)
}

/// Tells the compiler that an instruction it knows nothing of wrote to `value`.
fn compiler_wrote<T>(value: &mut T) {
    // SAFETY: no instruction at all.
    unsafe { asm!("/* {} */", in(reg) value, options(nostack, preserves_flags)) };
}
