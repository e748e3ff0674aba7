//! The head of a log record.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine_fs::fuzzing::record_head(bytes));
