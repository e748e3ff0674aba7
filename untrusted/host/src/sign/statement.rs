//! What is said about an image, before anybody has signed it.

use twine_abi::layout::XFRM;
use twine_abi::sgx::sigstruct::{HEADER, HEADER2};
use twine_abi::sgx::{AttributeFlags, Attributes, Digest, MiscSelect, Sigstruct};

use crate::launch::create::Debugging;

use super::SignError;
use super::certificate::Certificate;
use super::key::{PrivateKey, PublicKey};

/// ISVSVN: rises with every security fix of the runtime, and never falls.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SecurityVersion(pub u16);

/// The security version of this source.
pub const SECURITY_VERSION: SecurityVersion = SecurityVersion(1);

/// A SIGSTRUCT without key and signature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Statement(Sigstruct);

impl Statement {
    /// States that the image with this `mrenclave` is Twine's runtime of that security version.
    #[must_use]
    pub const fn new(mrenclave: Digest, debugging: Debugging, version: SecurityVersion) -> Self {
        Self(Sigstruct {
            header: HEADER,
            header2: HEADER2,
            date: DATE,
            misc_select: MiscSelect::EXINFO,
            misc_mask: u32::MAX,
            cet_attributes_mask: u8::MAX,
            attributes: Attributes {
                flags: attributes(debugging),
                xfrm: XFRM,
            },
            attribute_mask: Attributes {
                flags: FIXED_FLAGS,
                xfrm: u64::MAX,
            },
            enclave_hash: mrenclave,
            isv_prod_id: PRODUCT,
            isv_svn: version.0,
            isv_family_id: FAMILY,
            isv_ext_prod_id: EXTENDED_PRODUCT,
            ..Sigstruct::ZERO
        })
    }

    /// What SIGSTRUCT says, whoever signed it.
    pub(super) fn of(sigstruct: &Sigstruct) -> Self {
        Self(Sigstruct {
            modulus: Sigstruct::ZERO.modulus,
            exponent: 0,
            signature: Sigstruct::ZERO.signature,
            q1: Sigstruct::ZERO.q1,
            q2: Sigstruct::ZERO.q2,
            ..*sigstruct
        })
    }

    /// The bytes to be signed, PKCS #1 version 1.5 with SHA-256.
    #[must_use]
    pub fn to_sign(&self) -> [u8; TO_SIGN_LEN] {
        self.0.signed()
    }

    /// Signs with a key that is at hand.
    ///
    /// # Errors
    /// [`SignError::Rsa`] if the arithmetic fails.
    pub fn sign(&self, key: &PrivateKey) -> Result<Certificate, SignError> {
        self.assemble(key.public(), &key.sign(&self.to_sign())?)
    }

    /// Joins the statement with a signature that was made elsewhere over [`Statement::to_sign`]. `signature` is the
    /// number as signing tools write it, most significant byte first.
    ///
    /// # Errors
    /// [`SignError::BadSignature`] if the signature was not made with this key over these bytes.
    pub fn assemble(&self, key: &PublicKey, signature: &[u8]) -> Result<Certificate, SignError> {
        Certificate::check(key.complete(&self.0, signature)?)
    }
}

/// What every launch has, and what debug launches have besides.
const fn attributes(debugging: Debugging) -> AttributeFlags {
    let always = AttributeFlags::MODE64BIT.union(AttributeFlags::KSS);
    match debugging {
        Debugging::Forbidden => always,
        Debugging::Allowed => always.union(AttributeFlags::DEBUG),
    }
}

/// Bytes of a SIGSTRUCT that are signed: 128 before the key and 128 behind the signature.
const TO_SIGN_LEN: usize = 256;

/// DATE: a constant, so that signing twice gives the same bytes. Nothing looks at it.
const DATE: u32 = 0x2026_0101;

/// ISVPRODID.
const PRODUCT: u16 = 1;

/// ISVFAMILYID: 384a38cb-f5a4-428b-b0d1-651e7e4498bb, Twine, whoever builds it.
const FAMILY: [u8; 16] = [
    0x38, 0x4a, 0x38, 0xcb, 0xf5, 0xa4, 0x42, 0x8b, 0xb0, 0xd1, 0x65, 0x1e, 0x7e, 0x44, 0x98, 0xbb,
];

/// ISVEXTPRODID: f4802eb5-f59e-4474-8a21-139336fe95fe, the runtime image.
const EXTENDED_PRODUCT: [u8; 16] = [
    0xf4, 0x80, 0x2e, 0xb5, 0xf5, 0x9e, 0x44, 0x74, 0x8a, 0x21, 0x13, 0x93, 0x36, 0xfe, 0x95, 0xfe,
];

/// The flags that a launch cannot choose: all of them, known and unknown, but one.
const FIXED_FLAGS: AttributeFlags =
    AttributeFlags::from_bits(u64::MAX).without(AttributeFlags::AEXNOTIFY);
