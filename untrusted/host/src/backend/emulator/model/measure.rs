//! MRENCLAVE: SHA-256 over one record of 64 bytes for each step of the building.
//!
//! ```text
//! ECREATE  "ECREATE\0"  SSAFRAMESIZE u32  SIZE u64              zero to 64
//! EADD     "EADD\0\0\0\0"  offset u64  first 48 bytes of SECINFO
//! EEXTEND  "EEXTEND\0"  offset u64        zero to 64            then the 256 bytes measured
//! ```
//!
//! Manual, "ECREATE", "EADD", "EEXTEND", operation sections. The image builder computes the same by its own code; that
//! the two agree is a test.

use sha2::{Digest as _, Sha256};
use twine_abi::sgx::{Digest, SecInfo};

/// Bytes that one EEXTEND measures.
pub(super) const EXTEND_LEN: usize = 256;

/// The bytes of a SECINFO that EADD measures.
const SECINFO_MEASURED: usize = 48;

/// A measurement that is under way.
#[derive(Clone, Debug)]
pub(super) struct Measurement(Sha256);

impl Measurement {
    /// Begins with the record of ECREATE.
    pub(super) fn create(ssa_frame_size: u32, size: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"ECREATE\0");
        hash.update(ssa_frame_size.to_le_bytes());
        hash.update(size.to_le_bytes());
        hash.update([0; 44]);
        Self(hash)
    }

    /// Adds the record of EADD.
    pub(super) fn add(&mut self, offset: u64, info: &SecInfo) {
        self.0.update(b"EADD\0\0\0\0");
        self.0.update(offset.to_le_bytes());
        let info = info.to_bytes();
        let (measured, _) = info.split_at(SECINFO_MEASURED);
        self.0.update(measured);
    }

    /// Adds the record of EEXTEND and the bytes.
    pub(super) fn extend(&mut self, offset: u64, bytes: &[u8; EXTEND_LEN]) {
        self.0.update(b"EEXTEND\0");
        self.0.update(offset.to_le_bytes());
        self.0.update([0; 48]);
        self.0.update(bytes);
    }

    /// The measurement as it would be if nothing followed.
    pub(super) fn value(&self) -> Digest {
        self.0.clone().finalize().into()
    }
}
