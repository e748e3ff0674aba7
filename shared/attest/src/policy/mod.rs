//! Policies: what a verifier accepts, in a TOML file that denies whatever it does not allow.
//!
//! The reference is the section "Policy" of `docs/attestation.md`. `form` knows the file, this module what it means.

mod error;
mod form;
mod value;

use std::path::PathBuf;
use std::str::FromStr;

use twine_abi::sgx::{AttributeFlags, Digest};

pub use error::Error;

use crate::tcb::TcbStatus;

/// What a verifier accepts.
///
/// Made by [`Policy::parse`] alone, so that every policy has passed its checks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    pub(crate) enclave: EnclaveRules,
    pub(crate) platform: PlatformRules,
    pub(crate) simulated_roots: Vec<Digest>,
    source: Option<Source>,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// If the file is not a policy, with line and key. Whoever wrote it has to mend it; nothing is guessed or left out.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        form::read(bytes)
    }

    /// Where the policy says collateral is to be had.
    #[must_use]
    pub const fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// Whether evidence of some emulator can pass. It proves nothing about any machine.
    #[must_use]
    pub const fn allows_simulation(&self) -> bool {
        !self.simulated_roots.is_empty()
    }
}

/// `[enclave]`: who may be in there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct EnclaveRules {
    /// The images; `None` if the signer is what counts.
    pub(crate) mrenclave: Option<Vec<Digest>>,
    pub(crate) signer: Option<SignerRule>,
    /// Least ISVSVN, wherever it is given.
    pub(crate) min_isv_svn: u16,
    pub(crate) config_id: ConfigIds,
    pub(crate) min_config_svn: u16,
    pub(crate) debug: Debug,
    pub(crate) required: AttributeFlags,
    pub(crate) forbidden: AttributeFlags,
    /// The most processor state.
    pub(crate) xfrm_max: u64,
    pub(crate) misc_select_max: u32,
}

/// A signer, and which product of theirs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SignerRule {
    pub(crate) mrsigner: Digest,
    pub(crate) prod_id: u16,
}

/// Which launch documents.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ConfigIds {
    Any,
    Listed(Vec<[u8; 64]>),
}

/// Whether an enclave may be open to a debugger.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Debug {
    Refused,
    /// In the emulator only: there is nothing to protect.
    InSimulation,
}

/// `[platform]`: which processors, in which state.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PlatformRules {
    pub(crate) tcb_status: Vec<TcbStatus>,
    pub(crate) accepted_advisories: Vec<String>,
    pub(crate) min_tcb_eval_data_number: u32,
    pub(crate) max_tcb_info_age_days: u32,
    pub(crate) out_of_date_grace_days: u32,
    pub(crate) dynamic_platform: Allow,
    pub(crate) smt: Allow,
    pub(crate) cached_keys: Allow,
    pub(crate) fmspc_deny: Vec<[u8; 6]>,
    pub(crate) sgx_types: Vec<u8>,
    /// Empty: any machine.
    pub(crate) platform_instance_allow: Vec<[u8; 16]>,
}

/// An answer to "may it be so?".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Allow {
    No,
    Yes,
}

/// Where collateral is to be had. Never the attester: who picks the collateral picks the verdict.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// `file:PATH`: a set of collateral in a file.
    File(PathBuf),
    /// `pccs:URL`: a caching service for provisioning certificates, or Intel's own.
    Pccs(String),
}

impl FromStr for Source {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once(':').unwrap_or_default();
        match scheme {
            "file" if !rest.is_empty() => Ok(Self::File(rest.into())),
            "pccs" => match crate::pccs::check_url(rest) {
                Ok(()) => Ok(Self::Pccs(rest.to_owned())),
                Err(problem) => Err(problem),
            },
            _ => Err("must be `file:PATH` or `pccs:https://…`"),
        }
    }
}
