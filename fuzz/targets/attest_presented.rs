//! Whatever may be handed to a verifier: evidence, a quote, a certificate.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine_attest::fuzzing::presented(bytes));
