//! SIGSTRUCT: the signer's certificate for an enclave.

use super::{Attributes, Digest, MiscSelect};

/// Bytes of an RSA-3072 number.
pub const RSA_LEN: usize = 384;

/// The public exponent that the processor asks for.
pub const EXPONENT: u32 = 3;

/// HEADER, as the processor asks for it.
pub const HEADER: [u8; 16] = [6, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0];

/// HEADER2, as the processor asks for it.
pub const HEADER2: [u8; 16] = [1, 1, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 1, 0, 0, 0];

structure! {
    /// SIGSTRUCT: the operand of EINIT. Numbers of [`RSA_LEN`] bytes are little-endian. Manual, "Enclave Signature
    /// Structure (SIGSTRUCT)".
    Sigstruct: size 1808, align 8 {
        /// [`HEADER`].
        0 header: [u8; 16],
        /// VENDOR: 0x8086 for Intel's own enclaves, else zero.
        16 vendor: u32,
        /// DATE: the digits yyyymmdd, in binary-coded decimal.
        20 date: u32,
        /// [`HEADER2`].
        24 header2: [u8; 16],
        /// SWDEFINED: not looked at by the processor.
        40 software_defined: u32,
        /// Zero.
        44 reserved1: [u8; 84],
        /// MODULUS: the signer's public key. Not signed; its SHA-256 is MRSIGNER.
        128 modulus: [u8; RSA_LEN],
        /// EXPONENT: [`EXPONENT`]. Not signed.
        512 exponent: u32,
        /// SIGNATURE: PKCS #1 version 1.5 with SHA-256 over [`Sigstruct::signed`]. Not signed.
        516 signature: [u8; RSA_LEN],
        /// MISCSELECT: what SECS.MISCSELECT must be, where MISCMASK says so.
        900 misc_select: MiscSelect,
        /// MISCMASK.
        904 misc_mask: u32,
        /// CET_ATTRIBUTES.
        908 cet_attributes: u8,
        /// CET_ATTRIBUTES_MASK.
        909 cet_attributes_mask: u8,
        /// Zero.
        910 reserved2: [u8; 2],
        /// ISVFAMILYID: product family. Needs KSS.
        912 isv_family_id: [u8; 16],
        /// ATTRIBUTES: what SECS.ATTRIBUTES must be, where ATTRIBUTEMASK says so.
        928 attributes: Attributes,
        /// ATTRIBUTEMASK.
        944 attribute_mask: Attributes,
        /// ENCLAVEHASH: the MRENCLAVE that is being certified.
        960 enclave_hash: Digest,
        /// Zero.
        992 reserved3: [u8; 16],
        /// ISVEXTPRODID: extended product number. Needs KSS.
        1008 isv_ext_prod_id: [u8; 16],
        /// ISVPRODID: product number.
        1024 isv_prod_id: u16,
        /// ISVSVN: security version of the enclave.
        1026 isv_svn: u16,
        /// Zero.
        1028 reserved4: [u8; 12],
        /// Q1: the quotient of SIGNATURE squared by MODULUS. Not signed.
        1040 q1: [u8; RSA_LEN],
        /// Q2: the quotient of SIGNATURE times the remainder of the former by MODULUS. Not signed.
        1424 q2: [u8; RSA_LEN],
    }
}

/// Length of the first signed part: everything up to the modulus.
const SIGNED_HEAD_LEN: usize = 128;
/// Offset of the second signed part: everything from MISCSELECT up to the last reserved bytes.
const SIGNED_BODY_OFFSET: usize = 900;
/// Length of the second signed part.
const SIGNED_BODY_LEN: usize = 128;

impl Sigstruct {
    /// Returns the bytes that the signature covers: the header and the body, without the key, the signature and the
    /// quotients.
    #[must_use]
    pub fn signed(&self) -> [u8; SIGNED_HEAD_LEN + SIGNED_BODY_LEN] {
        let image = self.to_bytes();
        let (head, _) = image.split_at(SIGNED_HEAD_LEN);
        let (_, body) = image.split_at(SIGNED_BODY_OFFSET);
        let mut signed = [0; SIGNED_HEAD_LEN + SIGNED_BODY_LEN];
        for (to, from) in signed.iter_mut().zip(head.iter().chain(body)) {
            *to = *from;
        }
        signed
    }
}

const _: () = {
    assert!(core::mem::offset_of!(Sigstruct, modulus) == SIGNED_HEAD_LEN);
    assert!(core::mem::offset_of!(Sigstruct, misc_select) == SIGNED_BODY_OFFSET);
    assert!(core::mem::offset_of!(Sigstruct, reserved4) == SIGNED_BODY_OFFSET + SIGNED_BODY_LEN);
};
