//! `miri`: runs tests of the file system in Rust's interpreter, which finds undefined behaviour.
//!
//! `twine-fs` forbids `unsafe`, so what is under test is what it is built from: the ciphers and tables of others. Miri is
//! a component of nightly toolchains, and interprets a thousand times slower than a processor: only unit tests are run,
//! without those that take many blocks. A machine without Miri gets an error, never a silent success.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command;
use crate::project::{Project, Workspace};

/// Tests that seal or flip thousands of blocks.
const TOO_LONG: [&str; 3] = [
    "no_changed_bit_passes",
    "all_properties_hold_on_corner_inputs_and_their_neighbours",
    "directory_property_holds_on_real_buckets",
];

/// Runs the tests, if there is a toolchain for it.
///
/// # Errors
/// If Miri is not installed, or finds something.
pub(crate) fn run(project: &Project) -> Result<()> {
    if !command::succeeds("cargo", &["+nightly", "miri", "--version"]) {
        bail!(
            "there is no Miri; `rustup toolchain install nightly --component miri --component rust-src` brings it, \
             where its downloads are allowed"
        );
    }
    let mut miri = Command::new("cargo");
    miri.current_dir(project.path(Workspace::FileSystem.folder()))
        .env("CARGO_TARGET_DIR", project.target("fs-miri"))
        // The interpreter has no AES instructions; an empty value overrides the folder's configuration.
        .env("CARGO_ENCODED_RUSTFLAGS", "")
        .args(["+nightly", "miri", "test", "--locked", "--lib", "--"]);
    for test in TOO_LONG {
        miri.args(["--skip", test]);
    }
    command::run(&mut miri)
}
