//! From a request to a running guest: what has to fit, and what is said if it does not.
//!
//! Each refusal is made by changing one thing in a launch that succeeds.

use twine_abi::outcome::Kind;
use twine_launch::{Arguments, Digest};
use twine_runtime::{Identity, Outcome, Request, Sink, launch};

use crate::support::{Launch, compile, compile_with, owner};

const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 8) "Hello from inside\n")
    (func $main (export "_start")
        (i32.store (i32.const 0) (i32.const 8))
        (i32.store (i32.const 4) (i32.const 18))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))))"#;

/// Runs a launch whose request or identity is spoilt after everything has been sealed.
fn run_spoilt(spoil: impl FnOnce(&mut Identity, &mut Request)) -> (Outcome, String) {
    let (world, mut identity, mut request) = Launch::new(HELLO).seal();
    spoil(&mut identity, &mut request);
    let outcome = launch(Box::new(world.clone()), &identity, request).outcome;
    let text = world.0.borrow().text(Sink::Output);
    (outcome, text)
}

fn refusal(spoil: impl FnOnce(&mut Identity, &mut Request)) -> (Kind, String) {
    let (outcome, text) = run_spoilt(spoil);
    assert_eq!(text, "", "nothing may run");
    (outcome.kind, outcome.message)
}

fn refusal_of(wat: &str) -> (Kind, String) {
    let outcome = Launch::new(wat).run();
    (outcome.kind, outcome.message)
}

#[test]
fn a_program_runs_and_its_output_comes_out() {
    let (outcome, text) = run_spoilt(|_, _| ());
    assert_eq!(
        (outcome, text.as_str()),
        (Outcome::exited(0), "Hello from inside\n")
    );
}

#[test]
fn a_changed_document_is_refused_before_it_is_read() {
    let (kind, message) = refusal(|_, request| request.document[0] ^= 1);
    assert_eq!(kind, Kind::DocumentRefused);
    assert!(
        message.contains("SHA-512 is not the enclave's CONFIGID"),
        "{message}"
    );
    let (kind, _) = refusal(|_, request| request.document.push(b'\n'));
    assert_eq!(kind, Kind::DocumentRefused);
    let (kind, _) = refusal(|identity, _| identity.config_id[63] ^= 1);
    assert_eq!(kind, Kind::DocumentRefused);
}

#[test]
fn a_document_of_another_version_than_the_enclaves_is_refused() {
    let (kind, message) = refusal(|identity, _| identity.config_svn = 4);
    assert_eq!(kind, Kind::DocumentRefused);
    assert_eq!(
        message,
        "the launch document states version 3, but the enclave was created with CONFIGSVN 4"
    );
}

#[test]
fn an_authentic_but_invalid_document_is_refused_with_line_and_key() {
    use sha2::{Digest as _, Sha512};
    let (kind, message) = refusal(|identity, request| {
        request.document.extend_from_slice(b"[sockets]\n");
        identity.config_id = Sha512::digest(&request.document).into();
    });
    assert_eq!(kind, Kind::DocumentRefused);
    assert!(message.ends_with("`sockets`: unknown key"), "{message}");
}

#[test]
fn a_document_with_an_owner_starts_with_the_owners_signature_alone() {
    let signed = |spoil: &dyn Fn(&mut Vec<u8>)| {
        let mut launch = Launch::new(HELLO);
        launch.owner = Some(owner(1));
        let (world, identity, mut request) = launch.seal();
        spoil(&mut request.signature);
        let outcome = twine_runtime::launch(Box::new(world), &identity, request).outcome;
        (outcome.kind, outcome.message)
    };
    assert_eq!(signed(&|_| ()).0, Kind::Exited);
    let (kind, message) = signed(&Vec::clear);
    assert_eq!(kind, Kind::SignatureRefused);
    assert!(
        message.contains("without the owner's signature"),
        "{message}"
    );
    let mut another = Launch::new(HELLO);
    another.owner = Some(owner(1));
    another.draft.application.version = 4;
    let of_another_document = another.seal().2.signature;
    let mut foreign = Launch::new(HELLO);
    foreign.owner = Some(owner(2));
    let of_another_owner = foreign.seal().2.signature;
    for wrong in [of_another_document, of_another_owner, vec![0; 64]] {
        let (kind, message) = signed(&|signature| signature.clone_from(&wrong));
        assert_eq!(kind, Kind::SignatureRefused);
        assert!(message.contains("is not its owner's"), "{message}");
    }
    for spoil in [
        (|signature| signature.truncate(63)) as fn(&mut Vec<u8>),
        |signature| signature.push(0),
        |signature| signature[0] ^= 1,
        |signature| signature[63] ^= 1,
    ] {
        assert_eq!(signed(&spoil).0, Kind::SignatureRefused);
    }
}

