//! The numbers in which Intel's quoting services refuse, what they are called and what can be done.
//!
//! AESM: `aesm_error.h` of Intel's SGX software for Linux. Quoting library: `sgx_ql_lib_common.h` of Intel's DCAP.

use std::fmt;

/// A refusal, as the service numbers it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorCode {
    /// An `aesm_error_t`.
    Aesm(u32),
    /// A `quote3_error_t`.
    DcapQl(u32),
}

/// What is the matter, as far as something can be done about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// The attestation key is not there yet: ask for the target again.
    KeyNotReady,
    /// Nobody has certified this platform's key, or the certificate cannot be had.
    NoPlatformCertificate,
    /// The certificate's service cannot be reached.
    Network,
    /// There is too little protected memory.
    NoEpc,
    /// The quoting enclave, or the device, is not there.
    NoEnclave,
    /// The report was made for another enclave, or on another machine.
    BadReport,
    /// Anything else.
    Other,
}

impl ErrorCode {
    /// What is the matter.
    #[must_use]
    pub fn cause(self) -> Cause {
        match self {
            Self::Aesm(42) | Self::DcapQl(0xE00F) => Cause::KeyNotReady,
            Self::Aesm(41 | 43 | 44) | Self::DcapQl(0xE00E | 0xE010 | 0xE011) => {
                Cause::NoPlatformCertificate
            }
            Self::Aesm(12..=14 | 18 | 19) | Self::DcapQl(0xE01B | 0xE035 | 0xE036) => {
                Cause::Network
            }
            Self::Aesm(29) | Self::DcapQl(0xE012) => Cause::NoEpc,
            Self::Aesm(2 | 24 | 25 | 27 | 30 | 40 | 48) | Self::DcapQl(0xE00D | 0xE016) => {
                Cause::NoEnclave
            }
            Self::Aesm(45 | 47) | Self::DcapQl(0xE013 | 0xE015) => Cause::BadReport,
            Self::Aesm(_) | Self::DcapQl(_) => Cause::Other,
        }
    }

    /// What the service's header file calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        let (names, index) = match self {
            Self::Aesm(code) => (AESM_NAMES, code.checked_sub(1)),
            Self::DcapQl(code) => (DCAP_QL_NAMES, code.checked_sub(0xE001)),
        };
        index
            .and_then(|index| usize::try_from(index).ok())
            .and_then(|index| names.get(index).copied())
            .unwrap_or("an error without a name")
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aesm(code) => write!(f, "{} ({code})", self.name()),
            Self::DcapQl(code) => write!(f, "{} ({code:#X})", self.name()),
        }
    }
}

impl fmt::Display for Cause {
    /// What an operator can do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyNotReady => "the attestation key is not ready; try again",
            Self::NoPlatformCertificate => {
                "there is no PCK certificate for this platform: register it with a PCCS \
                 (PCKIDRetrievalTool), name that PCCS in /etc/sgx_default_qcnl.conf, and install \
                 libsgx-dcap-default-qpl (or the cloud provider's library)"
            }
            Self::Network => {
                "the service that certifies the platform did not answer: check the PCCS in \
                 /etc/sgx_default_qcnl.conf and the network, and try again"
            }
            Self::NoEpc => "there is too little protected memory: stop other enclaves",
            Self::NoEnclave => {
                "the quoting enclave cannot be loaded: check /dev/sgx_enclave and \
                 /dev/sgx_provision (`twine doctor`) and install libsgx-ae-qe3 and libsgx-ae-id-enclave"
            }
            Self::BadReport => {
                "the report was made for another quoting enclave, or before the machine slept; \
                 start the enclave again"
            }
            Self::Other => "see the service's log (journalctl -u aesmd)",
        })
    }
}

