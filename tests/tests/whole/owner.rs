//! Documents that name an owner: who may start them, and whose volumes they open.

use std::path::Path;

use twine::document::{
    Binding, KeySource, LaunchDocument, MountKind, Owner, RecoveryKey, RuntimeBinding,
};
use twine::error::Refusal;
use twine::owner::{DocumentSignature, OwnerKey};
use twine::state::Directories;
use twine::{BackendChoice, Capture, Error, Launch, Module, Outcome, Runtime};
use twine_tests::run::{module, runtime, text};

/// An owner, the program that counts its runs, and its volume.
struct Application {
    owner: OwnerKey,
    module: Module,
    folder: tempfile::TempDir,
}

impl Application {
    fn new() -> Self {
        Self {
            owner: OwnerKey::generate().unwrap(),
            module: module("c_counts_its_runs"),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn document(&self, name: &str, version: u16) -> Vec<u8> {
        let launch = Launch::new(runtime(), &self.module).volume("/", "anywhere");
        let mut draft = (*launch.document().unwrap()).clone();
        draft.application.name = name.into();
        draft.application.version = version;
        draft.owner = Some(Owner {
            key: self.owner.public(),
        });
        draft.recovery = vec![RecoveryKey([9; 32])];
        for mount in &mut draft.mounts {
            if let MountKind::Volume(policy) = &mut mount.kind {
                policy.create = true;
                policy.key = KeySource::Sealed {
                    bound_to: Binding::Owner,
                    runtime: RuntimeBinding::Image,
                };
            }
        }
        let document = LaunchDocument::new(draft).unwrap();
        document.to_toml().into_bytes()
    }

    fn start_on(
        &self,
        runtime: &Runtime,
        document: &[u8],
        signature: Option<DocumentSignature>,
    ) -> Result<String, (Refusal, String)> {
        let output = Capture::default();
        let mut launch = Launch::from_document(runtime, &self.module, document)
            .unwrap()
            .args(["/runs", "returns"])
            .volume("/", self.folder.path().join("volume"))
            .stdout(&output);
        if let Some(signature) = signature {
            launch = launch.signature(signature);
        }
        match launch.run() {
            Ok(Outcome::Exited { code: 0 }) => Ok(text(&output.take()).trim().to_owned()),
            Err(Error::Refused { refusal, message }) => Err((refusal, message)),
            other => panic!("{other:?}"),
        }
    }

    /// Starts a document that the owner has signed.
    fn start(&self, name: &str, version: u16) -> Result<String, (Refusal, String)> {
        self.start_signed_on(runtime(), name, version)
    }

    fn start_signed_on(
        &self,
        runtime: &Runtime,
        name: &str,
        version: u16,
    ) -> Result<String, (Refusal, String)> {
        let document = self.document(name, version);
        let signature = self.owner.sign(&document).unwrap();
        self.start_on(runtime, &document, Some(signature))
    }
}

/// The emulator of another user of this machine.
fn another_users(home: &Path) -> Runtime {
    let builder = Runtime::builder()
        .backend(BackendChoice::Emulator)
        .directories(Directories::below(home));
    builder.build().unwrap()
}

fn refused(started: Result<String, (Refusal, String)>, refusal: Refusal, words: &str) {
    let (found, message) = started.unwrap_err();
    assert_eq!(found, refusal, "{message}");
    assert!(message.contains(words), "{message}");
}

#[test]
fn a_document_with_an_owner_starts_only_with_the_owners_signature() {
    let application = Application::new();
    let document = application.document("db", 1);
    let unsigned = application.start_on(runtime(), &document, None);
    refused(
        unsigned,
        Refusal::Signature,
        "without the owner's signature",
    );
    let other = application.document("db", 2);
    let of_another = application.owner.sign(&other).unwrap();
    let started = application.start_on(runtime(), &document, Some(of_another));
    refused(started, Refusal::Signature, "is not its owner's");
    assert_eq!(application.start("db", 1).unwrap(), "run 1");
}

#[test]
fn a_volume_bound_to_the_owner_lives_through_new_versions_and_shuts_out_old_ones() {
    let application = Application::new();
    assert_eq!(application.start("db", 3).unwrap(), "run 1");
    assert_eq!(application.start("db", 4).unwrap(), "run 2");
    refused(
        application.start("db", 3),
        Refusal::Volume,
        "sealed by version 4",
    );
    refused(
        application.start("web", 4),
        Refusal::Volume,
        "for another owner, or another application",
    );
    let home = tempfile::tempdir().unwrap();
    let other = another_users(home.path());
    refused(
        application.start_signed_on(&other, "db", 4),
        Refusal::Volume,
        "by another user's emulator",
    );
    assert_eq!(application.start("db", 4).unwrap(), "run 3");
}
