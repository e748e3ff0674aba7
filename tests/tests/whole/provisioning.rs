//! Provisioning an enclave: a confidential module, a secret and a volume's key reach the guest, and no other bundle does,
//! whatever the host brings.
//!
//! The provisioner here believes every request: whether evidence holds is tested where it is verified.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use memchr::memmem;
use p256::ecdsa::SigningKey;
use twine::abi::exchange::{Header, HostCall};
use twine::abi::profile;
use twine::document::{
    Binding, Draft, KeySource, LaunchDocument, Mount, MountKind, Provisioning, RuntimeBinding,
    VerifyingKey, VolumePolicy,
};
use twine::error::Refusal;
use twine::evidence::bundle::{self, Payload, seal};
use twine::evidence::{Claims, Request, Statement};
use twine::{Capture, Error, Launch, Module, Outcome, ProvisionError, Provisioner};
use twine_tests::hostile::liar;
use twine_tests::run::{Ran, module, runtime};

const SECRET: &[u8] = b"a secret of thirty-two bytes, no";
const VOLUME_KEY: [u8; 32] = *b"the key of a volume, 32 bytes lo";

fn key(byte: u8) -> SigningKey {
    SigningKey::from_slice(&[byte; 32]).unwrap()
}

fn volume(guest: &str, key: KeySource) -> Mount {
    Mount {
        guest: guest.into(),
        kind: MountKind::Volume(VolumePolicy { create: true, key }),
        read_only: false,
    }
}

/// An application whose module only its provisioner has.
struct Application {
    module: Module,
    document: Vec<u8>,
    folder: tempfile::TempDir,
}

impl Application {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Draft)) -> Self {
        let module = module("c_keeps_a_secret");
        let mut draft = module.draft();
        draft.module.confidential = true;
        let point = key(7).verifying_key().to_sec1_point(true);
        draft.provisioning = Some(Provisioning {
            folder: Some("/run/secrets".into()),
            secrets: vec!["token".into()],
            ..Provisioning::new(VerifyingKey(point.as_bytes().try_into().unwrap()))
        });
        let sealed = KeySource::Sealed {
            bound_to: Binding::Document,
            runtime: RuntimeBinding::Image,
        };
        draft.mounts = vec![
            volume("/data", KeySource::Provisioned),
            volume("/state", sealed),
        ];
        change(&mut draft);
        Self {
            module,
            document: LaunchDocument::new(draft).unwrap().to_toml().into_bytes(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn launch(&self, answer: impl FnMut(&[u8]) -> Vec<u8> + 'static) -> Ran {
        self.launch_with(answer, |launch| launch)
    }

    fn launch_with<'a>(
        &'a self,
        answer: impl FnMut(&[u8]) -> Vec<u8> + 'static,
        set: impl FnOnce(Launch<'a>) -> Launch<'a>,
    ) -> Ran {
        let (output, errors) = (Capture::default(), Capture::default());
        let launch = Launch::confidential(runtime(), &self.document).unwrap();
        let launch = self
            .with_volumes(launch)
            .provisioner(Answering(answer))
            .stdout(&output)
            .stderr(&errors);
        Ran {
            outcome: set(launch).run(),
            output: output.take(),
            errors: errors.take(),
        }
    }

    fn with_volumes<'a>(&self, launch: Launch<'a>) -> Launch<'a> {
        let file = |name| self.folder.path().join(name);
        launch
            .volume("/data", file("data.tv"))
            .volume("/state", file("state.tv"))
    }

    /// What the enclave says to a bundle that the provisioner made wrong.
    fn refusal(&self, spoil: impl Fn(&[u8]) -> Vec<u8> + 'static) -> String {
        match self.launch(spoil).outcome {
            Err(Error::Refused {
                refusal: Refusal::Bundle,
                message,
            }) => message,
            other => panic!("{other:?}"),
        }
    }
}

/// From a request to a bundle.
type Answer = dyn Fn(&[u8]) -> Vec<u8>;

/// A provisioner that is a function.
struct Answering<F>(F);

impl<F: FnMut(&[u8]) -> Vec<u8>> Provisioner for Answering<F> {
    fn provision(&mut self, request: &[u8]) -> Result<Vec<u8>, ProvisionError> {
        Ok((self.0)(request))
    }
}

