//! Certificates with evidence about their key (RA-TLS; `docs/attestation.md`, section 6): X.509, signed with that key.
//!
//! There is one form of it, so it is written from the inside out, and no general type for certificates is trusted for it.

mod der;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use pem_rfc7468::LineEnding;
use zeroize::Zeroizing;

use self::der::{Tag, put};
use crate::claims::sha256;
use crate::evidence::Evidence;

/// A key of P-256, for which a certificate is to be issued. Overwritten when dropped.
pub struct CertificateKey(SigningKey);

impl CertificateKey {
    /// Takes a private key: 32 random bytes. `None` if they are none, which hardly any are.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Option<Self> {
        SigningKey::from_slice(bytes).ok().map(Self)
    }

    /// SHA-256 of the public key as the certificate holds it: the claim `pubkey-hash`.
    #[must_use]
    pub fn public_key_hash(&self) -> [u8; 32] {
        sha256(&self.public_key())
    }

    /// The private key in PEM, PKCS #8 (RFC 5958) with the form of RFC 5915 inside.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        let point = self.point();
        let scalar = Zeroizing::new(self.0.to_bytes());
        let parts = [&PRIVATE_KEY_HEAD[..], &scalar, &PRIVATE_KEY_MIDDLE, &point];
        let mut whole = Zeroizing::new([0; PRIVATE_KEY_LEN]);
        let places = whole.iter_mut().zip(parts.into_iter().flatten());
        places.for_each(|(to, from)| *to = *from);
        Zeroizing::new(pem("PRIVATE KEY", whole.as_slice()))
    }

    /// Issues a certificate, in PEM, with these subject alternative names: of hosts, or IP addresses. `serial` should be
    /// random.
    #[must_use]
    pub fn certificate(
        &self,
        names: &[String],
        evidence: &Evidence,
        mut serial: [u8; SERIAL_LEN],
    ) -> String {
        // Positive, and not shorter than it looks.
        serial[0] = serial[0] & 0x3f | 0x40;
        let signed_with = put(Tag::SEQUENCE, &[ECDSA_WITH_SHA256]);
        let name = name();
        let body = put(
            Tag::SEQUENCE,
            &[
                &put(Tag::explicit(0), &[&put(Tag::INTEGER, &[&[VERSION_3]])]),
                &put(Tag::INTEGER, &[&serial]),
                &signed_with,
                &name,
                &validity(),
                &name,
                &self.public_key(),
                &put(Tag::explicit(3), &[&extensions(names, evidence)]),
            ],
        );
        // RFC 6979: a signature needs no randomness.
        let signature: DerSignature = self.0.sign(&body);
        let signature = put(Tag::BIT_STRING, &[&[0], signature.as_bytes()]);
        let certificate = put(Tag::SEQUENCE, &[&body, &signed_with, &signature]);
        pem("CERTIFICATE", &certificate)
    }

    /// SubjectPublicKeyInfo. RFC 5480, section 2.
    fn public_key(&self) -> Vec<u8> {
        let algorithm = put(Tag::SEQUENCE, &[EC_PUBLIC_KEY, PRIME256V1]);
        let key = put(Tag::BIT_STRING, &[&[0], &self.point()]);
        put(Tag::SEQUENCE, &[&algorithm, &key])
    }

    fn point(&self) -> [u8; POINT_LEN] {
        let point = self.0.verifying_key().to_sec1_point(false);
        match point.as_bytes().try_into() {
            Ok(point) => point,
            Err(_) => unreachable!("a public key is not the point at infinity"),
        }
    }
}

impl fmt::Debug for CertificateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertificateKey(..)")
    }
}

fn pem(label: &str, bytes: &[u8]) -> String {
    match pem_rfc7468::encode_string(label, LineEnding::LF, bytes) {
        Ok(text) => text,
        Err(_) => unreachable!("the labels are labels, and nothing here is near the end of memory"),
    }
}

/// Who it is stands in the evidence and in the alternative names. An issuer must have a name, though.
fn name() -> Vec<u8> {
    let value = put(Tag::UTF8_STRING, &[b"Twine enclave"]);
    let attribute = put(Tag::SEQUENCE, &[COMMON_NAME, &value]);
    put(Tag::SEQUENCE, &[&put(Tag::SET, &[&attribute])])
}

