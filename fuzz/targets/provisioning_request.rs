//! A request for provisioning.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine_evidence::fuzzing::request(bytes));
