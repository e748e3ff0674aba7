//! An outcome, as an enclave reports it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine::fuzzing::outcome(bytes));
