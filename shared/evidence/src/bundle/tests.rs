//! Bundles: what is sealed is opened, once and by the right enclave; everything else is refused, each with its own reason.

use alloc::vec;
use alloc::vec::Vec;

use p256::ecdsa::SigningKey;

use super::*;
use crate::claims::sha256;
use crate::error::Error;
use crate::limits::{SECRET_LEN_BYTES_MAX, SECRETS_COUNT_MAX, VOLUME_KEYS_COUNT_MAX};

const REQUEST: [u8; 32] = [3; 32];
const CONFIG_ID: [u8; 64] = [4; 64];
const VOLUME_KEY: [u8; 32] = [5; 32];
const HEADER: Header<'_> = Header {
    engine: "wasmtime-48",
    request: &REQUEST,
    config_id: &CONFIG_ID,
};

fn provisioner(byte: u8) -> SigningKey {
    SigningKey::from_slice(&[byte; 32]).unwrap()
}

fn key() -> PrivateKey {
    PrivateKey::new([1; 32].into())
}

fn payload() -> Payload<'static> {
    Payload {
        module: Some(b"machine code"),
        secrets: [("token", &b"s3cret"[..]), ("ca.pem", b"")].into(),
        volume_keys: [("/data", &VOLUME_KEY)].into(),
    }
}

fn sealed(payload: &Payload<'_>, header: &Header<'_>) -> Vec<u8> {
    seal(payload, header, &key().public(), &provisioner(7), [2; 32]).unwrap()
}