fn answer(
    provisioner: &SigningKey,
    request: &[u8],
    payload: &Payload<'_>,
    change: impl FnOnce(&mut bundle::Header<'_>),
) -> Vec<u8> {
    let asked = Request::decode(request).unwrap();
    let claims = Claims::decode(asked.evidence.claims()).unwrap();
    let Statement::Provision { key } = claims.statement else {
        panic!("a request is of purpose `provision`");
    };
    let hash = Request::hash(request);
    let mut header = bundle::Header {
        engine: profile::ENGINE,
        request: &hash,
        config_id: &claims.document,
    };
    change(&mut header);
    seal(payload, &header, &key, provisioner, [2; 32]).unwrap()
}

/// The payload again, with nothing borrowed, for a provisioner that outlives the test's frame.
fn honest(application: &Application) -> impl Fn(&[u8]) -> Vec<u8> + 'static {
    changed(application, |_| {})
}

fn changed(
    application: &Application,
    change: impl Fn(&mut Payload<'_>) + 'static,
) -> impl Fn(&[u8]) -> Vec<u8> + 'static {
    let code = application.module.machine_code().to_vec();
    move |request| {
        let mut payload = Payload {
            module: Some(&code),
            secrets: [("token", SECRET)].into(),
            volume_keys: [("/data", &VOLUME_KEY)].into(),
        };
        change(&mut payload);
        answer(&key(7), request, &payload, |_| {})
    }
}

#[test]
pub(crate) fn c_keeps_a_secret() {
    let application = Application::new();
    for said in ["kept 32 bytes\n", "knows 32 bytes\n"] {
        let ran = application.launch(honest(&application));
        assert_eq!(
            ran.outcome.as_ref().ok(),
            Some(&Outcome::Exited { code: 0 }),
            "{ran:?}"
        );
        assert_eq!(ran.output, said.as_bytes());
    }
}

/// What the host receives: the whole payload of every host call, the bundle, the files it keeps at every time.
#[derive(Clone, Default)]
struct Seen(Rc<RefCell<Vec<Vec<u8>>>>);

impl Seen {
    fn add(&self, bytes: &[u8]) {
        let mut seen = self.0.borrow_mut();
        if seen.last().is_none_or(|last| last != bytes) {
            seen.push(bytes.to_vec());
        }
    }

    fn add_files(&self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            self.add(&std::fs::read(entry.unwrap().path()).unwrap());
        }
    }

    fn holds(&self, needle: &[u8]) -> bool {
        let seen = self.0.borrow();
        seen.iter()
            .any(|bytes| memmem::find(bytes, needle).is_some())
    }
}

#[test]
fn nothing_that_a_host_receives_holds_module_secret_contents_or_key() {
    let application = Application::new();
    let (seen, make) = (Seen::default(), honest(&application));
    let (calls, bundles) = (seen.clone(), seen.clone());
    let folder = application.folder.path().to_owned();
    let watch =
        move |header: &Header, payload: &mut [u8], honest: &mut dyn twine::serve::Services| {
            calls.add(payload);
            let answer = honest.serve(header, payload);
            calls.add(payload);
            // Before later blocks are written over these.
            if header.op == HostCall::StoreWrite as u32 {
                calls.add_files(&folder);
            }
            answer
        };
    let answer = move |request: &[u8]| {
        let bundle = make(request);
        bundles.add(&bundle);
        bundle
    };
    let ran = application.launch_with(answer, |launch| launch.services(liar(watch)));
    assert!(ran.outcome.is_ok(), "{ran:?}");
    seen.add_files(application.folder.path());
    // The search finds what the host did receive.
    for received in ["kept 32 bytes", "twine-request", "twine-bundle"] {
        assert!(seen.holds(received.as_bytes()), "{received}");
    }

    let backwards: Vec<u8> = SECRET.iter().rev().copied().collect();
    for needle in [SECRET, &backwards, &VOLUME_KEY] {
        assert!(!seen.holds(needle), "{:?}", needle.escape_ascii());
    }
    for piece in pieces(application.module.machine_code()) {
        assert!(!seen.holds(piece), "machine code: {piece:x?}");
    }
}

/// How many pieces of machine code are searched for.
const PIECES: usize = 24;

