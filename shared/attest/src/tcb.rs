//! How a processor stands: Intel's verdict on its firmware, microcode and settings.

use std::fmt;

/// Intel's verdict on the security version of a processor, and of its quoting enclave. (Intel, "SGX PCS API", "Get TCB
/// Info", `tcbStatus`.)
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, serde::Deserialize)]
pub enum TcbStatus {
    /// Nothing is missing.
    UpToDate,
    /// Software in the enclave has to defend itself against something that the platform cannot prevent.
    SWHardeningNeeded,
    /// The platform may need other settings.
    ConfigurationNeeded,
    /// Both of these.
    ConfigurationAndSWHardeningNeeded,
    /// Updates that close known holes are missing.
    OutOfDate,
    /// Updates are missing, and the platform may need other settings.
    OutOfDateConfigurationNeeded,
    /// Keys of such processors must be taken for known to attackers. No policy can allow it.
    Revoked,
}

impl TcbStatus {
    /// Intel's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UpToDate => "UpToDate",
            Self::SWHardeningNeeded => "SWHardeningNeeded",
            Self::ConfigurationNeeded => "ConfigurationNeeded",
            Self::ConfigurationAndSWHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            Self::OutOfDate => "OutOfDate",
            Self::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            Self::Revoked => "Revoked",
        }
    }

    /// What it would be if the missing updates were there; `None` if none is known to be missing.
    pub(crate) const fn updated(self) -> Option<Self> {
        match self {
            Self::OutOfDate => Some(Self::UpToDate),
            Self::OutOfDateConfigurationNeeded => Some(Self::ConfigurationNeeded),
            _ => None,
        }
    }
}

impl fmt::Display for TcbStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
