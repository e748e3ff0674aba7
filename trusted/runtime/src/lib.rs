//! Embeds the Wasm engine: launch, limits, WASI.
#![no_std]
#![forbid(unsafe_code)]
