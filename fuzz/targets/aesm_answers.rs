//! What AESM may answer, request by request.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine::fuzzing::aesm_answers(bytes));
