//! Makes the image right for the base it was loaded at, then seals its constants.
//!
//! The base is not measured, so nobody outside may patch a page: the image does it itself, at its first entry, before
//! anything that holds an address is used. Afterwards the pages the linker marked as constant after relocation
//! (PT_GNU_RELRO) are restricted to read-only: the host is asked for EMODPR, and EACCEPT proves that it happened.

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::Permissions;

use crate::{image, pages};

/// Length of a relocation.
const RELA_LEN: u64 = size_of::<Rela>() as u64;

/// One entry of the dynamic section. System V ABI, "Dynamic Section".
#[derive(Clone, Copy)]
#[repr(C)]
struct Dynamic {
    tag: u64,
    value: u64,
}

/// One relocation with addend. System V ABI, "Relocation".
#[derive(Clone, Copy)]
#[repr(C)]
struct Rela {
    offset: u64,
    info: u64,
    addend: u64,
}

const DT_NULL: u64 = 0;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;

/// `*(base + offset) = base + addend`: the only relocation the image builder admits.
const R_X86_64_RELATIVE: u64 = 8;

/// Applies the image's own relocations. Runs once, before any constant that holds an address is read.
#[inline(never)]
pub(crate) fn apply() {
    let base = image::base();
    let Some(section) = image::program_header(image::PT_DYNAMIC) else {
        return;
    };
    let (mut table, mut len) = (0, 0);
    let mut entry = (base + section.address) as *const Dynamic;
    loop {
        // SAFETY: the linker ends the dynamic section with DT_NULL, and the section is measured.
        let Dynamic { tag, value } = unsafe { entry.read() };
        match tag {
            DT_NULL => break,
            DT_RELA => table = value,
            DT_RELASZ => len = value,
            _ => {}
        }
        entry = entry.wrapping_add(1);
    }
    for index in 0..len / RELA_LEN {
        let at = (base + table + index * RELA_LEN) as *const Rela;
        // SAFETY: DT_RELA and DT_RELASZ describe this table; both are measured.
        let relocation = unsafe { at.read() };
        if relocation.info == R_X86_64_RELATIVE {
            let target = (base + relocation.offset) as *mut u64;
            // SAFETY: the linker emitted the relocation for a word of the image's writable (until `seal`) data.
            unsafe { target.write_unaligned(base.wrapping_add(relocation.addend)) };
        }
    }
}

/// Restricts the pages that are constant from now on.
pub(crate) fn seal() {
    if let Some(header) = image::program_header(image::PT_GNU_RELRO) {
        let start = header.address & !(PAGE_LEN - 1);
        // The linker pads the region to whole pages; rounding down keeps us off the writable data behind it if not.
        let end = (header.address + header.memory_len) & !(PAGE_LEN - 1);
        if end > start {
            pages::restrict(start, end - start, Permissions::R);
        }
    }
}
