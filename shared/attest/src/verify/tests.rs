//! What only a root in Intel's place can show: a chain that is right, and marks that are wrong.

use std::time::Duration;

use super::*;
use crate::marks::Mark;
use crate::reason::Reason;

const QUOTE: &[u8] = include_bytes!("../../tests/vectors/simulated-prototype/ok.quote");
const SET: &[u8] = include_bytes!("../../tests/vectors/simulated-prototype/ok.json");
const ROOT: &[u8] = include_bytes!("../../tests/vectors/simulated-prototype/root.der");
const REAL_QUOTE: &[u8] =
    include_bytes!("../../tests/vectors/matrix/quotes/dcap-qvl__sgx_quote.bin");
const REAL_SET: &[u8] = include_bytes!(
    "../../tests/vectors/matrix/collateral/fmspc00a067110000_ev17_2025-06-19_ffa4ed.json"
);

fn policy(quote: &[u8], rest: &str) -> Policy {
    let mrenclave = crate::hex::encode(&quote[112..144]);
    let text = format!(
        "version = 1\n[enclave]\nmrenclave = [\"{mrenclave}\"]\nconfig_id = \"any\"\n{rest}"
    );
    Policy::parse(text.as_bytes()).unwrap()
}

fn reasons(verdict: Verdict) -> Vec<Reason> {
    match verdict {
        Verdict::Refused(refused) => refused.reasons,
        accepted => panic!("{accepted:?}"),
    }
}

fn presented(quote: &[u8], origin: Origin) -> Presented {
    let mut presented = Presented::quote_alone(quote).unwrap();
    presented.origin = origin;
    presented
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn a_quote_that_leads_to_intels_root_and_carries_marks_is_refused_for_them() {
    let sha256 = root::fingerprint(ROOT);
    let intel = Root::among(ROOT, &[sha256]).unwrap();
    let verdict = judge(
        &presented(QUOTE, Origin::Processor),
        &Expectation::quote_alone(),
        &policy(QUOTE, "[platform]\nmax_tcb_info_age_days = 10000"),
        &Collateral::parse(SET).unwrap(),
        at(1_790_000_000),
        &intel,
    );
    let all = [
        Mark::UserData,
        Mark::CpuSvn,
        Mark::QuotingEnclave,
        Mark::Fmspc,
        Mark::Ppid,
        Mark::CertificateName,
    ];
    assert_eq!(
        reasons(verdict),
        [Reason::MarkedAsSimulated { marks: all.into() }]
    );
}

#[test]
fn a_quote_that_leads_to_an_emulators_root_and_lacks_marks_is_refused_for_that() {
    let lenient = "[platform]\ntcb_status = [\"ConfigurationAndSWHardeningNeeded\"]\naccepted_advisories = \
                   [\"INTEL-SA-00289\", \"INTEL-SA-00615\", \"INTEL-SA-00334\", \"INTEL-SA-00219\"]\n";
    let mut policy = policy(REAL_QUOTE, lenient);
    // Reading a policy does not let anybody say this.
    policy.simulated_roots = vec![root::INTEL_ROOT_SHA256];
    let other_root = Root::among(ROOT, &[root::fingerprint(ROOT)]).unwrap();
    let verdict = judge(
        &presented(REAL_QUOTE, Origin::Emulator),
        &Expectation::quote_alone(),
        &policy,
        &Collateral::parse(REAL_SET).unwrap(),
        at(1_751_624_924),
        &other_root,
    );
    let reasons = reasons(verdict);
    let missing = reasons.iter().find_map(|reason| match reason {
        Reason::UnmarkedSimulation { missing } => Some(missing.len()),
        _ => None,
    });
    assert_eq!(missing, Some(6), "{reasons:?}");
}
