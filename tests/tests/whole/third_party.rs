//! Programs that nobody here has compiled, compared with the same modules under another embedding of a Wasm runtime.

use std::path::Path;

use twine::Outcome;
use twine_guests::oracle;
use twine_guests::third_party::{ICEPLL, Module};
use twine_tests::run::{Given, launch, runtime, text};

/// Runs a module here and there with the same arguments and input.
fn same_as_elsewhere(module: Module, arguments: &[&str], input: &[u8]) -> String {
    let path = module.path().expect("the package can be fetched");
    let ours = launch(
        &load(&path),
        Given {
            arguments,
            input,
            ..Given::default()
        },
    );
    let all: Vec<&str> = [&[module.name], arguments].concat();
    let theirs = oracle::run(&path, &all, input).expect("the other runtime can be fetched");
    assert_eq!(text(&ours.output), text(&theirs.stdout), "{all:?}");
    assert_eq!(text(&ours.errors), text(&theirs.stderr), "{all:?}");
    let code = theirs.status.code().map(i32::cast_unsigned);
    assert_eq!(
        ours.outcome.ok(),
        code.map(|code| Outcome::Exited { code }),
        "{all:?}"
    );
    text(&ours.output)
}

fn load(path: &Path) -> twine::Module {
    runtime().load(path).expect("the module can be compiled")
}

#[test]
fn icepll_computes_the_same_settings() {
    let output = same_as_elsewhere(ICEPLL, &["-i", "12", "-o", "60"], b"");
    assert!(
        output.contains("F_PLLOUT:   60.000 MHz (achieved)"),
        "{output}"
    );
    same_as_elsewhere(ICEPLL, &["-i", "16", "-o", "275", "-S"], b"");
    same_as_elsewhere(ICEPLL, &["-i", "1000"], b"");
}

#[test]
fn icepll_explains_itself_and_complains_the_same() {
    let output = same_as_elsewhere(ICEPLL, &["-h"], b"");
    assert!(output.is_empty() || output.contains("icepll"), "{output}");
    same_as_elsewhere(ICEPLL, &["-i", "12"], b"");
    same_as_elsewhere(ICEPLL, &["-i", "1", "-o", "60"], b"");
}