/// Pieces of machine code that occur nowhere else by chance.
fn pieces(code: &[u8]) -> Vec<&[u8]> {
    let varied = |piece: &&[u8]| {
        let values: BTreeSet<u8> = piece.iter().copied().collect();
        values.len() >= 20
    };
    let pieces: Vec<&[u8]> = code.chunks_exact(32).filter(varied).collect();
    assert!(pieces.len() >= PIECES, "too little to search for");
    let step = pieces.len() / PIECES;
    pieces.into_iter().step_by(step).collect()
}

#[test]
fn a_bundle_serves_one_launch() {
    let application = Application::new();
    let first = Rc::new(RefCell::new(Vec::new()));
    let (kept, make) = (Rc::clone(&first), honest(&application));
    let ran = application.launch(move |request| {
        *kept.borrow_mut() = make(request);
        kept.borrow().clone()
    });
    assert!(ran.outcome.is_ok(), "{ran:?}");
    let replayed = first.take();
    let message = application.refusal(move |_| replayed.clone());
    assert!(message.contains("answers another request"), "{message}");
}

#[test]
fn each_wrong_bundle_is_refused_with_its_own_reason() {
    let application = Application::new();
    let refused = |spoil: Box<Answer>, reason: &str| {
        let message = application.refusal(spoil);
        assert!(message.contains(reason), "{reason:?} in {message}");
    };
    let code = || application.module.machine_code().to_vec();
    let made = |by: u8, change: fn(&mut bundle::Header<'_>)| {
        let code = code();
        Box::new(move |request: &[u8]| {
            let payload = Payload {
                module: Some(&code),
                ..Payload::default()
            };
            answer(&key(by), request, &payload, change)
        })
    };
    refused(Box::new(|_| b"garbage".to_vec()), "is no bundle");
    refused(Box::new(|_| Vec::new()), "is no bundle");
    refused(made(8, |_| {}), "not signed by the provisioner");
    refused(
        made(7, |header| header.config_id = &[1; 64]),
        "another launch document",
    );
    refused(
        made(7, |header| header.engine = "another"),
        "engine profile `another`",
    );
    refused(made(7, |_| {}), "lacks the secret `token`");
    refused(
        Box::new(changed(&application, |payload| {
            payload.module = Some(b"other")
        })),
        "module is not the one",
    );
    refused(
        Box::new(changed(&application, |payload| payload.module = None)),
        "brings no module",
    );
    refused(
        Box::new(changed(&application, |payload| {
            payload.secrets.insert("more", b"x");
        })),
        "does not name",
    );
    refused(
        Box::new(changed(&application, |payload| payload.volume_keys.clear())),
        "lacks the key of the volume for /data",
    );
}

#[test]
fn a_span_that_is_no_bundles_ends_the_launch() {
    let application = Application::new();
    for (address, len) in [
        (8, 1 << 40),
        (4, 64),
        (u64::MAX - 7, 64),
        (u64::MAX - 63, 1 << 20),
    ] {
        let lie =
            move |header: &Header, payload: &mut [u8], honest: &mut dyn twine::serve::Services| {
                if header.op != HostCall::Provision as u32 {
                    return honest.serve(header, payload);
                }
                for (place, word) in payload.chunks_mut(8).zip([address, len]) {
                    place.copy_from_slice(&u64::to_le_bytes(word));
                }
                0
            };
        let ran = application.launch_with(|_| Vec::new(), |launch| launch.services(liar(lie)));
        let outcome = ran.outcome;
        assert!(
            matches!(
                outcome,
                Err(Error::Refused {
                    refusal: Refusal::Host,
                    ..
                })
            ),
            "{outcome:?}"
        );
    }
}

#[test]
fn whoever_launches_learns_why_there_is_no_bundle() {
    let application = Application::new();
    let launch = Launch::confidential(runtime(), &application.document).unwrap();
    let outcome = application.with_volumes(launch).run();
    assert!(
        matches!(
            outcome,
            Err(Error::NotProvisioned(ProvisionError::NoProvisioner))
        ),
        "{outcome:?}"
    );
}

#[test]
fn a_host_may_have_a_module_exactly_if_it_is_not_confidential() {
    let application = Application::new();
    let given = Launch::from_document(runtime(), &application.module, &application.document);
    assert!(matches!(given, Err(Error::ConfidentialModule)));
    let open = Application::with(|draft| draft.module.confidential = false);
    let missing = Launch::confidential(runtime(), &open.document);
    assert!(matches!(missing, Err(Error::ModuleNeeded)));
}
