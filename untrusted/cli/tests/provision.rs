//! `twine provision` as provisioners see it: what is missing shows before an enclave waits, and nothing leaves without accepted
//! evidence. That accepted evidence is answered, and by what, the tests of the whole show.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use twine_attest::evidence::{Claims, Evidence, Origin, Request, Statement};

const APP: &str = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;

/// As `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` writes them.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBwcHBwcHBwcHBwcH
BwcHBwcHBwcHBwcHBwcHBwcHBwehRANCAAQeGFMv1HVMAvMEHZx1zrM7g//YGsfO
T+iCzLHJi8WJbqRsMRxOL/QN2Wo2U+bkVEXTLf5Ibs7XXHqQxqGIgcCj
-----END PRIVATE KEY-----
";

/// Its public half.
const PUBLIC: &str = "031e18532fd4754c02f3041d9c75ceb33b83ffd81ac7ce4fe882ccb1c98bc5896e";

/// Accepts a processor whose quote is among the test vectors, with any launch document.
const POLICY: &str = "version = 1
[enclave]
mrenclave = [\"a4f45c39dac622cb1dd32ddb35a52ec92db41d0fa88a1c911c49e59c534f61cd\"]
config_id = \"any\"
[platform]
tcb_status = [\"SWHardeningNeeded\"]
accepted_advisories = [\"INTEL-SA-00615\"]
allow_dynamic_platform = true
";

const QUOTE: &str = "matrix/quotes/automata__quotev3_hex.bin";
const COLLATERAL: &str = "matrix/collateral/fmspc00606a000000_ev17_2025-06-06_a6ee46.json";

fn vector(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/attest/tests/vectors");
    path.join(name)
}

/// A provisioner with a confidential application, in a folder of its own.
struct Provisioner(TempDir);

impl Provisioner {
    fn new() -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        made.write("app.wat", APP);
        let compiled = made.twine(&["compile", "app.wat", "--document", "app.toml"]);
        assert!(compiled.status.success(), "{compiled:?}");
        let document = fs::read_to_string(made.path("app.toml")).unwrap();
        let document = document.replace("[module]\n", "[module]\nconfidential = true\n");
        let rules = format!(
            "\n[provisioning]\nkey = \"{PUBLIC}\"\nfolder = \"/run/secrets\"\nsecrets = [\"token\"]\n\
             \n[[mounts]]\nguest = \"/data\"\nkind = \"volume\"\nbound_to = \"provisioner\"\ncreate = true\n"
        );
        made.write("app.toml", &(document + &rules));
        made.write("policy.toml", POLICY);
        made.write("token", "s3cret");
        made.write("key.pem", KEY);
        made.write("volume.key", &"k".repeat(32));
        for key in ["key.pem", "volume.key"] {
            fs::set_permissions(made.path(key), Permissions::from_mode(0o600)).unwrap();
        }
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, contents: &str) {
        fs::write(self.path(name), contents).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_twine"));
        command
            .current_dir(self.0.path())
            .env("TWINE_HOME", self.path("home"));
        command
    }

    fn twine(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// The arguments of a provisioner who has everything, but for one option that has another value, or is not there.
    fn given(option: &str, value: Option<&str>) -> Vec<String> {
        let collateral = vector(COLLATERAL).display().to_string();
        let all = [
            ("--policy", "policy.toml"),
            ("--document", "app.toml"),
            ("--key", "key.pem"),
            ("--module", "app.wat"),
            ("--secret", "token=token"),
            ("--volume-key", "/data=volume.key"),
            ("--collateral", &collateral),
        ];
        let changed = all.into_iter().filter_map(|(name, usual)| {
            let value = if name == option { value? } else { usual };
            Some([name.to_owned(), value.to_owned()])
        });
        changed.flatten().collect()
    }

    fn answer_with(&self, request: &[u8], option: &str, value: Option<&str>) -> Output {
        fs::write(self.path("request.cbor"), request).unwrap();
        let output = self
            .command()
            .args(["provision", "request.cbor", "-o", "bundle.cbor"])
            .args(Self::given(option, value))
            .output()
            .unwrap();
        assert!(!self.path("bundle.cbor").exists(), "{output:?}");
        output
    }

    fn answer(&self, request: &[u8]) -> Output {
        self.answer_with(request, "", None)
    }
}

#[track_caller]
fn assert_ends(output: &Output, code: i32, part: &str) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let told = [&*output.stdout, &output.stderr].concat();
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains(part), "{part:?} in {told}");
}

/// A request with a processor's quote that says nothing of the key in it.
fn foreign_request() -> Vec<u8> {
    let claims = Claims {
        document: [1; 64],
        statement: Statement::Provision { key: [9; 32] },
    };
    let quote = fs::read(vector(QUOTE)).unwrap();
    let evidence = Evidence::new(Origin::Processor, quote, claims.encode()).unwrap();
    Request { evidence }.encode()
}

#[test]
fn what_is_no_request_is_refused() {
    let provisioner = Provisioner::new();
    assert_ends(&provisioner.answer(b"garbage"), 112, "not a request");
    let missing = provisioner
        .command()
        .args(["provision", "none.cbor", "-o", "bundle.cbor"])
        .args(Provisioner::given("", None))
        .output()
        .unwrap();
    assert_ends(&missing, 127, "none.cbor");
}

#[test]
fn evidence_that_does_not_hold_is_refused_with_every_reason() {
    let output = Provisioner::new().answer(&foreign_request());
    assert_ends(&output, 111, "REFUSED");
    assert_ends(&output, 111, "1. ");
}

#[test]
fn what_the_launch_document_names_and_nobody_gives_is_missed_at_once() {
    let provisioner = Provisioner::new();
    let refused = |option, value, code, part| {
        let output = provisioner.answer_with(&foreign_request(), option, value);
        assert_ends(&output, code, part);
    };
    refused("--secret", None, 120, "--secret token=FILE");
    refused("--secret", Some("tokn=token"), 120, "--secret token=FILE");
    refused("--volume-key", None, 120, "--volume-key /data=FILE");
    refused("--module", None, 120, "--module FILE");
    refused("--module", Some("token"), 126, "token");
    refused("--collateral", None, 2, "no collateral");
    refused("--policy", Some("token"), 113, "token");
    provisioner.write("other.wat", "(module (func (export \"_start\") nop))");
    refused("--module", Some("other.wat"), 120, "another module");
    provisioner.write("plain.wat", APP);
    let compiled = provisioner.twine(&["compile", "plain.wat", "--document", "plain.toml"]);
    assert!(compiled.status.success());
    refused("--document", Some("plain.toml"), 120, "no provisioner");
}

#[test]
fn keys_that_everybody_can_read_or_that_the_document_does_not_name_are_refused() {
    let provisioner = Provisioner::new();
    let refused = |option, value, code, part| {
        let output = provisioner.answer_with(&foreign_request(), option, Some(value));
        assert_ends(&output, code, part);
    };
    for key in ["key.pem", "volume.key"] {
        let open = provisioner.path("open");
        fs::copy(provisioner.path(key), &open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o644)).unwrap();
        match key {
            "key.pem" => refused("--key", "open", 2, "everybody may read"),
            _ => refused("--volume-key", "/data=open", 2, "everybody may read"),
        }
    }
    let document = fs::read_to_string(provisioner.path("app.toml")).unwrap();
    let other = format!("02{}", &PUBLIC[2..]);
    provisioner.write("other.toml", &document.replace(PUBLIC, &other));
    refused("--document", "other.toml", 120, "names the provisioner");
}

