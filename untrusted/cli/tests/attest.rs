//! From a module to a verdict, as `docs/attestation.md` tells it: init, measure, attest, verify.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;
use twine_guests::Guest;

const NONCE: &str = "0011223344556677";

/// A folder with a document, a policy, evidence and collateral.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        let module = Guest::named("c_says_hello").unwrap().module().unwrap();
        fs::copy(module, bench.0.path().join("app.wasm")).unwrap();
        bench.good(&["init", "app.wasm", "-o", "app.toml"]);
        let policy = bench.good(&["measure", "app.toml", "--policy"]);
        bench.write("policy.toml", &text(&policy.stdout));
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

    fn write(&self, name: &str, contents: &str) {
        fs::write(self.0.path().join(name), contents).unwrap();
    }

    /// Has an enclave attest, and returns the SHA-256 of the emulator's root.
    fn attest(&self) -> String {
        let told = self.good(&[
            "attest",
            "-v",
            "app.toml",
            "--nonce",
            NONCE,
            "-o",
            "evidence",
            "--collateral",
            "collateral",
        ]);
        let told = text(&told.stderr);
        let (_, root) = told.split_once("sha256 ").unwrap();
        root.chars().take(64).collect()
    }

    fn verify(&self, policy: &str, nonce: &str) -> Output {
        let collateral = ["--collateral", "collateral", "--nonce", nonce];
        self.twine(&[&["verify", "evidence", "--policy", policy][..], &collateral].concat())
    }

    /// The policy with an emulator's root.
    fn trust(&self, root: &str) {
        let policy = fs::read_to_string(self.0.path().join("policy.toml")).unwrap();
        let simulation = format!("[simulation]\ntrusted_roots_sha256 = [\"{root}\"]\n");
        self.write("simulated.toml", &format!("{policy}\n{simulation}"));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn simulated_evidence_is_refused_unless_the_policy_names_its_emulator() {
    let bench = Bench::new();
    let root = bench.attest();
    let refused = bench.verify("policy.toml", NONCE);
    assert_eq!(refused.status.code(), Some(111), "{refused:?}");
    assert!(text(&refused.stdout).contains("the evidence is SIMULATED"));

    bench.trust(&"0".repeat(64));
    let refused = bench.verify("simulated.toml", NONCE);
    assert_eq!(refused.status.code(), Some(111), "{refused:?}");
    assert!(text(&refused.stdout).contains(&root));

    bench.trust(&root);
    let accepted = bench.verify("simulated.toml", NONCE);
    assert_eq!(accepted.status.code(), Some(0), "{accepted:?}");
    assert!(text(&accepted.stdout).contains("NOTHING IN IT IS PROTECTED"));
    assert!(text(&accepted.stdout).contains(NONCE));
}

#[test]
fn evidence_for_another_nonce_or_another_document_is_refused() {
    let bench = Bench::new();
    let root = bench.attest();
    bench.trust(&root);
    let other_nonce = bench.verify("simulated.toml", "0011223344556678");
    assert_eq!(other_nonce.status.code(), Some(111), "{other_nonce:?}");

    // The same program with a comment more is another application.
    let document = fs::read_to_string(bench.0.path().join("app.toml")).unwrap();
    bench.write("app.toml", &format!("{document}# changed\n"));
    assert_eq!(bench.attest(), root);
    let other_document = bench.verify("simulated.toml", NONCE);
    assert_eq!(
        other_document.status.code(),
        Some(111),
        "{other_document:?}"
    );
    assert!(text(&other_document.stdout).contains("CONFIGID"));
}

#[test]
fn a_volume_moves_between_images_that_the_document_names() {
    let bench = Bench::new();
    bench.good(&["image", "sgxs", "-o", "new.sgxs"]);
    let stream = fs::read(bench.0.path().join("new.sgxs")).unwrap();
    // The same but for one letter of a message: another release.
    let message = b"several tasks at once";
    let mut windows = stream.windows(message.len());
    let at = windows.position(|window| window == message).unwrap();
    let mut old = stream.clone();
    old[at] ^= 0x20;
    fs::write(bench.0.path().join("old.sgxs"), old).unwrap();
    let refused = |arguments: &[&str], code: i32, words: &str| {
        let output = bench.twine(arguments);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{errors}");
        assert!(errors.contains(words), "{errors}");
    };
    let migrate = [
        "migrate",
        "app.toml",
        "--from",
        "old.sgxs",
        "--volume",
        "data.tv::/data",
    ];
    refused(&migrate, 120, "`migration.from`");
    refused(&["migrate", "app.toml"], 2, "--from");
    refused(
        &["migrate", "app.toml", "--from", "none", "--volume", "a::/b"],
        127,
        "none",
    );
}
