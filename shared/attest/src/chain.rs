//! From a quote to Intel's root: everything that asks dcap-qvl.
//!
//! Only here is that library used, and only so: with the root that we pin, with claims instead of a verdict of its own
//! (its `verify` accepts processors that are out of date), with debug enclaves let through because our policy judges
//! them, and never before the strict reading of [`Quote`], since it ignores what follows a quote. It checks, in this order: lists of revoked
//! certificates, TCB info, the quoting enclave's identity, the certificates of the processor's key, the quoting enclave's
//! report, the attestation key, the signature of the quote, and the processor's TCB level.

use dcap_qvl::config::PckCa;
use dcap_qvl::configs::RustCryptoConfig;
use dcap_qvl::verify::QuoteVerifier;
use dcap_qvl::{PckCertFlag, QuoteClaims, QuotePolicy, TcbStatus as Status, intel};
use jiff::Timestamp;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::collateral::Collateral;
use crate::quote::{INTEL, Quote};
use crate::reason::Reason;
use crate::root::Root;
use crate::tcb::TcbStatus;

/// What Intel's certificates and collateral say of the machine that made a quote.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Platform {
    /// The kind of processor (FMSPC).
    pub fmspc: [u8; 6],
    /// The processor's provisioning identifier: the same for every quote of one processor.
    pub ppid: Vec<u8>,
    /// The machine, if it has several processors.
    pub instance: Option<[u8; 16]>,
    /// 0 standard, 1 scalable, 2 scalable with integrity.
    pub sgx_type: u8,
    /// Whether processors can be added to the machine; `None` if the certificate does not say.
    pub dynamic_platform: Option<bool>,
    /// Whether Intel keeps the machine's root keys; `None` if the certificate does not say.
    pub cached_keys: Option<bool>,
    /// Whether two threads share a core; `None` if the certificate does not say.
    pub smt: Option<bool>,
    /// The verdict on processor and quoting enclave together.
    pub tcb_status: TcbStatus,
    /// The verdict on the processor alone.
    pub processor_status: TcbStatus,
    /// The verdict on the quoting enclave alone.
    pub qe_status: TcbStatus,
    /// The date of the processor's TCB level, seconds since 1970.
    pub tcb_date: i64,
    /// The date of the quoting enclave's TCB level, seconds since 1970.
    pub qe_tcb_date: i64,
    /// Intel's advisories about holes that this TCB level leaves open.
    pub advisories: Vec<String>,
    /// How new the collateral is: Intel counts up with every publication.
    pub tcb_eval_data_number: u32,
    /// When the TCB info was issued, seconds since 1970.
    pub tcb_info_issued: i64,
    /// Until when all of the collateral is valid, seconds since 1970. Judge again before.
    pub collateral_expires: u64,
}

/// Checks that the quote was made by a processor whose certificate leads to `root`.
///
/// `now` is in seconds since 1970.
pub(crate) fn check(
    quote: &Quote,
    collateral: &Collateral,
    root: &Root<'_>,
    now: u64,
) -> Result<Platform, Reason> {
    if !root.is_intact() {
        return Err(Reason::RootExchanged);
    }
    if quote.header().vendor != INTEL {
        return Err(Reason::ForeignVendor {
            vendor: quote.header().vendor,
        });
    }
    QuoteVerifier::<RustCryptoConfig>::new_with_config(root.certificate().to_vec())
        .allow_debug(true)
        .verify_with_policy(
            quote.bytes(),
            collateral.set(),
            now,
            &QuotePolicy::claims_only(now),
        )
        .map_err(|error| reason(&format!("{error:#}"), quote, collateral))
        .and_then(|claims| platform(claims, collateral))
}

fn platform(claims: QuoteClaims, collateral: &Collateral) -> Result<Platform, Reason> {
    let pck = claims.platform.pck;
    let date = |text: &str| {
        let date: Result<Timestamp, _> = text.parse();
        date.map(Timestamp::as_second)
            .map_err(|error| Reason::Unverifiable {
                detail: format!("a TCB level is dated {text:?}: {error}"),
            })
    };
    Ok(Platform {
        fmspc: pck.fmspc,
        ppid: pck.ppid,
        instance: pck.platform_instance_id,
        sgx_type: pck.sgx_type,
        dynamic_platform: flag(pck.dynamic_platform),
        cached_keys: flag(pck.cached_keys),
        smt: flag(pck.smt_enabled),
        tcb_status: status(claims.tcb.status)?,
        processor_status: status(claims.platform.tcb_level.tcb_status)?,
        qe_status: status(claims.qe.tcb_level.tcb_status)?,
        tcb_date: date(&claims.platform.tcb_level.tcb_date)?,
        qe_tcb_date: date(&claims.qe.tcb_level.tcb_date)?,
        advisories: claims.tcb.advisory_ids,
        tcb_eval_data_number: claims.tcb.eval_data_number,
        tcb_info_issued: collateral.info().issue_date.as_second(),
        collateral_expires: claims.earliest_expiration_date,
    })
}

