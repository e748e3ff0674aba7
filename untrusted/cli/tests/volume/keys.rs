//! Passphrases, recovery keys, slots, and new volume keys.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::{Bench, GOOD, assert_code, assert_refused, text, tree};

#[test]
fn a_wrong_passphrase_and_a_wrong_file_are_told_apart() {
    let bench = Bench::with_volume();
    let bad = ["--passphrase-env", "BAD"];
    assert_refused(
        &bench.twine("ls", &["v"], &bad),
        115,
        "does not open this volume",
    );
    assert_refused(&bench.twine("ls", &["none"], GOOD), 127, "No such file");
    let unset = bench.twine("ls", &["v"], &["--passphrase-env", "NOBODY"]);
    assert_refused(&unset, 2, "no variable NOBODY");
    fs::write(bench.path("short"), "not a volume").unwrap();
    fs::write(bench.path("long"), vec![0x5a; 100_000]).unwrap();
    for file in ["short", "long"] {
        let refused = bench.twine("info", &[file], GOOD);
        assert_refused(&refused, 118, "not a volume");
        assert_refused(&bench.twine("slots", &[file], &[]), 118, "not a volume");
    }
    let before = fs::read(bench.path("long")).unwrap();
    let refused = bench.twine("create", &["long", "--passphrase-memory", "8MiB"], GOOD);
    assert_refused(&refused, 125, "exists");
    assert!(fs::read(bench.path("long")).unwrap() == before);
}

#[test]
fn a_passphrase_file_that_others_can_read_is_warned_of() {
    let bench = Bench::with_volume();
    fs::write(bench.path("pass"), "correct horse\n").unwrap();
    let list = || bench.twine("ls", &["v"], &["--passphrase-file", "pass"]);
    for (mode, warns) in [(0o600, false), (0o644, true)] {
        fs::set_permissions(bench.path("pass"), fs::Permissions::from_mode(mode)).unwrap();
        let output = list();
        assert_code(&output, 0);
        assert_eq!(
            text(&output.stderr).contains("chmod 600"),
            warns,
            "{mode:o}"
        );
    }
}

#[test]
fn a_provisioners_key_opens_what_was_made_for_it() {
    let bench = Bench::with_volume();
    for (file, bytes) in [
        ("key", &[7; 32][..]),
        ("other", &[8; 32]),
        ("short", &[7; 31]),
        ("long", &[7; 33]),
    ] {
        fs::write(bench.path(file), bytes).unwrap();
        fs::set_permissions(bench.path(file), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let refused = bench.twine("ls", &["v"], &["--key-file", "key"]);
    assert_refused(&refused, 115, "no key slot");
    bench.good("slots", &["v", "--add-key-file", "key"]);
    assert_code(&bench.twine("ls", &["v"], &["--key-file", "key"]), 0);
    let refused = bench.twine("ls", &["v"], &["--key-file", "other"]);
    assert_refused(&refused, 115, "does not open this volume");
    for file in ["short", "long"] {
        let refused = bench.twine("ls", &["v"], &["--key-file", file]);
        assert_refused(&refused, 115, "not a volume's key of 32 bytes");
    }
    let created = bench.twine("create", &["fresh"], &["--key-file", "key"]);
    assert_code(&created, 0);
    let opened = bench.twine("info", &["fresh"], &["--key-file", "key"]);
    assert_code(&opened, 0);
    let output = bench.twine("slots", &["fresh"], &[]);
    assert!(
        text(&output.stdout).contains("provisioned after attestation"),
        "{output:?}"
    );
}

#[test]
fn a_recovery_key_opens_what_was_made_for_its_public_half() {
    let bench = Bench::with_volume();
    bench.twine("keygen", &["offline"], &[]);
    bench.twine("keygen", &["other"], &[]);
    let mode = fs::metadata(bench.path("offline")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_refused(
        &bench.twine("keygen", &["offline"], &[]),
        125,
        "offline: File exists",
    );
    let offline = ["--recovery-key", "offline"];
    assert_refused(&bench.twine("ls", &["v"], &offline), 115, "no key slot");
    bench.good("slots", &["v", "--add-recovery-key", "offline.pub"]);
    assert_code(&bench.twine("ls", &["v"], &offline), 0);
    assert_refused(
        &bench.twine("ls", &["v"], &["--recovery-key", "other"]),
        115,
        "no key slot",
    );
    let public = ["--recovery-key", "offline.pub"];
    let refused = bench.twine("ls", &["v"], &public);
    assert_code(&refused, 115);
    assert!(
        text(&refused.stderr).contains("not a private key"),
        "{refused:?}"
    );
    // Who has the key can give others access, and take it away; not from the last one.
    let add = [
        "v",
        "--add-passphrase-env",
        "BAD",
        "--passphrase-memory",
        "8MiB",
        "--remove",
        "0",
    ];
    let changed = bench.twine("slots", &add, &offline);
    assert_code(&changed, 0);
    assert_eq!(text(&changed.stdout).lines().count(), 2, "{changed:?}");
    assert_refused(&bench.twine("ls", &["v"], GOOD), 115, "does not open");
    assert_code(&bench.twine("ls", &["v"], &["--passphrase-env", "BAD"]), 0);
    assert_code(&bench.twine("slots", &["v", "--remove", "2"], &offline), 0);
    assert_refused(
        &bench.twine("slots", &["v", "--remove", "1"], &offline),
        125,
        "last one",
    );
    assert_refused(
        &bench.twine("slots", &["v", "--remove", "9"], &offline),
        127,
        "v: no such",
    );
}

#[test]
fn a_new_key_keeps_the_files_and_locks_out_whom_it_says() {
    let bench = Bench::with_volume();
    let source = bench.fill("in");
    bench.good("import", &["v", "in"]);
    bench.twine("keygen", &["offline"], &[]);
    let memory = ["--passphrase-memory", "8MiB"];
    let add = [
        "v",
        "--add-recovery-key",
        "offline.pub",
        "--add-passphrase-env",
        "BAD",
    ];
    bench.good("slots", &[&add[..], &memory].concat());
    fs::copy(bench.path("v"), bench.path("old")).unwrap();
    let refused = bench.twine("rekey", &["v"], GOOD);
    assert_refused(&refused, 125, "would lock out");
    let shown = bench.good("rekey", &["v", "--lock-out-others", "--only-key"]);
    assert_eq!(shown, "new volume key in force\n");
    assert_refused(
        &bench.twine("ls", &["v"], &["--passphrase-env", "BAD"]),
        115,
        "does not open",
    );
    assert!(
        !bench
            .good("rekey", &["v", "--only-rewrite"])
            .starts_with("0 bytes")
    );
    bench.assert_sound("v");
    let info: serde_json::Value =
        serde_json::from_str(&bench.good("info", &["--json", "v"])).unwrap();
    assert_eq!(info["keys"], 1);
    let exported = bench.twine("export", &["v", "out"], &["--recovery-key", "offline"]);
    assert_code(&exported, 0);
    assert_eq!(tree(&source), tree(&bench.path("out")));
    // Slots of before do not bring the old key back.
    let (old, new) = (
        fs::read(bench.path("old")).unwrap(),
        fs::read(bench.path("v")).unwrap(),
    );
    let slots = 2 * 4096..10 * 4096;
    let mixed = [&new[..slots.start], &old[slots.clone()], &new[slots.end..]].concat();
    fs::write(bench.path("mixed"), mixed).unwrap();
    assert_code(
        &bench.twine("ls", &["mixed"], &["--passphrase-env", "BAD"]),
        116,
    );
}
