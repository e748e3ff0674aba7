//! Volumes move from one image of the runtime to another, if the launch document lets them.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use twine::abi::exchange::{Header, HostCall};
use twine::document::{Binding, Digest, KeySource, LaunchDocument, MountKind, RuntimeBinding};
use twine::error::Refusal;
use twine::image::Image;
use twine::launch::Step;
use twine::serve::Services;
use twine::state::Directories;
use twine::{Capture, Error, Launch, Migration, Module, Outcome, Runtime};
use twine_tests::run::{home, module, runtime, text};

/// A runtime like the tests' own but for one letter of a message, and so of another MRENCLAVE.
fn next_release() -> Runtime {
    let mut stream = Vec::new();
    runtime().image().write_sgxs(&mut stream).unwrap();
    let message = b"several tasks at once";
    let at = stream
        .windows(message.len())
        .position(|window| window == message);
    stream[at.expect("the image holds its messages")] ^= 0x20;
    let image = Image::from_sgxs(&stream).unwrap();
    let builder = Runtime::builder().beside(runtime()).image(image);
    let next = builder
        .directories(Directories::below(&home()))
        .build()
        .unwrap();
    assert_ne!(next.mrenclave(), runtime().mrenclave());
    next
}

/// The program that counts its runs, and its volume.
struct Application {
    module: Module,
    folder: tempfile::TempDir,
}

impl Application {
    fn new() -> Self {
        Self {
            module: module("c_counts_its_runs"),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn volume(&self) -> PathBuf {
        self.folder.path().join("volume")
    }

    fn document(&self, bound_to: Binding, to: &[&Runtime], from: &[&Runtime]) -> Vec<u8> {
        let launch = Launch::new(runtime(), &self.module).volume("/", "anywhere");
        let mut draft = (*launch.document().unwrap()).clone();
        let images = |runtimes: &[&Runtime]| {
            let images = runtimes.iter().map(|runtime| Digest(runtime.mrenclave()));
            images.collect()
        };
        draft.migration.to = images(to);
        draft.migration.from = images(from);
        for mount in &mut draft.mounts {
            if let MountKind::Volume(policy) = &mut mount.kind {
                policy.create = true;
                policy.key = KeySource::Sealed {
                    bound_to,
                    runtime: RuntimeBinding::Image,
                };
            }
        }
        let document = LaunchDocument::new(draft).unwrap();
        document.to_toml().into_bytes()
    }

    fn start(&self, runtime: &Runtime, document: &[u8]) -> Result<String, (Refusal, String)> {
        let output = Capture::default();
        let launch = Launch::from_document(runtime, &self.module, document)
            .unwrap()
            .args(["/runs", "returns"])
            .volume("/", self.volume())
            .stdout(&output);
        match launch.run() {
            Ok(Outcome::Exited { code: 0 }) => Ok(text(&output.take()).trim().to_owned()),
            Err(Error::Refused { refusal, message }) => Err((refusal, message)),
            other => panic!("{other:?}"),
        }
    }

    fn migration<'a>(
        &self,
        old: &'a Runtime,
        new: &'a Runtime,
        document: &'a [u8],
    ) -> Migration<'a> {
        Migration::new(old, new, document)
            .unwrap()
            .volume("/", self.volume())
    }
}

