//! The formats from outside: golden files, every way to write them wrongly, random values.
//!
//! The golden files come from an encoder of a few lines of Python that knows only docs/attestation.md and RFC 8949; see
//! golden/README.md.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use twine_evidence::limits::{
    CLAIMS_LEN_BYTES_MAX, EVIDENCE_LEN_BYTES_MAX, PEER_LEN_BYTES_MAX, QUOTE_LEN_BYTES_MAX,
};
use twine_evidence::{
    Claims, Error, Evidence, Nonce, Origin, PeerMessage, Purpose, Statement, fuzzing, sha256,
};

const LAUNCH: &[u8] = include_bytes!("golden/claims-launch.cbor");
const LAUNCH_NONCE: &[u8] = include_bytes!("golden/claims-launch-nonce.cbor");
const RA_TLS: &[u8] = include_bytes!("golden/claims-ra-tls.cbor");
const PROVISION: &[u8] = include_bytes!("golden/claims-provision.cbor");
const MIGRATE: &[u8] = include_bytes!("golden/claims-migrate.cbor");
const GUEST: &[u8] = include_bytes!("golden/claims-guest.cbor");
const PEER: &[u8] = include_bytes!("golden/claims-peer.cbor");
const PROCESSOR: &[u8] = include_bytes!("golden/evidence-processor.cbor");
const EMULATOR: &[u8] = include_bytes!("golden/evidence-emulator.cbor");
const PEER_MESSAGE: &[u8] = include_bytes!("golden/peer.cbor");

const MODULE: [u8; 32] = [0xaa; 32];
const HASH: [u8; 32] = [0xbb; 32];

fn document() -> [u8; 64] {
    std::array::from_fn(|index| u8::try_from(index).unwrap())
}

fn pattern<const N: usize>() -> [u8; N] {
    std::array::from_fn(|index| u8::try_from(index % 251).unwrap())
}

