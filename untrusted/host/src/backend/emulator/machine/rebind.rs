//! Rebinding: the image's ENCLU sites become jumps, after the image has been measured.
//!
//! On a processor without SGX every ENCLU traps, which costs some microseconds. An image that wants the fast path ends each
//! of its ENCLUs in two more bytes, which make room for a jump to a trampoline below the base:
//!
//! ```text
//! in the image                        becomes                  trampoline
//! 0F 01 D7  0F 0B   enclu; ud2        E9 rel32   jmp ───────►  mov fs:[scratch], r11
//! 0F 01 D7  66 90   enclu; nop                                 mov r11, fs:[current]
//!                                                              mov dword ptr [r11 + site], offset of the site
//!                                                              jmp gate
//! ```
//!
//! Every site has its trampoline, so the way back needs no stack. A site without the two bytes, or one that is too far
//! away, keeps trapping. The bytes are looked for in executable pages only, where they cannot stand for anything else
//! unless they are part of an immediate operand; no compiler has produced one so far.

use std::io;
use std::mem::offset_of;

use memchr::memmem;
use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::Permissions;

use crate::backend::emulator::PAGE_BYTES;
use crate::backend::emulator::model::Model;

use super::context::Context;
use super::leaves::SITE_LEN;
use super::range::Range;
use super::switch;

/// ENCLU.
pub(super) const ENCLU: [u8; 3] = [0x0f, 0x01, 0xd7];
/// What may follow an ENCLU that is to be rebound: UD2, or a NOP of two bytes.
const TAILS: [[u8; 2]; 2] = [[0x0f, 0x0b], [0x66, 0x90]];
/// Length of one trampoline.
const TRAMPOLINE_LEN: usize = 40;
/// Bytes at the start of the trampoline page: the address of the gate.
const GATE_LEN: usize = 8;
/// Most sites that can be rebound: as many trampolines as fit into the page.
const SITES_MAX: usize = (PAGE_BYTES - GATE_LEN) / TRAMPOLINE_LEN;

/// Rebinds all sites in the executable pages from `first` to `end` (offsets from the base). No thread is inside.
///
/// # Errors
/// Whatever `mprotect` says.
pub(super) fn rebind(range: &Range, model: &Model, first: u64, end: u64) -> io::Result<()> {
    let mut trampolines = Trampolines::new(range);
    let mut page = first;
    while page < end {
        let run = executable_run(model, page, end);
        if run.is_empty() {
            page += PAGE_LEN;
            continue;
        }
        // One run has one mapping, or none yet.
        let granted = model
            .page(page)
            .map_or(Permissions::EMPTY, |page| page.granted);
        rebind_run(range, &run, granted, &mut trampolines)?;
        page = run.end;
    }
    trampolines.install(range)
}

/// The run of code from `page` on: pages that can be read and executed, and not written.
fn executable_run(model: &Model, page: u64, end: u64) -> std::ops::Range<u64> {
    let is_code = |offset: u64| {
        model
            .page(offset)
            .is_some_and(|page| page.reachable() == Permissions::RX)
    };
    let mut stop = page;
    while stop < end && is_code(stop) {
        stop += PAGE_LEN;
    }
    page..stop
}

fn rebind_run(
    range: &Range,
    run: &std::ops::Range<u64>,
    granted: Permissions,
    trampolines: &mut Trampolines,
) -> io::Result<()> {
    let len = run.end - run.start;
    let mut code = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    range.protect(run.start, len, Permissions::RW)?;
    // SAFETY: made readable just now; no thread is inside.
    unsafe { range.read(run.start, &mut code) };
    let jumps: Vec<(u64, [u8; SITE_LEN])> = sites(&code)
        .filter_map(|site| {
            let offset = run.start + site as u64;
            Some((range.base() + offset, trampolines.add(offset)?))
        })
        .collect();
    for (address, jump) in jumps {
        // SAFETY: made writable just now; no thread is inside.
        unsafe { range.patch(address, &jump) };
    }
    range.protect(run.start, len, granted)
}

