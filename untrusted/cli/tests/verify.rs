//! `twine verify` as its users see it: verdicts, exit codes, messages, and collateral from a service on this machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

const QUOTE: &str = "matrix/quotes/automata__quotev3_hex.bin";
const EVALUATION_17: &str = "matrix/collateral/fmspc00606a000000_ev17_2025-06-06_a6ee46.json";
const EVALUATION_19: &str = "matrix/collateral/fmspc00606a000000_ev19_2025-06-06_b0f944.json";
const TIME: &str = "2025-06-20T10:55:09Z";

/// What the quote's enclave needs to be accepted with evaluation 17.
const POLICY: &str = "\
version = 1
[enclave]
mrenclave = [\"a4f45c39dac622cb1dd32ddb35a52ec92db41d0fa88a1c911c49e59c534f61cd\"]
config_id = \"any\"
[platform]
tcb_status = [\"SWHardeningNeeded\"]
accepted_advisories = [\"INTEL-SA-00615\"]
allow_dynamic_platform = true
";

fn vector(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/attest/tests/vectors");
    path.join(name).into_os_string().into_string().unwrap()
}

/// A relying party, with a policy in a folder of its own.
struct Verifier(TempDir);

impl Verifier {
    fn new(policy: &str) -> Self {
        let verifier = Self(tempfile::tempdir().unwrap());
        fs::write(verifier.path("policy.toml"), policy).unwrap();
        verifier
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn verify(&self, evidence: &str, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_twine"))
            .env("TWINE_HOME", self.0.path())
            .args(["verify", evidence, "--policy"])
            .arg(self.path("policy.toml"))
            .args(more)
            .output()
            .unwrap()
    }

    fn with_collateral(&self, evidence: &str, collateral: &str, more: &[&str]) -> Output {
        let collateral = vector(collateral);
        let fixed = ["--collateral", &collateral, "--at", TIME];
        self.verify(evidence, &[&fixed, more].concat())
    }
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[track_caller]
fn assert_ends(output: &Output, code: i32, parts: &[&str]) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let told = [text(&output.stdout), text(&output.stderr)].concat();
    for part in parts {
        assert!(told.contains(part), "{part:?} in {told}");
    }
}

#[test]
fn a_quote_that_the_policy_allows_is_genuine() {
    let output = Verifier::new(POLICY).with_collateral(&vector(QUOTE), EVALUATION_17, &[]);
    assert_ends(
        &output,
        0,
        &["GENUINE", "a4f45c39", "SWHardeningNeeded by evaluation 17"],
    );
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_refusal_tells_every_reason_whose_doing_it_is_and_what_to_do() {
    let policy = POLICY.replace("config_id", "min_isv_svn = 7\nconfig_id");
    let output = Verifier::new(&policy).with_collateral(&vector(QUOTE), EVALUATION_19, &[]);
    let parts = [
        "REFUSED, for 3 reasons",
        "1. the enclave's security version is too low: ISVSVN is 0, at least 7",
        "2. the machine's state is OutOfDate",
        "3. the machine is open to what Intel describes in INTEL-SA-01079",
        "whose doing: whoever keeps the machine",
        "what to do:  update the machine's BIOS",
        "The quote itself is authentic",
    ];
    assert_ends(&output, 111, &parts);
}

#[test]
fn json_tells_the_same() {
    let policy = POLICY.replace("config_id", "min_isv_svn = 7\nconfig_id");
    let verifier = Verifier::new(&policy);
    let output = verifier.with_collateral(&vector(QUOTE), EVALUATION_17, &["--json"]);
    assert_ends(&output, 111, &[]);
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verdict["verdict"], "refused");
    assert_eq!(verdict["reasons"][0]["code"], "old-version");
    assert_eq!(verdict["reasons"][0]["blame"], "launcher");
    assert_eq!(verdict["platform"]["tcb_status"], "SWHardeningNeeded");
}

#[test]
fn what_is_handed_over_is_told_apart() {
    let verifier = Verifier::new(POLICY);
    let certificates = "ccc-interoperable-ra-tls/interoperability-tests";
    let pem = vector(&format!("{certificates}/gramine-cert.pem"));
    // Without --purpose, a certificate is expected to be about its key, and it is.
    let output = verifier.with_collateral(&pem, EVALUATION_19, &[]);
    assert_ends(&output, 111, &["MRENCLAVE is", "debug enclave"]);
    assert!(!text(&output.stdout).contains("claims"), "{output:?}");
    let output = verifier.with_collateral(&pem, EVALUATION_19, &["--purpose", "launch"]);
    assert_ends(
        &output,
        111,
        &["the evidence is for `ra-tls`, and evidence for `launch`"],
    );
    let output = verifier.with_collateral(&pem, EVALUATION_19, &["--nonce", "0102030405060708"]);
    assert_ends(&output, 111, &["answers no nonce"]);

    let output = verifier.with_collateral(&vector(QUOTE), EVALUATION_17, &["--purpose", "launch"]);
    assert_ends(&output, 111, &["this is a quote alone"]);

    let junk = verifier.path("junk");
    fs::write(&junk, "junk").unwrap();
    let output = verifier.with_collateral(junk.to_str().unwrap(), EVALUATION_17, &[]);
    assert_ends(
        &output,
        112,
        &["junk", "neither evidence nor a quote nor a certificate"],
    );
    let mut long = fs::read(vector(QUOTE)).unwrap();
    long.push(0);
    fs::write(&junk, long).unwrap();
    let output = verifier.with_collateral(junk.to_str().unwrap(), EVALUATION_17, &[]);
    assert_ends(&output, 112, &["1 bytes follow behind the quote"]);
}

#[test]
fn each_input_that_cannot_be_used_has_its_own_exit_code() {
    let verifier = Verifier::new("version = 1\n[enclave]\nmrenclave = 7\n");
    let output = verifier.with_collateral(&vector(QUOTE), EVALUATION_17, &[]);
    assert_ends(&output, 113, &["policy, line 3, `enclave.mrenclave`"]);

    let verifier = Verifier::new(POLICY);
    let output = verifier.verify(&vector(QUOTE), &[]);
    assert_ends(&output, 2, &["no collateral", "--collateral"]);
    let output = verifier.verify(&vector(QUOTE), &["--collateral", &vector(QUOTE)]);
    assert_ends(&output, 114, &["collateral"]);
    let output = verifier.verify(&vector(QUOTE), &["--collateral", "/nowhere"]);
    assert_ends(&output, 127, &["/nowhere"]);
    for (option, value) in [
        ("--nonce", "0102"),
        ("--nonce", "xyz"),
        ("--purpose", "sealing"),
        ("--at", "yesterday"),
        ("--collateral", "pccs:http://pccs.example.org"),
    ] {
        let output = verifier.verify(&vector(QUOTE), &[option, value]);
        assert_ends(&output, 2, &[option]);
    }
}

#[test]
fn a_policy_says_where_collateral_is_as_seen_from_itself() {
    let verifier = Verifier::new(&format!(
        "{POLICY}[collateral]\nsource = \"file:set.json\"\n"
    ));
    fs::copy(vector(EVALUATION_17), verifier.path("set.json")).unwrap();
    let output = verifier.verify(&vector(QUOTE), &["--at", "1750416909"]);
    assert_ends(&output, 0, &["GENUINE"]);
}

#[test]
fn simulated_evidence_is_loud() {
    let root = fs::read(vector("simulated-prototype/root.der")).unwrap();
    let root: String = twine_attest::evidence::sha256(&root)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let quote = fs::read(vector("simulated-prototype/ok.quote")).unwrap();
    let mrenclave: String = quote[112..144]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let policy =
        format!("version = 1\n[enclave]\nmrenclave = [\"{mrenclave}\"]\nconfig_id = \"any\"\n");
    let set = vector("simulated-prototype/ok.json");
    let more = ["--collateral", &set, "--at", "2026-06-01T00:00:00Z"];
    let quote = vector("simulated-prototype/ok.quote");

    let output = Verifier::new(&policy).verify(&quote, &more);
    assert_ends(&output, 111, &["REFUSED", "the evidence is SIMULATED"]);
    let trusting = format!("{policy}[simulation]\ntrusted_roots_sha256 = [\"{root}\"]\n");
    let output = Verifier::new(&trusting).verify(&quote, &more);
    assert_ends(&output, 0, &["SIMULATED", "NOTHING IN IT IS PROTECTED"]);
}

/// Header and body that a service answers with, from a set of collateral and the path that it was asked for.
type Answers = fn(&Value, &str) -> Option<(String, Vec<u8>)>;

/// A caching service that hands out one set of collateral, and says what it was asked for.
fn service(answers: Answers) -> String {
    let set: Value = serde_json::from_slice(&fs::read(vector(EVALUATION_17)).unwrap()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &set, answers);
        }
    });
    url
}

fn answer(stream: TcpStream, set: &Value, answers: Answers) {
    let mut reader = BufReader::new(&stream);
    let mut request = String::new();
    reader.read_line(&mut request).unwrap();
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 2 {
        line.clear();
    }
    let path = request.split(' ').nth(1).unwrap();
    let (status, header, body) = match answers(set, path) {
        Some((header, body)) => ("200 OK", header, body),
        None => ("404 Not Found", String::new(), Vec::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\n{header}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = &stream;
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
}

fn field<'a>(set: &'a Value, name: &str) -> &'a str {
    set[name].as_str().unwrap()
}

fn chain(set: &Value, header: &str, name: &str) -> String {
    format!("{header}: {}\r\n", urlencoding::encode(field(set, name)))
}

fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(text(pair), 16).unwrap())
        .collect()
}

