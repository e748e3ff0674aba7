//! Enclaves that come with the platform: they are there without having been built.

use std::collections::BTreeMap;

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{AttributeFlags, Attributes, Digest, Secs};

use super::Model;
use super::measure::Measurement;
use super::pages::PageTable;
use super::processor::Processor;

impl Model {
    /// An initialised enclave without pages or threads: it cannot be entered, but it is somebody, so it has keys and can
    /// make reports.
    pub(in crate::backend::emulator) fn architectural(
        processor: &Processor,
        identity: &Architectural,
    ) -> Self {
        let secs = Secs {
            size: 2 * PAGE_LEN,
            ssa_frame_size: 1,
            attributes: Attributes {
                flags: AttributeFlags::INIT | AttributeFlags::MODE64BIT | identity.rights,
                xfrm: 0b11,
            },
            mr_enclave: identity.mr_enclave,
            mr_signer: identity.mr_signer,
            isv_prod_id: identity.isv_prod_id,
            isv_svn: identity.isv_svn,
            ..Secs::ZERO
        };
        Self {
            processor: processor.clone(),
            isv_family_id: [0; 16],
            isv_ext_prod_id: [0; 16],
            measurement: Measurement::create(secs.ssa_frame_size, secs.size),
            pages: PageTable::new(0),
            threads: BTreeMap::new(),
            secs,
        }
    }
}

/// Who an enclave of the platform is.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend::emulator) struct Architectural {
    pub(in crate::backend::emulator) mr_enclave: Digest,
    pub(in crate::backend::emulator) mr_signer: Digest,
    pub(in crate::backend::emulator) isv_prod_id: u16,
    pub(in crate::backend::emulator) isv_svn: u16,
    /// Attributes besides INIT and MODE64BIT.
    pub(in crate::backend::emulator) rights: AttributeFlags,
}
