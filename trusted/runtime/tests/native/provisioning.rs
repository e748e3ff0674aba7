//! Provisioning: what a bundle brings reaches the guest, and no other bundle does; a provisioner made for testing answers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing set-up is a failing test, wherever the helper stands"
)]

use p256::ecdsa::SigningKey;
use twine_abi::exchange::{Clock, HostErrno};
use twine_abi::outcome::Kind;
use twine_abi::profile;
use twine_abi::sgx::{Report, TargetInfo};
use twine_evidence::bundle::{Header, Payload, seal};
use twine_evidence::{Claims, Request, Statement};
use twine_launch::{Provisioning, VerifyingKey};
use twine_runtime::{Fault, Outcome, Platform, Sink, launch};
use zeroize::Zeroizing;

use crate::guest::module_with;
use crate::support::{Launch, SharedWorld, compile};

/// Answers a request with a bundle.
type Answer = Box<dyn FnMut(&[u8]) -> Result<Vec<u8>, Fault>>;

/// A world with a provisioner in it.
struct Provisioned {
    world: SharedWorld,
    answer: Answer,
}

impl Platform for Provisioned {
    fn write(&mut self, sink: Sink, bytes: &[u8]) -> Result<usize, Fault> {
        self.world.write(sink, bytes)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        self.world.read(buffer)
    }

    fn clock(&mut self, clock: Clock) -> Result<u64, Fault> {
        self.world.clock(clock)
    }

    fn wait(&mut self, timeout: u64, interests: u64) -> Result<u64, Fault> {
        self.world.wait(timeout, interests)
    }

    fn yield_now(&mut self) -> Result<(), Fault> {
        self.world.yield_now()
    }

    fn random(&mut self, buffer: &mut [u8]) {
        self.world.random(buffer);
    }

    fn processor_report(&mut self, _: &TargetInfo, data: &[u8; 64]) -> Result<Report, Fault> {
        let mut report = Report::ZERO;
        report.body.report_data = *data;
        Ok(report)
    }

    fn quote_target(&mut self) -> Result<TargetInfo, Fault> {
        Ok(TargetInfo::ZERO)
    }

    /// In a quote's form, but nobody's.
    fn quote(&mut self, report: &Report) -> Result<Vec<u8>, Fault> {
        let mut header = [0; 48];
        header[0] = 3;
        Ok([&header[..], &report.body.to_bytes(), &[0; 4]].concat())
    }

    fn provision(&mut self, request: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        (self.answer)(request).map(Zeroizing::new)
    }
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_slice(&[byte; 32]).unwrap()
}

fn rules() -> Provisioning {
    let point = key(7).verifying_key().to_sec1_point(true);
    Provisioning {
        folder: Some("/run/secrets".into()),
        secrets: vec!["token".into(), "empty".into()],
        environment: vec!["API_KEY".into()],
        ..Provisioning::new(VerifyingKey(point.as_bytes().try_into().unwrap()))
    }
}

fn payload(module: &[u8]) -> Payload<'_> {
    Payload {
        module: Some(module),
        secrets: [
            ("token", &b"s3cret"[..]),
            ("empty", b""),
            ("API_KEY", b"k3y"),
        ]
        .into(),
        ..Payload::default()
    }
}

/// Shows the file `token`, then the environment; tries to change what is in the folder.
fn guest() -> String {
    module_with(
        r#"(data (i32.const 0x100) "token") (data (i32.const 0x110) "new")"#,
        r"
        (call $try (call $path_open (i32.const 3) (i32.const 0) (i32.const 0x100) (i32.const 5)
            (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0x40)))
        (call $vector (i32.const 0x50) (i32.const 0x200) (i32.const 100))
        (call $try (call $fd_read (i32.load (i32.const 0x40)) (i32.const 0x50) (i32.const 1) (i32.const 0x60)))
        (call $show (i32.const 0x200) (i32.load (i32.const 0x60)))
        (call $try (call $environ_sizes_get (i32.const 0x70) (i32.const 0x74)))
        (call $try (call $environ_get (i32.const 0x300) (i32.const 0x400)))
        (call $show (i32.const 0x400) (i32.load (i32.const 0x74)))
        (call $try (call $path_open (i32.const 3) (i32.const 0) (i32.const 0x110) (i32.const 3)
            (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0x40)))
        (call $try (call $path_unlink_file (i32.const 3) (i32.const 0x100) (i32.const 5)))
        (call $try (call $path_open (i32.const 3) (i32.const 0) (i32.const 0x100) (i32.const 5)
            (i32.const 0) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0x40)))",
    )
}

