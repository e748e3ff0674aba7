//! Policies as people write them: what is refused while reading, with line and key.

use std::fmt::Write as _;

use twine_attest::{Policy, Source};

const MINIMAL: &str = "version = 1\n[enclave]\nmrenclave = [\"MR\"]\nconfig_id = \"any\"\n";

fn with(text: &str) -> String {
    text.replace("MR", &"ab".repeat(32))
}

fn refusal(text: &str) -> String {
    Policy::parse(with(text).as_bytes())
        .unwrap_err()
        .to_string()
}

#[track_caller]
fn assert_refused(text: &str, parts: &[&str]) {
    let refusal = refusal(text);
    for part in parts {
        assert!(refusal.contains(part), "{part:?} in {refusal:?} of\n{text}");
    }
}

#[test]
fn the_least_policy_is_read() {
    let policy = Policy::parse(with(MINIMAL).as_bytes()).unwrap();
    assert_eq!(policy.source(), None);
    assert!(!policy.allows_simulation());
}

#[test]
fn the_policy_in_the_documentation_is_read() {
    let text = include_str!("../../../../docs/attestation.md");
    let mut blocks = text.split("```toml\n").skip(1);
    let policy = blocks.find(|block| block.contains("[enclave]")).unwrap();
    let (policy, _) = policy.split_once("```").unwrap();
    let mut full = String::new();
    for line in policy.lines() {
        // The text shortens hashes.
        let line = line
            .replace("7b16…", &"7b".repeat(32))
            .replace("90aa…", &"90".repeat(32))
            .replace("sha512:c2d4…", &format!("sha512:{}", "c2".repeat(64)));
        writeln!(full, "{line}").unwrap();
    }
    let policy = Policy::parse(full.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{full}"));
    assert!(matches!(policy.source(), Some(Source::Pccs(_))));
}

#[test]
fn nothing_is_a_policy_but_one_that_says_which_enclave() {
    assert_refused("", &["version", "missing"]);
    assert_refused(
        "version = 2\nnew = 1\n",
        &["line 1", "`version`", "only version 1"],
    );
    assert_refused("version = 1\n", &["missing field `enclave`"]);
    assert_refused(
        "version = 1\n[enclave]\nconfig_id = \"any\"\n",
        &["line 2", "`enclave`", "say which enclave"],
    );
    assert_refused(
        "version = 1\n[enclave]\nmrenclave = [\"MR\"]\n",
        &["line 2", "config_id"],
    );
    for list in [
        "mrenclave = []\nconfig_id = \"any\"",
        "mrenclave = [\"MR\"]\nconfig_id = []",
    ] {
        assert_refused(
            &format!("version = 1\n[enclave]\n{list}\n"),
            &["refuse every enclave"],
        );
    }
}

#[test]
fn a_signer_is_named_with_product_and_version() {
    let enclave = |lines| format!("version = 1\n[enclave]\nconfig_id = \"any\"\n{lines}\n");
    assert_refused(
        &enclave("mrsigner = \"MR\""),
        &["line 4", "`enclave.mrsigner`", "prod_id", "min_isv_svn"],
    );
    assert_refused(&enclave("mrsigner = \"MR\"\nprod_id = 1"), &["min_isv_svn"]);
    assert_refused(
        &enclave("prod_id = 1"),
        &["line 4", "`enclave.prod_id`", "mrsigner"],
    );
    let whole = with(&enclave("mrsigner = \"MR\"\nprod_id = 1\nmin_isv_svn = 2"));
    Policy::parse(whole.as_bytes()).unwrap();
}

#[test]
fn unknown_keys_and_wrong_values_are_refused_with_line_and_key() {
    for (line, parts) in [
        ("mrenclaves = []", ["line 5", "mrenclaves"]),
        ("min_config_svn = -1", ["line 5", "min_config_svn"]),
        ("min_config_svn = 65536", ["line 5", "min_config_svn"]),
        ("debug = \"no\"", ["line 5", "enclave.debug"]),
        (
            "attributes = { required = [\"SGX\"] }",
            ["line 5", "enclave.attributes.required[0]"],
        ),
        ("attributes = { optional = [] }", ["line 5", "optional"]),
        (
            "[platform]\ntcb_status = [\"Fine\"]",
            ["line 6", "platform.tcb_status[0]"],
        ),
        (
            "[platform]\nfmspc_deny = [\"00906ED50000\"]",
            ["line 6", "12 lower-case"],
        ),
        (
            "[platform]\nallow_smt = 1",
            ["line 6", "platform.allow_smt"],
        ),
        (
            "[collateral]\nsource = \"https://localhost\"",
            ["line 6", "collateral.source"],
        ),
        (
            "[collateral]\nsource = \"pccs:http://example.org\"",
            ["line 6", "https"],
        ),
        ("[simulation]", ["line 5", "trusted_roots_sha256"]),
        ("[network]", ["line 5", "network"]),
        ("mrenclave = []", ["line 5", "duplicate"]),
    ] {
        assert_refused(&format!("{MINIMAL}{line}\n"), &parts);
    }
    assert_refused(
        "version = 1\n[enclave]\nmrenclave = [\"MRa\"]\nconfig_id = \"any\"\n",
        &["line 3", "64 lower-case"],
    );
    for id in ["\"all\"", "[\"MR\"]", "[\"sha512:MR\"]", "7"] {
        let text = format!("version = 1\n[enclave]\nmrenclave = [\"MR\"]\nconfig_id = {id}\n");
        assert_refused(&text, &["line 4", "sha512"]);
    }
    assert_refused("version = 1\n[enclave\n", &["line 2"]);
}

#[test]
fn what_would_undo_a_policy_cannot_be_said() {
    assert_refused(
        &format!("{MINIMAL}debug = true\n"),
        &["line 5", "`enclave.debug`", "[simulation]"],
    );
    assert_refused(
        &format!("{MINIMAL}[platform]\ntcb_status = [\"Revoked\"]\n"),
        &["line 6", "`platform.tcb_status`", "Revoked"],
    );
    let intel = twine_attest::INTEL_ROOT_SHA256;
    let digits: String = intel.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_refused(
        &format!("{MINIMAL}[simulation]\ntrusted_roots_sha256 = [\"{digits}\"]\n"),
        &["line 6", "Intel's own root"],
    );
    assert_refused(
        &format!("{MINIMAL}attributes = {{ required = [\"KSS\"], forbidden = [\"KSS\"] }}\n"),
        &["line 5", "both required and forbidden"],
    );
}

#[test]
fn a_source_is_a_file_or_a_service_that_nobody_in_between_can_be() {
    let source = |text: &str| text.parse::<Source>();
    assert_eq!(source("file:a b.json"), Ok(Source::File("a b.json".into())));
    for url in [
        "https://pccs.example.org",
        "https://localhost:8081/",
        "http://localhost:8081",
        "http://127.0.0.1",
        "http://[::1]:8081",
    ] {
        assert_eq!(source(&format!("pccs:{url}")), Ok(Source::Pccs(url.into())));
    }
    for text in [
        "",
        "file:",
        "a.json",
        "pccs:",
        "pccs:https://",
        "pccs:ftp://localhost",
        "pccs:http://localhost.example.org",
        "pccs:http://127.0.0.1@example.org",
        "pccs:http://example.org:80",
        "pccs:http://127.example.org",
    ] {
        assert!(source(text).is_err(), "{text}");
    }
}
