//! A launch document.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine_launch::fuzzing::document(bytes));
