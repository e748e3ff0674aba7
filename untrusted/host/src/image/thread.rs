//! The threads' areas: stacks, state save area, thread block and TCS.

use twine_abi::layout::{
    BLOCK_OFFSET, EXCEPTION_LEN, EXCEPTION_OFFSET, PAGE_LEN, SSA_FRAME_PAGES, SSA_FRAMES,
    SSA_OFFSET, STACK_INITIAL_LEN, STACK_TOP, TCS_OFFSET, THREAD_COUNT, thread_area,
};
use twine_abi::sgx::{PageKind, Permissions, SecInfo, Tcs, TcsFlags};

use super::pages::{PAGE, PageRule, Pages};

/// Adds every thread's area. All threads start at `entry`, an offset from the enclave's base.
pub(crate) fn add_all(pages: &mut Pages, entry: u64) -> Result<(), PageRule> {
    for area in (0..THREAD_COUNT).filter_map(thread_area) {
        add(pages, area, entry)?;
    }
    Ok(())
}

/// Adds what exists of the area at `area` from the start. Zeroes are measured too: an unmeasured page has the contents
/// that the host chooses.
fn add(pages: &mut Pages, area: u64, entry: u64) -> Result<(), PageRule> {
    let data = SecInfo::new(PageKind::Reg, Permissions::RW);
    let stack = STACK_TOP - STACK_INITIAL_LEN;
    let frames = u64::from(SSA_FRAMES) * u64::from(SSA_FRAME_PAGES) * PAGE_LEN;
    pages.add(area + stack, data, zeroes(STACK_INITIAL_LEN))?;
    pages.add(area + EXCEPTION_OFFSET, data, zeroes(EXCEPTION_LEN))?;
    pages.add(area + SSA_OFFSET, data, zeroes(frames))?;
    pages.add(area + BLOCK_OFFSET, data, block(area))?;
    let tcs = SecInfo::new(PageKind::Tcs, Permissions::EMPTY);
    pages.add(
        area + TCS_OFFSET,
        tcs,
        tcs_page(area, entry).to_bytes().to_vec(),
    )
}

/// The thread block as the entry code finds it: the offset of its area, then zeroes.
fn block(area: u64) -> Vec<u8> {
    let mut block = area.to_le_bytes().to_vec();
    block.resize(PAGE, 0);
    block
}

/// The TCS. FS is given the thread block too: it is never used inside, and must not point anywhere else.
fn tcs_page(area: u64, entry: u64) -> Tcs {
    Tcs {
        flags: TcsFlags::EMPTY,
        ossa: area + SSA_OFFSET,
        nssa: SSA_FRAMES,
        oentry: entry,
        ofsbase: area + BLOCK_OFFSET,
        ogsbase: area + BLOCK_OFFSET,
        fslimit: u32::MAX,
        gslimit: u32::MAX,
        ..Tcs::ZERO
    }
}

/// `len` zero bytes; `len` is a constant of the layout.
fn zeroes(len: u64) -> Vec<u8> {
    vec![0; usize::try_from(len).unwrap_or_default()]
}
