//! A certificate that an enclave issued to its program, judged from afar: `[tls]` in a document, `twine verify`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;
use twine_guests::Guest;

/// A folder with a program that shows its certificate, its document, a policy and collateral.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        let guest = Guest::named("c_shows_its_certificate").unwrap();
        fs::copy(guest.module().unwrap(), bench.0.path().join("app.wasm")).unwrap();
        bench.good(&["init", "app.wasm", "-o", "app.toml"]);
        let document = bench.read("app.toml");
        let (fixed, _) = document.split_once("\nfixed = ").unwrap();
        let (_, rest) = document.split_at(fixed.len() + 1);
        let (_, rest) = rest.split_once('\n').unwrap();
        let arguments = r#"["app", "/run/tls", "certificate.pem"]"#;
        let tls = "[tls]\nfolder = \"/run/tls\"\nnames = [\"db.example.org\"]\n";
        let document = format!("{fixed}\nfixed = {arguments}\n{rest}\n{tls}");
        bench.write("app.toml", &document);
        let policy = bench.good(&["measure", "app.toml", "--policy"]);
        bench.write("policy.toml", &text(&policy.stdout));
        let told = bench.good(&[
            "attest",
            "-v",
            "app.toml",
            "-o",
            "evidence",
            "--collateral",
            "collateral",
        ]);
        let told = text(&told.stderr);
        let (_, root) = told.split_once("sha256 ").unwrap();
        let root: String = root.chars().take(64).collect();
        let simulation = format!("[simulation]\ntrusted_roots_sha256 = [\"{root}\"]\n");
        let policy = bench.read("policy.toml");
        bench.write("simulated.toml", &format!("{policy}\n{simulation}"));
        bench
    }

    fn twine(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_twine"))
            .env("TWINE_HOME", self.0.path().join("home"))
            .current_dir(self.0.path())
            .args(arguments)
            .output()
            .unwrap()
    }

    #[track_caller]
    fn good(&self, arguments: &[&str]) -> Output {
        let output = self.twine(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        output
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn write(&self, name: &str, contents: &str) {
        fs::write(self.0.path().join(name), contents).unwrap();
    }

    fn verify(&self, what: &str, policy: &str, more: &[&str]) -> Output {
        let fixed = [
            "verify",
            what,
            "--policy",
            policy,
            "--collateral",
            "collateral",
        ];
        self.twine(&[&fixed, more].concat())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_certificate_of_ours_is_accepted_by_who_trusts_its_emulator_and_by_nobody_else() {
    let bench = Bench::new();
    let shown = bench.good(&["run", "app.toml", "--module", "app.wasm"]);
    bench.write("certificate.pem", &text(&shown.stdout));

    let refused = bench.verify("certificate.pem", "policy.toml", &[]);
    assert_eq!(refused.status.code(), Some(111), "{refused:?}");
    assert!(text(&refused.stdout).contains("the evidence is SIMULATED"));

    let accepted = bench.verify("certificate.pem", "simulated.toml", &[]);
    assert_eq!(accepted.status.code(), Some(0), "{accepted:?}");
    assert!(text(&accepted.stdout).contains("NOTHING IN IT IS PROTECTED"));

    // It is for serving TLS and for nothing else, and the evidence of a launch is no certificate.
    let other = bench.verify(
        "certificate.pem",
        "simulated.toml",
        &["--purpose", "provision"],
    );
    assert_eq!(other.status.code(), Some(111), "{other:?}");
    let other = bench.verify("evidence", "simulated.toml", &["--purpose", "ra-tls"]);
    assert_eq!(other.status.code(), Some(111), "{other:?}");
}

/// OpenSSL sees a certificate for the name, signed with its own key.
#[test]
fn openssl_accepts_the_certificates_form_and_signature() {
    let bench = Bench::new();
    let shown = bench.good(&["run", "app.toml", "--module", "app.wasm"]);
    bench.write("certificate.pem", &text(&shown.stdout));
    let verified = Command::new("openssl")
        .current_dir(bench.0.path())
        .args(["verify", "-x509_strict", "-purpose", "sslserver"])
        .args(["-verify_hostname", "db.example.org"])
        .args(["-CAfile", "certificate.pem", "certificate.pem"])
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");
}
