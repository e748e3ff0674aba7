//! Building an enclave: ECREATE, EADD, EEXTEND.
//!
//! Manual, "ECREATE", "EADD", "EEXTEND". Two rules are the Linux driver's and not the processor's, because an enclave
//! that breaks them could not be built there either: a page is added once, and a TCS has no permissions.

use std::collections::BTreeMap;

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{
    AttributeFlags, PageKind, Permissions, SecInfo, SecInfoFlags, Secs, Tcs, TcsFlags,
};

use crate::backend::emulator::PAGE_BYTES;
use crate::backend::{Measure, Refusal};

use super::measure::{EXTEND_LEN, Measurement};
use super::pages::{Page, PageTable};
use super::processor::{ENCLAVE_LEN_MAX, Processor};
use super::threads::Thread;
use super::{Model, require};

/// One page of bytes.
pub(in crate::backend::emulator) type PageBytes = [u8; PAGE_BYTES];

impl Model {
    /// ECREATE at the base that stands in `secs`.
    pub(in crate::backend::emulator) fn create(
        processor: &Processor,
        secs: &Secs,
    ) -> Result<Self, Refusal> {
        check_range(secs)?;
        check_features(processor, secs)?;
        check_reserved(secs)?;
        Ok(Self {
            processor: processor.clone(),
            secs: *secs,
            isv_family_id: [0; 16],
            isv_ext_prod_id: [0; 16],
            measurement: Measurement::create(secs.ssa_frame_size, secs.size),
            pages: PageTable::new(secs.size / PAGE_LEN),
            threads: BTreeMap::new(),
        })
    }

    /// EADD, followed by sixteen EEXTENDs if the contents are to be measured.
    pub(in crate::backend::emulator) fn add(
        &mut self,
        offset: u64,
        bytes: &PageBytes,
        info: &SecInfo,
        measure: Measure,
    ) -> Result<(), Refusal> {
        require(!self.is_initialised(), "EADD after EINIT")?;
        require(
            offset.is_multiple_of(PAGE_LEN) && offset < self.secs.size,
            "the page is misaligned or outside the enclave",
        )?;
        require(
            self.page(offset).is_none(),
            "there is a page at this address already",
        )?;
        let permissions = info.permissions();
        let kind = check_new_page(info)?;
        if kind == PageKind::Tcs {
            let tcs = Tcs::from_bytes(bytes);
            check_new_tcs(&tcs)?;
            self.threads.insert(offset, Thread::new(tcs));
        }
        self.measurement.add(offset, info);
        if measure == Measure::Contents {
            let (chunks, _) = bytes.as_chunks::<EXTEND_LEN>();
            for (place, chunk) in (offset..).step_by(EXTEND_LEN).zip(chunks) {
                self.measurement.extend(place, chunk);
            }
        }
        self.pages
            .set(offset / PAGE_LEN, Some(Page::settled(kind, permissions)));
        Ok(())
    }
}

fn check_range(secs: &Secs) -> Result<(), Refusal> {
    require(
        secs.size.is_power_of_two() && (2 * PAGE_LEN..=ENCLAVE_LEN_MAX).contains(&secs.size),
        "SECS.SIZE is not a power of two in the supported range",
    )?;
    require(
        secs.base.is_multiple_of(secs.size),
        "SECS.BASEADDR is not a multiple of SECS.SIZE",
    )
}

fn check_features(processor: &Processor, secs: &Secs) -> Result<(), Refusal> {
    require(
        processor.supports(secs.attributes),
        "SECS.ATTRIBUTES asks for what the processor does not offer, or sets INIT",
    )?;
    require(
        processor.misc_select().contains(secs.misc_select),
        "SECS.MISCSELECT asks for what the processor does not offer",
    )?;
    require(
        u64::from(secs.ssa_frame_size)
            >= processor.ssa_frame_pages(secs.attributes, secs.misc_select),
        "SECS.SSAFRAMESIZE is too small for the state to be saved",
    )?;
    let kss = secs.attributes.flags.contains(AttributeFlags::KSS);
    require(
        kss || (secs.config_id == [0; 64] && secs.config_svn == 0),
        "SECS.CONFIGID or SECS.CONFIGSVN without KSS",
    )
}

fn check_reserved(secs: &Secs) -> Result<(), Refusal> {
    let as_required = Secs {
        size: secs.size,
        base: secs.base,
        ssa_frame_size: secs.ssa_frame_size,
        misc_select: secs.misc_select,
        attributes: secs.attributes,
        config_id: secs.config_id,
        config_svn: secs.config_svn,
        ..Secs::ZERO
    };
    require(
        *secs == as_required,
        "a field of SECS that is reserved or the processor's own is not zero",
    )
}

fn check_new_page(info: &SecInfo) -> Result<PageKind, Refusal> {
    let state = SecInfoFlags::PENDING
        .union(SecInfoFlags::MODIFIED)
        .union(SecInfoFlags::PR);
    require(
        info.reserved == [0; 56]
            && SecInfoFlags::NAMED.contains(info.flags)
            && !info.flags.intersects(state),
        "SECINFO sets bits that are reserved",
    )?;
    let permissions = info.permissions();
    match info.kind() {
        Ok(PageKind::Reg) => {
            require(
                permissions.contains(Permissions::R) || !permissions.contains(Permissions::W),
                "SECINFO: W without R",
            )?;
            Ok(PageKind::Reg)
        }
        Ok(PageKind::Tcs) => {
            require(
                permissions == Permissions::EMPTY,
                "SECINFO: a TCS has no permissions",
            )?;
            Ok(PageKind::Tcs)
        }
        _ => Err(Refusal::GeneralProtection(
            "SECINFO: only regular pages and TCS can be added",
        )),
    }
}

fn check_new_tcs(tcs: &Tcs) -> Result<(), Refusal> {
    let aligned = [tcs.ossa, tcs.ofsbase, tcs.ogsbase]
        .iter()
        .all(|offset| offset.is_multiple_of(PAGE_LEN));
    require(aligned, "TCS: OSSA, OFSBASE or OGSBASE is not page-aligned")?;
    // The processor clears DBGOPTIN, STATE, CSSA and AEP. An image that sets them would differ from its measurement.
    require(
        tcs.stage == 0
            && tcs.cssa == 0
            && tcs.aep == 0
            && tcs.flags == TcsFlags::EMPTY
            && tcs.ocetssa == 0
            && tcs.prevssp == 0
            && tcs.reserved == [0; 4008],
        "TCS: a field that is reserved or the processor's own is not zero",
    )
}
