//! A tree node.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine_fs::fuzzing::node(bytes));
