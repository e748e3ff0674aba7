//! Whether others read our certificates is tested where there are others: `tests/tests/whole/certificates.rs`,
//! `untrusted/cli/tests/certificate.rs`, `shared/attest/tests/checker.py`.

use alloc::vec;

use p256::ecdsa::signature::Verifier as _;

use super::*;
use crate::evidence::Origin;

fn key() -> CertificateKey {
    CertificateKey::new(&[7; 32]).unwrap()
}

fn certificate(names: &[String]) -> Vec<u8> {
    let evidence = Evidence::new(Origin::Emulator, vec![1; 4000], vec![2; 200]).unwrap();
    let pem = key().certificate(names, &evidence, [0xff; SERIAL_LEN]);
    let (label, der) = pem_rfc7468::decode_vec(pem.as_bytes()).unwrap();
    assert_eq!(label, "CERTIFICATE");
    der
}

#[test]
fn lengths_have_their_shortest_form() {
    for (len, head) in [
        (0, &[4, 0][..]),
        (127, &[4, 127]),
        (128, &[4, 0x81, 128]),
        (255, &[4, 0x81, 255]),
        (256, &[4, 0x82, 1, 0]),
        (65535, &[4, 0x82, 255, 255]),
        (65536, &[4, 0x83, 1, 0, 0]),
    ] {
        let value = put(Tag::OCTET_STRING, &[&vec![9; len]]);
        assert_eq!(value[..head.len()], *head);
        assert_eq!(value.len(), head.len() + len);
    }
}

#[test]
fn the_signature_is_the_keys_own_over_the_body() {
    let der = certificate(&["a.example".into(), "192.0.2.1".into()]);
    // A certificate of some kilobytes and its body have heads of 4 bytes.
    let body_len = 4 + ((usize::from(der[6]) << 8) | usize::from(der[7]));
    let (body, rest) = der[4..].split_at(body_len);
    let signature = &rest[ECDSA_WITH_SHA256.len() + 2 + 3..];
    let signature = DerSignature::from_bytes(signature).unwrap();
    key().0.verifying_key().verify(body, &signature).unwrap();
    for needle in [&b"\x82\x09a.example"[..], &[0x87, 4, 192, 0, 2, 1]] {
        assert!(body.windows(needle.len()).any(|window| window == needle));
    }
    // Positive, and of 16 bytes, whatever the random ones are.
    assert_eq!(body[9..12], [2, 16, 0x7f]);
}

#[test]
fn without_names_there_is_no_extension_for_them() {
    let der = certificate(&[]);
    let has = |oid: &[u8]| der.windows(oid.len()).any(|window| window == oid);
    assert!(has(TAGGED_EVIDENCE));
    assert!(!has(SUBJECT_ALTERNATIVE_NAME));
}

#[test]
fn what_is_no_private_key_is_refused() {
    assert!(CertificateKey::new(&[0; 32]).is_none());
    assert!(CertificateKey::new(&[0xff; 32]).is_none());
}
