//! A bucket of a directory.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine_fs::fuzzing::directory(bytes));
