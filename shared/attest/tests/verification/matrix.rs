//! Every real quote with every set of collateral that goes with it.

use serde::Deserialize;
use twine_abi::sgx::AttributeFlags;
use twine_attest::{Collateral, Platform, Quote, Verdict};

use crate::vectors::{
    EVALUATION_17, EVALUATION_19, LENIENT, QUOTE, TIME, bytes, codes, collateral, judge, policy,
    quote,
};

#[derive(Deserialize)]
struct Case {
    quote: String,
    collateral: String,
    now: u64,
    result_default: String,
    result_allow_debug: String,
}

impl Case {
    fn all() -> Vec<Self> {
        serde_json::from_slice(&bytes("matrix/cases.json")).unwrap()
    }

    fn collateral(&self) -> Collateral {
        collateral(&self.collateral)
    }
}

fn platform(verdict: &Verdict) -> &Platform {
    match verdict {
        Verdict::Genuine(genuine) => genuine.statement().platform(),
        Verdict::Simulated(_) => panic!("a real quote is not simulated"),
        Verdict::Refused(refused) => refused.platform().unwrap(),
    }
}

#[test]
fn every_case_has_the_listed_status() {
    let cases = Case::all();
    assert_eq!(cases.len(), 23);
    for case in cases {
        let quote = quote(&case.quote);
        let verdict = judge(
            &quote,
            &policy(&quote, "", ""),
            &case.collateral(),
            case.now,
        );
        let platform = platform(&verdict);
        let status = format!(
            "{} qe={} {:?}",
            platform.tcb_status, platform.qe_status, platform.advisories
        );
        assert_eq!(status, case.result_allow_debug, "{}", case.quote);
        // With debug refused, the listed result is the refusal, or the status again.
        let debug = codes(&verdict).contains(&"debug");
        let expected = if debug {
            "ERR Debug mode is enabled"
        } else {
            platform.tcb_status.name()
        };
        assert_eq!(expected, case.result_default, "{}", case.quote);
    }
}

#[test]
fn a_policy_that_allows_it_accepts_a_quote_and_no_other_does() {
    for case in Case::all() {
        let bytes = quote(&case.quote);
        let collateral = case.collateral();
        let lenient = policy(&bytes, "xfrm_max = 0x2ff", LENIENT);
        let verdict = judge(&bytes, &lenient, &collateral, case.now);
        let flags = Quote::parse(&bytes).unwrap().body().attributes.flags;
        if flags.contains(AttributeFlags::DEBUG) {
            assert_eq!(codes(&verdict), ["debug"], "{}", case.quote);
        } else {
            assert!(matches!(verdict, Verdict::Genuine(_)), "{verdict:?}");
        }
        // None of these machines is without fault, and a policy that says nothing allows none.
        let strict = judge(&bytes, &policy(&bytes, "", ""), &collateral, case.now);
        assert!(codes(&strict).contains(&"tcb-status"), "{strict:?}");
    }
}

#[test]
fn who_picks_the_collateral_picks_the_verdict_unless_the_policy_has_a_minimum() {
    let bytes = quote(QUOTE);
    let status = |set| {
        let verdict = judge(&bytes, &policy(&bytes, "", ""), &collateral(set), TIME);
        platform(&verdict).tcb_status.name()
    };
    assert_eq!(status(EVALUATION_17), "SWHardeningNeeded");
    assert_eq!(status(EVALUATION_19), "OutOfDate");

    let platform = LENIENT.replace(", \"OutOfDate\", \"OutOfDateConfigurationNeeded\"", "");
    let hardened = policy(&bytes, "", &platform);
    let codes = |policy, set| codes(&judge(&bytes, policy, &collateral(set), TIME));
    assert_eq!(codes(&hardened, EVALUATION_17), [""; 0]);
    assert_eq!(codes(&hardened, EVALUATION_19), ["tcb-status"]);
    let minimum = policy(
        &bytes,
        "",
        &format!("{platform}min_tcb_eval_data_number = 19"),
    );
    assert_eq!(codes(&minimum, EVALUATION_17), ["old-evaluation"]);
    assert_eq!(codes(&minimum, EVALUATION_19), ["tcb-status"]);
}

#[test]
fn a_byte_changed_in_any_signed_part_is_refused() {
    let bytes = quote(QUOTE);
    let lenient = policy(&bytes, "", LENIENT);
    let set = collateral(EVALUATION_17);
    assert!(matches!(
        judge(&bytes, &lenient, &set, TIME),
        Verdict::Genuine(_)
    ));
    // Header, report, both signatures, attestation key, quoting enclave's report, authentication data, and the leaf
    // certificate: everything before the authorities' certificates, which collateral and verifier have, too.
    let text = str::from_utf8(&bytes[1052..]).unwrap();
    let leaf_end = 1052 + text.find("-----END").unwrap();
    let mut flips = 0;
    for offset in 0..leaf_end {
        // Where lines of text end is not signed.
        if bytes[offset] == b'\n' && offset >= 1052 {
            continue;
        }
        let mut flipped = bytes.clone();
        flipped[offset] ^= 1;
        let refused = match twine_attest::Presented::read(&flipped) {
            Err(_) => true,
            Ok(_) => matches!(judge(&flipped, &lenient, &set, TIME), Verdict::Refused(_)),
        };
        assert!(refused, "byte {offset}");
        flips += 1;
    }
    assert!(flips > 2500, "{flips}");
}
