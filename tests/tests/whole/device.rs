//! The device backend over a model of the Linux driver: programs run as on the emulator, and no rule of the driver is broken,
//! whatever comes in between.
//!
//! All tests of the whole run on it where `TWINE_TESTS_BACKEND` says so (`cargo xtask ci` does); these run always.

use std::time::Duration;

use twine::backend::BackendKind;
use twine::backend::device::model::{Model, Mood, Record};
use twine::backend::emulator::EmulatorConfig;
use twine::state::Directories;
use twine::{Input, Launch, Outcome, Runtime};
use twine_tests::run::{home, module, run_on, text};

fn device(mood: Mood) -> (Runtime, Record) {
    let folder = tempfile::tempdir().unwrap();
    let config = EmulatorConfig {
        secret: folder.path().join("platform"),
        ..EmulatorConfig::default()
    };
    let model = Model::new(config, mood).unwrap();
    let record = model.record();
    let runtime = Runtime::builder()
        .with_backend(Box::new(model.into_device().unwrap()))
        .directories(Directories::below(&home()))
        .build()
        .unwrap();
    (runtime, record)
}

/// Output, input, a trap, memory that comes and goes, code that is made executable, and a guest that is stopped.
fn a_day(runtime: &Runtime) {
    let ran = run_on(runtime, &module("c_echoes_its_input"), |launch| {
        launch.stdin(Input::bytes(b"there and back"))
    });
    assert_eq!(text(&ran.output), "there and back");
    let ran = run_on(runtime, &module("wat_reads_out_of_bounds"), |launch| launch);
    assert!(
        matches!(ran.outcome, Ok(Outcome::Trapped { .. })),
        "{ran:?}"
    );
    let grow = module("wat_finds_grown_memory_empty");
    let ran = run_on(runtime, &grow, |launch| launch);
    assert_eq!(ran.outcome.unwrap(), Outcome::Exited { code: 0 });
    let forever = module("wat_loops_forever");
    let ran = run_on(runtime, &forever, |launch: Launch<'_>| {
        launch.timeout(Duration::from_millis(20))
    });
    assert_eq!(ran.outcome.unwrap(), Outcome::Stopped);
}

#[test]
fn programs_run_and_no_rule_of_the_driver_is_broken() {
    let (runtime, record) = device(Mood::Calm);
    a_day(&runtime);
    assert_eq!(record.violations(), Vec::<String>::new());
}

#[test]
fn signals_refusals_and_requests_done_in_part_change_nothing() {
    for number in 1..4 {
        let (runtime, record) = device(Mood::Restless(number));
        a_day(&runtime);
        assert_eq!(record.violations(), Vec::<String>::new(), "{number}");
        assert!(record.injected() > 100, "{}", record.injected());
    }
}

/// EINIT over the model compares what was added with what was signed.
#[test]
fn the_model_measures_what_the_image_is() {
    let (runtime, _) = device(Mood::Calm);
    let identity = Launch::new(&runtime, &module("wat_says_hello"))
        .identity()
        .unwrap();
    assert_eq!(identity.mrenclave, runtime.image().mrenclave());
    let ran = run_on(&runtime, &module("wat_says_hello"), |launch| launch);
    assert_eq!(ran.outcome.unwrap(), Outcome::Exited { code: 0 });
}

#[test]
fn a_modelled_device_says_that_it_protects_nothing() {
    let (runtime, _) = device(Mood::Calm);
    assert_eq!(runtime.kind(), BackendKind::Emulator);
}
