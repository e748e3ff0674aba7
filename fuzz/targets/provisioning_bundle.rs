//! A bundle for a provisioned enclave: outside, header, inside.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine_evidence::fuzzing::bundle(bytes));
