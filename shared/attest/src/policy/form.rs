//! The policy's file: keys, types, defaults, and what contradicts itself.

use serde::Deserialize;
use toml::de::{DeTable, DeValue};
use twine_abi::sgx::AttributeFlags;

use super::value::{Hex, plain};
use super::{Allow, ConfigIds, Debug, EnclaveRules, Error, PlatformRules, Policy, SignerRule};
use crate::limits::POLICY_LEN_BYTES_MAX;
use crate::root::INTEL_ROOT_SHA256;
use crate::tcb::TcbStatus;

/// The only version of the form there is.
const VERSION: u64 = 1;

pub(super) fn read(bytes: &[u8]) -> Result<Policy, Error> {
    let whole = |problem: String| Error {
        line: None,
        key: String::new(),
        problem,
    };
    let len = bytes.len();
    if len > POLICY_LEN_BYTES_MAX {
        return Err(whole(format!(
            "{len} bytes, at most {POLICY_LEN_BYTES_MAX} are allowed"
        )));
    }
    let text = str::from_utf8(bytes).map_err(|_| whole("not UTF-8".to_owned()))?;
    // Before everything else: the keys of another version are not unknown keys.
    let Version { version } = deserialize(text)?;
    if version != VERSION {
        let problem = format!("this release knows only version {VERSION} of the form");
        return Err(refuse(text, "version", &problem));
    }
    deserialize::<Form>(text)?.check(text)
}

fn deserialize<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    let syntax = |error: &toml::de::Error, key: String| Error {
        line: error.span().map(|span| line_at(text, span.start)),
        key,
        problem: error.message().trim().replace('\n', ", "),
    };
    let source = toml::Deserializer::parse(text).map_err(|error| syntax(&error, String::new()))?;
    serde_path_to_error::deserialize(source).map_err(|error| {
        let key = error.path().to_string();
        syntax(error.inner(), if key == "." { String::new() } else { key })
    })
}

/// A fault at `key`, a dotted path, or at the innermost table of it that is there.
fn refuse(text: &str, key: &str, problem: &str) -> Error {
    Error {
        line: locate(text, key).map(|start| line_at(text, start)),
        key: key.to_owned(),
        problem: problem.to_owned(),
    }
}

fn locate(text: &str, key: &str) -> Option<usize> {
    let tree = DeTable::parse(text).ok()?;
    let mut table = tree.get_ref();
    let mut found = None;
    for part in key.split('.') {
        let Some(value) = table.get(part) else { break };
        found = Some(value.span().start);
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    found
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
}

#[derive(serde::Deserialize)]
struct Version {
    version: u64,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(rename = "version")]
    _version: u64,
    enclave: Enclave,
    #[serde(default)]
    platform: Platform,
    #[serde(default)]
    collateral: Collateral,
    #[serde(default)]
    simulation: Simulation,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Enclave {
    mrenclave: Option<Vec<Hex<32>>>,
    mrsigner: Option<Hex<32>>,
    prod_id: Option<u16>,
    min_isv_svn: Option<u16>,
    config_id: ConfigIds,
    #[serde(default)]
    min_config_svn: u16,
    #[serde(default)]
    debug: bool,
    #[serde(default)]
    attributes: Attributes,
    #[serde(default = "xfrm_max")]
    xfrm_max: u64,
    #[serde(default = "misc_select_max")]
    miscselect_max: u32,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Attributes {
    required: Vec<Flag>,
    forbidden: Vec<Flag>,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            required: vec![Flag::Init, Flag::Mode64Bit],
            forbidden: vec![Flag::Debug, Flag::ProvisionKey, Flag::EinitTokenKey],
        }
    }
}

#[derive(Clone, Copy, Eq, PartialEq, serde::Deserialize)]
enum Flag {
    #[serde(rename = "INIT")]
    Init,
    #[serde(rename = "DEBUG")]
    Debug,
    #[serde(rename = "MODE64BIT")]
    Mode64Bit,
    #[serde(rename = "PROVISIONKEY")]
    ProvisionKey,
    #[serde(rename = "EINITTOKENKEY")]
    EinitTokenKey,
    #[serde(rename = "CET")]
    Cet,
    #[serde(rename = "KSS")]
    Kss,
    #[serde(rename = "AEXNOTIFY")]
    AexNotify,
}

impl Flag {
    const fn bit(self) -> AttributeFlags {
        match self {
            Self::Init => AttributeFlags::INIT,
            Self::Debug => AttributeFlags::DEBUG,
            Self::Mode64Bit => AttributeFlags::MODE64BIT,
            Self::ProvisionKey => AttributeFlags::PROVISIONKEY,
            Self::EinitTokenKey => AttributeFlags::EINITTOKENKEY,
            Self::Cet => AttributeFlags::CET,
            Self::Kss => AttributeFlags::KSS,
            Self::AexNotify => AttributeFlags::AEXNOTIFY,
        }
    }

    fn bits(flags: &[Self]) -> AttributeFlags {
        let bits = flags.iter().map(|flag| flag.bit());
        bits.fold(AttributeFlags::EMPTY, AttributeFlags::union)
    }
}

/// x87, SSE, AVX and AVX-512: what enclaves have used so far.
const fn xfrm_max() -> u64 {
    0xe7
}

