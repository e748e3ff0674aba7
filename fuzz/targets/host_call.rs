//! A host call, as an enclave asks for it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine::fuzzing::host_call(bytes));