const EROFS: u32 = 69;

/// A launch of a confidential module, whose machine code comes back, too: the host has none.
fn confidential() -> (Launch, Vec<u8>) {
    let mut launch = Launch::new(&guest());
    launch.draft.module.confidential = true;
    launch.draft.provisioning = Some(rules());
    let module = std::mem::take(&mut launch.request.module);
    (launch, module)
}

/// Runs a launch whose requests are answered so.
fn run(launch: Launch, answer: impl FnMut(&[u8]) -> Result<Vec<u8>, Fault> + 'static) -> Outcome {
    run_in(SharedWorld::default(), launch, answer)
}

fn run_in(
    world: SharedWorld,
    launched: Launch,
    answer: impl FnMut(&[u8]) -> Result<Vec<u8>, Fault> + 'static,
) -> Outcome {
    let (_, identity, request) = launched.seal();
    let platform = Provisioned {
        world,
        answer: Box::new(answer),
    };
    launch(Box::new(platform), &identity, request).outcome
}

/// What an honest provisioner answers with.
fn answer(request: &[u8], payload: &Payload<'_>) -> Vec<u8> {
    answer_as(&key(7), request, payload, |_| {})
}

fn answer_as(
    provisioner: &SigningKey,
    request: &[u8],
    payload: &Payload<'_>,
    change: impl FnOnce(&mut Header<'_>),
) -> Vec<u8> {
    let asked = Request::decode(request).unwrap();
    let claims = Claims::decode(asked.evidence.claims()).unwrap();
    let Statement::Provision { key } = claims.statement else {
        panic!("a request is of purpose `provision`");
    };
    let hash = Request::hash(request);
    let mut header = Header {
        engine: profile::ENGINE,
        request: &hash,
        config_id: &claims.document,
    };
    change(&mut header);
    seal(payload, &header, &key, provisioner, [2; 32]).unwrap()
}

/// How a launch ends whose bundle is spoilt.
fn refused(spoil: impl Fn(&[u8], &Payload<'_>) -> Vec<u8> + 'static) -> (Kind, String) {
    let (launch, module) = confidential();
    let outcome = run(launch, move |request| Ok(spoil(request, &payload(&module))));
    (outcome.kind, outcome.message)
}

#[test]
fn a_confidential_module_runs_with_its_secrets_and_cannot_change_them() {
    let (launch, module) = confidential();
    let world = SharedWorld::default();
    let outcome = run_in(world.clone(), launch, move |request| {
        Ok(answer(request, &payload(&module)))
    });
    assert_eq!(outcome, Outcome::exited(0));
    let written = world.0.borrow().written.concat_errors();
    let (shown, errnos) = written.split_at(written.len() - 7 * 4);
    assert_eq!(shown, b"s3cretAPI_KEY=k3y\0");
    let (errnos, _) = errnos.as_chunks();
    let errnos: Vec<u32> = errnos.iter().copied().map(u32::from_le_bytes).collect();
    assert_eq!(errnos, [0, 0, 0, 0, EROFS, EROFS, EROFS]);
}

trait Errors {
    fn concat_errors(&self) -> Vec<u8>;
}

impl Errors for Vec<(Sink, Vec<u8>)> {
    fn concat_errors(&self) -> Vec<u8> {
        let errors = self.iter().filter(|(sink, _)| *sink == Sink::Error);
        errors.flat_map(|(_, bytes)| bytes.clone()).collect()
    }
}

#[test]
fn secrets_come_for_a_module_of_the_hosts_too() {
    let mut launch = Launch::new(&guest());
    launch.draft.provisioning = Some(rules());
    let outcome = run(launch, |request| {
        let payload = payload(&[]);
        Ok(answer(
            request,
            &Payload {
                module: None,
                ..payload
            },
        ))
    });
    assert_eq!(outcome, Outcome::exited(0));
}

#[test]
fn without_a_bundle_nothing_runs() {
    let why = [
        (Fault::Host(HostErrno::NotFound), Kind::BundleMissing),
        (Fault::Host(HostErrno::Denied), Kind::BundleMissing),
        (Fault::Host(HostErrno::NoMemory), Kind::LimitReached),
        (Fault::Misbehaved("a rule"), Kind::HostMisbehaved),
    ];
    for (fault, kind) in why {
        let (launch, _) = confidential();
        assert_eq!(run(launch, move |_| Err(fault)).kind, kind);
    }
}

#[test]
fn a_module_of_the_hosts_does_not_pass_as_a_confidential_one() {
    let (mut launch, module) = confidential();
    launch.request.module = module;
    let outcome = run(launch, |_| panic!("nobody is asked"));
    assert_eq!(outcome.kind, Kind::ModuleRefused);
    assert!(outcome.message.contains("is confidential"), "{outcome:?}");
}

#[test]
fn a_document_for_another_engine_is_refused_before_anybody_is_asked() {
    let (mut launch, _) = confidential();
    launch.draft.module.engine = "another".into();
    let outcome = run(launch, |_| panic!("nobody is asked"));
    assert_eq!(outcome.kind, Kind::ModuleUnusable);
}

#[test]
fn the_key_of_a_request_is_drawn_for_it() {
    let (launch, _) = confidential();
    let world = SharedWorld::default();
    let outcome = run_in(world.clone(), launch, |request| {
        Request::decode(request).unwrap();
        Err(Fault::Host(HostErrno::Denied))
    });
    assert_eq!(outcome.kind, Kind::BundleMissing);
    assert_eq!(world.0.borrow().random, [32], "randomness for one key");
}

#[test]
fn each_wrong_bundle_has_its_own_reason() {
    let (kind, message) = refused(|_, _| b"garbage".to_vec());
    assert_eq!(kind, Kind::BundleRefused);
    assert!(message.contains("is no bundle"), "{message}");

    let (kind, message) = refused(|request, payload| answer_as(&key(8), request, payload, |_| {}));
    assert_eq!(kind, Kind::BundleRefused);
    assert!(
        message.contains("not signed by the provisioner"),
        "{message}"
    );

    let (kind, message) = refused(|request, payload| {
        answer_as(&key(7), request, payload, |header| {
            header.request = &[0; 32]
        })
    });
    assert_eq!(kind, Kind::BundleRefused);
    assert!(message.contains("answers another request"), "{message}");

    let (kind, message) = refused(|request, payload| {
        answer_as(&key(7), request, payload, |header| {
            header.config_id = &[0; 64]
        })
    });
    assert_eq!(kind, Kind::BundleRefused);
    assert!(message.contains("another launch document"), "{message}");

    let (kind, message) = refused(|request, payload| {
        answer_as(&key(7), request, payload, |header| {
            header.engine = "another"
        })
    });
    assert_eq!(kind, Kind::BundleRefused);
    assert!(message.contains("engine profile `another`"), "{message}");

    let (kind, message) = refused(|request, payload| {
        let (mut payload, other) = (payload.clone(), compile("(module)"));
        payload.module = Some(&other);
        answer(request, &payload)
    });
    assert_eq!(kind, Kind::BundleRefused);
    assert!(message.contains("module is not the one"), "{message}");

    let (kind, message) = refused(|request, payload| {
        let mut payload = payload.clone();
        payload.secrets.remove("token");
        answer(request, &payload)
    });
    assert_eq!(kind, Kind::BundleRefused);
    assert!(message.contains("lacks the secret `token`"), "{message}");

    let (kind, message) = refused(|request, payload| {
        let mut payload = payload.clone();
        payload.secrets.insert("API_KEY", b"not text: \xff");
        answer(request, &payload)
    });
    assert_eq!(kind, Kind::BundleRefused);
    assert!(message.contains("`API_KEY`"), "{message}");
}
