//! Building an enclave: pages get their contents, and the finished image its jumps.

use std::io;

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{PageKind, Permissions, SecInfo, Sigstruct};

use crate::backend::emulator::PAGE_BYTES;
use crate::backend::emulator::model::Model;
use crate::backend::{BackendError, Measure, Refusal};

use super::instance::{Instance, os, refused};
use super::{exits, rebind};

/// Chunks of a page, each measured by one EEXTEND.
const CHUNKS: u64 = 16;

impl Instance {
    /// EADD and EEXTEND for whole pages.
    pub(in crate::backend::emulator) fn add_pages(
        &mut self,
        offset: u64,
        bytes: &[u8],
        info: &SecInfo,
        measure: Measure,
    ) -> Result<(), BackendError> {
        let (pages, rest) = bytes.as_chunks::<PAGE_BYTES>();
        if !rest.is_empty() || !offset.is_multiple_of(PAGE_LEN) {
            let reason = Refusal::GeneralProtection("pages are added as a whole");
            return Err(refused("EADD")(reason));
        }
        let mut state = self.lock();
        for (place, page) in (offset..).step_by(PAGE_BYTES).zip(pages) {
            state
                .model
                .add(place, page, info, measure)
                .map_err(refused("EADD"))?;
            self.note(&state.model, place, "EADD");
        }
        self.tally.added.add(pages.len() as u64);
        if measure == Measure::Contents {
            self.tally.measured.add(pages.len() as u64 * CHUNKS);
        }
        self.fill(&mut state.model, offset, pages)
            .map_err(exits::os)?;
        drop(state);
        self.end = self.end.max(offset + bytes.len() as u64);
        Ok(())
    }

    /// Puts the contents of added pages into memory and grants what the EPCM allows. A page of zeros needs no contents,
    /// and a TCS has none that anybody could read.
    fn fill(&self, model: &mut Model, offset: u64, pages: &[[u8; PAGE_BYTES]]) -> io::Result<()> {
        let len = (pages.len() * PAGE_BYTES) as u64;
        let is_thread = model
            .page(offset)
            .is_none_or(|page| page.kind == PageKind::Tcs);
        if is_thread {
            return Ok(());
        }
        self.range.protect(offset, len, Permissions::RW)?;
        for (place, page) in (offset..).step_by(PAGE_BYTES).zip(pages) {
            if page.iter().any(|&byte| byte != 0) {
                // SAFETY: made writable just now; the enclave is being built, so no thread is inside.
                unsafe { self.range.patch(self.range.base() + place, page) };
            }
            let mapped = self.range.mapped(place);
            if let Some(page) = model.page_mut(place) {
                page.granted = page.reachable() & mapped;
            }
        }
        let permissions = model
            .page(offset)
            .map_or(Permissions::EMPTY, |page| page.granted);
        self.range.protect(offset, len, permissions)
    }

    /// EINIT; afterwards the image's ENCLU sites are rebound if `rebinding` says so.
    pub(in crate::backend::emulator) fn initialise(
        &mut self,
        sigstruct: &Sigstruct,
        rebinding: Rebinding,
    ) -> Result<(), BackendError> {
        let mut state = self.lock();
        state.model.init(sigstruct).map_err(refused("EINIT"))?;
        if rebinding == Rebinding::Jumps {
            rebind::rebind(&self.range, &state.model, 0, self.end)
                .map_err(os("rebinding ENCLU sites"))?;
        }
        Ok(())
    }
}

/// Whether the image's ENCLU sites are turned into jumps.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Rebinding {
    /// Yes, where the image has left room for it.
    #[default]
    Jumps,
    /// No: every ENCLU traps.
    Traps,
}
