//! Programs that behave, one test for each guest, named like it: what they write inside an enclave is what they write
//! as native programs, or what WASI prescribes where the two differ.

use std::io::{Read as _, Write as _, pipe};
use std::thread;
use std::time::{Duration, Instant};

use twine::{Input, Outcome, Output};
use twine_tests::run::{Given, Ran, guest, launch, module, run, same_as_native, text};

use super::attestation::*;
use super::certificates::*;
use super::faults::*;
use super::files::*;
use super::limits::*;
use super::provisioning::*;

/// A guest without a test does not compile.
macro_rules! assert_test_exists {
    ($name:ident) => {
        #[expect(unused_imports, reason = "that the name resolves is the test")]
        use self::$name as _;
    };
}
twine_guests::foreach_guest!(assert_test_exists);

/// Runs a guest without anything and expects it to end with 0.
fn succeeds(name: &str) -> Ran {
    let ran = launch(&module(name), Given::default());
    assert_eq!(
        ran.outcome.as_ref().ok(),
        Some(&Outcome::Exited { code: 0 }),
        "{name}: {ran:?}"
    );
    ran
}

#[test]
pub(crate) fn c_says_hello() {
    same_as_native("c_says_hello", Given::default());
}

#[test]
pub(crate) fn cpp_says_hello() {
    same_as_native("cpp_says_hello", Given::default());
}

#[test]
pub(crate) fn zig_says_hello() {
    same_as_native("zig_says_hello", Given::default());
}

#[test]
pub(crate) fn rust_says_hello() {
    same_as_native("rust_says_hello", Given::default());
}

#[test]
pub(crate) fn wat_says_hello() {
    assert_eq!(
        text(&succeeds("wat_says_hello").output),
        "Hello from WebAssembly"
    );
}

#[test]
pub(crate) fn wat_does_nothing() {
    let ran = succeeds("wat_does_nothing");
    assert!(ran.output.is_empty() && ran.errors.is_empty());
}

#[test]
pub(crate) fn c_exits_with_its_argument() {
    for code in ["0", "1", "42", "255"] {
        let arguments = &[code];
        same_as_native(
            "c_exits_with_its_argument",
            Given {
                arguments,
                ..Given::default()
            },
        );
    }
}

#[test]
pub(crate) fn wat_exits_with_the_highest_code() {
    let ran = launch(&module("wat_exits_with_the_highest_code"), Given::default());
    assert_eq!(ran.outcome.unwrap(), Outcome::Exited { code: u32::MAX });
}

#[test]
pub(crate) fn c_prints_its_arguments() {
    let arguments = &[
        "plain",
        "",
        "two words",
        "--flag=\"x\"",
        "\u{e9}\u{4e2d}\u{1f980}",
        "\t\n",
    ];
    same_as_native(
        "c_prints_its_arguments",
        Given {
            arguments,
            ..Given::default()
        },
    );
}

#[test]
pub(crate) fn c_prints_its_environment() {
    let environment = &[("COLOUR", "blue = red"), ("EMPTY", ""), ("LANG", "C.UTF-8")];
    same_as_native(
        "c_prints_its_environment",
        Given {
            environment,
            ..Given::default()
        },
    );
    same_as_native("c_prints_its_environment", Given::default());
}

#[test]
pub(crate) fn c_reads_the_clocks() {
    same_as_native("c_reads_the_clocks", Given::default());
}

#[test]
pub(crate) fn c_draws_random_bytes() {
    same_as_native("c_draws_random_bytes", Given::default());
}

#[test]
pub(crate) fn c_sleeps() {
    same_as_native("c_sleeps", Given::default());
}

#[test]
pub(crate) fn c_polls_its_input() {
    same_as_native(
        "c_polls_its_input",
        Given {
            input: b"twelve bytes",
            ..Given::default()
        },
    );
}

#[test]
pub(crate) fn c_waits_for_input_in_vain() {
    let (reader, writer) = pipe().unwrap();
    let began = Instant::now();
    let ran = run(&module("c_waits_for_input_in_vain"), |launch| {
        launch.stdin(Input::Descriptor(reader.into()))
    });
    assert!(
        began.elapsed() >= Duration::from_millis(60),
        "it did not wait"
    );
    assert_eq!(text(&ran.output), "poll: 0\nselect: 0\n");
    drop(writer);
}

#[test]
pub(crate) fn c_echoes_its_input() {
    let every_byte: Vec<u8> = (0..=u8::MAX).cycle().take(300_000).collect();
    for input in [&b""[..], b"no line end", b"\0\xff\r\n\x1b[0m", &every_byte] {
        same_as_native(
            "c_echoes_its_input",
            Given {
                input,
                ..Given::default()
            },
        );
    }
}

