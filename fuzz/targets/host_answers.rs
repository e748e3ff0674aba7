//! WASI calls of any guest, answered by any host.

#![no_main]
#![expect(
    clippy::expect_used,
    reason = "what goes wrong here is the machine's fault, not the input's"
)]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twine_runtime::fuzzing::calls(bytes).expect("the engine can be set up");
});