/// What Intel's documentation of the service says.
fn right(set: &Value, path: &str) -> Option<(String, Vec<u8>)> {
    let signed = |key: &str, text: &str, signature: &str| {
        format!("{{\"{key}\":{text},\"signature\":\"{signature}\"}}").into_bytes()
    };
    Some(match path {
        "/sgx/certification/v4/pckcrl?ca=platform&encoding=der" => (
            chain(set, "SGX-PCK-CRL-Issuer-Chain", "pck_crl_issuer_chain"),
            bytes(field(set, "pck_crl")),
        ),
        "/sgx/certification/v4/tcb?fmspc=00606A000000" => (
            chain(set, "TCB-Info-Issuer-Chain", "tcb_info_issuer_chain"),
            signed(
                "tcbInfo",
                field(set, "tcb_info"),
                field(set, "tcb_info_signature"),
            ),
        ),
        "/sgx/certification/v4/qe/identity" => (
            chain(
                set,
                "SGX-Enclave-Identity-Issuer-Chain",
                "qe_identity_issuer_chain",
            ),
            signed(
                "enclaveIdentity",
                field(set, "qe_identity"),
                field(set, "qe_identity_signature"),
            ),
        ),
        "/sgx/certification/v4/rootcacrl" => (
            String::new(),
            field(set, "root_ca_crl").to_uppercase().into_bytes(),
        ),
        _ => return None,
    })
}

