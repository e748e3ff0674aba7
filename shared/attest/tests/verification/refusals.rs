//! Each reason has its own message, tells whose doing it is, and what to do; and no reason hides another.

use twine_attest::{Blame, Collateral, Policy, Quote, Reason, Verdict};

use crate::vectors::{
    EVALUATION_17, LENIENT, QUOTE, TIME, bytes, codes, collateral, hex, judge, policy, quote,
};

/// A policy from whole text, with the quote's own MRENCLAVE and MRSIGNER put in.
fn written(text: &str) -> Policy {
    let report = *Quote::parse(&quote(QUOTE)).unwrap().body();
    let text = text
        .replace("MRENCLAVE", &hex(&report.mr_enclave))
        .replace("MRSIGNER", &hex(&report.mr_signer))
        .replace("OTHER", &"5a".repeat(32));
    let text = format!("version = 1\n[enclave]\n{text}\n[platform]\n{LENIENT}");
    Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn reasons(policy: &Policy) -> Vec<Reason> {
    match judge(&quote(QUOTE), policy, &collateral(EVALUATION_17), TIME) {
        Verdict::Refused(refused) => refused.reasons().to_vec(),
        _ => Vec::new(),
    }
}

#[test]
fn each_difference_in_the_enclave_has_its_own_message() {
    let zeros = "00".repeat(64);
    for (policy, code, part) in [
        ("mrenclave = [\"MRENCLAVE\"]\nconfig_id = \"any\"", "", ""),
        (
            "mrenclave = [\"OTHER\", \"MRENCLAVE\"]\nconfig_id = \"any\"",
            "",
            "",
        ),
        (
            "mrsigner = \"MRSIGNER\"\nprod_id = 0\nmin_isv_svn = 0\nconfig_id = \"any\"",
            "",
            "",
        ),
        (
            "mrenclave = [\"OTHER\"]\nconfig_id = \"any\"",
            "wrong-image",
            "MRENCLAVE is",
        ),
        (
            "mrsigner = \"OTHER\"\nprod_id = 0\nmin_isv_svn = 0\nconfig_id = \"any\"",
            "wrong-signer",
            "MRSIGNER is",
        ),
        (
            "mrsigner = \"MRSIGNER\"\nprod_id = 9\nmin_isv_svn = 0\nconfig_id = \"any\"",
            "wrong-product",
            "ISVPRODID is 0, not 9",
        ),
        (
            "mrsigner = \"MRSIGNER\"\nprod_id = 0\nmin_isv_svn = 3\nconfig_id = \"any\"",
            "old-version",
            "ISVSVN is 0, at least 3",
        ),
        (
            "mrenclave = [\"MRENCLAVE\"]\nmin_isv_svn = 1\nconfig_id = \"any\"",
            "old-version",
            "at least 1",
        ),
        (
            "mrenclave = [\"MRENCLAVE\"]\nconfig_id = [\"sha512:ZEROS\"]",
            "",
            "",
        ),
        (
            "mrenclave = [\"MRENCLAVE\"]\nconfig_id = [\"sha512:OTHEROTHER\"]",
            "wrong-configuration",
            "CONFIGID is 0000",
        ),
        (
            "mrenclave = [\"MRENCLAVE\"]\nconfig_id = \"any\"\nmin_config_svn = 2",
            "old-configuration",
            "CONFIGSVN is 0, at least 2",
        ),
        (
            "mrenclave = [\"MRENCLAVE\"]\nconfig_id = \"any\"\nattributes = { required = [\"KSS\", \"INIT\"] }",
            "missing-attributes",
            "KSS",
        ),
        (
            "mrenclave = [\"MRENCLAVE\"]\nconfig_id = \"any\"\nattributes = { required = [], forbidden = [\"MODE64BIT\"] }",
            "forbidden-attributes",
            "MODE64BIT",
        ),
        (
            "mrenclave = [\"MRENCLAVE\"]\nconfig_id = \"any\"\nxfrm_max = 7",
            "too-much-state",
            "XFRM 0xe0",
        ),
    ] {
        let reasons = reasons(&written(&policy.replace("ZEROS", &zeros)));
        let told: Vec<_> = reasons.iter().map(Reason::code).collect();
        let expected: Vec<_> = [code].into_iter().filter(|code| !code.is_empty()).collect();
        assert_eq!(told, expected, "{policy}");
        for reason in reasons {
            assert!(reason.to_string().contains(part), "{reason}");
            assert_eq!(reason.blame(), Blame::Launcher, "{reason}");
        }
    }
}

#[test]
fn each_fault_of_the_machine_has_its_own_message() {
    let bytes = quote(QUOTE);
    let without = |line: &str| {
        LENIENT
            .lines()
            .filter(|l| !l.starts_with(line))
            .collect::<Vec<_>>()
            .join("\n")
    };
    for (platform, code, blame) in [
        (without("tcb_status"), "tcb-status", Blame::Machine),
        (without("accepted_advisories"), "advisories", Blame::Machine),
        (without("allow_dynamic"), "dynamic-platform", Blame::Machine),
        (
            format!("{LENIENT}min_tcb_eval_data_number = 18"),
            "old-evaluation",
            Blame::Verifier,
        ),
        (
            format!("{LENIENT}max_tcb_info_age_days = 9"),
            "old-tcb-info",
            Blame::Verifier,
        ),
        (
            format!("{LENIENT}fmspc_deny = [\"00606a000000\"]"),
            "denied-processor",
            Blame::Machine,
        ),
        (
            format!("{LENIENT}sgx_types = [2]"),
            "sgx-type",
            Blame::Machine,
        ),
        (
            format!(
                "{LENIENT}platform_instance_allow = [\"{}\"]",
                "5a".repeat(16)
            ),
            "other-machine",
            Blame::Machine,
        ),
    ] {
        let verdict = judge(
            &bytes,
            &policy(&bytes, "", &platform),
            &collateral(EVALUATION_17),
            TIME,
        );
        let Verdict::Refused(refused) = verdict else {
            panic!("{code}");
        };
        let [reason] = refused.reasons() else {
            panic!("{:?}", refused.reasons());
        };
        assert_eq!((reason.code(), reason.blame()), (code, blame), "{reason}");
    }
}

#[test]
fn a_machine_is_named_by_its_instance_or_its_processors_identifier() {
    let bytes = quote(QUOTE);
    let set = collateral(EVALUATION_17);
    let Verdict::Genuine(genuine) = judge(&bytes, &policy(&bytes, "", LENIENT), &set, TIME) else {
        panic!();
    };
    let machine = genuine.statement().platform();
    for id in [machine.instance.unwrap().to_vec(), machine.ppid.clone()] {
        let named = format!("{LENIENT}platform_instance_allow = [\"{}\"]", hex(&id));
        let verdict = judge(&bytes, &policy(&bytes, "", &named), &set, TIME);
        assert!(matches!(verdict, Verdict::Genuine(_)), "{verdict:?}");
    }
}

#[test]
fn days_of_grace_let_a_machine_pass_that_lacks_updates() {
    let bytes = quote(QUOTE);
    let set = collateral("fmspc00606a000000_ev19_2025-06-06_b0f944");
    let lenient = LENIENT.replace(", \"OutOfDate\", \"OutOfDateConfigurationNeeded\"", "");
    let with = |days: u32| {
        let platform = format!("{lenient}out_of_date_grace_days = {days}");
        codes(&judge(&bytes, &policy(&bytes, "", &platform), &set, TIME))
    };
    assert_eq!(with(0), ["tcb-status"]);
    assert_eq!(with(30), ["tcb-status"]);
    assert_eq!(with(10_000), [""; 0]);
}

#[test]
fn collateral_that_does_not_fit_is_blamed_on_the_verifier() {
    let bytes = quote(QUOTE);
    let policy = policy(&bytes, "", LENIENT);
    let set = collateral(EVALUATION_17);
    let other = collateral("fmspc00a067110000_ev17_2025-06-19_ffa4ed");
    for (set, time, code) in [
        (&set, TIME + 60 * 24 * 3600, "collateral-expired"),
        (&set, TIME - 60 * 24 * 3600, "collateral-not-yet-valid"),
        (&other, TIME + 300_000, "other-platform"),
    ] {
        let verdict = judge(&bytes, &policy, set, time);
        assert!(codes(&verdict).contains(&code), "{code}: {verdict:?}");
        let Verdict::Refused(refused) = verdict else {
            panic!()
        };
        assert!(refused.platform().is_none());
        assert_eq!(refused.reasons()[0].blame(), Blame::Verifier, "{refused:?}");
    }
}

#[test]
fn altered_collateral_is_noticed() {
    let quote = quote(QUOTE);
    let policy = policy(&quote, "", LENIENT);
    let set = bytes(&format!("matrix/collateral/{EVALUATION_17}.json"));
    let text = str::from_utf8(&set).unwrap();
    let number = r#"tcbEvaluationDataNumber\":"#;
    let forged = text.replace(&format!("{number}17"), &format!("{number}19"));
    assert_ne!(forged, text);
    let forged = Collateral::parse(forged.as_bytes()).unwrap();
    let verdict = judge(&quote, &policy, &forged, TIME);
    assert_eq!(codes(&verdict), ["collateral-altered"]);
}

#[test]
fn an_altered_quote_is_told_as_such() {
    let mut quote = quote(QUOTE);
    let policy = policy(&quote, "", LENIENT);
    // ISVSVN.
    quote[48 + 258] ^= 1;
    let verdict = judge(&quote, &policy, &collateral(EVALUATION_17), TIME);
    assert_eq!(codes(&verdict), ["quote-altered"]);
}

#[test]
fn no_reason_hides_another() {
    let policy = Policy::parse(
        format!(
            "version = 1\n[enclave]\nmrenclave = [\"{0}\"]\nmrsigner = \"{0}\"\nprod_id = 5\nmin_isv_svn = 5\n\
             config_id = [\"sha512:{0}{0}\"]\nmin_config_svn = 5\nxfrm_max = 3\nmiscselect_max = 0\n\
             attributes = {{ required = [\"KSS\"], forbidden = [\"MODE64BIT\"] }}\n[platform]\n\
             min_tcb_eval_data_number = 99\nmax_tcb_info_age_days = 1\nsgx_types = []\n",
            "5a".repeat(32)
        )
        .as_bytes(),
    )
    .unwrap();
    let verdict = judge(&quote(QUOTE), &policy, &collateral(EVALUATION_17), TIME);
    let codes = codes(&verdict);
    assert_eq!(
        codes,
        [
            "wrong-image",
            "wrong-signer",
            "wrong-product",
            "old-version",
            "wrong-configuration",
            "old-configuration",
            "missing-attributes",
            "forbidden-attributes",
            "too-much-state",
            "tcb-status",
            "advisories",
            "old-evaluation",
            "old-tcb-info",
            "dynamic-platform",
            "sgx-type",
        ]
    );
    let json = verdict.to_json();
    let told: Vec<_> = json["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| &reason["code"])
        .collect();
    assert_eq!(told, codes);
    for reason in json["reasons"].as_array().unwrap() {
        for key in ["message", "blame", "remedy"] {
            assert!(!reason[key].as_str().unwrap().is_empty(), "{reason}");
        }
    }
}
