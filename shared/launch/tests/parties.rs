//! The parties of a launch document: owner, provisioner, recovery keys, TLS, other images. What is accepted, what is
//! refused and with which words.

#![expect(
    clippy::unwrap_used,
    reason = "a failing set-up is a failing test, wherever the helper stands"
)]

use twine_launch::limits::{
    MIGRATION_IMAGES_COUNT_MAX, RECOVERY_KEYS_COUNT_MAX, SECRETS_COUNT_MAX, TLS_NAMES_COUNT_MAX,
};
use twine_launch::{
    Application, Binding, Digest, Draft, KeySource, LaunchDocument, Migration, ModuleIdentity,
    Mount, MountKind, Owner, Provisioning, RecoveryKey, RuntimeBinding, Tls, VerifyingKey,
    VolumePolicy, fuzzing,
};

const FULL: &str = r#"version = 1

[application]
name = "database"
version = 7

[module]
sha256 = "0101010101010101010101010101010101010101010101010101010101010101"
wasm_sha256 = "0202020202020202020202020202020202020202020202020202020202020202"
engine = "wasmtime-48"
confidential = true

[owner]
key = "020303030303030303030303030303030303030303030303030303030303030303"

[arguments]
fixed = ["database"]

[environment]
from_caller = ["LANG"]

[environment.fixed]
"MODE" = "production"

[limits]
memory_bytes = 4294967296
stack_bytes = 1048576
table_elements = 1000000
descriptors = 1024

[[mounts]]
guest = "/data"
kind = "volume"
read_only = false
create = true
bound_to = "owner"
runtime = "image"

[[mounts]]
guest = "/shared"
kind = "volume"
read_only = false
create = false
bound_to = "provisioner"

[provisioning]
key = "030404040404040404040404040404040404040404040404040404040404040404"
folder = "/run/secrets"
secrets = ["db-password", "licence.txt"]
environment = ["API_KEY"]

[recovery]
keys = ["0505050505050505050505050505050505050505050505050505050505050505"]

[tls]
folder = "/run/tls"
names = ["db.example.org", "*.example.org", "localhost", "127.0.0.1", "::1"]

[migration]
to = ["0606060606060606060606060606060606060606060606060606060606060606"]
from = ["0707070707070707070707070707070707070707070707070707070707070707"]

[diagnostics]
backtraces = false
"#;

fn draft() -> Draft {
    let application = Application {
        name: "database".into(),
        version: 7,
    };
    let module = ModuleIdentity {
        sha256: Digest([1; 32]),
        wasm_sha256: Digest([2; 32]),
        engine: "wasmtime-48".into(),
        confidential: true,
    };
    let mut draft = Draft {
        owner: Some(Owner {
            key: verifying_key(2, 3),
        }),
        mounts: vec![
            volume(
                "/data",
                VolumePolicy {
                    create: true,
                    key: KeySource::Sealed {
                        bound_to: Binding::Owner,
                        runtime: RuntimeBinding::Image,
                    },
                },
            ),
            volume(
                "/shared",
                VolumePolicy {
                    create: false,
                    key: KeySource::Provisioned,
                },
            ),
        ],
        provisioning: Some(Provisioning {
            folder: Some("/run/secrets".into()),
            secrets: texts(&["db-password", "licence.txt"]),
            environment: texts(&["API_KEY"]),
            ..Provisioning::new(verifying_key(3, 4))
        }),
        recovery: vec![RecoveryKey([5; 32])],
        tls: Some(Tls {
            folder: "/run/tls".into(),
            names: texts(&[
                "db.example.org",
                "*.example.org",
                "localhost",
                "127.0.0.1",
                "::1",
            ]),
        }),
        migration: Migration {
            to: vec![Digest([6; 32])],
            from: vec![Digest([7; 32])],
        },
        ..Draft::new(application, module)
    };
    draft.environment.from_caller = ["LANG".into()].into();
    draft.environment.fixed = [("MODE".into(), "production".into())].into();
    draft
}

fn verifying_key(sign: u8, byte: u8) -> VerifyingKey {
    let mut key = [byte; 33];
    key[0] = sign;
    VerifyingKey(key)
}

