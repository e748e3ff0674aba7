//! Page tables that follow the EPCM.
//!
//! What the EPCM takes away is taken away at once. What it grants is granted when it is first used, for the whole run of
//! neighbouring pages that wait: an enclave that accepts ten thousand pages one by one costs one `mprotect`, not ten
//! thousand. [`Page::granted`](crate::backend::emulator::model::Page) says how far the page tables have come.

use std::io;

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::Permissions;

use crate::backend::PageRange;
use crate::backend::emulator::PAGE_BYTES;
use crate::backend::emulator::model::Model;

use super::range::Range;

/// Whether the page tables need to be touched for an access that failed or is about to be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reach {
    /// The EPCM allows the access, and now the page tables do.
    Granted,
    /// The EPCM does not allow it.
    Denied,
}

/// Makes sure that the page tables grant `needed` for the page at `offset`, if the EPCM does.
///
/// # Errors
/// Whatever `mprotect` says.
pub(super) fn reach(
    range: &Range,
    model: &mut Model,
    offset: u64,
    needed: Permissions,
) -> io::Result<Reach> {
    let Some(page) = model.page(offset).copied() else {
        return Ok(Reach::Denied);
    };
    let allowed = page.reachable() & range.mapped(offset);
    if !allowed.contains(needed) {
        return Ok(Reach::Denied);
    }
    if !page.granted.contains(needed) {
        grant_run(range, model, offset - offset % PAGE_LEN, allowed)?;
    }
    Ok(Reach::Granted)
}

/// Grants `wanted` to the page at `offset` and to all its neighbours that wait for the same.
fn grant_run(range: &Range, model: &mut Model, offset: u64, wanted: Permissions) -> io::Result<()> {
    let waits = |offset: u64| {
        model.page(offset).is_some_and(|page| {
            page.granted != wanted && page.reachable() & range.mapped(offset) == wanted
        })
    };
    let mut first = offset;
    while let Some(before) = first.checked_sub(PAGE_LEN).filter(|&before| waits(before)) {
        first = before;
    }
    let mut end = offset + PAGE_LEN;
    while waits(end) {
        end += PAGE_LEN;
    }
    set(range, model, first, end, wanted)
}

/// Takes away what the EPCM or the mapping no longer allows on these pages.
///
/// # Errors
/// Whatever `mprotect` says.
pub(super) fn revoke(range: &Range, model: &mut Model, pages: PageRange) -> io::Result<()> {
    let excess = |model: &Model, offset: u64| {
        model
            .page(offset)
            .map(|page| (page.granted, page.reachable() & range.mapped(offset)))
            .filter(|(granted, allowed)| !allowed.contains(*granted))
            .map(|(_, allowed)| allowed)
    };
    let stop = pages.offset + pages.count * PAGE_LEN;
    let mut offset = pages.offset;
    while offset < stop {
        let Some(wanted) = excess(model, offset) else {
            offset += PAGE_LEN;
            continue;
        };
        let first = offset;
        while offset < stop && excess(model, offset) == Some(wanted) {
            offset += PAGE_LEN;
        }
        set(range, model, first, offset, wanted)?;
    }
    Ok(())
}

/// Sets the page tables for the pages from `first` to `end`.
fn set(
    range: &Range,
    model: &mut Model,
    first: u64,
    end: u64,
    wanted: Permissions,
) -> io::Result<()> {
    range.protect(first, end - first, wanted)?;
    for offset in (first..end).step_by(PAGE_BYTES) {
        if let Some(page) = model.page_mut(offset) {
            page.granted = wanted;
        }
    }
    Ok(())
}
