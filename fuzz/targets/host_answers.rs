//! WASI calls of any guest, answered by any host.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twine_runtime::fuzzing::calls(bytes).expect("the engine can be set up");
});
