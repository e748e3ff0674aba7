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
    pub fn to_sign(&self) -> [u8; 256] {
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

/// DATE: a constant, so that signing twice gives the same bytes. Nothing looks at it.
const DATE: u32 = 0x2026_0101;

/// ISVPRODID.
const PRODUCT: u16 = 1;

/// ISVFAMILYID: 384a38cb-f5a4-428b-b0d1-651e7e4498bb, Twine, whoever builds it.
const FAMILY: [u8; 16] = 0x384a_38cb_f5a4_428b_b0d1_651e_7e44_98bb_u128.to_be_bytes();

/// ISVEXTPRODID: f4802eb5-f59e-4474-8a21-139336fe95fe, the runtime image.
const EXTENDED_PRODUCT: [u8; 16] = 0xf480_2eb5_f59e_4474_8a21_1393_36fe_95fe_u128.to_be_bytes();

/// The flags that a launch cannot choose: all of them, known and unknown, but one.
const FIXED_FLAGS: AttributeFlags =
    AttributeFlags::from_bits(u64::MAX).without(AttributeFlags::AEXNOTIFY);