#[test]
fn an_owner_whose_key_is_no_point_is_the_documents_fault() {
    let mut launch = Launch::new(HELLO);
    let mut key = [0xff; 33];
    key[0] = 2;
    let key = twine_launch::VerifyingKey(key);
    launch.draft.owner = Some(twine_launch::Owner { key });
    let outcome = launch.run();
    assert_eq!(outcome.kind, Kind::DocumentRefused);
    assert!(outcome.message.contains("`owner.key`"), "{outcome:?}");
}

#[test]
fn a_changed_module_is_refused_before_a_byte_of_it_is_interpreted() {
    for spoil in [0, 1000] {
        let (kind, message) = refusal(|_, request| request.module[spoil] ^= 1);
        assert_eq!(kind, Kind::ModuleRefused);
        assert!(
            message.contains("is not the one the launch document names"),
            "{message}"
        );
    }
    let (kind, _) = refusal(|_, request| request.module.clear());
    assert_eq!(kind, Kind::ModuleRefused);
}

#[test]
fn a_module_for_another_engine_is_refused_by_name() {
    let mut launch = Launch::new(HELLO);
    launch.draft.module.engine = "wasmtime-1".into();
    let outcome = launch.run();
    assert_eq!(outcome.kind, Kind::ModuleUnusable);
    assert_eq!(
        outcome.message,
        "the module was compiled for the engine profile `wasmtime-1`, this enclave has `wasmtime-48.3`: compile it again"
    );
}

#[test]
fn bytes_that_are_no_module_are_refused_although_the_document_names_them() {
    for bytes in [
        b"".as_slice(),
        b"\0asm\x01\0\0\0",
        b"\x7fELF",
        &compile(HELLO)[..500],
    ] {
        let outcome = Launch::of(bytes.to_vec()).run();
        assert_eq!(outcome.kind, Kind::ModuleUnusable, "{}", outcome.message);
    }
}

#[test]
fn code_compiled_with_other_settings_is_refused_with_the_setting() {
    let module = compile_with(HELLO, |config| {
        config.memory_guard_size(64 << 20);
    });
    let outcome = Launch::of(module).run();
    assert_eq!(outcome.kind, Kind::ModuleUnusable);
    assert!(
        outcome.message.contains("memory guard size"),
        "{}",
        outcome.message
    );
}

#[test]
fn code_that_uses_more_of_the_processor_than_the_profile_is_refused() {
    let module = compile_with(HELLO, |config| {
        crate::support::enable(config, "has_avx512f")
    });
    let outcome = Launch::of(module).run();
    assert_eq!(outcome.kind, Kind::ModuleUnusable);
    assert!(outcome.message.contains("avx512f"), "{}", outcome.message);
}

#[test]
fn every_missing_import_is_named() {
    let (kind, message) = refusal_of(
        r#"(module
            (import "env" "open" (func))
            (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
            (import "wasi_snapshot_preview1" "fd_open" (func))
            (import "env" "memory" (memory 1))
            (func (export "_start")))"#,
    );
    assert_eq!(kind, Kind::ModuleUnusable);
    assert_eq!(
        message,
        "the module imports what does not exist here:\n  env.open\n  wasi_snapshot_preview1.fd_open\n  env.memory"
    );
}