/// EXINFO.
const fn misc_select_max() -> u32 {
    1
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Platform {
    tcb_status: Vec<TcbStatus>,
    accepted_advisories: Vec<String>,
    min_tcb_eval_data_number: u32,
    max_tcb_info_age_days: u32,
    out_of_date_grace_days: u32,
    allow_dynamic_platform: bool,
    allow_smt: bool,
    allow_cached_keys: bool,
    fmspc_deny: Vec<Hex<6>>,
    sgx_types: Vec<u8>,
    platform_instance_allow: Vec<Hex<16>>,
}

impl Default for Platform {
    fn default() -> Self {
        Self {
            tcb_status: vec![TcbStatus::UpToDate],
            accepted_advisories: Vec::new(),
            min_tcb_eval_data_number: 0,
            // As long as Intel means TCB info to be used.
            max_tcb_info_age_days: 30,
            out_of_date_grace_days: 0,
            allow_dynamic_platform: false,
            allow_smt: false,
            allow_cached_keys: false,
            fmspc_deny: Vec::new(),
            sgx_types: vec![0, 1, 2],
            platform_instance_allow: Vec::new(),
        }
    }
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Collateral {
    source: Option<String>,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Simulation {
    trusted_roots_sha256: Vec<Hex<32>>,
}

impl Form {
    fn check(self, text: &str) -> Result<Policy, Error> {
        let refuse = |key: &str, problem: &str| Err(refuse(text, key, problem));
        if self
            .simulation
            .trusted_roots_sha256
            .contains(&Hex(INTEL_ROOT_SHA256))
        {
            let problem = "this is Intel's own root: what it vouches for is not simulated";
            return refuse("simulation.trusted_roots_sha256", problem);
        }
        if self.enclave.debug && self.simulation.trusted_roots_sha256.is_empty() {
            let problem = "a debugger reads everything in such an enclave, so only simulated ones may be: \
                           remove the line, or name the emulator's root under [simulation]";
            return refuse("enclave.debug", problem);
        }
        if self.platform.tcb_status.contains(&TcbStatus::Revoked) {
            let problem = "Revoked cannot be allowed: keys of such processors are known to others";
            return refuse("platform.tcb_status", problem);
        }
        let source = match self.collateral.source.as_deref().map(str::parse) {
            Some(Err(problem)) => return refuse("collateral.source", problem),
            Some(Ok(source)) => Some(source),
            None => None,
        };
        Ok(Policy {
            enclave: self.enclave.check(text)?,
            platform: self.platform.into(),
            simulated_roots: plain(self.simulation.trusted_roots_sha256),
            source,
        })
    }
}

impl Enclave {
    fn check(self, text: &str) -> Result<EnclaveRules, Error> {
        let refuse = |key: &str, problem: &str| Err(refuse(text, key, problem));
        let signer = match (self.mrsigner, self.prod_id, self.min_isv_svn) {
            (Some(mrsigner), Some(prod_id), Some(_)) => Some(SignerRule {
                mrsigner: mrsigner.0,
                prod_id,
            }),
            (Some(_), ..) => {
                let problem = "goes together with `prod_id` and `min_isv_svn`: a signer may have other \
                               products, and old versions with known holes";
                return refuse("enclave.mrsigner", problem);
            }
            (None, Some(_), _) => {
                return refuse("enclave.prod_id", "means something only with `mrsigner`");
            }
            (None, None, _) => None,
        };
        if self.mrenclave.as_ref().is_some_and(Vec::is_empty) {
            return refuse(
                "enclave.mrenclave",
                "an empty list would refuse every enclave",
            );
        }
        if self.mrenclave.is_none() && signer.is_none() {
            let problem =
                "say which enclave: `mrenclave`, or `mrsigner`, `prod_id` and `min_isv_svn`";
            return refuse("enclave", problem);
        }
        if matches!(&self.config_id, ConfigIds::Listed(ids) if ids.is_empty()) {
            return refuse(
                "enclave.config_id",
                "an empty list would refuse every enclave",
            );
        }
        let required = Flag::bits(&self.attributes.required);
        // The key `debug` decides about DEBUG, also where the default forbids it.
        let mut forbidden = Flag::bits(&self.attributes.forbidden);
        if self.debug {
            forbidden = forbidden.without(AttributeFlags::DEBUG);
        }
        if required.intersects(forbidden) {
            let problem = "an attribute is both required and forbidden";
            return refuse("enclave.attributes", problem);
        }
        Ok(EnclaveRules {
            mrenclave: self.mrenclave.map(plain),
            signer,
            min_isv_svn: self.min_isv_svn.unwrap_or(0),
            config_id: self.config_id,
            min_config_svn: self.min_config_svn,
            debug: if self.debug {
                Debug::InSimulation
            } else {
                Debug::Refused
            },
            required,
            forbidden,
            xfrm_max: self.xfrm_max,
            misc_select_max: self.miscselect_max,
        })
    }
}

impl From<Platform> for PlatformRules {
    fn from(form: Platform) -> Self {
        let allow = |allowed| if allowed { Allow::Yes } else { Allow::No };
        Self {
            tcb_status: form.tcb_status,
            accepted_advisories: form.accepted_advisories,
            min_tcb_eval_data_number: form.min_tcb_eval_data_number,
            max_tcb_info_age_days: form.max_tcb_info_age_days,
            out_of_date_grace_days: form.out_of_date_grace_days,
            dynamic_platform: allow(form.allow_dynamic_platform),
            smt: allow(form.allow_smt),
            cached_keys: allow(form.allow_cached_keys),
            fmspc_deny: plain(form.fmspc_deny),
            sgx_types: form.sgx_types,
            platform_instance_allow: plain(form.platform_instance_allow),
        }
    }
}