#[test]
pub(crate) fn c_answers_each_line() {
    let (guest_input, mut to_guest) = pipe().unwrap();
    let (mut from_guest, guest_output) = pipe().unwrap();
    let module = module("c_answers_each_line");
    let running = thread::spawn(move || {
        run(&module, |launch| {
            launch
                .stdin(Input::Descriptor(guest_input.into()))
                .stdout(Output::Descriptor(guest_output.into()))
        })
    });
    for line in ["one\n", "two\n", "three\n"] {
        to_guest.write_all(line.as_bytes()).unwrap();
        let expected = format!("you said: {line}");
        let mut answer = vec![0; expected.len()];
        from_guest.read_exact(&mut answer).unwrap();
        assert_eq!(text(&answer), expected);
    }
    drop(to_guest);
    assert_eq!(
        running.join().unwrap().outcome.unwrap(),
        Outcome::Exited { code: 0 }
    );
}

#[test]
pub(crate) fn c_writes_to_both_streams() {
    same_as_native("c_writes_to_both_streams", Given::default());
}

#[test]
pub(crate) fn c_writes_much() {
    same_as_native("c_writes_much", Given::default());
}

#[test]
pub(crate) fn c_formats_floats() {
    same_as_native("c_formats_floats", Given::default());
}

#[test]
pub(crate) fn c_computes() {
    same_as_native("c_computes", Given::default());
}

#[test]
pub(crate) fn c_closes_its_output() {
    same_as_native("c_closes_its_output", Given::default());
}

#[test]
pub(crate) fn c_runs_its_exit_handlers() {
    same_as_native("c_runs_its_exit_handlers", Given::default());
}

#[test]
pub(crate) fn c_opens_no_file() {
    assert_eq!(
        text(&succeeds("c_opens_no_file").output),
        "0 ways led outside\n"
    );
}

/// Nothing here is a terminal or a file, so the kind is unknown (0), and nobody may seek.
#[test]
pub(crate) fn c_describes_its_streams() {
    let output = text(&succeeds("c_describes_its_streams").output);
    let expected = [
        "0: kind 0, flags 0, read 1, write 0, seek 0, poll 1",
        "1: kind 0, flags 0, read 0, write 1, seek 0, poll 1",
        "2: kind 0, flags 0, read 0, write 1, seek 0, poll 1",
        "3: error 8",
        "seek: illegal",
        "terminal: 0",
        "",
    ];
    assert_eq!(output, expected.join("\n"));
}

#[test]
pub(crate) fn cpp_uses_the_library() {
    same_as_native("cpp_uses_the_library", Given::default());
}

#[test]
pub(crate) fn cpp_runs_constructors_in_order() {
    same_as_native("cpp_runs_constructors_in_order", Given::default());
}

#[test]
pub(crate) fn zig_computes_with_vectors() {
    same_as_native("zig_computes_with_vectors", Given::default());
}

#[test]
pub(crate) fn rust_uses_the_library() {
    same_as_native(
        "rust_uses_the_library",
        Given {
            arguments: &["a", "b c"],
            environment: &[("COLOUR", "green")],
            input: b"The quick brown fox\njumps over the lazy dog, the end\n",
        },
    );
}

#[test]
pub(crate) fn rust_panics() {
    let Some(module) = guest("rust_panics") else {
        return;
    };
    let ran = launch(&module, Given::default());
    assert!(
        text(&ran.errors).contains("index out of bounds: the len is 1 but the index is 2"),
        "{ran:?}"
    );
    let Ok(Outcome::Trapped { message }) = ran.outcome else {
        panic!("{ran:?}")
    };
    assert!(
        message.contains("unreachable") && message.contains("look_too_far"),
        "{message}"
    );
}

#[test]
pub(crate) fn wat_calls_its_tail_a_million_times() {
    succeeds("wat_calls_its_tail_a_million_times");
}

#[test]
pub(crate) fn wat_finds_grown_memory_empty() {
    // Twice, so that pages may be used again.
    succeeds("wat_finds_grown_memory_empty");
    succeeds("wat_finds_grown_memory_empty");
}

/// The exit code counts calls that accepted a pointer out of the guest's memory.
#[test]
pub(crate) fn wat_passes_wild_pointers() {
    succeeds("wat_passes_wild_pointers");
}

#[test]
pub(crate) fn wat_asks_for_a_hundred_megabytes() {
    succeeds("wat_asks_for_a_hundred_megabytes");
}
