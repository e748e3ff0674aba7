//! Where the vDSO's function is: the kernel maps a small ELF library into every process and says where (AT_SYSINFO_EHDR).

use std::io;
use std::ptr;

use object::elf;
use object::read::elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _, Sym as _};

use crate::backend::device::seam::EntryFunction;

/// Its name, as the kernel's documentation gives it.
const NAME: &[u8] = b"__vdso_sgx_enter_enclave";
/// ENCLU.
const ENCLU: [u8; 3] = [0x0f, 0x01, 0xd7];
/// The library's whole image, rounded up: no kernel's has more than a few pages. Only as much is read as its headers say.
const IMAGE_LEN_MAX: u64 = 64 << 10;

/// Finds the function in the running kernel's vDSO.
pub(super) fn find() -> io::Result<EntryFunction> {
    let (base, image) = image()?;
    find_in(image, base)
        .ok_or_else(|| not_found("the kernel's vDSO has no __vdso_sgx_enter_enclave"))
}

/// The running kernel's vDSO, and where it lies.
fn image() -> io::Result<(u64, &'static [u8])> {
    // SAFETY: getauxval has no preconditions.
    let base = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
    if base == 0 {
        return Err(not_found("the kernel gives this process no vDSO"));
    }
    let start =
        ptr::with_exposed_provenance::<u8>(usize::try_from(base).map_err(io::Error::other)?);
    const HEADER_LEN: usize = size_of::<elf::FileHeader64<object::Endianness>>();
    // SAFETY: AT_SYSINFO_EHDR is the address of an ELF header, mapped for the life of the process and never written.
    let header = unsafe { std::slice::from_raw_parts(start, HEADER_LEN) };
    let len =
        image_len(header).ok_or_else(|| not_found("the vDSO has a header of another kind"))?;
    // SAFETY: the section headers end the image, which the kernel maps as a whole, for the life of the process.
    Ok((base, unsafe { std::slice::from_raw_parts(start, len) }))
}

/// The length of the image: the section headers are its last part.
fn image_len(header: &[u8]) -> Option<usize> {
    let (file, _) = object::from_bytes::<elf::FileHeader64<object::Endianness>>(header).ok()?;
    let endian = file.endian().ok()?;
    let sections = u64::from(file.e_shentsize(endian)) * u64::from(file.e_shnum(endian));
    let end = file.e_shoff(endian).checked_add(sections)?;
    usize::try_from(end).ok().filter(|_| end <= IMAGE_LEN_MAX)
}

/// Finds the function in an image that lies at `base`.
fn find_in(image: &[u8], base: u64) -> Option<EntryFunction> {
    let (offset, body) = function(image, NAME)?;
    let enclu = body
        .windows(ENCLU.len())
        .position(|bytes| *bytes == ENCLU)?;
    Some(EntryFunction {
        function: base + offset,
        enclu: base + offset + enclu as u64,
    })
}

/// Where a function lies, counted from the image's start in memory, and its code.
fn function<'image>(image: &'image [u8], name: &[u8]) -> Option<(u64, &'image [u8])> {
    let file = elf::FileHeader64::<object::Endianness>::parse(image).ok()?;
    let endian = file.endian().ok()?;
    let first = file.program_headers(endian, image).ok()?.iter();
    let linked_at = first
        .filter(|segment| segment.p_type(endian) == elf::PT_LOAD)
        .map(|segment| segment.p_vaddr(endian))
        .min()?;
    let sections = file.sections(endian, image).ok()?;
    let symbols = sections.symbols(endian, image, elf::SHT_DYNSYM).ok()?;
    let symbol = symbols
        .iter()
        .find(|symbol| symbols.symbol_name(endian, symbol) == Ok(name))?;
    let section = sections.iter().find(|section| {
        let start = section.sh_addr(endian);
        start != 0 && symbol.st_value(endian).wrapping_sub(start) < section.sh_size(endian)
    })?;
    let code = section.data(endian, image).ok()?;
    let at = usize::try_from(symbol.st_value(endian) - section.sh_addr(endian)).ok()?;
    let len = usize::try_from(symbol.st_size(endian)).ok()?;
    let body = code.get(at..at.checked_add(len)?)?;
    Some((symbol.st_value(endian).checked_sub(linked_at)?, body))
}

fn not_found(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel may have no SGX, but its vDSO has functions that every program uses.
    #[test]
    fn functions_are_found_in_the_running_kernels_vdso() {
        let (base, image) = image().unwrap();
        let (offset, body) = function(image, b"__vdso_clock_gettime").unwrap();
        assert!(!body.is_empty());
        let at = usize::try_from(offset).unwrap();
        assert_eq!(
            image.get(at..at + body.len()),
            Some(body),
            "as it lies in memory"
        );
        assert_eq!(base % 4096, 0);
        assert_eq!(function(image, b"__vdso_no_such_function"), None);
    }

    #[test]
    fn what_is_no_image_has_no_function() {
        assert_eq!(find_in(&[0; 64], 0x1000), None);
        assert_eq!(image_len(&[0xff; 64]), None);
    }
}
