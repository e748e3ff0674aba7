//! What accepted evidence says.

use serde_json::{Value, json};
use twine_abi::sgx::{AttributeFlags, ReportBody};
use twine_evidence::Claims;

use crate::chain::Platform;
use crate::hex;

/// What accepted evidence says, all of it authentic and allowed by the policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Statement {
    pub(crate) report: ReportBody,
    pub(crate) platform: Platform,
    pub(crate) claims: Option<Claims>,
}

impl Statement {
    /// Who the enclave is.
    #[must_use]
    pub const fn report(&self) -> &ReportBody {
        &self.report
    }

    /// The machine that it runs on.
    #[must_use]
    pub const fn platform(&self) -> &Platform {
        &self.platform
    }

    /// What our runtime claims; `None` for a quote alone, and for certificates of other projects.
    #[must_use]
    pub const fn claims(&self) -> Option<&Claims> {
        self.claims.as_ref()
    }
}

pub(crate) fn report_as_json(report: &ReportBody) -> Value {
    let flags = report.attributes.flags;
    json!({
        "mrenclave": hex::encode(&report.mr_enclave),
        "mrsigner": hex::encode(&report.mr_signer),
        "isv_prod_id": report.isv_prod_id,
        "isv_svn": report.isv_svn,
        "config_id": hex::encode(&report.config_id),
        "config_svn": report.config_svn,
        "attributes": { "flags": flags.bits(), "xfrm": report.attributes.xfrm },
        "misc_select": report.misc_select.bits(),
        "debug": flags.contains(AttributeFlags::DEBUG),
        "report_data": hex::encode(&report.report_data),
    })
}

pub(crate) fn platform_as_json(platform: &Platform) -> Value {
    json!({
        "fmspc": hex::encode(&platform.fmspc),
        "ppid": hex::encode(&platform.ppid),
        "instance": platform.instance.map(|instance| hex::encode(&instance)),
        "sgx_type": platform.sgx_type,
        "dynamic_platform": platform.dynamic_platform,
        "cached_keys": platform.cached_keys,
        "smt": platform.smt,
        "tcb_status": platform.tcb_status.name(),
        "processor_status": platform.processor_status.name(),
        "qe_status": platform.qe_status.name(),
        "tcb_date": platform.tcb_date,
        "qe_tcb_date": platform.qe_tcb_date,
        "advisories": platform.advisories,
        "tcb_eval_data_number": platform.tcb_eval_data_number,
        "tcb_info_issued": platform.tcb_info_issued,
        "collateral_expires": platform.collateral_expires,
    })
}

pub(crate) fn claims_as_json(claims: &Claims) -> Value {
    use twine_evidence::Statement as Says;
    let (key, user) = match &claims.statement {
        Says::Provision { key } | Says::Migrate { key } => (Some(key), None),
        Says::Guest { user, .. } | Says::Peer { user, .. } => (None, Some(user)),
        Says::Launch { .. } | Says::RaTls { .. } => (None, None),
    };
    json!({
        "purpose": claims.purpose().name(),
        "document": hex::encode(&claims.document),
        "module": claims.module().map(|module| hex::encode(module)),
        "nonce": claims.nonce().map(|nonce| hex::encode(nonce.as_bytes())),
        "user": user.map(|user| hex::encode(user)),
        "hpke": key.map(|key| hex::encode(key)),
    })
}

/// Flags of ATTRIBUTES by name; bits without a name as a number.
pub(crate) fn flag_names(bits: u64) -> String {
    let flags = AttributeFlags::from_bits(bits);
    let set = NAMES.iter().filter(|(flag, _)| flags.contains(*flag));
    let mut names: Vec<_> = set.map(|(_, name)| (*name).to_owned()).collect();
    let unknown = flags.without(AttributeFlags::NAMED).bits();
    if unknown != 0 {
        names.push(format!("{unknown:#x}"));
    }
    names.join(", ")
}

const NAMES: [(AttributeFlags, &str); 8] = [
    (AttributeFlags::INIT, "INIT"),
    (AttributeFlags::DEBUG, "DEBUG"),
    (AttributeFlags::MODE64BIT, "MODE64BIT"),
    (AttributeFlags::PROVISIONKEY, "PROVISIONKEY"),
    (AttributeFlags::EINITTOKENKEY, "EINITTOKENKEY"),
    (AttributeFlags::CET, "CET"),
    (AttributeFlags::KSS, "KSS"),
    (AttributeFlags::AEXNOTIFY, "AEXNOTIFY"),
];
