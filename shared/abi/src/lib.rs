#![doc = include_str!("../../../docs/abi.md")]
//!
//! # Modules
//!
//! | module | owns |
//! |---|---|
//! | [`sgx`] | the processor's structures (SECS, TCS, REPORT, SIGSTRUCT, …) by the manual's offsets |
//! | [`layout`] | where things lie in the enclave's address range |
//! | [`entry`] | entry, event, exit and call numbers |
//! | [`exchange`] | the exchange area and the host calls |
//! | [`outcome`] | how a run ended |
//! | [`profile`] | the engine settings that the compiler outside and the engine inside must share |
//!
//! Nothing here touches memory, and nothing here believes the other side: numbers that come from outside stay
//! integers until a checking constructor has looked at them.

#![no_std]
#![forbid(unsafe_code)]

pub mod entry;
pub mod exchange;
pub mod layout;
pub mod outcome;
pub mod profile;
pub mod sgx;
