//! The state inside a superblock.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine_fs::fuzzing::state(bytes));
