//! Empty: see the manifest.
#![no_std]
#![forbid(unsafe_code)]
