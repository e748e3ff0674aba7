//! Faults stay inside: each is a trap that names the reason and the functions, and harms nothing else.

use twine::error::Refusal;
use twine::{Error, Outcome};
use twine_tests::run::{Given, launch, module, text};

/// Every guest that faults, and what the trap's message must say.
const FAULTS: [(&str, &str); 27] = [
    ("wat_reads_out_of_bounds", "out of bounds memory access"),
    ("wat_reads_far_out_of_bounds", "out of bounds memory access"),
    ("wat_reads_across_the_end", "out of bounds memory access"),
    ("wat_writes_out_of_bounds", "out of bounds memory access"),
    (
        "wat_writes_a_vector_out_of_bounds",
        "out of bounds memory access",
    ),
    ("wat_copies_out_of_bounds", "out of bounds memory access"),
    ("wat_fills_out_of_bounds", "out of bounds memory access"),
    (
        "wat_initialises_out_of_bounds",
        "out of bounds memory access",
    ),
    ("wat_reaches_the_unreachable", "unreachable"),
    ("wat_divides_by_zero", "divide by zero"),
    ("wat_takes_a_remainder_by_zero", "divide by zero"),
    ("wat_overflows_a_division", "integer overflow"),
    (
        "wat_converts_a_number_that_does_not_fit",
        "integer overflow",
    ),
    (
        "wat_converts_what_is_not_a_number",
        "invalid conversion to integer",
    ),
    ("wat_exhausts_the_stack", "call stack exhausted"),
    (
        "wat_exhausts_the_stack_with_large_frames",
        "call stack exhausted",
    ),
    (
        "wat_calls_with_the_wrong_type",
        "indirect call type mismatch",
    ),
    ("wat_calls_an_empty_entry", "uninitialized element"),
    ("wat_calls_outside_the_table", "out of bounds table access"),
    ("wat_reads_outside_the_table", "out of bounds table access"),
    ("wat_writes_outside_the_table", "out of bounds table access"),
    ("wat_copies_outside_the_table", "out of bounds table access"),
    ("wat_traps_while_it_starts", "unreachable"),
    (
        "wat_does_not_fit_its_own_memory",
        "out of bounds memory access",
    ),
    ("c_aborts", "unreachable"),
    ("c_follows_a_null_function", "uninitialized element"),
    ("c_recurses_without_end", "call stack exhausted"),
];

/// Runs a guest that faults and returns the trap's message.
fn trap(name: &str) -> String {
    let ran = launch(&module(name), Given::default());
    let Ok(Outcome::Trapped { message }) = ran.outcome else {
        panic!("{name} must trap: {ran:?}");
    };
    message
}

/// Runs a guest that faults in `inner`, called by `outer`.
fn traps(name: &str) {
    let message = trap(name);
    let (_, reason) = FAULTS
        .iter()
        .find(|(fault, _)| *fault == name)
        .expect("the fault is listed");
    assert!(message.contains(reason), "{name}: {message}");
    if name.starts_with("wat_")
        && ![
            "wat_traps_while_it_starts",
            "wat_does_not_fit_its_own_memory",
        ]
        .contains(&name)
    {
        let innermost = if name.ends_with("large_frames") {
            "wide"
        } else {
            "inner"
        };
        assert!(
            message.contains(innermost),
            "{name} has no backtrace: {message}"
        );
    }
}

macro_rules! faults {
    ($($name:ident)+) => {$(
        #[test]
        pub(crate) fn $name() {
            traps(stringify!($name));
        }
    )+};
}

faults! {
    wat_reads_out_of_bounds
    wat_reads_far_out_of_bounds
    wat_reads_across_the_end
    wat_writes_out_of_bounds
    wat_writes_a_vector_out_of_bounds
    wat_copies_out_of_bounds
    wat_fills_out_of_bounds
    wat_initialises_out_of_bounds
    wat_reaches_the_unreachable
    wat_divides_by_zero
    wat_takes_a_remainder_by_zero
    wat_overflows_a_division
    wat_converts_a_number_that_does_not_fit
    wat_converts_what_is_not_a_number
    wat_exhausts_the_stack
    wat_exhausts_the_stack_with_large_frames
    wat_calls_with_the_wrong_type
    wat_calls_an_empty_entry
    wat_calls_outside_the_table
    wat_reads_outside_the_table
    wat_writes_outside_the_table
    wat_copies_outside_the_table
    wat_traps_while_it_starts
    wat_does_not_fit_its_own_memory
    c_follows_a_null_function
    c_recurses_without_end
}

#[test]
pub(crate) fn c_aborts() {
    traps("c_aborts");
    let ran = launch(&module("c_aborts"), Given::default());
    assert_eq!(text(&ran.errors), "giving up\n");
    let message = trap("c_aborts");
    for frame in ["!abort", "!give_up", "!_start"] {
        assert!(message.contains(frame), "no frame {frame}: {message}");
    }
}

#[test]
pub(crate) fn wat_raises_a_signal() {
    // As a shell reports a program that a signal has ended: 128 and the signal's number.
    let ran = launch(&module("wat_raises_a_signal"), Given::default());
    assert_eq!(ran.outcome.unwrap(), Outcome::Exited { code: 134 });
}

/// Runs a guest that cannot be started.
fn refused(name: &str) -> (Refusal, String) {
    let ran = launch(&module(name), Given::default());
    let Err(Error::Refused { refusal, message }) = ran.outcome else {
        panic!("{name} must be refused: {ran:?}");
    };
    (refusal, message)
}

#[test]
pub(crate) fn wat_imports_what_does_not_exist() {
    let (refusal, message) = refused("wat_imports_what_does_not_exist");
    assert_eq!(refusal, Refusal::ModuleUnusable);
    assert!(message.contains("fd_teleport"), "{message}");
}

#[test]
pub(crate) fn wat_imports_by_the_wrong_type() {
    let (refusal, message) = refused("wat_imports_by_the_wrong_type");
    assert_eq!(refusal, Refusal::ModuleUnusable);
    assert!(message.contains("proc_exit"), "{message}");
}

#[test]
pub(crate) fn wat_has_no_entry_point() {
    let (refusal, message) = refused("wat_has_no_entry_point");
    assert_eq!(refusal, Refusal::ModuleUnusable);
    assert!(message.contains("_start"), "{message}");
}

/// A call that needs the guest's memory ends a guest that exports none; the call before it needs none and succeeds.
#[test]
pub(crate) fn wat_has_no_memory() {
    let message = trap("wat_has_no_memory");
    assert!(message.contains("memory"), "{message}");
}

#[test]
pub(crate) fn wat_uses_shared_memory() {
    let guest = twine_guests::Guest::named("wat_uses_shared_memory").unwrap();
    let error = twine_tests::run::runtime()
        .load(guest.source())
        .unwrap_err();
    assert!(matches!(error, Error::BadModule { .. }), "{error}");
}

#[test]
fn a_hundred_faults_in_a_row_leave_the_process_as_it_was() {
    for (name, reason) in FAULTS.iter().cycle().take(100) {
        assert!(trap(name).contains(reason), "{name}");
    }
    let ran = launch(&module("c_says_hello"), Given::default());
    assert_eq!(text(&ran.output), "Hello from C.\n");
}
