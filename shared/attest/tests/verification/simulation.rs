//! Evidence of an emulator: refused unless a policy names its root, and never taken for a processor's.

use twine_attest::evidence::{Evidence, Origin, Purpose};
use twine_attest::{Collateral, Expectation, Policy, Presented, Reason, Verdict, verify};

use crate::vectors::{EVALUATION_17, QUOTE, TIME, at, bytes, codes, collateral, hex, judge, quote};

/// When the simulated collateral is valid.
const SIMULATED_TIME: u64 = 1_790_000_000;

fn set(name: &str) -> (Vec<u8>, Collateral) {
    let quote = bytes(&format!("simulated-prototype/{name}.quote"));
    let set = bytes(&format!("simulated-prototype/{name}.json"));
    (quote, Collateral::parse(&set).unwrap())
}

fn root() -> String {
    hex(&twine_attest::evidence::sha256(&bytes(
        "simulated-prototype/root.der",
    )))
}

/// A policy for the prototype's enclave, with further lines.
fn policy(enclave: &str, rest: &str) -> Policy {
    let (quote, _) = set("ok");
    let mrenclave = hex(&quote[112..144]);
    let text = format!(
        "version = 1\n[enclave]\nmrenclave = [\"{mrenclave}\"]\nconfig_id = \"any\"\n{enclave}\n{rest}"
    );
    Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn trusting(enclave: &str) -> Policy {
    policy(
        enclave,
        &format!("[simulation]\ntrusted_roots_sha256 = [\"{}\"]", root()),
    )
}

#[test]
fn a_named_root_makes_it_simulated_and_never_genuine() {
    let (quote, set) = set("ok");
    let verdict = judge(&quote, &trusting(""), &set, SIMULATED_TIME);
    let Verdict::Simulated(simulated) = &verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(simulated.statement().platform().fmspc, *b"SIM\0\0\0");
    assert_eq!(verdict.to_json()["verdict"], "simulated");
}

#[test]
fn a_production_policy_refuses_it_with_a_message_of_its_own() {
    let (quote, set) = set("ok");
    let verdict = judge(&quote, &policy("", ""), &set, SIMULATED_TIME);
    assert_eq!(codes(&verdict), ["simulation-refused"]);
    let other = policy(
        "",
        &format!(
            "[simulation]\ntrusted_roots_sha256 = [\"{}\"]",
            "5a".repeat(32)
        ),
    );
    let verdict = judge(&quote, &other, &set, SIMULATED_TIME);
    assert_eq!(codes(&verdict), ["other-emulator"]);
    let Verdict::Refused(refused) = verdict else {
        panic!()
    };
    assert!(
        refused.reasons()[0].to_string().contains(&root()),
        "{refused:?}"
    );
}

#[test]
fn each_fault_of_the_simulated_machine_is_told() {
    for (name, expected) in [
        ("tcb_outofdate", ["tcb-status", "advisories"].as_slice()),
        ("tcb_revoked", &["platform-revoked"]),
        ("qe_outofdate", &["tcb-status"]),
        ("qe_revoked", &["platform-revoked"]),
        ("pck_revoked", &["certificate-revoked"]),
        ("pckca_revoked", &["certificate-revoked"]),
        ("tcbsigner_revoked", &["certificate-revoked"]),
        ("debug", &["debug"]),
    ] {
        let (quote, set) = set(name);
        let verdict = judge(&quote, &trusting(""), &set, SIMULATED_TIME);
        assert_eq!(codes(&verdict), expected, "{name}: {verdict:?}");
    }
    let (quote, set) = set("own_vendor_id");
    let verdict = judge(&quote, &trusting(""), &set, SIMULATED_TIME);
    assert!(codes(&verdict).contains(&"foreign-vendor"), "{verdict:?}");
}

#[test]
fn a_debug_enclave_passes_only_in_simulation() {
    let (simulated, set) = set("debug");
    let verdict = judge(&simulated, &trusting("debug = true"), &set, SIMULATED_TIME);
    assert!(matches!(verdict, Verdict::Simulated(_)), "{verdict:?}");
    // The same policy, and a processor's quote.
    let real = quote("openenclave__sgx_quote");
    let set = collateral("fmspc00906ed50000_ev19_2025-06-19_e55826");
    let verdict = judge(&real, &trusting("debug = true"), &set, 1_750_958_385);
    assert!(codes(&verdict).contains(&"debug"), "{verdict:?}");
}

#[test]
fn simulated_evidence_under_the_processors_tag_is_refused_for_its_marks() {
    let (quote, set) = set("ok");
    let evidence = Evidence::new(Origin::Processor, quote, Vec::new()).unwrap();
    let presented = Presented::read(&evidence.encode()).unwrap();
    let expectation = Expectation::of(Purpose::Launch);
    let verdict = verify(
        &presented,
        &expectation,
        &trusting(""),
        &set,
        at(SIMULATED_TIME),
    );
    let codes = codes(&verdict);
    assert!(codes.contains(&"other-root"), "{verdict:?}");
    assert!(codes.contains(&"marked-as-simulated"), "{verdict:?}");
}

#[test]
fn a_processors_quote_under_the_emulators_tag_is_refused_for_lack_of_marks() {
    let evidence = Evidence::new(Origin::Emulator, quote(QUOTE), Vec::new()).unwrap();
    let presented = Presented::read(&evidence.encode()).unwrap();
    let expectation = Expectation::of(Purpose::Launch);
    let set = collateral(EVALUATION_17);
    let verdict = verify(&presented, &expectation, &trusting(""), &set, at(TIME));
    let codes = codes(&verdict);
    assert!(codes.contains(&"other-emulator"), "{verdict:?}");
    assert!(codes.contains(&"unmarked-simulation"), "{verdict:?}");
}

#[test]
fn marks_put_into_a_processors_quote_are_seen_and_break_its_signature() {
    let mut marked = quote(QUOTE);
    marked[28..48].copy_from_slice(b"SIMULATED-NOT-SECURE");
    let verdict = judge(&marked, &trusting(""), &collateral(EVALUATION_17), TIME);
    let Verdict::Refused(refused) = verdict else {
        panic!()
    };
    let marked = |reason: &Reason| matches!(reason, Reason::MarkedAsSimulated { .. });
    assert!(refused.reasons().iter().any(marked), "{refused:?}");
}
