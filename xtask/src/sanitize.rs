//! `sanitize`: runs the tests of the file system with AddressSanitizer.
//!
//! `twine-fs` forbids `unsafe`; what is under test is what it is built from, and the sanitizer looks at every access and every
//! allocation of the ciphers and tables of others. It sees less than Miri ([`miri`](crate::miri)), but runs the real
//! instructions, at half the speed, and comes with every toolchain.

use anyhow::Result;
use clap::Args;

use crate::command;
use crate::project::{IMAGE_FEATURES, Project, Workspace};

#[derive(Args, Default)]
pub(crate) struct Options {
    /// The long tests as well, of crashes and of hostile disks: five minutes instead of one.
    #[arg(long)]
    all: bool,
}

/// Tests that mount thousands of volumes.
const LONG: [&str; 8] = [
    "a_crash_after_a_crash",
    "every_crash_leaves",
    "every_image_the_host_ever_saw",
    "bytes_that_change_while_they_are_read",
    "no_block_of",
    "no_flipped_bit_of",
    "ten_thousand_lives",
    "no_changed_bit_passes",
];

/// Runs the tests, but for those in the documentation: they would be linked without the sanitizer.
///
/// # Errors
/// If a test fails, or the sanitizer finds something: an access outside of an allocation or after its end, or a leak.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let flags = [&["-Zsanitizer=address"][..], &IMAGE_FEATURES].concat();
    let mut tests = project.cargo(Workspace::FileSystem);
    tests
        .env("CARGO_TARGET_DIR", project.target("fs-sanitize"))
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        // The flag is for nightly toolchains only by name: the pinned one has it, and its runtime.
        .env("RUSTC_BOOTSTRAP", "1")
        // Named so that build scripts and macros are not instrumented.
        .args(["test", "--locked", "--tests"])
        .args(["--target", "x86_64-unknown-linux-gnu", "--"]);
    if !options.all {
        LONG.iter().for_each(|test| {
            tests.args(["--skip", test]);
        });
    }
    command::run(&mut tests)
}
