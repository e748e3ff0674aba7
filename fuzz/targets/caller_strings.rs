//! The caller's arguments and environment.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine_runtime::fuzzing::strings(bytes));