fn refused<T: std::fmt::Debug>(ended: Result<T, Error>, expected: Refusal, words: &str) {
    match ended {
        Err(Error::Refused { refusal, message }) => {
            assert_eq!(refusal, expected, "{message}");
            assert!(message.contains(words), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_volume_moves_to_the_next_image_and_shuts_the_old_one_out() {
    let next = next_release();
    for bound_to in [Binding::Module, Binding::Document] {
        let application = Application::new();
        let document = application.document(bound_to, &[&next], &[runtime()]);
        assert_eq!(application.start(runtime(), &document).unwrap(), "run 1");
        let (refusal, message) = application.start(&next, &document).unwrap_err();
        assert_eq!(refusal, Refusal::Volume, "{message}");

        let migration = application.migration(runtime(), &next, &document);
        migration.run().unwrap();
        assert_eq!(application.start(&next, &document).unwrap(), "run 2");
        let (refusal, message) = application.start(runtime(), &document).unwrap_err();
        assert_eq!(refusal, Refusal::Volume, "{message}");
        assert_eq!(application.start(&next, &document).unwrap(), "run 3");
    }
}

#[test]
fn a_volume_that_is_bound_to_the_module_moves_with_a_later_document() {
    let next = next_release();
    let application = Application::new();
    let first = application.document(Binding::Module, &[], &[]);
    assert_eq!(application.start(runtime(), &first).unwrap(), "run 1");
    let later = application.document(Binding::Module, &[&next], &[runtime()]);
    let migration = application.migration(runtime(), &next, &later);
    migration.run().unwrap();
    assert_eq!(application.start(&next, &later).unwrap(), "run 2");
}

#[test]
fn both_images_have_to_be_listed() {
    let next = next_release();
    let application = Application::new();
    let lists: [(&[&Runtime], &[&Runtime], &str); 3] = [
        (&[], &[runtime()], "`migration.to`"),
        (&[&next], &[], "`migration.from`"),
        (&[runtime()], &[&next], "`migration.from`"),
    ];
    for (to, from, words) in lists {
        let document = application.document(Binding::Module, to, from);
        application.start(runtime(), &document).unwrap();
        let migration = application.migration(runtime(), &next, &document);
        refused(migration.run(), Refusal::Migration, words);
    }
    let document = application.document(Binding::Module, &[&next], &[runtime()]);
    assert_eq!(application.start(runtime(), &document).unwrap(), "run 4");
}

#[test]
fn a_volume_that_is_not_the_old_images_does_not_move() {
    let next = next_release();
    let application = Application::new();
    let document = application.document(Binding::Document, &[&next], &[runtime()]);
    let migration = application.migration(runtime(), &next, &document);
    assert!(
        matches!(migration.run(), Err(Error::File { .. })),
        "there is none"
    );
    assert!(!application.volume().exists(), "and none is made");

    let another = application.document(Binding::Document, &[&next], &[]);
    application.start(runtime(), &another).unwrap();
    let migration = application.migration(runtime(), &next, &document);
    refused(migration.run(), Refusal::Volume, "another launch document");
}

/// What one enclave hands over in a step, as a hostile host changes it.
fn tampering(
    wanted: Step,
    change: impl Fn(&mut [u8]) + 'static,
) -> impl Fn(Step, Box<dyn Services>) -> Box<dyn Services> {
    let change = Rc::new(change);
    move |step, honest| {
        if step == wanted {
            let change = Rc::clone(&change);
            Box::new(Tampering { honest, change })
        } else {
            honest
        }
    }
}

struct Tampering<F> {
    honest: Box<dyn Services>,
    change: Rc<F>,
}

impl<F: Fn(&mut [u8])> Services for Tampering<F> {
    fn serve(&mut self, header: &Header, payload: &mut [u8]) -> i64 {
        if header.op == HostCall::Evidence as u32 {
            let len = usize::try_from(header.args[0]).unwrap();
            (self.change)(&mut payload[..len]);
        }
        self.honest.serve(header, payload)
    }
}

#[test]
fn no_byte_of_what_the_enclaves_say_can_be_changed() {
    let next = next_release();
    let application = Application::new();
    let document = application.document(Binding::Module, &[&next], &[runtime()]);
    assert_eq!(application.start(runtime(), &document).unwrap(), "run 1");
    for step in [Step::Offer, Step::HandOver] {
        // Form, reserved and signed fields of the report, its key's number, its MAC, claims.
        for place in [0, 3, 20, 70, 200, 330, 380, 420, 440, 470, 500] {
            let migration = application
                .migration(runtime(), &next, &document)
                .services(tampering(step, move |bytes| {
                    let place = place.min(bytes.len() - 1);
                    bytes[place] ^= 1;
                }));
            match migration.run() {
                Err(Error::Refused { refusal, .. }) => {
                    assert_eq!(refusal, Refusal::Migration, "{step:?}, byte {place}");
                }
                other => panic!("{step:?}, byte {place}: {other:?}"),
            }
        }
    }
    // Nobody was locked out on the way.
    assert_eq!(application.start(runtime(), &document).unwrap(), "run 2");
    let migration = application.migration(runtime(), &next, &document);
    migration.run().unwrap();
    assert_eq!(application.start(&next, &document).unwrap(), "run 3");
}

#[test]
fn another_volumes_hand_over_does_not_open_this_one() {
    let next = next_release();
    let (mine, theirs) = (Application::new(), Application::new());
    let document = mine.document(Binding::Module, &[&next], &[runtime()]);
    for application in [&mine, &theirs] {
        assert_eq!(application.start(runtime(), &document).unwrap(), "run 1");
    }
    // What was handed over for one volume, in place of what is handed over for the other.
    let heard = Rc::new(RefCell::new(Vec::new()));
    let listener = Rc::clone(&heard);
    theirs
        .migration(runtime(), &next, &document)
        .services(tampering(Step::HandOver, move |bytes| {
            *listener.borrow_mut() = bytes.to_vec();
        }))
        .run()
        .unwrap();
    let migration = mine
        .migration(runtime(), &next, &document)
        .services(tampering(Step::HandOver, move |bytes| {
            bytes.copy_from_slice(&heard.borrow());
        }));
    refused(migration.run(), Refusal::Volume, "has not handed it over");
    assert_eq!(mine.start(runtime(), &document).unwrap(), "run 2");
    assert_eq!(theirs.start(&next, &document).unwrap(), "run 2");
}
