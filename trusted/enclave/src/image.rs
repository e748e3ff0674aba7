//! What the image knows about itself: its base, its range, its own program headers.
//!
//! The linker puts the ELF header at the base, and everything else is an offset that is measured. The host is never
//! asked where the enclave lies.

use core::arch::asm;
use core::ops::Range;

use twine_abi::layout::ENCLAVE_LEN;

/// ELF header, up to the program header count. System V ABI, "ELF Header".
#[repr(C)]
struct ElfHeader {
    ident: [u8; 16],
    kind: u16,
    machine: u16,
    version: u32,
    entry: u64,
    program_headers: u64,
    section_headers: u64,
    flags: u32,
    header_len: u16,
    program_header_len: u16,
    program_header_count: u16,
}

/// One program header. System V ABI, "Program Header".
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct ProgramHeader {
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) file_offset: u64,
    pub(crate) address: u64,
    pub(crate) physical: u64,
    pub(crate) file_len: u64,
    pub(crate) memory_len: u64,
    pub(crate) align: u64,
}

/// The enclave's dynamic section (PT_DYNAMIC).
pub(crate) const PT_DYNAMIC: u32 = 2;
/// What becomes read-only after relocation (PT_GNU_RELRO).
pub(crate) const PT_GNU_RELRO: u32 = 0x6474_e552;

/// The enclave's first address, where the linker puts the ELF header.
///
/// Counted from the instruction pointer: a Rust `static` of that name would be looked up in the global offset table, which
/// holds the right address only after the image has relocated itself, and that is what the base is needed for.
#[inline(always)]
pub(crate) fn base() -> u64 {
    let base: u64;
    // SAFETY: computes an address and touches nothing.
    unsafe {
        asm!("lea {}, [rip + __ehdr_start]", out(reg) base, options(pure, nomem, nostack, preserves_flags));
    }
    base
}

/// The ELF header.
fn header() -> &'static ElfHeader {
    // SAFETY: the linker put it at the base, in the image's first, read-only segment, which is measured and never written.
    unsafe { &*(base() as *const ElfHeader) }
}

/// The first program header of a kind.
pub(crate) fn program_header(kind: u32) -> Option<ProgramHeader> {
    let first = base() + header().program_headers;
    (0..u64::from(header().program_header_count)).find_map(|index| {
        let at = (first + index * size_of::<ProgramHeader>() as u64) as *const ProgramHeader;
        // SAFETY: the linker wrote `program_header_count` headers there, in the image's first, read-only segment, which is
        // measured; the image builder refuses an image whose headers lie elsewhere.
        let header = unsafe { at.read() };
        (header.kind == kind).then_some(header)
    })
}

/// Whether a range lies wholly outside the enclave, without wrapping around, at an address aligned to 8.
pub(crate) fn is_outside(address: u64, len: u64) -> bool {
    let Some(end) = address.checked_add(len) else {
        return false;
    };
    let enclave = range();
    address != 0 && address.is_multiple_of(8) && (end <= enclave.start || address >= enclave.end)
}

/// The enclave's address range.
pub(crate) fn range() -> Range<u64> {
    base()..base() + ENCLAVE_LEN
}