#[test]
fn an_import_of_another_type_is_refused_by_name() {
    let (kind, message) = refusal_of(
        r#"(module (import "wasi_snapshot_preview1" "fd_close" (func (param i64) (result i32))) (func (export "_start")))"#,
    );
    assert_eq!(kind, Kind::ModuleUnusable);
    assert!(message.contains("fd_close"), "{message}");
}

#[test]
fn a_module_for_the_older_snapshot_is_told_what_to_do() {
    let (kind, message) = refusal_of(
        r#"(module (import "wasi_unstable" "fd_close" (func (param i32) (result i32))) (func (export "_start")))"#,
    );
    assert_eq!(kind, Kind::ModuleUnusable);
    assert!(message.contains("build it with a toolchain"), "{message}");
}

#[test]
fn a_module_without_a_usable_entry_point_is_refused_with_the_reason() {
    for (wat, reason) in [
        ("(module)", "it does not export `_start`"),
        (
            r#"(module (func (export "_initialize")))"#,
            "it is a reactor",
        ),
        (
            r#"(module (memory (export "_start") 1))"#,
            "`_start` is not a function without parameters",
        ),
        (
            r#"(module (func (export "_start") (param i32)))"#,
            "`_start` is not a function without parameters",
        ),
    ] {
        let (kind, message) = refusal_of(wat);
        assert_eq!(kind, Kind::ModuleUnusable);
        assert!(message.contains(reason), "{message}");
    }
}

/// Runs hello with what the caller passes, and returns the outcome.
fn with_strings(arguments: Arguments, passed: &[u8], variables: &[u8]) -> (Kind, String) {
    let mut launch = Launch::new(HELLO);
    launch.draft.arguments = arguments;
    launch.draft.environment.from_caller = ["A".into()].into();
    launch.request.arguments = passed.to_vec();
    launch.request.environment = variables.to_vec();
    let outcome = launch.run();
    (outcome.kind, outcome.message)
}

#[test]
fn the_callers_arguments_are_taken_only_where_the_document_says_so() {
    let fixed = || Arguments::Fixed(vec!["a".into()]);
    assert_eq!(
        with_strings(Arguments::FromCaller, b"a\0b\0", b"A=1\0").0,
        Kind::Exited
    );
    assert_eq!(
        with_strings(Arguments::FromCaller, b"", b"").0,
        Kind::Exited
    );
    assert_eq!(with_strings(fixed(), b"", b"").0, Kind::Exited);
    assert_eq!(
        with_strings(fixed(), b"a\0", b""),
        (
            Kind::ArgumentsRefused,
            "the launch document fixes the arguments, so the caller may pass none".into()
        )
    );
}

#[test]
fn malformed_strings_from_the_caller_are_refused_with_the_rule() {
    for (arguments, variables, rule) in [
        (&b"a"[..], &b""[..], "do not end in a zero byte"),
        (b"\xff\0", b"", "are not UTF-8"),
        (&[b'a'; 131_073], b"", "take more than 131072 bytes"),
        (&[0; 4097], b"", "are more than 4096"),
        (
            b"",
            b"B=1\0",
            "does not let the caller set the variable `B`",
        ),
        (b"", b"A\0", "the variable `A` has no value"),
        (b"", b"A=1\0A=2\0", "sets the variable `A` twice"),
        (b"", b"\x1b=\0", "the variable `\\u{1b}`"),
        (b"", b"A=1", "do not end in a zero byte"),
    ] {
        let (kind, message) = with_strings(Arguments::FromCaller, arguments, variables);
        assert_eq!(kind, Kind::ArgumentsRefused);
        assert!(message.contains(rule), "{message}");
    }
}

#[test]
fn what_the_document_names_is_the_hash_of_the_compiled_module() {
    let mut launch = Launch::new(HELLO);
    launch.draft.module.sha256 = Digest([0; 32]);
    assert_eq!(launch.run().kind, Kind::ModuleRefused);
}
