//! A block of the epoch list.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine_fs::fuzzing::epoch_list(bytes));
