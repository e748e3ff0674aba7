//! A compiled module's file.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine::fuzzing::module(bytes));
