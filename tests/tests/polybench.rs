//! The kernels of `PolyBench` compute in an enclave, with and without vectors, what they compute natively, and that is what
//! PolyBench/C computes. Smallest size; `twine-bench` checks the others as it measures them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::process::Command;

use twine::Outcome;
use twine_guests::polybench::{Build, KERNELS, Kernel, Printed, Size};
use twine_tests::run::{Given, launch, runtime, text};

#[test]
fn every_kernel_computes_in_an_enclave_what_it_computes_natively() {
    // Two threads, because most of the first run is compiling.
    std::thread::scope(|scope| {
        for half in [0, 1] {
            scope.spawn(move || {
                KERNELS
                    .iter()
                    .skip(half)
                    .step_by(2)
                    .for_each(|kernel| check(*kernel))
            });
        }
    });
}

fn check(kernel: Kernel) {
    let expected = kernel.expected_mini();
    assert_eq!(natively(kernel), expected, "{}: native", kernel.0);
    for build in [Build::Wasm, Build::WasmSimd] {
        let module = kernel
            .build(Size::Mini, build)
            .unwrap_or_else(|error| panic!("{error}"));
        let ran = launch(&runtime().load(module).unwrap(), Given::default());
        assert_eq!(
            ran.outcome.unwrap(),
            Outcome::Exited { code: 0 },
            "{}",
            text(&ran.errors)
        );
        let printed = Printed::parse(&text(&ran.output));
        assert_eq!(printed.rounds.len(), 1, "{}: {build:?}", kernel.0);
        assert_eq!(printed.shown, expected, "{}: {build:?}", kernel.0);
    }
}

fn natively(kernel: Kernel) -> String {
    let program = kernel
        .build(Size::Mini, Build::Clang)
        .unwrap_or_else(|error| panic!("{error}"));
    let output = Command::new(program).output().unwrap();
    Printed::parse(&text(&output.stdout)).shown
}
