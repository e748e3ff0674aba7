//! The launch document from outside: what is accepted, what is refused and with which words.
//!
//! Each refusal is made by changing one thing in a document that is accepted.

use std::collections::BTreeMap;

use twine_launch::limits::{DOCUMENT_LEN_BYTES_MAX, STRINGS_COUNT_MAX, STRINGS_LEN_BYTES_MAX};
use twine_launch::{
    Application, Arguments, Binding, Diagnostics, Digest, Draft, Environment, KeySource,
    LaunchDocument, Limits, ModuleIdentity, Mount, MountKind, RuntimeBinding, VolumePolicy,
    fuzzing,
};

const FULL: &str = r#"version = 1

[application]
name = "hello"
version = 7

[module]
sha256 = "0101010101010101010101010101010101010101010101010101010101010101"
wasm_sha256 = "0202020202020202020202020202020202020202020202020202020202020202"
engine = "wasmtime-48"

[arguments]
fixed = ["hello", "a \"b\"\u000A"]

[environment]
from_caller = ["LANG", "TERM"]

[environment.fixed]
"A.B" = ""
"MODE" = "production"

[limits]
memory_bytes = 65536
stack_bytes = 16384
table_elements = 0
descriptors = 3
timeout_ms = 60000

[[mounts]]
guest = "/"
kind = "volume"
read_only = false
create = true
bound_to = "module"
runtime = "signer"

[[mounts]]
guest = "/config"
kind = "volume"
read_only = true
create = false
bound_to = "document"
runtime = "image"

[[mounts]]
guest = "/tmp"
kind = "tmpfs"
read_only = false
size_bytes = 65536

[[mounts]]
guest = "/host"
kind = "host"
read_only = true

[diagnostics]
backtraces = true
"#;

fn draft() -> Draft {
    let application = Application {
        name: "hello".into(),
        version: 7,
    };
    let module = ModuleIdentity {
        sha256: Digest([1; 32]),
        wasm_sha256: Digest([2; 32]),
        engine: "wasmtime-48".into(),
        confidential: false,
    };
    Draft {
        arguments: Arguments::Fixed(vec!["hello".into(), "a \"b\"\n".into()]),
        environment: Environment {
            fixed: BTreeMap::from([
                ("MODE".into(), "production".into()),
                ("A.B".into(), String::new()),
            ]),
            from_caller: ["TERM".into(), "LANG".into()].into(),
        },
        limits: Limits {
            memory_bytes: 65536,
            stack_bytes: 16384,
            table_elements: 0,
            descriptors: 3,
            timeout_ms: Some(60000),
        },
        mounts: vec![
            mount(
                "/",
                MountKind::Volume(VolumePolicy {
                    create: true,
                    key: sealed(Binding::Module, RuntimeBinding::Signer),
                }),
            ),
            Mount {
                read_only: true,
                ..mount(
                    "/config",
                    MountKind::Volume(VolumePolicy {
                        create: false,
                        key: sealed(Binding::Document, RuntimeBinding::Image),
                    }),
                )
            },
            mount("/tmp", MountKind::Tmpfs { size_bytes: 65536 }),
            Mount {
                read_only: true,
                ..mount("/host", MountKind::Host)
            },
        ],
        diagnostics: Diagnostics { backtraces: true },
        ..Draft::new(application, module)
    }
}

const fn sealed(bound_to: Binding, runtime: RuntimeBinding) -> KeySource {
    KeySource::Sealed { bound_to, runtime }
}

