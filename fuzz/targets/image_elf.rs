//! An enclave's ELF file.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| twine::image::fuzzing::elf(bytes));