fn golden_claims() -> [(&'static [u8], Statement); 7] {
    let nonce = Some(Nonce::new(b"verifier").unwrap());
    [
        (
            LAUNCH,
            Statement::Launch {
                module: MODULE,
                nonce: None,
            },
        ),
        (
            LAUNCH_NONCE,
            Statement::Launch {
                module: MODULE,
                nonce,
            },
        ),
        (
            RA_TLS,
            Statement::RaTls {
                module: MODULE,
                public_key: HASH,
                nonce: Some(Nonce::new(&[0; 64]).unwrap()),
            },
        ),
        (PROVISION, Statement::Provision { key: HASH }),
        (MIGRATE, Statement::Migrate { key: HASH }),
        (
            GUEST,
            Statement::Guest {
                module: MODULE,
                user: HASH,
            },
        ),
        (
            PEER,
            Statement::Peer {
                module: MODULE,
                user: HASH,
            },
        ),
    ]
}

#[test]
fn claims_of_each_purpose_are_their_golden_file() {
    for (bytes, statement) in golden_claims() {
        let claims = Claims {
            document: document(),
            statement,
        };
        assert_eq!(claims.encode(), bytes, "{}", claims.purpose());
        assert_eq!(Claims::decode(bytes), Ok(claims));
    }
}

#[test]
fn report_data_is_the_hash_and_zeros() {
    let claims = Claims::decode(LAUNCH_NONCE).unwrap();
    let data = claims.report_data();
    assert_eq!(data[..32], sha256(LAUNCH_NONCE));
    assert_eq!(data[32..], [0; 32]);
    assert_eq!(Claims::vouched(LAUNCH_NONCE, &data), Ok(claims));
    for index in 0..64 {
        let mut other = data;
        other[index] ^= 1;
        assert_eq!(
            Claims::vouched(LAUNCH_NONCE, &other),
            Err(Error::NotVouchedFor),
            "byte {index}"
        );
    }
}

#[test]
fn evidence_and_messages_are_their_golden_files() {
    let quote = pattern::<1000>().to_vec();
    for (bytes, origin) in [(PROCESSOR, Origin::Processor), (EMULATOR, Origin::Emulator)] {
        let evidence = Evidence::new(origin, quote.clone(), LAUNCH_NONCE.to_vec()).unwrap();
        assert_eq!(evidence.encode(), bytes);
        assert_eq!(Evidence::decode(bytes), Ok(evidence));
    }
    let claims = Claims::decode(PEER).unwrap();
    let message = PeerMessage::new(pattern(), &claims);
    assert_eq!(message.encode(), PEER_MESSAGE);
    let read = PeerMessage::decode(PEER_MESSAGE).unwrap();
    assert_eq!(read.report(), &pattern());
    assert_eq!(read.vouched_claims(&claims.report_data()), Ok(claims));
}

/// Every single-byte change is refused or gives another value with exactly those bytes; every cut and every tail is refused.
#[test]
fn no_two_byte_strings_mean_the_same() {
    let claims = golden_claims().map(|(bytes, _)| bytes);
    for bytes in claims
        .into_iter()
        .chain([EMULATOR, PROCESSOR, PEER_MESSAGE])
    {
        for len in 0..bytes.len() {
            refused(&bytes[..len]);
        }
        for tail in 0..=u8::MAX {
            refused(&[bytes, &[tail]].concat());
        }
        for index in 0..bytes.len().min(600) {
            for value in 0..=u8::MAX {
                let mut changed = bytes.to_vec();
                changed[index] = value;
                fuzzing::claims(&changed);
                fuzzing::evidence(&changed);
                fuzzing::peer_message(&changed);
            }
        }
    }
}

fn refused(bytes: &[u8]) {
    Claims::decode(bytes).unwrap_err();
    Evidence::decode(bytes).unwrap_err();
    PeerMessage::decode(bytes).unwrap_err();
}

/// The same claims, written as RFC 8949 allows and section 4.2.1 does not.
#[test]
fn encodings_that_are_not_deterministic_are_refused() {
    let what = Error::NotDeterministic { what: "claims" };
    // The map's length in two bytes; as indefinite.
    let entries = &LAUNCH[1..];
    assert_eq!(LAUNCH[0], 0xa3);
    assert_eq!(Claims::decode(&[&[0xb8, 3], entries].concat()), Err(what));
    let indefinite = [&[0xbf], entries, &[0xff]].concat();
    assert!(matches!(
        Claims::decode(&indefinite),
        Err(Error::Malformed { .. })
    ));
    // The first entry behind the others; twice.
    let (document, rest) = entries.split_at(7 + 2 + 64);
    assert_eq!(
        Claims::decode(&[&[0xa3], rest, document].concat()),
        Err(what)
    );
    assert_eq!(
        Claims::decode(&[&[0xa4], document, document, rest].concat()),
        Err(what)
    );
    // The document's length in three bytes; as chunks.
    let longer = [
        &[0xa3],
        &document[..7],
        &[0x59, 0, 64],
        &document[9..],
        rest,
    ]
    .concat();
    assert_eq!(Claims::decode(&longer), Err(what));
    let chunks = [
        &[0xa3],
        &document[..7],
        &[0x5f],
        &document[7..],
        &[0xff],
        rest,
    ]
    .concat();
    assert!(matches!(
        Claims::decode(&chunks),
        Err(Error::Malformed { .. })
    ));
    // Evidence: the tag in nine bytes.
    let tag = [&[0xdb, 0, 0, 0, 0], &EMULATOR[1..]].concat();
    assert_eq!(EMULATOR[0], 0xda);
    assert_eq!(
        Evidence::decode(&tag),
        Err(Error::NotDeterministic { what: "evidence" })
    );
}

/// Adds an entry that sorts last, which only lets the check of the purpose refuse it.
fn with(bytes: &[u8], key: &str, value: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[0] += 1;
    changed.push(0x60 + u8::try_from(key.len()).unwrap());
    changed.extend_from_slice(key.as_bytes());
    changed.extend([0x58, u8::try_from(value.len()).unwrap()]);
    changed.extend_from_slice(value);
    changed
}

#[test]
fn claims_that_do_not_go_with_the_purpose_are_refused() {
    let hash_entry = [&[0x82, 1, 0x58, 32], HASH.as_slice()].concat();
    let values: [(&'static str, &[u8]); 5] = [
        ("nonce", &[7; 24]),
        ("tw-hpke", &HASH),
        ("tw-user", &HASH),
        ("tw-module", &MODULE),
        ("pubkey-hash", &hash_entry),
    ];
    let refusals: [(&[u8], Purpose, &[&str]); 6] = [
        (
            LAUNCH,
            Purpose::Launch,
            &["tw-hpke", "tw-user", "pubkey-hash"],
        ),
        (RA_TLS, Purpose::RaTls, &["tw-hpke", "tw-user"]),
        (
            PROVISION,
            Purpose::Provision,
            &["nonce", "tw-user", "tw-module", "pubkey-hash"],
        ),
        (
            MIGRATE,
            Purpose::Migrate,
            &["nonce", "tw-user", "tw-module", "pubkey-hash"],
        ),
        (GUEST, Purpose::Guest, &["nonce", "tw-hpke", "pubkey-hash"]),
        (PEER, Purpose::Peer, &["nonce", "tw-hpke", "pubkey-hash"]),
    ];
    for (bytes, purpose, forbidden) in refusals {
        for (claim, value) in values {
            if forbidden.contains(&claim) {
                assert_eq!(
                    Claims::decode(&with(bytes, claim, value)),
                    Err(Error::UnexpectedClaim { claim, purpose }),
                    "{purpose} with {claim}"
                );
            }
        }
    }
}

#[test]
fn claims_that_the_purpose_needs_and_lacks_are_refused() {
    // Each purpose in turn over the claims of `launch` without a nonce: what is missing first.
    for (purpose, claim) in [
        ("provision", "tw-hpke"),
        ("migrate", "tw-hpke"),
        ("ra-tls", "pubkey-hash"),
        ("guest", "tw-user"),
        ("peer", "tw-user"),
    ] {
        assert_eq!(
            Claims::decode(&renamed(LAUNCH, "launch", purpose)),
            Err(Error::MissingClaim { claim }),
            "{purpose}"
        );
    }
    assert_eq!(
        Claims::decode(&[0xa0]),
        Err(Error::MissingClaim {
            claim: "tw-purpose"
        })
    );
}

#[test]
fn unknown_claims_and_purposes_are_refused() {
    assert_eq!(
        Claims::decode(&with(LAUNCH, "tw-else", &[0; 24])),
        Err(Error::UnknownClaim)
    );
    assert_eq!(
        Claims::decode(&renamed(LAUNCH, "launch", "Launch")),
        Err(Error::UnknownPurpose)
    );
    for purpose in Purpose::ALL {
        assert_eq!(Purpose::from_name(purpose.name()), Some(purpose));
    }
}

/// Replaces the text `from` in an encoding, head included.
fn renamed(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = |text: &str| {
        let head = 0x60 + u8::try_from(text.len()).unwrap();
        [&[head], text.as_bytes()].concat()
    };
    let from = text(from);
    let place = bytes
        .windows(from.len())
        .position(|window| window == from)
        .unwrap();
    [&bytes[..place], &text(to), &bytes[place + from.len()..]].concat()
}

#[test]
fn the_hash_of_a_public_key_has_one_form() {
    // `[1, hash]` stands behind the last key; anything else of the same length is refused.
    let start = RA_TLS.len() - 36;
    assert_eq!(RA_TLS[start..start + 4], [0x82, 1, 0x58, 32]);
    for (index, values) in [
        (0, 0..=u8::MAX),
        (1, 0..=u8::MAX),
        (2, 0..=u8::MAX),
        (3, 0..=u8::MAX),
    ] {
        for value in values {
            let mut changed = RA_TLS.to_vec();
            changed[start + index] = value;
            assert_eq!(Claims::decode(&changed).is_ok(), changed == RA_TLS);
        }
    }
}

#[test]
fn nonces_have_8_to_64_bytes() {
    for len in 0..=100 {
        let nonce = Nonce::new(&vec![1; len]);
        assert_eq!(nonce.is_ok(), (8..=64).contains(&len), "{len}");
    }
    assert_eq!(Nonce::new(&[1; 7]), Err(Error::NonceLength { len: 7 }));
    // Read as well as made: a nonce of 65 bytes in claims.
    let mut long = vec![0xa4, 0x65];
    long.extend_from_slice(b"nonce");
    long.extend([0x58, 65]);
    long.extend([0; 65]);
    long.extend_from_slice(&LAUNCH[1..]);
    assert_eq!(Claims::decode(&long), Err(Error::NonceLength { len: 65 }));
}

#[test]
fn what_is_too_long_is_refused_before_it_is_read() {
    let too_long = |result: Result<(), Error>| matches!(result, Err(Error::TooLong { .. }));
    assert!(too_long(
        Claims::decode(&[0; CLAIMS_LEN_BYTES_MAX + 1]).map(drop)
    ));
    assert!(too_long(
        Evidence::decode(&[0; EVIDENCE_LEN_BYTES_MAX + 1]).map(drop)
    ));
    assert!(too_long(
        PeerMessage::decode(&[0; PEER_LEN_BYTES_MAX + 1]).map(drop)
    ));
    let quote = vec![0; QUOTE_LEN_BYTES_MAX + 1];
    assert!(too_long(
        Evidence::new(Origin::Processor, quote, Vec::new()).map(drop)
    ));
    let claims = vec![0; CLAIMS_LEN_BYTES_MAX + 1];
    assert!(too_long(
        Evidence::new(Origin::Processor, Vec::new(), claims).map(drop)
    ));
}

#[test]
fn the_longest_quote_with_the_longest_claims_fits() {
    let quote = vec![1; QUOTE_LEN_BYTES_MAX];
    let claims = vec![2; CLAIMS_LEN_BYTES_MAX];
    let evidence = Evidence::new(Origin::Emulator, quote, claims).unwrap();
    let bytes = evidence.encode();
    assert_eq!(bytes.len(), EVIDENCE_LEN_BYTES_MAX);
    assert_eq!(Evidence::decode(&bytes), Ok(evidence));
}

#[test]
fn random_claims_survive_and_differ_in_their_report_data() {
    let mut random = Random(42);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20_000 {
        let claims = random.claims();
        let bytes = claims.encode();
        fuzzing::claims(&bytes);
        assert_eq!(Claims::decode(&bytes).as_ref(), Ok(&claims));
        assert!(seen.insert(claims.report_data()), "two claims, one hash");
        let quote = random.bytes(5000);
        let evidence = Evidence::new(Origin::Processor, quote, bytes).unwrap();
        assert_eq!(Evidence::decode(&evidence.encode()).as_ref(), Ok(&evidence));
        assert_eq!(evidence.vouched_claims(&claims.report_data()), Ok(claims));
    }
}

/// What random changes make of valid bytes never panics and keeps its one encoding.
#[test]
fn random_damage_is_refused_or_means_what_it_says() {
    let mut random = Random(7);
    for _ in 0..50_000 {
        let mut bytes = random.claims().encode();
        if random.next().is_multiple_of(2) {
            bytes = Evidence::new(Origin::Emulator, random.bytes(64), bytes)
                .unwrap()
                .encode();
        }
        for _ in 0..=random.next() % 4 {
            let index = usize::try_from(random.next()).unwrap() % bytes.len();
            match random.next() % 3 {
                0 => bytes[index] = random.byte(),
                1 => drop(bytes.remove(index)),
                _ => bytes.insert(index, random.byte()),
            }
        }
        fuzzing::claims(&bytes);
        fuzzing::evidence(&bytes);
        fuzzing::peer_message(&bytes);
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

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.next() % most).map(|_| self.byte()).collect()
    }

    fn nonce(&mut self) -> Option<Nonce> {
        let len = usize::try_from(self.next() % 80).unwrap();
        Nonce::new(&self.array::<80>()[..len]).ok()
    }

    fn claims(&mut self) -> Claims {
        let (module, other, nonce) = (self.array(), self.array(), self.nonce());
        let statement = match self.next() % 6 {
            0 => Statement::Launch { module, nonce },
            1 => Statement::RaTls {
                module,
                public_key: other,
                nonce,
            },
            2 => Statement::Provision { key: other },
            3 => Statement::Migrate { key: other },
            4 => Statement::Guest {
                module,
                user: other,
            },
            _ => Statement::Peer {
                module,
                user: other,
            },
        };
        Claims {
            document: self.array(),
            statement,
        }
    }
}
