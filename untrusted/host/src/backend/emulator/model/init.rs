//! EINIT: the signer's certificate must fit what has been built.
//!
//! Manual, "EINIT". Launch control is flexible: the Linux driver loads the signer's hash into IA32_SGXLEPUBKEYHASH, so
//! there is no launch token. As in that driver, an enclave cannot have the launch token's key.

use rsa::BigUint;
use sha2::{Digest as _, Sha256};
use twine_abi::sgx::{
    AttributeFlags, Attributes, Digest, ErrorCode, MiscSelect, Sigstruct, sigstruct,
};

use crate::backend::Refusal;

use super::{Model, code, require};

impl Model {
    /// EINIT.
    pub(in crate::backend::emulator) fn init(
        &mut self,
        sigstruct: &Sigstruct,
    ) -> Result<(), Refusal> {
        require(
            !self.is_initialised(),
            "EINIT of an enclave that is initialised",
        )?;
        check_form(sigstruct)?;
        check_signature(sigstruct)?;
        self.check_measurement(sigstruct)?;
        self.check_attributes(sigstruct)?;
        let kss = self.secs.attributes.flags.contains(AttributeFlags::KSS);
        if !kss && (sigstruct.isv_family_id != [0; 16] || sigstruct.isv_ext_prod_id != [0; 16]) {
            return Err(code(ErrorCode::InvalidSigStruct));
        }
        self.isv_family_id = sigstruct.isv_family_id;
        self.isv_ext_prod_id = sigstruct.isv_ext_prod_id;
        self.secs.mr_enclave = self.measurement.value();
        self.secs.mr_signer = signer(sigstruct);
        self.secs.isv_prod_id = sigstruct.isv_prod_id;
        self.secs.isv_svn = sigstruct.isv_svn;
        self.secs.attributes.flags = self.secs.attributes.flags | AttributeFlags::INIT;
        Ok(())
    }

    fn check_measurement(&self, sigstruct: &Sigstruct) -> Result<(), Refusal> {
        if self.measurement.value() == sigstruct.enclave_hash {
            Ok(())
        } else {
            Err(code(ErrorCode::InvalidMeasurement))
        }
    }

    fn check_attributes(&self, sigstruct: &Sigstruct) -> Result<(), Refusal> {
        // SIGSTRUCT speaks of the enclave as it will be, that is with INIT.
        let mut attributes = self.secs.attributes;
        let init_is_signed = sigstruct.attributes.flags & AttributeFlags::INIT;
        attributes.flags = attributes.flags | init_is_signed;
        let mask = sigstruct.attribute_mask;
        let misc_mask = MiscSelect::from_bits(sigstruct.misc_mask);
        let allowed = attributes.masked(mask) == expected(sigstruct.attributes, mask)
            && self.secs.misc_select & misc_mask == sigstruct.misc_select & misc_mask
            && self.secs.cet_attributes & sigstruct.cet_attributes_mask
                == sigstruct.cet_attributes & sigstruct.cet_attributes_mask
            && !attributes.flags.contains(AttributeFlags::EINITTOKENKEY);
        if allowed {
            Ok(())
        } else {
            Err(code(ErrorCode::InvalidAttribute))
        }
    }
}

fn expected(attributes: Attributes, mask: Attributes) -> Attributes {
    attributes.masked(mask)
}

/// MRSIGNER: the SHA-256 of the modulus as it stands in SIGSTRUCT.
fn signer(sigstruct: &Sigstruct) -> Digest {
    Sha256::digest(sigstruct.modulus).into()
}

fn check_form(sigstruct: &Sigstruct) -> Result<(), Refusal> {
    let form_holds = sigstruct.header == sigstruct::HEADER
        && sigstruct.header2 == sigstruct::HEADER2
        && matches!(sigstruct.vendor, 0 | 0x8086)
        && sigstruct.exponent == sigstruct::EXPONENT
        && sigstruct.reserved1 == [0; 84]
        && sigstruct.reserved2 == [0; 2]
        && sigstruct.reserved3 == [0; 16]
        && sigstruct.reserved4 == [0; 12];
    if form_holds {
        Ok(())
    } else {
        Err(code(ErrorCode::InvalidSigStruct))
    }
}

/// Checks the RSA signature, and Q1 and Q2, which save the processor two divisions:
/// `q1 = s * s / n` and `q2 = (s * s mod n) * s / n`.
fn check_signature(sigstruct: &Sigstruct) -> Result<(), Refusal> {
    let refused = || code(ErrorCode::InvalidSignature);
    let number = |bytes: &[u8; sigstruct::RSA_LEN]| BigUint::from_bytes_le(bytes);
    let modulus = number(&sigstruct.modulus);
    let signature = number(&sigstruct.signature);
    let has_full_length = modulus.bits() == 8 * sigstruct::RSA_LEN;
    if !has_full_length || signature >= modulus {
        return Err(refused());
    }
    let square = &signature * &signature;
    let cube = (&square % &modulus) * &signature;
    if number(&sigstruct.q1) != &square / &modulus || number(&sigstruct.q2) != &cube / &modulus {
        return Err(refused());
    }
    let padded = BigUint::from_bytes_be(&padded(&Sha256::digest(sigstruct.signed()).into()));
    if cube % modulus == padded {
        Ok(())
    } else {
        Err(refused())
    }
}

/// EMSA-PKCS1-v1_5 of a SHA-256 digest (RFC 8017, section 9.2).
fn padded(digest: &Digest) -> [u8; sigstruct::RSA_LEN] {
    /// DER of DigestInfo for SHA-256, up to the digest.
    const DIGEST_INFO: [u8; 19] = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        0x05, 0x00, 0x04, 0x20,
    ];
    let mut padded = [0xff; sigstruct::RSA_LEN];
    let tail = [0].iter().chain(&DIGEST_INFO).chain(digest);
    for (to, from) in padded.iter_mut().rev().zip(tail.rev()) {
        *to = *from;
    }
    for (to, from) in padded.iter_mut().zip([0, 1]) {
        *to = from;
    }
    padded
}