/// A server that is stopped when the test is over.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(provisioner: &Provisioner) -> Self {
        let mut child = provisioner
            .command()
            .args(["provision", "serve", "--listen", "127.0.0.1:0"])
            .args(Provisioner::given("", None))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        let address = line.trim().split("http://").nth(1);
        let address = address.unwrap_or_else(|| unreachable!("no address in {line}"));
        let address = address.trim_end_matches('/').to_owned();
        // What it tells later is read, so that it is never kept from telling.
        std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        Self { child, address }
    }

    fn ask(&self, method: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "{method} / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // The server need not read on once it knows better.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).unwrap_or_default();
        (status.parse().unwrap_or_default(), answer)
    }
}

#[test]
fn the_server_tells_who_is_refused_why_and_keeps_on_serving() {
    let provisioner = Provisioner::new();
    let server = Server::start(&provisioner);
    assert_eq!(server.ask("GET", b"").0, 405);
    let (status, answer) = server.ask("POST", b"garbage");
    assert_eq!(status, 400);
    assert!(answer.contains("not a request"), "{answer}");
    assert_eq!(server.ask("POST", &vec![0; 70_000]).0, 413);
    for _ in 0..2 {
        let (status, answer) = server.ask("POST", &foreign_request());
        assert_eq!(status, 403);
        assert!(answer.contains("REFUSED"), "{answer}");
    }
}