const fn flag(flag: PckCertFlag) -> Option<bool> {
    match flag {
        PckCertFlag::False => Some(false),
        PckCertFlag::True => Some(true),
        PckCertFlag::Undefined => None,
    }
}

fn status(status: Status) -> Result<TcbStatus, Reason> {
    Ok(match status {
        Status::UpToDate => TcbStatus::UpToDate,
        Status::SWHardeningNeeded => TcbStatus::SWHardeningNeeded,
        Status::ConfigurationNeeded => TcbStatus::ConfigurationNeeded,
        Status::ConfigurationAndSWHardeningNeeded => TcbStatus::ConfigurationAndSWHardeningNeeded,
        Status::OutOfDate => TcbStatus::OutOfDate,
        Status::OutOfDateConfigurationNeeded => TcbStatus::OutOfDateConfigurationNeeded,
        Status::Revoked => TcbStatus::Revoked,
        // Of virtual machines (TDX); dcap-qvl refuses them in collateral for SGX.
        other => {
            return Err(Reason::Unverifiable {
                detail: format!("the TCB status {other} is not one of SGX"),
            });
        }
    })
}

/// The reason behind a message of dcap-qvl, which has no types for them. A test for each keeps the texts honest; one that
/// is not known here is still a refusal.
fn reason(message: &str, quote: &Quote, collateral: &Collateral) -> Reason {
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    let info = collateral.info();
    if says(&["InvalidCrlSignatureForPublicKey", "UnknownIssuer"]) {
        Reason::OtherRoot
    } else if let Some(fmspc) = other_processor(quote, collateral) {
        Reason::OtherPlatform {
            quote: fmspc,
            collateral: info.fmspc.to_ascii_lowercase(),
        }
    } else if says(&["UnknownRevocationStatus"]) {
        Reason::RevocationUnknown
    } else if says(&["CertRevoked"]) {
        Reason::CertificateRevoked
    } else if says(&["status is invalid: Revoked"]) {
        Reason::PlatformRevoked
    } else if says(&["xpired"]) {
        Reason::CollateralExpired {
            next_update: info.next_update,
        }
    } else if says(&["in the future", "NotValidYet"]) {
        Reason::CollateralNotYetValid {
            issued: info.issue_date,
        }
    } else if says(&["No matching TCB level"]) {
        Reason::TcbUnknown
    } else if says(&[
        "tcb_info in quote_collateral",
        "qe_identity in quote_collateral",
    ]) {
        Reason::CollateralAltered
    } else if says(&[
        "report signature is invalid",
        "qe_report in quote",
        "QE report hash mismatch",
    ]) {
        Reason::QuoteAltered
    } else {
        Reason::Unverifiable {
            detail: message.to_owned(),
        }
    }
}

/// The processor in the quote's certificate, if the collateral is for another. (The library says so only after it has
/// missed the other's lists of revoked certificates.)
fn other_processor(quote: &Quote, collateral: &Collateral) -> Option<[u8; 6]> {
    let fmspc = processor(quote)?.fmspc;
    let same = crate::hex::encode(&fmspc).eq_ignore_ascii_case(&collateral.info().fmspc);
    (!same).then_some(fmspc)
}

/// Which collateral a quote needs.
pub(crate) struct Processor {
    pub(crate) fmspc: [u8; 6],
    /// `processor` or `platform`, as Intel's services call the authority that issued the processor's certificate.
    pub(crate) authority: &'static str,
}

/// The processor, as the certificate in the quote describes it; `None` if it is not one for an SGX processor.
pub(crate) fn processor(quote: &Quote) -> Option<Processor> {
    let leaf = certificates(quote.certificates()).into_iter().next()?;
    Some(Processor {
        fmspc: intel::parse_pck_extension_with::<RustCryptoConfig>(&leaf)
            .ok()?
            .fmspc,
        authority: match intel::pck_ca_with::<RustCryptoConfig>(&leaf).ok()? {
            PckCa::Processor => "processor",
            PckCa::Platform => "platform",
        },
    })
}

/// The certificates in a text (DER); none if it is not PEM.
pub(crate) fn certificates(text: &str) -> Vec<Vec<u8>> {
    let all = pem::parse_many(text).unwrap_or_default();
    all.into_iter().map(pem::Pem::into_contents).collect()
}

/// The name that a certificate is issued to; `None` if it cannot be read.
pub(crate) fn subject(certificate: &[u8]) -> Option<String> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate().subject().to_string())
}
