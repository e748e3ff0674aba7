//! Guests with files: the same behaviour whatever is mounted, and nothing beside it.

use std::path::PathBuf;

use twine::{Input, Launch, Module, Outcome};
use twine_guests::Guest;
use twine_tests::run::{Ran, guest, home, module, run, text};

/// What can be mounted.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Volume,
    Tmpfs,
    Host,
}

const KINDS: [Kind; 3] = [Kind::Volume, Kind::Tmpfs, Kind::Host];

/// An empty place of this test's own.
fn place(name: &str) -> PathBuf {
    let place = home()
        .join("files")
        .join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(place.join("host")).expect("the folder of tests can be written");
    place
}

fn mounted<'a>(launch: Launch<'a>, kind: Kind, place: &std::path::Path) -> Launch<'a> {
    let launch = match kind {
        Kind::Volume => launch
            .volume("/data", place.join("volume"))
            .create_volumes(),
        Kind::Tmpfs => launch.tmpfs("/data", 64 << 20),
        Kind::Host => Ok(launch.host_directory("/data", place.join("host"))),
    };
    launch.expect("the document is generated")
}

fn run_on(module: &Module, kind: Kind, place: &std::path::Path, arguments: &[&str]) -> Ran {
    run(module, |launch| {
        mounted(launch, kind, place)
            .args(arguments.iter().copied())
            .stdin(Input::bytes(b""))
    })
}

/// Runs a guest on every kind of mount and as a native program, and compares what they print.
fn same_on_every_mount(name: &str) {
    let Some(module) = guest(name) else { return };
    let place = place(name);
    let native = Guest::named(name).and_then(|guest| guest.native());
    let native = std::process::Command::new(native.expect("it is an ordinary program, too"))
        .arg(place.join("host"))
        .output()
        .expect("a native program can be run");
    assert!(native.status.success(), "{}", text(&native.stderr));
    for kind in KINDS {
        let ran = run_on(&module, kind, &place, &["/data"]);
        assert_eq!(text(&ran.output), text(&native.stdout), "{kind:?}: {ran:?}");
        assert_eq!(
            ran.outcome.ok(),
            Some(Outcome::Exited { code: 0 }),
            "{kind:?}"
        );
    }
}

#[test]
pub(crate) fn c_uses_files() {
    same_on_every_mount("c_uses_files");
}

#[test]
pub(crate) fn rust_uses_files() {
    same_on_every_mount("rust_uses_files");
}

#[test]
pub(crate) fn c_counts_its_runs() {
    let module = module("c_counts_its_runs");
    for kind in KINDS {
        let place = place(&format!("counts-{kind:?}"));
        // What is in the enclave's memory ends with the guest; a volume forgets what a guest that trapped had not synced; a host's
        // files are the host's at once.
        let numbers = match kind {
            Kind::Tmpfs => [1, 1, 1, 1],
            Kind::Volume => [1, 2, 2, 2],
            Kind::Host => [1, 2, 3, 4],
        };
        for (expected, end) in numbers
            .into_iter()
            .zip(["returns", "aborts", "aborts", "returns"])
        {
            let ran = run_on(&module, kind, &place, &["/data/count", end]);
            assert_eq!(
                text(&ran.output),
                format!("run {expected}\n"),
                "{kind:?}: {ran:?}"
            );
        }
    }
}

#[test]
pub(crate) fn c_finds_no_way_out() {
    let module = module("c_finds_no_way_out");
    for kind in KINDS {
        let place = place(&format!("out-{kind:?}"));
        let ran = run_on(&module, kind, &place, &["/data"]);
        assert_eq!(
            text(&ran.output),
            "0 ways led outside\n",
            "{kind:?}: {ran:?}"
        );
    }
}
