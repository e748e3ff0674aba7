//! Where chains of certificates have to end.

use sha2::{Digest as _, Sha256};

/// Intel's root certificate, "Intel SGX Root CA", as Intel publishes it (DER).
const INTEL_ROOT: &[u8] = include_bytes!("intel-root.der");

/// SHA-256 of Intel's root certificate, which is part of this crate: the fingerprint by which people compare it.
pub const INTEL_ROOT_SHA256: [u8; 32] = [
    0x44, 0xa0, 0x19, 0x6b, 0x2b, 0x99, 0xf8, 0x89, 0xb8, 0xe1, 0x49, 0xe9, 0x5b, 0x80, 0x7a, 0x35,
    0x0e, 0x74, 0x24, 0x96, 0x43, 0x99, 0xe8, 0x85, 0xa7, 0xcb, 0xb8, 0xcc, 0xfa, 0xb6, 0x74, 0xd3,
];

/// A certificate that is trusted because its hash is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Root<'a> {
    certificate: &'a [u8],
    sha256: [u8; 32],
}

impl<'a> Root<'a> {
    /// Intel's.
    pub(crate) const INTEL: Root<'static> = Root {
        certificate: INTEL_ROOT,
        sha256: INTEL_ROOT_SHA256,
    };

    /// The certificate, if its hash is one of these.
    pub(crate) fn among(certificate: &'a [u8], trusted: &[[u8; 32]]) -> Option<Self> {
        let sha256 = fingerprint(certificate);
        trusted.contains(&sha256).then_some(Self {
            certificate,
            sha256,
        })
    }

    /// DER.
    pub(crate) const fn certificate(&self) -> &'a [u8] {
        self.certificate
    }

    /// Whether the certificate is the one that the pinned hash is of: the file could have been exchanged, or the build.
    pub(crate) fn is_intact(&self) -> bool {
        fingerprint(self.certificate) == self.sha256
    }
}

/// SHA-256 of a certificate (DER).
pub(crate) fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

#[cfg(test)]
mod tests {
    use sha2::Sha384;
    use x509_cert::Certificate;
    use x509_cert::der::Decode as _;

    use super::*;

    #[test]
    fn the_pinned_root_is_intels() {
        assert!(Root::INTEL.is_intact());
        let root = Certificate::from_der(INTEL_ROOT).unwrap();
        let tbs = root.tbs_certificate();
        assert!(tbs.subject().to_string().contains("CN=Intel SGX Root CA"));
        // What Intel's own verifier calls the root key's identifier.
        let key = tbs.subject_public_key_info().subject_public_key.raw_bytes();
        let id = "46e403bd34f05a3f2817ab9badcaacc7ffc98e0f261008cd30dae936cace18d5dcf58eef31463613de1570d516200993";
        assert_eq!(crate::hex::encode(&Sha384::digest(key)), id);
    }

    #[test]
    fn an_exchanged_root_is_noticed() {
        let mut other = INTEL_ROOT.to_vec();
        other[100] ^= 1;
        let root = Root {
            certificate: &other,
            ..Root::INTEL
        };
        assert!(!root.is_intact());
        assert_eq!(Root::among(&other, &[INTEL_ROOT_SHA256]), None);
        assert_eq!(
            Root::among(INTEL_ROOT, &[[0; 32], INTEL_ROOT_SHA256]),
            Some(Root::INTEL)
        );
    }
}