/// Places in the code where a site begins.
fn sites(code: &[u8]) -> impl Iterator<Item = usize> {
    memmem::find_iter(code, &ENCLU).filter(|place| {
        let tail = code.get(place + ENCLU.len()..place + SITE_LEN);
        tail.is_some_and(|tail| TAILS.iter().any(|allowed| allowed == tail))
    })
}

/// The trampoline page as it is being written.
struct Trampolines {
    /// Address of the page.
    page: u64,
    base: u64,
    words: switch::ThreadWords,
    code: Vec<u8>,
    count: usize,
}

impl Trampolines {
    fn new(range: &Range) -> Self {
        Self {
            page: range.trampoline(),
            base: range.base(),
            words: switch::thread_words(),
            code: switch::gate().to_le_bytes().to_vec(),
            count: 0,
        }
    }

    /// Writes a trampoline for the site and returns the jump to it; `None` if that is not possible.
    fn add(&mut self, site: u64) -> Option<[u8; SITE_LEN]> {
        if self.count == SITES_MAX {
            return None;
        }
        let start = self.page + self.code.len() as u64;
        let site_end = self.base + site + SITE_LEN as u64;
        let distance = i32::try_from(start.cast_signed() - site_end.cast_signed()).ok()?;
        let code = self.trampoline(u32::try_from(site).ok()?)?;
        self.code.extend_from_slice(&code);
        self.count += 1;
        let [a, b, c, d] = distance.to_le_bytes();
        Some([0xe9, a, b, c, d])
    }

    fn trampoline(&self, site: u32) -> Option<[u8; TRAMPOLINE_LEN]> {
        let scratch = i32::try_from(self.words.scratch).ok()?;
        let current = i32::try_from(self.words.current).ok()?;
        let field = u32::try_from(offset_of!(Context, site)).ok()?;
        let mut code = Vec::with_capacity(TRAMPOLINE_LEN);
        // mov fs:[scratch], r11
        code.extend_from_slice(&[0x64, 0x4c, 0x89, 0x1c, 0x25]);
        code.extend_from_slice(&scratch.to_le_bytes());
        // mov r11, fs:[current]
        code.extend_from_slice(&[0x64, 0x4c, 0x8b, 0x1c, 0x25]);
        code.extend_from_slice(&current.to_le_bytes());
        // mov dword ptr [r11 + field], site
        code.extend_from_slice(&[0x41, 0xc7, 0x83]);
        code.extend_from_slice(&field.to_le_bytes());
        code.extend_from_slice(&site.to_le_bytes());
        // jmp [rip + distance to the start of the page]
        code.extend_from_slice(&[0xff, 0x25]);
        let behind = self.code.len() + code.len() + 4;
        code.extend_from_slice(&i32::try_from(behind).ok()?.wrapping_neg().to_le_bytes());
        // The rest of the place is never reached.
        code.resize(TRAMPOLINE_LEN, 0xcc);
        code.try_into().ok()
    }

    fn install(self, range: &Range) -> io::Result<()> {
        range.protect_trampoline(Permissions::RW)?;
        // SAFETY: made writable just now; no thread is inside.
        unsafe { range.patch(self.page, &self.code) };
        range.protect_trampoline(Permissions::RX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_an_enclu_with_one_of_the_two_tails() {
        let code = [
            0x90, 0x0f, 0x01, 0xd7, 0x0f, 0x0b, 0x0f, 0x01, 0xd7, 0xc3, 0x90, 0x0f, 0x01, 0xd7,
            0x66, 0x90, 0x0f, 0x01, 0xd7, 0x0f,
        ];
        assert_eq!(sites(&code).collect::<Vec<_>>(), [1, 11]);
        assert_eq!(sites(&code[..4]).count(), 0);
    }
}
