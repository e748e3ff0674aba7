//! A request to the emulator's quoting service.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine::fuzzing::aesm_request(bytes));
