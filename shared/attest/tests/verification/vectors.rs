//! The vectors, and policies for them.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use twine_attest::{Collateral, Expectation, Policy, Presented, Quote, Reason, Verdict, verify};

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/vectors", name]
        .iter()
        .collect();
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn quote(name: &str) -> Vec<u8> {
    bytes(&format!("matrix/quotes/{name}.bin"))
}

pub(crate) fn collateral(name: &str) -> Collateral {
    Collateral::parse(&bytes(&format!("matrix/collateral/{name}.json"))).unwrap()
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A policy for the enclave of a quote, with further lines of `[enclave]` and of `[platform]`.
pub(crate) fn policy(quote: &[u8], enclave: &str, platform: &str) -> Policy {
    let mrenclave = hex(&Quote::parse(quote).unwrap().body().mr_enclave);
    let text = format!(
        "version = 1\n[enclave]\nmrenclave = [\"{mrenclave}\"]\nconfig_id = \"any\"\n{enclave}\n[platform]\n{platform}"
    );
    Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Lines of `[platform]` that allow everything but what can never be allowed.
pub(crate) const LENIENT: &str = "\
tcb_status = [\"UpToDate\", \"SWHardeningNeeded\", \"ConfigurationNeeded\", \"ConfigurationAndSWHardeningNeeded\", \
\"OutOfDate\", \"OutOfDateConfigurationNeeded\"]
accepted_advisories = [\"INTEL-SA-00219\", \"INTEL-SA-00289\", \"INTEL-SA-00334\", \"INTEL-SA-00586\", \
\"INTEL-SA-00614\", \"INTEL-SA-00615\", \"INTEL-SA-00657\", \"INTEL-SA-00730\", \"INTEL-SA-00738\", \
\"INTEL-SA-00767\", \"INTEL-SA-00828\", \"INTEL-SA-00837\", \"INTEL-SA-00960\", \"INTEL-SA-01079\", \
\"INTEL-SA-01103\", \"INTEL-SA-01153\"]
allow_dynamic_platform = true
allow_smt = true
allow_cached_keys = true
";

/// The real quote that most tests start from, with collateral and a time for it. Its enclave is no debug enclave.
pub(crate) const QUOTE: &str = "automata__quotev3_hex";
pub(crate) const EVALUATION_17: &str = "fmspc00606a000000_ev17_2025-06-06_a6ee46";
pub(crate) const EVALUATION_19: &str = "fmspc00606a000000_ev19_2025-06-06_b0f944";
pub(crate) const TIME: u64 = 1_750_416_909;

pub(crate) fn judge(quote: &[u8], policy: &Policy, collateral: &Collateral, time: u64) -> Verdict {
    let presented = Presented::read(quote).unwrap();
    verify(
        &presented,
        &Expectation::quote_alone(),
        policy,
        collateral,
        at(time),
    )
}

/// The reasons' names.
pub(crate) fn codes(verdict: &Verdict) -> Vec<&'static str> {
    match verdict {
        Verdict::Refused(refused) => refused.reasons().iter().map(Reason::code).collect(),
        _ => Vec::new(),
    }
}
