//! REPORT: what the processor says about an enclave to another on the same machine; TARGETINFO: which other.

use super::{Attributes, Digest, MiscSelect};

structure! {
    /// The part of a REPORT that is authenticated; also the report inside a quote. Manual, "REPORT".
    ReportBody: size 384, align 8 {
        /// CPUSVN: security version of the processor.
        0 cpu_svn: [u8; 16],
        /// MISCSELECT.
        16 misc_select: MiscSelect,
        /// CET_ATTRIBUTES.
        20 cet_attributes: u8,
        /// Zero.
        21 reserved1: [u8; 11],
        /// ISVEXTPRODID: from SIGSTRUCT.
        32 isv_ext_prod_id: [u8; 16],
        /// ATTRIBUTES.
        48 attributes: Attributes,
        /// MRENCLAVE.
        64 mr_enclave: Digest,
        /// Zero.
        96 reserved2: [u8; 32],
        /// MRSIGNER.
        128 mr_signer: Digest,
        /// Zero.
        160 reserved3: [u8; 32],
        /// CONFIGID: from SECS.
        192 config_id: [u8; 64],
        /// ISVPRODID.
        256 isv_prod_id: u16,
        /// ISVSVN.
        258 isv_svn: u16,
        /// CONFIGSVN: from SECS.
        260 config_svn: u16,
        /// Zero.
        262 reserved4: [u8; 42],
        /// ISVFAMILYID: from SIGSTRUCT.
        304 isv_family_id: [u8; 16],
        /// REPORTDATA: chosen by the enclave.
        320 report_data: [u8; 64],
    }
}

structure! {
    /// REPORT: what EREPORT writes, at a multiple of 512. Manual, "REPORT".
    Report: size 432, align 8 {
        /// What is authenticated.
        0 body: ReportBody,
        /// KEYID: to derive the report key with.
        384 key_id: [u8; 32],
        /// MAC: AES-128-CMAC of `body` under the target's report key.
        416 mac: [u8; 16],
    }
}

structure! {
    /// TARGETINFO: the enclave that is to check a report. Manual, "TARGETINFO".
    TargetInfo: size 512, align 512 {
        /// MEASUREMENT: the target's MRENCLAVE.
        0 measurement: Digest,
        /// The target's ATTRIBUTES.
        32 attributes: Attributes,
        /// The target's CET_ATTRIBUTES.
        48 cet_attributes: u8,
        /// Zero.
        49 reserved1: [u8; 1],
        /// The target's CONFIGSVN.
        50 config_svn: u16,
        /// The target's MISCSELECT.
        52 misc_select: MiscSelect,
        /// Zero.
        56 reserved2: [u8; 8],
        /// The target's CONFIGID.
        64 config_id: [u8; 64],
        /// Zero.
        128 reserved3: [u8; 384],
    }
}

impl TargetInfo {
    /// The target that the body's enclave is.
    #[must_use]
    pub const fn of(body: &ReportBody) -> Self {
        Self {
            measurement: body.mr_enclave,
            attributes: body.attributes,
            cet_attributes: body.cet_attributes,
            config_svn: body.config_svn,
            misc_select: body.misc_select,
            config_id: body.config_id,
            ..Self::ZERO
        }
    }
}