#[test]
fn collateral_is_fetched_from_a_service() {
    let url = service(right);
    let verifier = Verifier::new(&format!("{POLICY}[collateral]\nsource = \"pccs:{url}/\"\n"));
    let output = verifier.verify(&vector(QUOTE), &["--at", TIME]);
    assert_ends(&output, 0, &["GENUINE"]);
    // Another processor, which the service does not know.
    let output = verifier.verify(
        &vector("matrix/quotes/dcap-qvl__sgx_quote.bin"),
        &["--at", TIME],
    );
    assert_ends(&output, 114, &[&url, "status 404"]);
}

#[test]
fn a_service_that_is_not_one_is_told() {
    let verifier = Verifier::new(POLICY);
    let collateral = |url: &str| format!("pccs:{url}");
    let unsigned = |set: &Value, path: &str| {
        let (_, body) = right(set, path)?;
        Some((String::new(), body))
    };
    let url = service(unsigned);
    let output = verifier.verify(&vector(QUOTE), &["--collateral", &collateral(&url)]);
    assert_ends(&output, 114, &[&url, "a chain of certificates is missing"]);
    let elsewhere = |_: &Value, _: &str| Some((String::new(), b"<html>".to_vec()));
    let url = service(elsewhere);
    let output = verifier.verify(&vector(QUOTE), &["--collateral", &collateral(&url)]);
    assert_ends(&output, 114, &[&url, "not of Intel's form"]);
    // Nobody listens where somebody has just stopped to.
    let url = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let output = verifier.verify(&vector(QUOTE), &["--collateral", &collateral(&url)]);
    assert_ends(&output, 114, &[&url]);
}
