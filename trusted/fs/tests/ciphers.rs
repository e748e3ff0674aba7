//! The two ciphers, as this crate builds them, against vectors of others: the RFC's, and the Wycheproof project's, which
//! collect what implementations got wrong.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use aegis::aegis128l::Aegis128L;
use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{AeadInOut as _, Nonce},
};
use wycheproof::{
    TestResult,
    aead::{Test, TestName, TestSet},
};

/// What a message is sealed with.
#[derive(Clone, Copy)]
struct Inputs<'a> {
    key: &'a [u8],
    nonce: &'a [u8],
    associated: &'a [u8],
}

/// Seals in place and returns the tag; opens in place, or says no.
struct Cipher {
    seal: fn(Inputs<'_>, &mut [u8]) -> [u8; 16],
    open: fn(Inputs<'_>, &mut [u8], &[u8; 16]) -> bool,
}

const SUITE_1: Cipher = Cipher {
    seal: |with, bytes| aegis(with).encrypt_in_place(bytes, with.associated),
    open: |with, bytes, tag| {
        aegis(with)
            .decrypt_in_place(bytes, tag, with.associated)
            .is_ok()
    },
};

const SUITE_2: Cipher = Cipher {
    seal: |with, bytes| {
        gcm(with)
            .encrypt_inout_detached(gcm_nonce(&with), with.associated, bytes.into())
            .unwrap()
            .into()
    },
    open: |with, bytes, tag| {
        gcm(with)
            .decrypt_inout_detached(gcm_nonce(&with), with.associated, bytes.into(), tag.into())
            .is_ok()
    },
};

fn aegis(with: Inputs<'_>) -> Aegis128L<16> {
    Aegis128L::new(with.key.try_into().unwrap(), with.nonce.try_into().unwrap())
}

fn gcm_nonce<'a>(with: &Inputs<'a>) -> &'a Nonce<Aes256Gcm> {
    with.nonce.try_into().unwrap()
}

fn gcm(with: Inputs<'_>) -> Aes256Gcm {
    Aes256Gcm::new_from_slice(with.key).unwrap()
}

/// A valid vector seals to its ciphertext and opens again; an invalid one does not open.
fn check(cipher: &Cipher, test: &Test) {
    let with = Inputs {
        key: &test.key,
        nonce: &test.nonce,
        associated: &test.aad,
    };
    let mut bytes = test.ct.to_vec();
    // A tag of another length has no place in the format: a block's tag is 16 bytes by its type.
    let opened = <&[u8; 16]>::try_from(test.tag.as_slice())
        .is_ok_and(|tag| (cipher.open)(with, &mut bytes, tag));
    match test.result {
        TestResult::Valid | TestResult::Acceptable => {
            assert!(opened && bytes == *test.pt, "vector {}", test.tc_id);
            let tag = (cipher.seal)(with, &mut bytes);
            assert!(
                bytes == *test.ct && *test.tag == tag,
                "vector {}",
                test.tc_id
            );
        }
        TestResult::Invalid => assert!(!opened, "vector {}: {}", test.tc_id, test.comment),
    }
}

/// Checks the vectors whose key and nonce have the lengths that the format uses, in bits. Returns how many these are:
/// valid and invalid.
fn wycheproof(cipher: &Cipher, name: TestName, key: usize, nonce: usize) -> [usize; 2] {
    let groups = TestSet::load(name).unwrap().test_groups;
    let wanted = groups
        .iter()
        .filter(|group| group.key_size == key && group.nonce_size == nonce);
    let mut counts = [0; 2];
    for test in wanted.flat_map(|group| &group.tests) {
        check(cipher, test);
        counts[usize::from(test.result == TestResult::Invalid)] += 1;
    }
    counts
}

#[test]
fn suite_1_agrees_with_wycheproof() {
    let [valid, invalid] = wycheproof(&SUITE_1, TestName::Aegis128L, 128, 128);
    assert!(valid > 300 && invalid > 50, "{valid}, {invalid}");
}

#[test]
fn suite_2_agrees_with_wycheproof() {
    let [valid, invalid] = wycheproof(&SUITE_2, TestName::AesGcm, 256, 96);
    assert!(valid > 30 && invalid > 20, "{valid}, {invalid}");
}

/// RFC 10032, appendix "AEGIS-128L Test Vectors", vectors 1 to 5: associated data, message, ciphertext, 128-bit tag.
/// All have one key and one nonce.
const RFC: [[&str; 4]; 5] = [
    [
        "",
        "00000000000000000000000000000000",
        "c1c0e58bd913006feba00f4b3cc3594e",
        "abe0ece80c24868a226a35d16bdae37a",
    ],
    ["", "", "", "c2b879a67def9d74e6c14f708bbcc9b4"],
    [
        "0001020304050607",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "79d94593d8c2119d7e8fd9b8fc77845c5c077a05b2528b6ac54b563aed8efe84",
        "cc6f3372f6aa1bb82388d695c3962d9a",
    ],
    [
        "0001020304050607",
        "000102030405060708090a0b0c0d",
        "79d94593d8c2119d7e8fd9b8fc77",
        "5c04b3dba849b2701effbe32c7f0fab7",
    ],
    [
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526272829",
        "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637",
        "b31052ad1cca4e291abcf2df3502e6bdb1bfd6db36798be3607b1f94d34478aa7ede7f7a990fec10",
        "7542a745733014f9474417b337399507",
    ],
];

#[test]
fn suite_1_agrees_with_the_rfc() {
    let key = unhex("10010000000000000000000000000000");
    let nonce = unhex("10000200000000000000000000000000");
    for vector in RFC {
        let [associated, message, ciphertext, tag] = vector.map(unhex);
        let with = Inputs {
            key: &key,
            nonce: &nonce,
            associated: &associated,
        };
        let mut bytes = message;
        let found = (SUITE_1.seal)(with, &mut bytes);
        assert_eq!((bytes, &found[..]), (ciphertext, &*tag), "{vector:?}");
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}