/// From 1 on.
const AESM_NAMES: &[&str] = &[
    "AESM_UNEXPECTED_ERROR",
    "AESM_NO_DEVICE_ERROR",
    "AESM_PARAMETER_ERROR",
    "AESM_EPIDBLOB_ERROR",
    "AESM_EPID_REVOKED_ERROR",
    "AESM_GET_LICENSETOKEN_ERROR",
    "AESM_SESSION_INVALID",
    "AESM_MAX_NUM_SESSION_REACHED",
    "AESM_PSDA_UNAVAILABLE",
    "AESM_EPH_SESSION_FAILED",
    "AESM_LONG_TERM_PAIRING_FAILED",
    "AESM_NETWORK_ERROR",
    "AESM_NETWORK_BUSY_ERROR",
    "AESM_PROXY_SETTING_ASSIST",
    "AESM_FILE_ACCESS_ERROR",
    "AESM_SGX_PROVISION_FAILED",
    "AESM_SERVICE_STOPPED",
    "AESM_BUSY",
    "AESM_BACKEND_SERVER_BUSY",
    "AESM_UPDATE_AVAILABLE",
    "AESM_OUT_OF_MEMORY_ERROR",
    "AESM_MSG_ERROR",
    "AESM_THREAD_ERROR",
    "AESM_SGX_DEVICE_NOT_AVAILABLE",
    "AESM_ENABLE_SGX_DEVICE_FAILED",
    "AESM_PLATFORM_INFO_BLOB_INVALID_SIG",
    "AESM_SERVICE_NOT_AVAILABLE",
    "AESM_KDF_MISMATCH",
    "AESM_OUT_OF_EPC",
    "AESM_SERVICE_UNAVAILABLE",
    "AESM_UNRECOGNIZED_PLATFORM",
    "AESM_ECDSA_ID_MISMATCH",
    "AESM_PATHNAME_BUFFER_OVERFLOW_ERROR",
    "AESM_ERROR_STORED_KEY",
    "AESM_PUB_KEY_ID_MISMATCH",
    "AESM_INVALID_PCE_SIG_SCHEME",
    "AESM_ATT_KEY_BLOB_ERROR",
    "AESM_UNSUPPORTED_ATT_KEY_ID",
    "AESM_UNSUPPORTED_LOADING_POLICY",
    "AESM_INTERFACE_UNAVAILABLE",
    "AESM_PLATFORM_LIB_UNAVAILABLE",
    "AESM_ATT_KEY_NOT_INITIALIZED",
    "AESM_ATT_KEY_CERT_DATA_INVALID",
    "AESM_NO_PLATFORM_CERT_DATA",
    "AESM_ERROR_REPORT",
    "AESM_ENCLAVE_LOST",
    "AESM_INVALID_REPORT",
    "AESM_ENCLAVE_LOAD_ERROR",
    "AESM_UNABLE_TO_GENERATE_QE_REPORT",
    "AESM_KEY_CERTIFICATION_ERROR",
];

/// From 0xE001 on.
const DCAP_QL_NAMES: &[&str] = &[
    "SGX_QL_ERROR_UNEXPECTED",
    "SGX_QL_ERROR_INVALID_PARAMETER",
    "SGX_QL_ERROR_OUT_OF_MEMORY",
    "SGX_QL_ERROR_ECDSA_ID_MISMATCH",
    "SGX_QL_PATHNAME_BUFFER_OVERFLOW_ERROR",
    "SGX_QL_FILE_ACCESS_ERROR",
    "SGX_QL_ERROR_STORED_KEY",
    "SGX_QL_ERROR_PUB_KEY_ID_MISMATCH",
    "SGX_QL_ERROR_INVALID_PCE_SIG_SCHEME",
    "SGX_QL_ATT_KEY_BLOB_ERROR",
    "SGX_QL_UNSUPPORTED_ATT_KEY_ID",
    "SGX_QL_UNSUPPORTED_LOADING_POLICY",
    "SGX_QL_INTERFACE_UNAVAILABLE",
    "SGX_QL_PLATFORM_LIB_UNAVAILABLE",
    "SGX_QL_ATT_KEY_NOT_INITIALIZED",
    "SGX_QL_ATT_KEY_CERT_DATA_INVALID",
    "SGX_QL_NO_PLATFORM_CERT_DATA",
    "SGX_QL_OUT_OF_EPC",
    "SGX_QL_ERROR_REPORT",
    "SGX_QL_ENCLAVE_LOST",
    "SGX_QL_INVALID_REPORT",
    "SGX_QL_ENCLAVE_LOAD_ERROR",
    "SGX_QL_UNABLE_TO_GENERATE_QE_REPORT",
    "SGX_QL_KEY_CERTIFCATION_ERROR",
    "SGX_QL_NETWORK_ERROR",
    "SGX_QL_MESSAGE_ERROR",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_named_as_in_the_header_files() {
        for (code, text) in [
            (ErrorCode::Aesm(1), "AESM_UNEXPECTED_ERROR (1)"),
            (ErrorCode::Aesm(30), "AESM_SERVICE_UNAVAILABLE (30)"),
            (ErrorCode::Aesm(44), "AESM_NO_PLATFORM_CERT_DATA (44)"),
            (ErrorCode::Aesm(50), "AESM_KEY_CERTIFICATION_ERROR (50)"),
            (ErrorCode::Aesm(51), "an error without a name (51)"),
            (ErrorCode::Aesm(0), "an error without a name (0)"),
            (
                ErrorCode::DcapQl(0xE011),
                "SGX_QL_NO_PLATFORM_CERT_DATA (0xE011)",
            ),
            (
                ErrorCode::DcapQl(0xE016),
                "SGX_QL_ENCLAVE_LOAD_ERROR (0xE016)",
            ),
            (ErrorCode::DcapQl(3), "an error without a name (0x3)"),
        ] {
            assert_eq!(code.to_string(), text);
        }
    }

    #[test]
    fn an_operator_is_told_what_to_do_about_every_known_cause() {
        assert!(
            ErrorCode::Aesm(44)
                .cause()
                .to_string()
                .contains("PCK certificate")
        );
        assert_eq!(
            ErrorCode::Aesm(44).cause(),
            ErrorCode::DcapQl(0xE011).cause()
        );
        assert_eq!(ErrorCode::Aesm(42).cause(), Cause::KeyNotReady);
        assert_eq!(ErrorCode::DcapQl(0xE00F).cause(), Cause::KeyNotReady);
        for code in 0..=60 {
            assert!(!ErrorCode::Aesm(code).cause().to_string().is_empty());
        }
    }
}
