//! Verification of evidence, on any machine: who runs in an enclave, on which processor, and whether a policy allows it.
//!
//! Formats, the policy's reference and what is checked: `docs/attestation.md`. The crate needs no SGX, no network and no
//! clock: evidence, policy, collateral and time are given.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use twine_attest::{Collateral, Expectation, Policy, Presented, Verdict, verify};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // From the attester: evidence, a quote, or an RA-TLS certificate. Here a quote of a processor.
//! let presented = include_bytes!("../tests/vectors/matrix/quotes/dcap-qvl__sgx_quote.bin");
//! let presented = Presented::read(presented)?;
//!
//! // From us: what we accept, Intel's collateral, the time, and what we expect the evidence to be for.
//! let policy = Policy::parse(br#"
//!     version = 1
//!
//!     [enclave]
//!     mrsigner = "815f42f11cf64430c30bab7816ba596a1da0130c3b028b673133a66cf9a3e0e6"
//!     prod_id = 0
//!     min_isv_svn = 0
//!     config_id = "any"
//!
//!     [platform]
//!     tcb_status = ["ConfigurationAndSWHardeningNeeded"]
//!     accepted_advisories = ["INTEL-SA-00289", "INTEL-SA-00615"]
//! "#)?;
//! let collateral = include_bytes!(
//!     "../tests/vectors/matrix/collateral/fmspc00a067110000_ev17_2025-06-19_ffa4ed.json"
//! );
//! let collateral = Collateral::parse(collateral)?;
//! let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_751_624_924);
//!
//! match verify(&presented, &Expectation::quote_alone(), &policy, &collateral, now) {
//!     Verdict::Genuine(genuine) => {
//!         let enclave = genuine.statement().report();
//!         assert_eq!(enclave.isv_svn, 0);
//!         // Now it may have our secrets.
//!     }
//!     // An emulator's evidence has a variant of its own: nothing is protected there.
//!     Verdict::Simulated(_) => unreachable!("the policy names no emulator"),
//!     Verdict::Refused(refused) => {
//!         for reason in refused.reasons() {
//!             eprintln!("{reason} ({}): {}", reason.blame(), reason.remedy());
//!         }
//!         return Err("refused".into());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`presented`] | what is handed over, and telling it apart |
//! | [`quote`] | the form of quotes |
//! | `certificate` | RA-TLS certificates, of any project |
//! | [`policy`] | what a verifier accepts |
//! | [`collateral`], [`pccs`] | what Intel publishes, and fetching it |
//! | `chain`, `root` | from a quote to Intel's root |
//! | `marks` | telling processors from emulators |
//! | `rules`, `expectation` | the policy's rules, the verifier's expectations |
//! | [`reason`] | every reason to refuse, in words |
//! | [`limits`] | every bound |
//!
//! No step stops at its first reason, and none hides another: see [`verify`](verify()).

#![forbid(unsafe_code)]

mod certificate;
mod chain;
pub mod collateral;
mod expectation;
#[doc(hidden)]
pub mod fuzzing;
mod hex;
pub mod limits;
mod marks;
pub mod pccs;
pub mod policy;
pub mod presented;
pub mod quote;
pub mod reason;
mod root;
mod rules;
mod statement;
mod tcb;
mod verdict;
mod verify;

pub use chain::Platform;
pub use collateral::Collateral;
pub use expectation::Expectation;
pub use marks::Mark;
pub use policy::{Policy, Source};
pub use presented::Presented;
pub use quote::Quote;
pub use reason::{Blame, Reason};
pub use root::INTEL_ROOT_SHA256;
pub use statement::Statement;
pub use tcb::TcbStatus;
pub use twine_evidence as evidence;
pub use verdict::{Genuine, Refused, Simulated, Verdict};
pub use verify::verify;
