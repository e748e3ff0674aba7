//! RA-TLS certificates: those of three other projects, and of ours.

use twine_attest::evidence::{Claims, Evidence, Nonce, Origin, Purpose, Statement, sha256};
use twine_attest::presented::Kind;
use twine_attest::{Collateral, Expectation, Policy, Presented, Verdict, verify};

use crate::vectors::{EVALUATION_19, LENIENT, TIME, at, bytes, codes, collateral, policy, quote};

const NAMES: [&str; 3] = ["gramine", "intel-sgxsdk", "rats-tls"];

fn certificate(name: &str) -> Vec<u8> {
    bytes(&format!(
        "ccc-interoperable-ra-tls/interoperability-tests/{name}-cert.pem"
    ))
}

fn codes_of(presented: &Presented, expectation: &Expectation) -> Vec<&'static str> {
    let policy = policy(presented.quote().bytes(), "", LENIENT);
    codes(&verify(
        presented,
        expectation,
        &policy,
        &collateral(EVALUATION_19),
        at(TIME),
    ))
}

/// Codes that concern the binding of certificate, claims and quote.
fn binding(codes: &[&'static str]) -> Vec<&'static str> {
    let about = [
        "claims-not-bound",
        "claims-malformed",
        "wrong-public-key",
        "wrong-purpose",
        "no-nonce",
        "wrong-nonce",
        "wrong-user-data",
        "no-certificate",
        "no-claims",
    ];
    codes
        .iter()
        .copied()
        .filter(|code| about.contains(code))
        .collect()
}

#[test]
fn three_projects_certificates_are_bound_to_their_keys() {
    for name in NAMES {
        let presented = Presented::read(&certificate(name)).unwrap();
        let codes = codes_of(&presented, &Expectation::of(Purpose::RaTls));
        assert_eq!(binding(&codes), [""; 0], "{name}");
        // All of them are samples, from debug enclaves.
        assert!(codes.contains(&"debug"), "{name}: {codes:?}");
    }
}

#[test]
fn with_collateral_for_it_nothing_but_debug_speaks_against_a_sample() {
    for name in ["gramine", "rats-tls"] {
        let presented = Presented::read(&certificate(name)).unwrap();
        let codes = codes_of(&presented, &Expectation::of(Purpose::RaTls));
        assert_eq!(codes, ["debug"], "{name}");
    }
}

/// Made by the runtime in an emulated enclave; `twine verify` said the same then.
#[test]
fn a_certificate_of_ours_is_accepted_under_a_policy_that_names_its_emulator() {
    let file = |name: &str| bytes(&format!("own/{name}"));
    let presented = Presented::read(&file("certificate.pem")).unwrap();
    let policy = String::from_utf8(file("policy.toml")).unwrap();
    let (without, _) = policy.split_once("[simulation]").unwrap();
    let judge = |policy: &str, presented: &Presented| {
        let policy = Policy::parse(policy.as_bytes()).unwrap();
        let collateral = Collateral::parse(&file("collateral.json")).unwrap();
        let ra_tls = Expectation::of(Purpose::RaTls);
        verify(presented, &ra_tls, &policy, &collateral, at(OWN_TIME))
    };
    let accepted = judge(&policy, &presented);
    assert!(matches!(accepted, Verdict::Simulated(_)), "{accepted:?}");
    assert!(matches!(judge(without, &presented), Verdict::Refused(_)));

    let mut der = pem::parse(file("certificate.pem")).unwrap().into_contents();
    let key = der.windows(2).position(|pair| pair == [0, 4]).unwrap();
    der[key + 10] ^= 1;
    let changed = judge(&policy, &Presented::read(&der).unwrap());
    assert_eq!(codes(&changed), ["wrong-public-key"]);
}

/// 2026-11-23, in seconds since 1970: within the collateral's time.
const OWN_TIME: u64 = 1_795_392_000;

#[test]
fn der_and_pem_are_the_same() {
    let pem = certificate("gramine");
    let der = pem::parse(&pem).unwrap().into_contents();
    assert_eq!(
        Presented::read(&der).unwrap(),
        Presented::read(&pem).unwrap()
    );
    assert_eq!(Kind::of(&der), Some(Kind::Certificate));
    assert_eq!(Kind::of(&pem), Some(Kind::Certificate));
}

#[test]
fn the_quote_in_a_certificate_is_the_one_that_stands_beside_it() {
    let presented = Presented::read(&certificate("rats-tls")).unwrap();
    let alone = quote("ccc-interoperable-ra-tls__rats-tls-cert_pem__361");
    assert_eq!(presented.quote().bytes(), alone);
}

#[test]
fn another_key_in_the_certificate_is_noticed() {
    for name in NAMES {
        let mut der = pem::parse(certificate(name)).unwrap().into_contents();
        // The public key is the BIT STRING that begins with an uncompressed point.
        let key = der
            .windows(2)
            .position(|pair| pair == [0, 4])
            .filter(|key| *key < 300)
            .unwrap();
        der[key + 10] ^= 1;
        let presented = Presented::read(&der).unwrap();
        let codes = codes_of(&presented, &Expectation::of(Purpose::RaTls));
        assert_eq!(binding(&codes), ["wrong-public-key"], "{name}");
    }
}

#[test]
fn expectations_that_a_certificate_cannot_meet_are_told() {
    let presented = Presented::read(&certificate("gramine")).unwrap();
    let codes = |expectation| binding(&codes_of(&presented, &expectation));
    let ra_tls = || Expectation::of(Purpose::RaTls);
    let nonce = Nonce::new(b"12345678").unwrap();
    assert_eq!(codes(ra_tls().with_nonce(nonce)), ["no-nonce"]);
    assert_eq!(codes(ra_tls().with_user_data(b"data")), ["wrong-user-data"]);
    assert_eq!(codes(Expectation::of(Purpose::Launch)), ["wrong-purpose"]);
}

#[test]
fn what_is_no_certificate_with_evidence_is_refused() {
    let error = |bytes: &[u8]| Presented::read(bytes).unwrap_err().to_string();
    let root = bytes("simulated-prototype/root.der");
    assert!(
        error(&root).contains("holds no evidence"),
        "{}",
        error(&root)
    );
    assert!(error(&root[..100]).contains("not a certificate"));
    assert!(error(b"-----BEGIN CERTIFICATE-----\n").contains("not a certificate"));
    assert!(error(b"hello").contains("neither evidence nor a quote nor a certificate"));
    assert!(error(b"").contains("neither"));
    let long = [b"-----BEGIN ".as_slice(), &[b'a'; 200_000]].concat();
    assert!(error(&long).contains("200011 bytes"));
}

/// Evidence over a real quote: the claims are never those that the quote vouches for, which is one reason among others.
fn evidence(statement: Statement) -> Presented {
    let claims = Claims {
        document: [0; 64],
        statement,
    };
    let quote = quote("dcap-qvl__sgx_quote");
    let evidence = Evidence::new(Origin::Processor, quote, claims.encode()).unwrap();
    Presented::read(&evidence.encode()).unwrap()
}

#[test]
fn claims_are_compared_with_what_is_expected() {
    let module = [1; 32];
    let nonce = || Nonce::new(b"12345678").unwrap();
    let launch = evidence(Statement::Launch {
        module,
        nonce: Some(nonce()),
    });
    let guest = evidence(Statement::Guest {
        module,
        user: sha256(b"data"),
    });
    let ra_tls = evidence(Statement::RaTls {
        module,
        public_key: [2; 32],
        nonce: None,
    });
    let of = Expectation::of;
    let other = Nonce::new(b"87654321").unwrap();
    for (presented, expectation, code) in [
        (&launch, of(Purpose::Launch).with_nonce(nonce()), None),
        (
            &launch,
            of(Purpose::Launch).with_nonce(other),
            Some("wrong-nonce"),
        ),
        (&launch, of(Purpose::Provision), Some("wrong-purpose")),
        (
            &launch,
            of(Purpose::Launch).with_user_data(b"data"),
            Some("wrong-user-data"),
        ),
        (&guest, of(Purpose::Guest).with_user_data(b"data"), None),
        (
            &guest,
            of(Purpose::Guest).with_user_data(b"other"),
            Some("wrong-user-data"),
        ),
        (&guest, of(Purpose::Launch), Some("wrong-purpose")),
        (&guest, of(Purpose::RaTls), Some("wrong-purpose")),
        (
            &guest,
            of(Purpose::Guest).with_nonce(nonce()),
            Some("no-nonce"),
        ),
        (&ra_tls, of(Purpose::RaTls), Some("no-certificate")),
    ] {
        let codes = binding(&codes_of(presented, &expectation));
        let expected: Vec<_> = ["claims-not-bound"].into_iter().chain(code).collect();
        assert_eq!(codes, expected, "{expectation:?}");
    }
    let unexpected = codes_of(&launch, &Expectation::quote_alone());
    assert!(unexpected.contains(&"unexpected-claims"));
}

#[test]
fn claims_that_contradict_the_processor_are_refused() {
    let claims = Claims {
        document: [7; 64],
        statement: Statement::Provision { key: [1; 32] },
    };
    let quote = quote("dcap-qvl__sgx_quote");
    let evidence = Evidence::new(Origin::Processor, quote, claims.encode()).unwrap();
    let presented = Presented::read(&evidence.encode()).unwrap();
    let codes = codes_of(&presented, &Expectation::of(Purpose::Provision));
    assert!(codes.contains(&"document-contradicts"), "{codes:?}");
}

#[test]
fn a_quote_alone_makes_no_claims() {
    let presented = Presented::read(&quote("dcap-qvl__sgx_quote")).unwrap();
    let codes = codes_of(&presented, &Expectation::of(Purpose::Launch));
    assert_eq!(binding(&codes), ["no-claims"]);
    let verdict = verify(
        &presented,
        &Expectation::quote_alone(),
        &policy(presented.quote().bytes(), "", LENIENT),
        &collateral("fmspc00a067110000_ev17_2025-06-19_ffa4ed"),
        at(1_751_624_924),
    );
    assert!(matches!(verdict, Verdict::Genuine(_)), "{verdict:?}");
}
