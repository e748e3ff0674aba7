//! A test build of the image, and running scripts in it.
//!
//! It is the released image with the runtime's feature `spectest`, built when it is first asked for. It is another image,
//! with another measurement: a released enclave cannot run scripts. A script is launched like a module, and under the same
//! checks.

use std::env;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use twine::abi::entry::Call;
use twine::abi::profile::ENGINE;
use twine::document::ModuleIdentity;
use twine::document::{Application, Arguments, Digest, Draft, LaunchDocument};
use twine::image::Image;
use twine::launch::outcome;
use twine::launch::thread::Thread;
use twine::state::Directories;
use twine::{BackendChoice, Error, Input, Outcome, Runtime};

use crate::hostile::{Memory, captured, enclave_on, honest_with, request};
use crate::run::{home, text};

/// Runs a script in an enclave of its own, and returns how it ended and what it wrote.
///
/// # Errors
/// Those of a launch.
///
/// # Panics
/// If the document of the launch is not valid.
pub fn run(runtime: &Runtime, script: &[u8]) -> Result<(Outcome, String), Error> {
    let document = document(script).to_toml().into_bytes();
    let enclave = enclave_on(runtime, &document, 0);
    let [document, script, arguments] = [&document[..], script, b"script\0"].map(Memory::of);
    let (capture, output) = captured();
    let mut host = honest_with(&enclave, Input::Empty, output);
    let mut thread = Thread::main(enclave);
    thread.call(Call::Initialise, &mut host, None)?;
    thread
        .exchange()
        .set_launch_request(&request(&document, &script, &arguments));
    thread.call(Call::Launch, &mut host, None)?;
    let outcome = outcome::parse(thread.exchange().payload())?;
    Ok((outcome, text(&capture.take())))
}

/// A launch document that names the script in a module's place.
fn document(script: &[u8]) -> LaunchDocument {
    let sha256 = Digest(Sha256::digest(script).into());
    let application = Application {
        name: "script".into(),
        version: 0,
    };
    let module = ModuleIdentity {
        sha256,
        wasm_sha256: sha256,
        engine: ENGINE.into(),
        confidential: false,
    };
    LaunchDocument::new(Draft {
        arguments: Arguments::FromCaller,
        ..Draft::new(application, module)
    })
    .expect("the document is valid")
}

/// The emulator with the test image.
///
/// # Panics
/// If the image cannot be built.
#[must_use]
pub fn runtime() -> Runtime {
    let file = std::fs::read(build()).expect("the image has been built");
    let image = Image::from_elf(&file).expect("the image is one");
    let builder = Runtime::builder().backend(BackendChoice::Emulator);
    let builder = builder
        .directories(Directories::below(&home()))
        .image(image);
    builder
        .build()
        .expect("the emulator needs nothing of the machine")
}

/// Builds the image with the host library's own instructions, in a target folder of its own.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("");
    let target = root.join("target/spectest-image");
    let mut fetch = nested::fetch(&root);
    let mut build = nested::build(&root, &target).expect("the registry's folders can be read");
    for command in [
        &mut fetch,
        build.args(["--features", "twine-runtime/spectest"]),
    ] {
        let status = command.status().expect("cargo can be run");
        assert!(
            status.success(),
            "building the test image failed: {command:?}"
        );
    }
    nested::image(&target)
}

#[path = "../../../untrusted/host/build/nested.rs"]
mod nested;
