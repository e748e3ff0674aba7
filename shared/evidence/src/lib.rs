#![doc = include_str!("../../../docs/attestation.md")]
//!
//! # This crate
//!
//! | module | owns |
//! |---|---|
//! | [`claims`] | what the runtime claims, for which purpose, and how that becomes REPORT_DATA |
//! | [`evidence`] | claims with the quote that vouches for them |
//! | [`peer`] | claims with the report that vouches for them, on one machine |
//! | [`handover`] | what an enclave tells another that takes its volumes over |
//! | [`request`], [`bundle`] | what an enclave asks a provisioner, and the answer |
//! | [`certificate`] | certificates with evidence about their key |
//! | [`limits`] | every bound |
//! | [`error`] | why bytes are refused |
//! | `cbor`, `map`, `canonical` | the one form in which each value may be written |
//!
//! The enclave writes, the verifier reads; both use the code here. Whether a quote is genuine is not asked here, only what
//! it would vouch for.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bundle;
mod canonical;
mod cbor;
pub mod certificate;
pub mod claims;
pub mod error;
pub mod evidence;
#[doc(hidden)]
pub mod fuzzing;
pub mod handover;
pub mod limits;
mod map;
pub mod peer;
pub mod request;

pub use claims::{Claims, Nonce, Purpose, Statement, report_data, sha256};
pub use error::Error;
pub use evidence::{Evidence, Origin};
pub use handover::HandOver;
pub use peer::PeerMessage;
pub use request::Request;
