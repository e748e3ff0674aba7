//! Profiles: what somebody outside can learn of a debug launch, and of no other.

use twine::launch::profile::{Place, Profile, Stack};
use twine::{Error, Launch, Outcome};
use twine_tests::run::runtime;

/// Counts down, three calls deep, and then sleeps for 50 ms.
const COUNTS_AND_SLEEPS: &str = r#"(module
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "\01")
    (data (i32.const 24) "\80\f0\fa\02")
    (func $count (param $depth i32) (local $n i32)
        (if (local.get $depth)
            (then (call $count (i32.sub (local.get $depth) (i32.const 1))))
            (else
                (local.set $n (i32.const 100000000))
                (loop $again
                    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))))
    (func $sleep (param $depth i32)
        (if (local.get $depth)
            (then (call $sleep (i32.sub (local.get $depth) (i32.const 1))))
            (else (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))))
    (func (export "_start")
        (call $count (i32.const 2))
        (call $sleep (i32.const 1))))"#;

/// Samples of stacks that end in this function.
fn samples(profile: &Profile, place: Place, function: &str) -> u64 {
    let stacks = profile.stacks.iter().filter(|stack| {
        stack.place == place && stack.functions.last().is_some_and(|last| last == function)
    });
    stacks.map(|stack| stack.samples).sum()
}

#[test]
fn a_profile_of_a_debug_launch_names_the_functions_that_took_the_time() {
    let module = runtime().load_bytes("counts", COUNTS_AND_SLEEPS.as_bytes());
    let module = module.unwrap();
    let launch = Launch::new(runtime(), &module).debuggable();
    let (outcome, profile) = launch.run_profiled().unwrap();
    assert_eq!(outcome, Outcome::Exited { code: 0 });
    assert!(samples(&profile, Place::Guest, "count") > 5, "{profile:?}");
    assert!(samples(&profile, Place::Host, "sleep") > 5, "{profile:?}");
    let calls_itself = |stack: &Stack| {
        let names: Vec<&str> = stack.functions.iter().map(String::as_str).collect();
        names.first() == Some(&"function 3") && names.ends_with(&["count", "count"])
    };
    assert!(profile.stacks.iter().any(calls_itself), "{profile:?}");
}

#[test]
fn other_launches_are_not_profiled() {
    let module = runtime().load_bytes("counts", COUNTS_AND_SLEEPS.as_bytes());
    let refused = Launch::new(runtime(), &module.unwrap()).run_profiled();
    assert!(
        matches!(refused, Err(Error::NotForProfiling)),
        "{refused:?}"
    );
}