fn volume(guest: &str, policy: VolumePolicy) -> Mount {
    Mount {
        guest: guest.into(),
        kind: MountKind::Volume(policy),
        read_only: false,
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn refusal(text: &str) -> String {
    LaunchDocument::parse(text.as_bytes())
        .map_or_else(|error| error.to_string(), |_| "accepted".into())
}

/// Replaces one piece of the accepted document and returns why the result is refused.
fn refusal_with(old: &str, new: &str) -> String {
    assert_eq!(FULL.matches(old).count(), 1, "{old} must occur once");
    refusal(&FULL.replace(old, new))
}

/// The accepted document without one section.
fn without(section: &str) -> String {
    let start = FULL.find(section).unwrap();
    let end = FULL[start + 1..].find("\n[").unwrap() + start + 2;
    format!("{}{}", &FULL[..start], &FULL[end..])
}

#[test]
fn every_key_arrives_where_it_belongs_and_is_written_as_it_was_read() {
    let document = LaunchDocument::parse(FULL.as_bytes()).unwrap();
    assert_eq!(*document, draft());
    assert_eq!(LaunchDocument::new(draft()).unwrap().to_toml(), FULL);
}

#[test]
fn a_document_without_these_sections_has_no_parties() {
    let draft = Draft::new(draft().application, draft().module);
    let text = &FULL[..FULL.find("confidential").unwrap()];
    let document = LaunchDocument::parse(text.as_bytes()).unwrap();
    assert!(!document.module.confidential);
    let module = document.module.clone();
    assert_eq!(*document, Draft { module, ..draft });
}

#[test]
fn what_the_bundle_must_hold_is_the_documents_to_say() {
    let draft = draft();
    let names: Vec<_> = draft.provisioning.as_ref().unwrap().names().collect();
    assert_eq!(names, ["db-password", "licence.txt", "API_KEY"]);
    assert_eq!(draft.provisioned_volumes().collect::<Vec<_>>(), ["/shared"]);
}

#[test]
fn what_needs_another_party_is_refused_without_it() {
    for (text, expected) in [
        (
            without("[owner]"),
            "line 33, `mounts[0].bound_to`: has no meaning without `owner`",
        ),
        (
            without("[provisioning]"),
            "line 11, `module.confidential`: has no meaning without `provisioning`",
        ),
        (
            without("[provisioning]").replace("confidential = true\n", ""),
            "line 43, `mounts[1].bound_to`: has no meaning without `provisioning`",
        ),
        (
            FULL.replace("folder = \"/run/secrets\"\n", ""),
            "line 46, `provisioning.folder`: the key is missing",
        ),
    ] {
        assert_eq!(refusal(&text), format!("launch document, {expected}"));
    }
    let only_variables = FULL
        .replace("folder = \"/run/secrets\"\n", "")
        .replace("secrets = [\"db-password\", \"licence.txt\"]\n", "");
    assert_eq!(refusal(&only_variables), "accepted");
}

#[test]
fn what_does_not_spell_a_key_is_refused_where_it_stands() {
    let key = "not a compressed public key of P-256";
    for (old, new, expected) in [
        ("\"0203", "\"0403", format!("line 14, `owner.key`: {key}")),
        (
            "\"0304",
            "\"03",
            format!("line 47, `provisioning.key`: {key}"),
        ),
        (
            "\"0505",
            "\"05\", \"0A05",
            "line 53, `recovery.keys[0]`: not a public key of X25519".into(),
        ),
        (
            "\"0606",
            "\"06x6",
            "line 60, `migration.to[0]`: not a SHA-256".into(),
        ),
    ] {
        let refusal = refusal_with(old, new);
        let expected = format!("launch document, {expected}");
        assert!(refusal.starts_with(&expected), "{refusal}");
    }
    let broken = Draft {
        owner: Some(Owner {
            key: VerifyingKey([4; 33]),
        }),
        ..draft()
    };
    let refusal = LaunchDocument::new(broken).unwrap_err().to_string();
    assert!(refusal.contains("`owner.key`"), "{refusal}");
}

#[test]
fn a_volume_of_the_provisioners_is_bound_to_no_runtime() {
    assert_eq!(
        refusal_with(
            "bound_to = \"provisioner\"\n",
            "bound_to = \"provisioner\"\nruntime = \"image\"\n"
        ),
        "launch document, line 45, `mounts[1].runtime`: contradicts `bound_to = \"provisioner\"`; keep one of the two"
    );
}

#[test]
fn names_of_secrets_are_names_of_files_and_of_variables() {
    for (old, new, expected) in [
        (
            "\"licence.txt\"",
            "\"..\"",
            "`provisioning.secrets[1]`: the character '.' is not allowed",
        ),
        (
            "\"licence.txt\"",
            "\"a/b\"",
            "`provisioning.secrets[1]`: the character '/' is not allowed",
        ),
        (
            "\"licence.txt\"",
            "\"\"",
            "`provisioning.secrets[1]`: must not be empty",
        ),
        (
            "\"licence.txt\"",
            "\"db-password\"",
            "`provisioning.secrets[1]`: listed twice",
        ),
        (
            "\"API_KEY\"",
            "\"API=KEY\"",
            "`provisioning.environment[0]`: the character '=' is not allowed",
        ),
        (
            "\"API_KEY\"",
            "\"db-password\"",
            "`provisioning.environment[0]`: contradicts `provisioning.secrets`; keep one of the two",
        ),
        (
            "\"API_KEY\"",
            "\"LANG\"",
            "`provisioning.environment[0]`: contradicts `environment.from_caller`; keep one of the two",
        ),
        (
            "\"API_KEY\"",
            "\"MODE\"",
            "`provisioning.environment[0]`: contradicts `environment.fixed`; keep one of the two",
        ),
    ] {
        let refusal = refusal_with(old, new);
        assert!(refusal.ends_with(expected), "{refusal}");
        assert!(refusal.contains(", line "), "{refusal}");
    }
    let long = format!("\"{}\"", "a".repeat(129));
    assert!(refusal_with("\"licence.txt\"", &long).ends_with("longer than 128 bytes"));
}

#[test]
fn folders_of_the_runtime_are_mounts_like_others() {
    for (old, new, expected) in [
        (
            "\"/run/tls\"",
            "\"/run/secrets\"",
            "line 56, `tls.folder`: another mount or folder has this path",
        ),
        (
            "\"/run/secrets\"",
            "\"/data\"",
            "line 48, `provisioning.folder`: another mount or folder has this path",
        ),
        (
            "\"/run/tls\"",
            "\"/run/../tls\"",
            "line 56, `tls.folder`: not an absolute path in its shortest form (no `.`, `..`, `//`, no `/` at the end)",
        ),
    ] {
        assert_eq!(
            refusal_with(old, new),
            format!("launch document, {expected}")
        );
    }
}

#[test]
fn a_certificate_names_hosts_and_addresses_in_one_spelling() {
    for bad in [
        "DB.example.org",
        "db..example.org",
        "-db.example.org",
        "db_1.example.org",
        "a.*.org",
        "*",
        "db.example.org.",
        "0::1",
        "::1%lo",
        "https://db",
    ] {
        let refusal = refusal_with("\"localhost\"", &format!("\"{bad}\""));
        assert!(refusal.contains("`tls.names[2]`: neither"), "{refusal}");
    }
}

#[test]
fn every_list_has_an_end() {
    let broken = |change: fn(&mut Draft)| {
        let mut draft = draft();
        change(&mut draft);
        LaunchDocument::new(draft).unwrap_err().to_string()
    };
    let secrets = broken(|draft| {
        let names = (0..=SECRETS_COUNT_MAX).map(|index| index.to_string());
        draft.provisioning.as_mut().unwrap().secrets = names.collect();
    });
    assert!(
        secrets.ends_with("secrets`: more than 256 entries"),
        "{secrets}"
    );
    let together = broken(|draft| {
        let names = (0..SECRETS_COUNT_MAX).map(|index| index.to_string());
        draft.provisioning.as_mut().unwrap().secrets = names.collect();
    });
    assert!(
        together.ends_with("environment`: more than 256 entries"),
        "{together}"
    );
    let keys =
        broken(|draft| draft.recovery = vec![RecoveryKey([0; 32]); 1 + RECOVERY_KEYS_COUNT_MAX]);
    assert!(
        keys.ends_with("`recovery.keys`: more than 8 entries"),
        "{keys}"
    );
    let names = broken(|draft| {
        let names = (0..=TLS_NAMES_COUNT_MAX).map(|index| index.to_string());
        draft.tls.as_mut().unwrap().names = names.collect();
    });
    assert!(
        names.ends_with("`tls.names`: more than 16 entries"),
        "{names}"
    );
    let images = broken(|draft| {
        draft.migration.from = vec![Digest([0; 32]); 1 + MIGRATION_IMAGES_COUNT_MAX];
    });
    assert!(
        images.ends_with("`migration.from`: more than 16 entries"),
        "{images}"
    );
    let twice = broken(|draft| draft.recovery = vec![RecoveryKey([0; 32]); 2]);
    assert!(
        twice.ends_with("`recovery.keys[1]`: listed twice"),
        "{twice}"
    );
}

#[test]
fn network_rules_are_refused_until_they_can_be_kept() {
    for rules in ["[network]\n", "[network]\nallow = [\"*\"]\n"] {
        assert_eq!(
            refusal_with("[diagnostics]\n", &format!("{rules}[diagnostics]\n")),
            "launch document, line 63, `network`: not possible until sockets come"
        );
    }
}

#[test]
fn no_bytes_make_the_reader_panic() {
    fuzzing::document(FULL.as_bytes());
    for index in 0..FULL.len() {
        fuzzing::document(&FULL.as_bytes()[..index]);
        for byte in [0, b'"', b'[', b'=', b'\n', b'9', 0xff] {
            let mut bytes = FULL.as_bytes().to_vec();
            bytes[index] = byte;
            fuzzing::document(&bytes);
        }
    }
}
