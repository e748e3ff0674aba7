//! A SIGSTRUCT that has been checked as EINIT checks it.

use rsa::BigUint;
use sha2::{Digest as _, Sha256};
use twine_abi::sgx::sigstruct::{EXPONENT, HEADER, HEADER2, RSA_LEN};
use twine_abi::sgx::{Digest, Sigstruct};

use crate::image::Image;

use super::{SignError, Statement};

/// A SIGSTRUCT with a good signature. Holding one is the proof.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate(Sigstruct);

impl Certificate {
    /// Checks the form, the signature, and the quotients that spare the processor two divisions (Intel SDM volume 3D,
    /// EINIT).
    ///
    /// # Errors
    /// [`SignError::Malformed`] or [`SignError::BadSignature`].
    pub fn check(sigstruct: Sigstruct) -> Result<Self, SignError> {
        check_form(&sigstruct)?;
        let number = |bytes: &[u8; RSA_LEN]| BigUint::from_bytes_le(bytes);
        let (modulus, signature) = (number(&sigstruct.modulus), number(&sigstruct.signature));
        if modulus.bits() != 8 * RSA_LEN {
            return Err(SignError::Malformed("the modulus does not have 3072 bits"));
        }
        let power = Power::of(&signature, &modulus);
        let padded = BigUint::from_bytes_be(&padded(&sigstruct.signed()));
        if signature >= modulus || power.remainder != padded {
            return Err(SignError::BadSignature);
        }
        if (power.q1, power.q2) != (number(&sigstruct.q1), number(&sigstruct.q2)) {
            return Err(SignError::Malformed("Q1 or Q2 is wrong"));
        }
        Ok(Self(sigstruct))
    }

    /// Reads a SIGSTRUCT and checks it.
    ///
    /// # Errors
    /// [`SignError::Malformed`] or [`SignError::BadSignature`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignError> {
        let bytes = bytes
            .try_into()
            .map_err(|_| SignError::Malformed("it must have 1808 bytes"))?;
        Self::check(Sigstruct::from_bytes(bytes))
    }

    /// The SIGSTRUCT itself.
    #[must_use]
    pub const fn sigstruct(&self) -> &Sigstruct {
        &self.0
    }

    /// What was signed.
    #[must_use]
    pub fn statement(&self) -> Statement {
        Statement::of(&self.0)
    }

    /// MRSIGNER: the signer's name in reports, the SHA-256 of the modulus.
    #[must_use]
    pub fn mrsigner(&self) -> Digest {
        Sha256::digest(self.0.modulus).into()
    }

    /// Checks that this certificate is about `image`.
    ///
    /// # Errors
    /// [`SignError::OtherImage`] if not.
    pub fn check_image(&self, image: &Image) -> Result<(), SignError> {
        let (certified, image) = (self.0.enclave_hash, image.mrenclave());
        if certified == image {
            Ok(())
        } else {
            Err(SignError::OtherImage { certified, image })
        }
    }
}

/// The third power of a signature modulo the key, with the quotients on the way.
pub(super) struct Power {
    /// Q1: of the square.
    pub(super) q1: BigUint,
    /// Q2: of the signature times the remainder of the square.
    pub(super) q2: BigUint,
    /// What the signer padded.
    pub(super) remainder: BigUint,
}

impl Power {
    /// `modulus` is not zero.
    pub(super) fn of(signature: &BigUint, modulus: &BigUint) -> Self {
        let square = signature * signature;
        let cube = (&square % modulus) * signature;
        Self {
            q1: square / modulus,
            q2: &cube / modulus,
            remainder: cube % modulus,
        }
    }
}

fn check_form(sigstruct: &Sigstruct) -> Result<(), SignError> {
    let reserved_is_zero = sigstruct.reserved1 == Sigstruct::ZERO.reserved1
        && sigstruct.reserved2 == Sigstruct::ZERO.reserved2
        && sigstruct.reserved3 == Sigstruct::ZERO.reserved3
        && sigstruct.reserved4 == Sigstruct::ZERO.reserved4;
    if sigstruct.header != HEADER || sigstruct.header2 != HEADER2 {
        return Err(SignError::Malformed("the headers are not a SIGSTRUCT's"));
    }
    if !reserved_is_zero {
        return Err(SignError::Malformed("a reserved byte is not zero"));
    }
    if sigstruct.exponent != EXPONENT {
        return Err(SignError::Malformed("the exponent is not 3"));
    }
    Ok(())
}

/// EMSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 9.2).
fn padded(message: &[u8]) -> Vec<u8> {
    let tail = [DIGEST_INFO, &Sha256::digest(message)].concat();
    let mut padded = vec![0, 1];
    padded.resize(RSA_LEN - tail.len() - 1, 0xff);
    padded.push(0);
    padded.extend(tail);
    padded
}

/// The DER of DigestInfo for SHA-256, up to the digest (RFC 8017, section 9.2, note 1).
const DIGEST_INFO: &[u8] = &[
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];
