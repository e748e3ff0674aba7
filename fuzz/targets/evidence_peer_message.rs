//! A message from one enclave to another.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine_evidence::fuzzing::peer_message(bytes));