/// Opens as the enclave does that [`sealed`] seals for; `change` makes it expect something else.
fn open_with(
    bundle: &[u8],
    change: impl FnOnce(&mut Expected<'_>),
) -> Result<(Option<Vec<u8>>, usize, usize), Refusal> {
    let provisioner = provisioner(7).verifying_key().to_sec1_point(true);
    let module = sha256(b"machine code");
    let mut expected = Expected {
        provisioner: provisioner.as_bytes().try_into().unwrap(),
        header: HEADER,
        module: Some(&module),
        secrets: &["ca.pem", "token"],
        volume_keys: &["/data"],
    };
    change(&mut expected);
    let mut bundle = bundle.to_vec();
    let opened = expected.open(key(), &mut bundle)?;
    let module = opened.module.map(<[u8]>::to_vec);
    Ok((module, opened.secrets.len(), opened.volume_keys.len()))
}

fn open(bundle: &[u8]) -> Result<(Option<Vec<u8>>, usize, usize), Refusal> {
    open_with(bundle, |_| {})
}

#[test]
fn what_is_sealed_is_opened() {
    let mut bundle = sealed(&payload(), &HEADER);
    assert_eq!(open(&bundle), Ok((Some(b"machine code".to_vec()), 2, 1)));
    let provisioner = provisioner(7).verifying_key().to_sec1_point(true);
    let expected = Expected {
        provisioner: provisioner.as_bytes().try_into().unwrap(),
        header: HEADER,
        module: Some(&sha256(b"machine code")),
        secrets: &["token", "ca.pem"],
        volume_keys: &["/data"],
    };
    assert_eq!(expected.open(key(), &mut bundle), Ok(payload()));
}

#[test]
fn nothing_at_all_can_be_sealed_too() {
    let bundle = sealed(&Payload::default(), &HEADER);
    let nothing = open_with(&bundle, |expected| {
        (expected.module, expected.secrets, expected.volume_keys) = (None, &[], &[]);
    });
    assert_eq!(nothing, Ok((None, 0, 0)));
}

#[test]
fn each_part_of_the_header_is_compared() {
    let refused = |change: fn(&mut Header<'_>)| {
        let mut header = HEADER;
        change(&mut header);
        open(&sealed(&payload(), &header)).unwrap_err()
    };
    assert_eq!(refused(|h| h.request = &[0; 32]), Refusal::OtherRequest);
    assert_eq!(refused(|h| h.config_id = &[0; 64]), Refusal::OtherDocument);
    let other = Refusal::OtherEngine("wasmtime-47".into());
    assert_eq!(refused(|h| h.engine = "wasmtime-47"), other);
}

#[test]
fn only_the_provisioner_of_the_document_is_heard() {
    let bundle = seal(
        &payload(),
        &HEADER,
        &key().public(),
        &provisioner(8),
        [2; 32],
    )
    .unwrap();
    assert_eq!(open(&bundle), Err(Refusal::OtherProvisioner));
    let no_key = open_with(&bundle, |expected| expected.provisioner = &[0xff; 33]);
    assert_eq!(no_key, Err(Refusal::ProvisionersKey));
}

#[test]
fn what_was_encrypted_to_another_key_is_not_opened() {
    let other = PrivateKey::new([9; 32].into()).public();
    let bundle = seal(&payload(), &HEADER, &other, &provisioner(7), [2; 32]).unwrap();
    assert_eq!(open(&bundle), Err(Refusal::Undecryptable));
}

/// The header is bound to the ciphertext by its signature, and once more by the cipher.
#[test]
fn a_ciphertext_under_another_header_is_not_opened_even_if_the_provisioner_signs_it() {
    let other = Header {
        config_id: &[0; 64],
        ..HEADER
    };
    let bundle = sealed(&payload(), &other);
    let (moved, ..) = Envelope::parse(&bundle).unwrap();
    let moved = Envelope {
        header: &HEADER.encode(),
        ..moved
    };
    assert_eq!(open(&signed(&moved)), Err(Refusal::Undecryptable));
    // Shorter than a tag.
    let short = Envelope {
        ciphertext: &[0; TAG_LEN - 1],
        ..moved
    };
    assert_eq!(open(&signed(&short)), Err(Refusal::Undecryptable));
}

fn signed(envelope: &Envelope<'_>) -> Vec<u8> {
    use p256::ecdsa::signature::hazmat::PrehashSigner as _;
    let signature: p256::ecdsa::Signature =
        provisioner(7).sign_prehash(&envelope.digest()).unwrap();
    envelope.encode(&signature.to_bytes().into())
}

#[test]
fn exactly_what_the_document_names_must_be_there() {
    let bundle = sealed(&payload(), &HEADER);
    let refused = |change: fn(&mut Expected<'_>)| open_with(&bundle, change).unwrap_err();
    assert_eq!(refused(|e| e.module = None), Refusal::ModuleUnexpected);
    assert_eq!(
        refused(|e| e.secrets = &["ca.pem", "token", "x"]),
        Refusal::SecretMissing("x".into())
    );
    assert_eq!(
        refused(|e| e.secrets = &["ca.pem"]),
        Refusal::SecretUnexpected("token".into())
    );
    assert_eq!(
        refused(|e| e.volume_keys = &["/data", "/x"]),
        Refusal::VolumeKeyMissing("/x".into())
    );
    assert_eq!(
        refused(|e| e.volume_keys = &[]),
        Refusal::VolumeKeyUnexpected("/data".into())
    );
    let other_module = refused(|e| e.module = Some(&[0; 32]));
    assert!(
        matches!(other_module, Refusal::OtherModule { expected, found }
        if expected == [0; 32] && found == sha256(b"machine code"))
    );
    let without = Payload {
        module: None,
        ..payload()
    };
    assert_eq!(
        open(&sealed(&without, &HEADER)),
        Err(Refusal::ModuleMissing)
    );
}

#[test]
fn every_changed_bit_is_noticed() {
    let bundle = sealed(&payload(), &HEADER);
    for bit in 0..bundle.len() * 8 {
        let mut changed = bundle.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let refusal = open(&changed).unwrap_err();
        assert!(
            matches!(refusal, Refusal::Form(_) | Refusal::OtherProvisioner),
            "bit {bit}: {refusal:?}"
        );
    }
}

#[test]
fn every_shorter_and_every_longer_bundle_is_refused() {
    let bundle = sealed(&payload(), &HEADER);
    for len in 0..bundle.len() {
        assert!(matches!(open(&bundle[..len]), Err(Refusal::Form(_))));
    }
    let longer = [&*bundle, b"x"].concat();
    let refusal = Refusal::Form(Error::NotDeterministic { what: "bundle" });
    assert_eq!(open(&longer), Err(refusal));
}

#[test]
fn payloads_of_every_shape_come_back() {
    for len in [0, 1, 23, 24, 255, 256, SECRET_LEN_BYTES_MAX] {
        let (module, secret) = (vec![1; len * 3], vec![2; len]);
        let payload = Payload {
            module: Some(&module),
            secrets: [("a", &*secret), ("B", b"b"), ("long-name", b"c")].into(),
            volume_keys: [("/", &VOLUME_KEY), ("/a", &VOLUME_KEY)].into(),
        };
        let bytes = payload.encode().unwrap();
        assert_eq!(Payload::parse(&bytes), Ok(payload));
    }
}

#[test]
fn a_payload_that_breaks_a_rule_is_neither_sealed_nor_opened() {
    let names: Vec<_> = (0..=SECRETS_COUNT_MAX)
        .map(|number| alloc::format!("s{number}"))
        .collect();
    let long = vec![0; SECRET_LEN_BYTES_MAX + 1];
    let (long_name, long_path) = ("x".repeat(129), "x".repeat(256));
    let with_secret = |name, secret| Payload {
        secrets: [(name, secret)].into(),
        ..Payload::default()
    };
    let with_key = |name| Payload {
        volume_keys: [(name, &VOLUME_KEY)].into(),
        ..Payload::default()
    };
    let broken = [
        with_secret("", b""),
        with_secret(".", b""),
        with_secret("..", b""),
        with_secret("a/b", b""),
        with_secret("n\u{e4}me", b""),
        with_secret(&long_name, b""),
        with_secret("a", &long),
        with_key(""),
        with_key(&long_path),
        Payload {
            secrets: names.iter().map(|name| (&**name, &b""[..])).collect(),
            ..Payload::default()
        },
        Payload {
            volume_keys: names
                .iter()
                .take(VOLUME_KEYS_COUNT_MAX + 1)
                .map(|name| (&**name, &VOLUME_KEY))
                .collect(),
            ..Payload::default()
        },
    ];
    for payload in broken {
        let refusal = payload.encode().unwrap_err();
        assert!(matches!(refusal, Error::Malformed { .. }));
        let sealed = seal(&payload, &HEADER, &key().public(), &provisioner(7), [2; 32]);
        assert_eq!(sealed, Err(Unsealable::Payload(refusal)));
        // Somebody else's provisioner may be less careful.
        let mut encoder = minicbor::Encoder::new(Vec::new());
        payload.write(&mut encoder).unwrap();
        assert_eq!(Payload::parse(&encoder.into_writer()), Err(refusal));
    }
}

#[test]
fn a_payload_has_one_encoding() {
    let refused = |bytes: &[u8]| Payload::parse(bytes).unwrap_err();
    let other = Error::NotDeterministic {
        what: "payload of the bundle",
    };
    // An empty part; parts in another order; two of the same name; a length of two bytes where one would do.
    assert_eq!(refused(b"\xa1\x67secrets\xa0"), other);
    assert_eq!(
        refused(b"\xa2\x67secrets\xa1\x61a\x40\x66module\x40"),
        other
    );
    assert_eq!(refused(b"\xa1\x67secrets\xa2\x61a\x40\x61a\x40"), other);
    assert_eq!(refused(b"\xa1\x67secrets\xa2\x62aa\x40\x61b\x40"), other);
    assert_eq!(refused(b"\xa1\x66module\x58\x01x"), other);
    assert_eq!(refused(b"\xa0\x00"), other);
    // Something else; an indefinite length; a key of another length.
    let malformed = |part| Error::Malformed {
        what: "payload of the bundle",
        part,
    };
    assert_eq!(refused(b"\xa1\x65other\x40"), malformed("name of a part"));
    assert_eq!(refused(b"\xbf\xff"), malformed("map"));
    assert_eq!(
        refused(b"\xa1\x6bvolume-keys\xa1\x61/\x41x"),
        malformed("volume key")
    );
}

#[test]
fn a_point_of_low_order_is_nobodys_key() {
    let sealed = seal(&payload(), &HEADER, &[0; 32], &provisioner(7), [2; 32]);
    assert_eq!(sealed, Err(Unsealable::Key));
}

/// Frozen (`docs/attestation.md`, section 2): releases must understand each other.
#[test]
fn a_bundle_has_these_bytes() {
    let golden = include_bytes!("../../tests/golden/bundle.cbor");
    assert_eq!(sealed(&payload(), &HEADER), golden);
}

/// Random changes of valid bytes never panic, and what is still read has its one encoding.
#[test]
fn damage_is_refused_or_means_what_it_says() {
    let mut random = Random(11);
    let payload = payload();
    let valid = [
        sealed(&payload, &HEADER),
        HEADER.encode(),
        payload.encode().unwrap().to_vec(),
    ];
    for round in 0..60_000 {
        let mut bytes = valid[round % valid.len()].clone();
        for _ in 0..=random.below(4) {
            let (at, byte) = (random.below(bytes.len()), random.byte());
            match random.below(3) {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        crate::fuzzing::bundle(&bytes);
    }
}

/// Numbers without rhyme or reason, the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next()).unwrap() % end
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}
