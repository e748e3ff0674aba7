//! An SGXS stream.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine::image::fuzzing::sgxs(bytes));