fn mount(guest: &str, kind: MountKind) -> Mount {
    Mount {
        guest: guest.into(),
        kind,
        read_only: false,
    }
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

#[test]
fn every_key_arrives_where_it_belongs() {
    let document = LaunchDocument::parse(FULL.as_bytes()).unwrap();
    assert_eq!(*document, draft());
}

#[test]
fn a_document_has_one_text_and_reads_back_as_itself() {
    let document = LaunchDocument::new(draft()).unwrap();
    assert_eq!(document.to_toml(), FULL);
    assert_eq!(LaunchDocument::parse(FULL.as_bytes()), Ok(document));
}

#[test]
fn what_is_left_out_has_its_documented_default() {
    let text = &FULL[..FULL.find("[arguments]").unwrap()];
    let document = LaunchDocument::parse(text.as_bytes()).unwrap();
    assert_eq!(document.arguments, Arguments::Fixed(vec!["hello".into()]));
    assert_eq!(document.environment, Environment::default());
    assert_eq!(document.limits, Limits::default());
    assert!(!document.diagnostics.backtraces);
    for limit in ["= 4294967296 ", "= 1048576 ", "= 1000000 ", "= 1024 "] {
        assert!(include_str!("../../../docs/launch.md").contains(limit));
    }
    assert_eq!(
        document.limits,
        Limits {
            memory_bytes: 4294967296,
            stack_bytes: 1048576,
            table_elements: 1000000,
            descriptors: 1024,
            timeout_ms: None
        }
    );
}

#[test]
fn arguments_can_be_left_to_the_caller() {
    let text = FULL.replace(
        "fixed = [\"hello\", \"a \\\"b\\\"\\u000A\"]",
        "from_caller = true",
    );
    let document = LaunchDocument::parse(text.as_bytes()).unwrap();
    assert_eq!(document.arguments, Arguments::FromCaller);
    assert_eq!(document.to_toml(), text);
}

#[test]
fn an_unknown_key_is_refused_wherever_it_stands() {
    assert_eq!(
        refusal_with("[diagnostics]", "[printer]\n[diagnostics]"),
        "launch document, line 56, `printer`: unknown key"
    );
    for (old, new, key) in [
        (
            "name = \"hello\"",
            "name = \"hello\"\nowner = 1",
            "application.owner",
        ),
        ("[arguments]", "sha512 = 1\n[arguments]", "module.sha512"),
        (
            "[environment]",
            "extra = []\n[environment]",
            "arguments.extra",
        ),
        (
            "[environment.fixed]",
            "extra = []\n[environment.fixed]",
            "environment.extra",
        ),
        ("timeout_ms", "timeout_s", "limits.timeout_s"),
        ("backtraces", "traces", "diagnostics.traces"),
        ("create = true", "make = true", "mounts[0].make"),
        (
            "size_bytes",
            "create = true\nsize_bytes",
            "mounts[2].create",
        ),
    ] {
        let refusal = refusal_with(old, new);
        assert!(
            refusal.ends_with(&format!("`{key}`: unknown key")),
            "{refusal}"
        );
    }
}

#[test]
fn a_mount_is_refused_at_its_own_line() {
    for (old, new, expected) in [
        (
            "kind = \"host\"",
            "kind = \"nfs\"",
            "line 53, `mounts[3].kind`: must be volume, tmpfs or host",
        ),
        (
            "bound_to = \"module\"",
            "bound_to = \"me\"",
            "line 34, `mounts[0].bound_to`: must be module, document, owner or provisioner",
        ),
        (
            "runtime = \"image\"",
            "runtime = \"any\"",
            "line 43, `mounts[1].runtime`: must be image or signer",
        ),
        (
            "runtime = \"image\"\n",
            "",
            "line 37, `mounts[1].runtime`: the key is missing",
        ),
        (
            "size_bytes = 65536",
            "size_bytes = 1",
            "line 49, `mounts[2].size_bytes`: outside the range 65536 to 2147483648",
        ),
        (
            "guest = \"/tmp\"",
            "guest = \"/config\"",
            "line 46, `mounts[2].guest`: listed twice",
        ),
    ] {
        assert_eq!(
            refusal_with(old, new),
            format!("launch document, {expected}")
        );
    }
    for path in ["tmp", "/tmp/", "/a//b", "/./a", "/a/..", "//"] {
        let refusal = refusal_with("guest = \"/tmp\"", &format!("guest = \"{path}\""));
        assert!(
            refusal.contains("not an absolute path"),
            "{path}: {refusal}"
        );
    }
    let many = "[[mounts]]\nguest = \"/x\"\nkind = \"host\"\n".repeat(17);
    assert!(
        refusal_with("[diagnostics]", &format!("{many}[diagnostics]")).contains("more than 16")
    );
    assert!(refusal(&FULL.replace("[[mounts]]", "[mounts]")).contains("not TOML"));
}

#[test]
fn a_missing_key_is_named_with_the_table_it_belongs_to() {
    assert_eq!(
        refusal_with("engine = \"wasmtime-48\"\n", ""),
        "launch document, line 7, `module.engine`: the key is missing"
    );
    assert_eq!(
        refusal("[application]"),
        "launch document, line 1, `version`: the key is missing"
    );
    assert_eq!(
        refusal_with(
            "fixed = [\"hello\", \"a \\\"b\\\"\\u000A\"]",
            "from_caller = false"
        ),
        "launch document, line 12, `arguments.fixed`: the key is missing"
    );
}

#[test]
fn a_value_of_another_type_is_named_with_both_types() {
    assert_eq!(
        refusal_with("name = \"hello\"", "name = 1"),
        "launch document, line 4, `application.name`: integer where a string is expected"
    );
    assert_eq!(
        refusal_with("[\"LANG\", \"TERM\"]", "[\n\"LANG\",\n3]"),
        "launch document, line 18, `environment.from_caller[1]`: integer where a string is expected"
    );
    for (old, new) in [
        ("memory_bytes = 65536", "memory_bytes = \"1\""),
        ("memory_bytes = 65536", "memory_bytes = 1.0"),
        ("backtraces = true", "backtraces = 1"),
        (
            "fixed = [\"hello\", \"a \\\"b\\\"\\u000A\"]",
            "fixed = \"hello\"",
        ),
        ("[diagnostics]\nbacktraces = true", "[[diagnostics]]"),
    ] {
        assert!(refusal_with(old, new).ends_with("is expected"));
    }
}

#[test]
fn another_version_of_the_form_is_refused_before_its_keys_are_judged() {
    assert_eq!(
        refusal("version = 2\nunheard_of = true"),
        "launch document, line 1, `version`: this release knows only version 1 of the form"
    );
}

#[test]
fn a_number_out_of_range_is_refused_with_the_range() {
    for (old, new, range) in [
        ("version = 7", "version = 65536", "0 to 65535"),
        (
            "memory_bytes = 65536",
            "memory_bytes = 65535",
            "65536 to 4294967296",
        ),
        (
            "memory_bytes = 65536",
            "memory_bytes = 4294967297",
            "65536 to 4294967296",
        ),
        (
            "stack_bytes = 16384",
            "stack_bytes = 16383",
            "16384 to 14680064",
        ),
        (
            "stack_bytes = 16384",
            "stack_bytes = 14680065",
            "16384 to 14680064",
        ),
        (
            "table_elements = 0",
            "table_elements = 10000001",
            "0 to 10000000",
        ),
        (
            "table_elements = 0",
            "table_elements = -1",
            "0 to 9223372036854775807",
        ),
        (
            "table_elements = 0",
            "table_elements = 99999999999999999999",
            "0 to 9223372036854775807",
        ),
        ("descriptors = 3", "descriptors = 2", "3 to 65536"),
        ("timeout_ms = 60000", "timeout_ms = 0", "1 to 31536000000"),
    ] {
        let refusal = refusal_with(old, new);
        assert!(
            refusal.ends_with(&format!("outside the range {range}")),
            "{refusal}"
        );
        assert!(refusal.contains(", line "), "{refusal}");
    }
}

#[test]
fn texts_that_would_break_what_they_are_used_for_are_refused() {
    for (old, new, reason) in [
        ("name = \"hello\"", "name = \"\"", "must not be empty"),
        (
            "name = \"hello\"",
            "name = \"a\\u001b[2J\"",
            "the character '\\u{1b}' is not allowed",
        ),
        (
            "\"0101",
            "\"01G1",
            "not a SHA-256 in 64 lower-case hexadecimal digits",
        ),
        (
            "[\"hello\",",
            "[\"hel\\u0000lo\",",
            "the character '\\0' is not allowed",
        ),
        ("\"LANG\"", "\"LA=NG\"", "the character '=' is not allowed"),
        ("\"LANG\"", "\"\"", "must not be empty"),
        ("\"LANG\"", "\"TERM\"", "listed twice"),
        (
            "\"LANG\"",
            "\"MODE\"",
            "contradicts `environment.from_caller`; keep one of the two",
        ),
        (
            "\"production\"",
            "\"\\u0000\"",
            "the character '\\0' is not allowed",
        ),
        (
            "fixed = [",
            "from_caller = true\nfixed = [",
            "contradicts `arguments.from_caller`; keep one of the two",
        ),
    ] {
        let refusal = refusal_with(old, new);
        assert!(refusal.ends_with(reason), "{refusal}");
        assert!(refusal.contains(", line "), "{refusal}");
    }
}

#[test]
fn too_many_or_too_long_arguments_are_refused() {
    let with = |arguments| {
        let draft = Draft {
            arguments: Arguments::Fixed(arguments),
            ..draft()
        };
        LaunchDocument::new(draft)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert_eq!(with(vec![String::new(); STRINGS_COUNT_MAX]), Ok(()));
    assert_eq!(
        with(vec![String::new(); STRINGS_COUNT_MAX + 1]),
        Err("launch document, `arguments.fixed`: more than 4096 entries".into())
    );
    assert_eq!(
        with(vec!["a".repeat(STRINGS_LEN_BYTES_MAX)]),
        Err("launch document, `arguments.fixed`: more than 131072 bytes in all".into())
    );
    let refusal = with(vec!["a".repeat(DOCUMENT_LEN_BYTES_MAX)]).unwrap_err();
    assert!(refusal.ends_with("at most 65536 are allowed"), "{refusal}");
}

#[test]
fn what_is_not_toml_is_refused_with_the_line() {
    assert_eq!(
        refusal_with("[limits]", "[limits"),
        "launch document, line 22: not TOML: unclosed table, expected `]`"
    );
    assert!(refusal_with("descriptors = 3", "stack_bytes = 3").contains("line 26"));
    let not_utf8 = LaunchDocument::parse(b"version = 1 # \xff").unwrap_err();
    assert_eq!(not_utf8.to_string(), "launch document: not UTF-8");
}

#[test]
fn a_document_is_measured_before_it_is_read() {
    let mut text = FULL.to_string();
    text.extend(std::iter::repeat_n(
        '#',
        DOCUMENT_LEN_BYTES_MAX - FULL.len(),
    ));
    assert_eq!(*LaunchDocument::parse(text.as_bytes()).unwrap(), draft());
    text.push('#');
    assert_eq!(
        refusal(&text),
        "launch document: 65537 bytes, at most 65536 are allowed"
    );
}

#[test]
fn no_bytes_make_the_reader_panic() {
    fuzzing::document(b"");
    fuzzing::document(FULL.as_bytes());
    for index in 0..FULL.len() {
        fuzzing::document(&FULL.as_bytes()[..index]);
        for byte in [0, b'"', b'[', b'=', b'\n', b'9', 0xff] {
            let mut bytes = FULL.as_bytes().to_vec();
            bytes[index] = byte;
            fuzzing::document(&bytes);
        }
    }
    let nested = format!("version = 1\na = {}", "[".repeat(60_000));
    fuzzing::document(nested.as_bytes());
    fuzzing::document(format!("version = 1\n{}", "a.".repeat(30_000)).as_bytes());
}
