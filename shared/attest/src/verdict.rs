//! Verdicts: evidence of a processor, evidence of an emulator, or a refusal with every reason.

use serde_json::{Value, json};
use twine_abi::sgx::ReportBody;

use crate::chain::Platform;
use crate::reason::Reason;
use crate::statement::{Statement, claims_as_json, platform_as_json, report_as_json};

/// What has become of evidence. The two kinds of acceptance have types of their own: who wants a processor's protection
/// takes a [`Genuine`], and cannot be given a [`Simulated`] by mistake.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub enum Verdict {
    /// A processor vouches for it, and the policy allows what it says.
    Genuine(Genuine),
    /// SIMULATED: an emulator that the policy names vouches for it. Nothing is protected.
    Simulated(Simulated),
    /// Something speaks against it.
    Refused(Refused),
}

/// Accepted evidence of a processor. Holding one is the proof that every check has passed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Genuine(pub(crate) Statement);

/// Accepted evidence of an emulator: for tests only.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Simulated(pub(crate) Statement);

/// Refused evidence.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    pub(crate) reasons: Vec<Reason>,
    pub(crate) report: ReportBody,
    pub(crate) platform: Option<Platform>,
}

impl Genuine {
    /// What it says.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.0
    }
}

impl Simulated {
    /// What it says.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.0
    }
}

impl Refused {
    /// Every reason, at least one.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// Who the enclave is said to be. Authentic only if [`platform`](Self::platform) is there.
    #[must_use]
    pub const fn report(&self) -> &ReportBody {
        &self.report
    }

    /// The machine, if the quote is genuine.
    #[must_use]
    pub const fn platform(&self) -> Option<&Platform> {
        self.platform.as_ref()
    }
}

impl Verdict {
    /// The verdict as one word: `genuine`, `simulated` or `refused`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Genuine(_) => "genuine",
            Self::Simulated(_) => "simulated",
            Self::Refused(_) => "refused",
        }
    }

    /// The verdict for programs. Bytes are in hexadecimal digits, times in seconds since 1970.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (report, platform, claims, reasons) = match self {
            Self::Genuine(Genuine(statement)) | Self::Simulated(Simulated(statement)) => (
                &statement.report,
                Some(&statement.platform),
                statement.claims.as_ref(),
                [].as_slice(),
            ),
            Self::Refused(refused) => (
                &refused.report,
                refused.platform.as_ref(),
                None,
                refused.reasons.as_slice(),
            ),
        };
        json!({
            "verdict": self.word(),
            "reasons": reasons.iter().map(reason_as_json).collect::<Vec<_>>(),
            "authentic": platform.is_some(),
            "enclave": report_as_json(report),
            "platform": platform.map(platform_as_json),
            "claims": claims.map(claims_as_json),
        })
    }
}

fn reason_as_json(reason: &Reason) -> Value {
    json!({
        "code": reason.code(),
        "message": reason.to_string(),
        "blame": reason.blame().name(),
        "remedy": reason.remedy(),
    })
}
