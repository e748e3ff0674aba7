//! The launch document: what runs, with which arguments, limits and powers.
#![no_std]
#![forbid(unsafe_code)]
