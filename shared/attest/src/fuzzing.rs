//! Properties that fuzzers drive; the tests call them on changed vectors.

use std::time::{Duration, UNIX_EPOCH};

use crate::{Collateral, Expectation, Policy, Presented, Quote, Verdict, verify};

/// Reading any bytes ends in a quote or an error, never a panic; a quote has exactly the bytes that it was read from.
pub fn quote(bytes: &[u8]) {
    if let Ok(quote) = Quote::parse(bytes) {
        assert_eq!(quote.bytes(), bytes, "no byte is left out");
        assert_eq!(bytes.get(48..432), Some(quote.body().to_bytes().as_slice()));
    }
}

/// Reading any bytes ends in something to judge or an error, never a panic; nothing that a fuzzer makes is genuine, and every
/// refusal has a reason that can be told.
pub fn presented(bytes: &[u8]) {
    let Ok(presented) = Presented::read(bytes) else {
        return;
    };
    let (Ok(policy), Ok(collateral)) = (Policy::parse(POLICY), Collateral::parse(COLLATERAL))
    else {
        unreachable!("the constants are right");
    };
    let now = UNIX_EPOCH + Duration::from_secs(1_751_624_924);
    let expectation = Expectation::quote_alone();
    let Verdict::Refused(refused) = verify(&presented, &expectation, &policy, &collateral, now)
    else {
        unreachable!("no quote has that MRENCLAVE");
    };
    assert!(!refused.reasons().is_empty());
    for reason in refused.reasons() {
        assert!(!reason.to_string().is_empty());
    }
}

/// Reading any bytes ends in a policy or an error that names a line that there is, never a panic.
pub fn policy(bytes: &[u8]) {
    if let Err(error) = Policy::parse(bytes) {
        let lines = bytes.split(|byte| *byte == b'\n').count();
        assert!(
            error.line.is_none_or(|line| (1..=lines).contains(&line)),
            "{error}"
        );
    }
}

const POLICY: &[u8] = b"version = 1\n[enclave]\nconfig_id = \"any\"\nmrenclave = \
    [\"5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\"]\n";
const COLLATERAL: &[u8] = include_bytes!(
    "../tests/vectors/matrix/collateral/fmspc00a067110000_ev17_2025-06-19_ffa4ed.json"
);
