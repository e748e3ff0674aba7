//! A quote.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine_attest::fuzzing::quote(bytes));