/// From before there was such a certificate until ever: RFC 5280, section 4.1.2.5, on certificates without an end.
fn validity() -> Vec<u8> {
    let from = put(Tag::UTC_TIME, &[b"000101000000Z"]);
    let to = put(Tag::GENERALIZED_TIME, &[b"99991231235959Z"]);
    put(Tag::SEQUENCE, &[&from, &to])
}

fn extensions(names: &[String], evidence: &Evidence) -> Vec<u8> {
    let evidence = extension(TAGGED_EVIDENCE, &evidence.encode());
    if names.is_empty() {
        return put(Tag::SEQUENCE, &[&evidence]);
    }
    let names: Vec<_> = names.iter().map(|name| alternative_name(name)).collect();
    let names = put(Tag::SEQUENCE, &[&names.concat()]);
    let names = extension(SUBJECT_ALTERNATIVE_NAME, &names);
    put(Tag::SEQUENCE, &[&names, &evidence])
}

/// Not critical: TLS libraries refuse critical extensions that they do not know.
fn extension(which: &[u8], value: &[u8]) -> Vec<u8> {
    let value = put(Tag::OCTET_STRING, &[value]);
    put(Tag::SEQUENCE, &[which, &value])
}

/// GeneralName: a host's name or an IP address.
fn alternative_name(name: &str) -> Vec<u8> {
    match name.parse() {
        Ok(IpAddr::V4(address)) => put(Tag::implicit(7), &[&address.octets()]),
        Ok(IpAddr::V6(address)) => put(Tag::implicit(7), &[&address.octets()]),
        Err(_) => put(Tag::implicit(2), &[name.as_bytes()]),
    }
}

/// Bytes in a serial number; RFC 5280 allows 20.
pub const SERIAL_LEN: usize = 16;

/// X.509 version 3, as it is counted.
const VERSION_3: u8 = 2;

/// Bytes in an uncompressed point. SEC 1, section 2.3.3.
const POINT_LEN: usize = 65;

/// ecdsa-with-SHA256, 1.2.840.10045.4.3.2. RFC 5758, section 3.2.
const ECDSA_WITH_SHA256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";

/// id-ecPublicKey, 1.2.840.10045.2.1. RFC 5480, section 2.1.1.
const EC_PUBLIC_KEY: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";

/// secp256r1, 1.2.840.10045.3.1.7. RFC 5480, section 2.1.1.1.
const PRIME256V1: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

/// id-at-commonName, 2.5.4.3. RFC 5280, appendix A.1.
const COMMON_NAME: &[u8] = b"\x06\x03\x55\x04\x03";

/// id-ce-subjectAltName, 2.5.29.17. RFC 5280, section 4.2.1.6.
const SUBJECT_ALTERNATIVE_NAME: &[u8] = b"\x06\x03\x55\x1d\x11";

/// tcg-dice-TaggedEvidence, 2.23.133.5.4.9. TCG, "DICE Attestation Architecture"; interoperable RA-TLS.
const TAGGED_EVIDENCE: &[u8] = b"\x06\x06\x67\x81\x05\x05\x04\x09";

/// PrivateKeyInfo up to the private key: version 0; id-ecPublicKey, secp256r1; an octet string that holds ECPrivateKey:
/// version 1; an octet string of 32 bytes.
const PRIVATE_KEY_HEAD: [u8; 36] =
    *b"\x30\x81\x87\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\
       \x04\x6d\x30\x6b\x02\x01\x01\x04\x20";

/// Between private and public key: explicit tag 1, a bit string of whole bytes.
const PRIVATE_KEY_MIDDLE: [u8; 5] = *b"\xa1\x44\x03\x42\x00";

const PRIVATE_KEY_LEN: usize = PRIVATE_KEY_HEAD.len() + 32 + PRIVATE_KEY_MIDDLE.len() + POINT_LEN;
const _: () = assert!(PRIVATE_KEY_LEN == 3 + 0x87, "as the first length says");

#[cfg(test)]
mod tests;
