//! What is said about each reason: a name for programs, a sentence for people, whose doing it is, what to do.

use std::fmt;

use super::{Blame, Reason};
use crate::hex;
use crate::marks::Mark;
use crate::statement::flag_names;

impl Reason {
    /// A name that does not change between releases.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::RootExchanged => "root-exchanged",
            Self::ForeignVendor { .. } => "foreign-vendor",
            Self::OtherRoot => "other-root",
            Self::CertificateRevoked => "certificate-revoked",
            Self::PlatformRevoked => "platform-revoked",
            Self::QuoteAltered => "quote-altered",
            Self::CollateralAltered => "collateral-altered",
            Self::CollateralExpired { .. } => "collateral-expired",
            Self::CollateralNotYetValid { .. } => "collateral-not-yet-valid",
            Self::OtherPlatform { .. } => "other-platform",
            Self::RevocationUnknown => "revocation-unknown",
            Self::TcbUnknown => "tcb-unknown",
            Self::Unverifiable { .. } => "unverifiable",
            Self::MarkedAsSimulated { .. } => "marked-as-simulated",
            Self::UnmarkedSimulation { .. } => "unmarked-simulation",
            Self::SimulationRefused => "simulation-refused",
            Self::OtherEmulator { .. } => "other-emulator",
            Self::WrongImage { .. } => "wrong-image",
            Self::WrongSigner { .. } => "wrong-signer",
            Self::WrongProduct { .. } => "wrong-product",
            Self::OldVersion { .. } => "old-version",
            Self::WrongConfiguration { .. } => "wrong-configuration",
            Self::OldConfiguration { .. } => "old-configuration",
            Self::Debug => "debug",
            Self::MissingAttributes { .. } => "missing-attributes",
            Self::ForbiddenAttributes { .. } => "forbidden-attributes",
            Self::TooMuchState { .. } => "too-much-state",
            Self::TooMuchSaved { .. } => "too-much-saved",
            Self::TcbStatus { .. } => "tcb-status",
            Self::Advisories { .. } => "advisories",
            Self::OldEvaluation { .. } => "old-evaluation",
            Self::OldTcbInfo { .. } => "old-tcb-info",
            Self::DynamicPlatform => "dynamic-platform",
            Self::Smt => "smt",
            Self::CachedKeys => "cached-keys",
            Self::DeniedProcessor { .. } => "denied-processor",
            Self::SgxType { .. } => "sgx-type",
            Self::OtherMachine { .. } => "other-machine",
            Self::NoClaims => "no-claims",
            Self::UnexpectedClaims => "unexpected-claims",
            Self::ClaimsNotBound => "claims-not-bound",
            Self::ClaimsMalformed { .. } => "claims-malformed",
            Self::WrongPurpose { .. } => "wrong-purpose",
            Self::NoNonce => "no-nonce",
            Self::WrongNonce => "wrong-nonce",
            Self::WrongUserData => "wrong-user-data",
            Self::DocumentContradicts => "document-contradicts",
            Self::WrongPublicKey => "wrong-public-key",
            Self::NoCertificate => "no-certificate",
        }
    }

    /// Whose doing it is.
    #[must_use]
    pub const fn blame(&self) -> Blame {
        match self {
            Self::RootExchanged
            | Self::CollateralAltered
            | Self::CollateralExpired { .. }
            | Self::CollateralNotYetValid { .. }
            | Self::OtherPlatform { .. }
            | Self::RevocationUnknown
            | Self::OldEvaluation { .. }
            | Self::OldTcbInfo { .. } => Blame::Verifier,
            Self::CertificateRevoked
            | Self::PlatformRevoked
            | Self::TcbUnknown
            | Self::TcbStatus { .. }
            | Self::Advisories { .. }
            | Self::DynamicPlatform
            | Self::Smt
            | Self::CachedKeys
            | Self::DeniedProcessor { .. }
            | Self::SgxType { .. }
            | Self::OtherMachine { .. } => Blame::Machine,
            Self::WrongImage { .. }
            | Self::WrongSigner { .. }
            | Self::WrongProduct { .. }
            | Self::OldVersion { .. }
            | Self::WrongConfiguration { .. }
            | Self::OldConfiguration { .. }
            | Self::Debug
            | Self::MissingAttributes { .. }
            | Self::ForbiddenAttributes { .. }
            | Self::TooMuchState { .. }
            | Self::TooMuchSaved { .. }
            | Self::SimulationRefused
            | Self::OtherEmulator { .. } => Blame::Launcher,
            _ => Blame::Presenter,
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::RootExchanged => "install this program anew, from a source that you trust",
            Self::ForeignVendor { .. } | Self::OtherRoot | Self::Unverifiable { .. } => {
                "trust nothing that came with it; have evidence made anew on an SGX machine"
            }
            Self::CertificateRevoked | Self::PlatformRevoked => {
                "use another machine: this one's keys may be known to attackers"
            }
            Self::QuoteAltered | Self::ClaimsNotBound => {
                "have the evidence sent again, and if that does not help find out who changes it on its way"
            }
            Self::CollateralAltered | Self::OtherPlatform { .. } | Self::RevocationUnknown => {
                "fetch the collateral for this processor anew (`--collateral pccs:URL`)"
            }
            Self::CollateralExpired { .. }
            | Self::OldEvaluation { .. }
            | Self::OldTcbInfo { .. } => {
                "fetch new collateral (`--collateral pccs:URL`), and check this machine's clock"
            }
            Self::CollateralNotYetValid { .. } => {
                "check this machine's clock, or the time that was given"
            }
            Self::TcbUnknown | Self::TcbStatus { .. } => {
                "update the machine's BIOS and microcode, or allow the state under [platform] `tcb_status`"
            }
            Self::MarkedAsSimulated { .. } | Self::UnmarkedSimulation { .. } => {
                "trust nothing that came with it: somebody passes one kind of evidence off as the other"
            }
            Self::SimulationRefused => {
                "start the enclave on an SGX machine; for tests only, name the emulator's root under [simulation]"
            }
            Self::OtherEmulator { .. } => {
                "for tests only: name that emulator's root under [simulation] `trusted_roots_sha256`"
            }
            Self::WrongImage { .. } => {
                "have the image started that the policy names, or add this one (`twine measure`) if you know what it is"
            }
            Self::WrongSigner { .. } | Self::WrongProduct { .. } => {
                "have the enclave signed by whom the policy names, or change `mrsigner` and `prod_id`"
            }
            Self::OldVersion { .. } => {
                "have the newer release started: the older one has known holes"
            }
            Self::WrongConfiguration { .. } => {
                "have the launch document started that the policy names, or add this one's hash (`twine measure`)"
            }
            Self::OldConfiguration { .. } => "have the newer version of the application started",
            Self::Debug => "have the enclave started without debugging",
            Self::MissingAttributes { .. }
            | Self::ForbiddenAttributes { .. }
            | Self::TooMuchState { .. }
            | Self::TooMuchSaved { .. } => {
                "have the enclave started as it was released, or change the policy under [enclave] if you know why it differs"
            }
            Self::Advisories { .. } => {
                "read them, update the machine, or list under [platform] `accepted_advisories` those that you accept"
            }
            Self::DynamicPlatform => {
                "allow it with [platform] `allow_dynamic_platform = true`, or use another machine"
            }
            Self::Smt => {
                "have hyper-threading turned off, or allow it with [platform] `allow_smt = true`"
            }
            Self::CachedKeys => {
                "allow it with [platform] `allow_cached_keys = true`, or use another machine"
            }
            Self::DeniedProcessor { .. } | Self::SgxType { .. } => {
                "use a machine with another processor, or change [platform]"
            }
            Self::OtherMachine { .. } => {
                "find out why it runs elsewhere, or add the machine under [platform] `platform_instance_allow`"
            }
            Self::NoClaims => "ask for evidence instead of a quote, or expect a quote alone",
            Self::UnexpectedClaims => "say which purpose you expect (`--purpose`)",
            Self::ClaimsMalformed { .. } => "have evidence made with a release that this one knows",
            Self::WrongPurpose { .. } => {
                "ask for evidence of the purpose that you need; one never stands in for another"
            }
            Self::NoNonce | Self::WrongNonce => {
                "have evidence made anew, with your nonce: this may be a replay"
            }
            Self::WrongUserData => "find out which data the guest chose",
            Self::DocumentContradicts => {
                "trust nothing that came with it: no runtime of ours makes such evidence"
            }
            Self::WrongPublicKey => {
                "do not connect: the key of this certificate was not made in the enclave"
            }
            Self::NoCertificate => "hand over the certificate itself, which holds this evidence",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RootExchanged => f.write_str("the root certificate in this program is not Intel's: the program was changed"),
            Self::ForeignVendor { vendor } => write!(
                f,
                "the quote is not from Intel's quoting enclave but from that of vendor {}",
                hex::encode(vendor)
            ),
            Self::OtherRoot => f.write_str(
                "the certificates of quote or collateral do not lead to the root that vouches for all of them",
            ),
            Self::CertificateRevoked => f.write_str("a certificate of the quote or of the collateral has been revoked"),
            Self::PlatformRevoked => f.write_str("Intel has revoked processors or quoting enclaves in this state (Revoked)"),
            Self::QuoteAltered => f.write_str("the quote's signature is wrong: it was changed after it was made, or made up"),
            Self::CollateralAltered => f.write_str("the collateral's signature is wrong: it was changed after Intel signed it"),
            Self::CollateralExpired { next_update } => {
                write!(f, "the collateral has expired: new TCB info was due {next_update}")
            }
            Self::CollateralNotYetValid { issued } => write!(
                f,
                "the collateral is not valid yet: its TCB info was issued {issued}"
            ),
            Self::OtherPlatform { quote, collateral } => write!(
                f,
                "the collateral is for processors with FMSPC {collateral}, the quote is from one with {}",
                hex::encode(quote)
            ),
            Self::RevocationUnknown => f.write_str(
                "the collateral's lists of revoked certificates are not of the authority that issued the quote's certificate",
            ),
            Self::TcbUnknown => f.write_str("the processor's firmware is older than every version that Intel has judged"),
            Self::Unverifiable { detail } => write!(f, "the quote cannot be verified: {detail}"),
            Self::MarkedAsSimulated { marks } => write!(
                f,
                "evidence that passes for a processor's carries marks of the emulator: {}",
                listed(marks)
            ),
            Self::UnmarkedSimulation { missing } => write!(
                f,
                "evidence that passes for the emulator's lacks its marks: {}",
                listed(missing)
            ),
            Self::SimulationRefused => f.write_str("the evidence is SIMULATED: no processor protects that enclave, and the policy wants one"),
            Self::OtherEmulator { root } => write!(
                f,
                "the evidence is SIMULATED by an emulator that the policy does not name: its root has SHA-256 {}",
                root.map_or_else(|| "of nothing, for there is none".to_owned(), |root| hex::encode(&root))
            ),
            Self::WrongImage { found } => write!(f, "another image runs in the enclave: MRENCLAVE is {}", hex::encode(found)),
            Self::WrongSigner { found } => write!(f, "the enclave has another signer: MRSIGNER is {}", hex::encode(found)),
            Self::WrongProduct { found, expected } => {
                write!(f, "the enclave is another product of its signer: ISVPRODID is {found}, not {expected}")
            }
            Self::OldVersion { found, min } => {
                write!(f, "the enclave's security version is too low: ISVSVN is {found}, at least {min} is needed")
            }
            Self::WrongConfiguration { found } => {
                write!(f, "the enclave has another launch document: CONFIGID is {}", hex::encode(found))
            }
            Self::OldConfiguration { found, min } => {
                write!(f, "the application's version is too low: CONFIGSVN is {found}, at least {min} is needed")
            }
            Self::Debug => f.write_str("the enclave is a debug enclave: whoever runs the machine can read and change everything in it"),
            Self::MissingAttributes { bits } => write!(f, "the enclave lacks attributes: {}", flag_names(*bits)),
            Self::ForbiddenAttributes { bits } => {
                write!(f, "the enclave has attributes that it must not have: {}", flag_names(*bits))
            }
            Self::TooMuchState { bits } => write!(f, "the enclave uses more processor state than is allowed: XFRM {bits:#x}"),
            Self::TooMuchSaved { bits } => write!(f, "the enclave has more saved at exits than is allowed: MISCSELECT {bits:#x}"),
            Self::TcbStatus { found } => write!(f, "the machine's state is {found}, which the policy does not allow"),
            Self::Advisories { ids } => write!(
                f,
                "the machine is open to what Intel describes in {}",
                ids.join(", ")
            ),
            Self::OldEvaluation { found, min } => write!(
                f,
                "the collateral is of TCB evaluation {found}, at least {min} is needed: with older ones, machines pass that no longer should"
            ),
            Self::OldTcbInfo { issued, max_days } => {
                write!(f, "the TCB info was issued {issued}, more than {max_days} days ago")
            }
            Self::DynamicPlatform => f.write_str("processors can be added to the machine (dynamic platform)"),
            Self::Smt => f.write_str("two threads share a core of the machine (hyper-threading)"),
            Self::CachedKeys => f.write_str("Intel keeps a copy of the machine's root keys (cached keys)"),
            Self::DeniedProcessor { fmspc } => write!(f, "the policy denies processors with FMSPC {}", hex::encode(fmspc)),
            Self::SgxType { found } => write!(f, "the policy does not allow memory protection of type {found}"),
            Self::OtherMachine { instance, ppid } => match instance {
                Some(instance) => write!(f, "not one of the machines in the policy: its instance is {}", hex::encode(instance)),
                None => write!(f, "not one of the machines in the policy: its PPID is {}", hex::encode(ppid)),
            },
            Self::NoClaims => f.write_str("this is a quote alone: it says who the enclave is, but not what for"),
            Self::UnexpectedClaims => f.write_str("a quote alone was expected, and this evidence makes claims"),
            Self::ClaimsNotBound => f.write_str("the quote vouches for other claims than those that came with it"),
            Self::ClaimsMalformed { detail } => write!(f, "the claims cannot be read: {detail}"),
            Self::WrongPurpose { found, expected } => {
                write!(f, "the evidence is for `{found}`, and evidence for `{expected}` was expected")
            }
            Self::NoNonce => f.write_str("the evidence answers no nonce, and one was expected"),
            Self::WrongNonce => f.write_str("the evidence answers another nonce than the one expected"),
            Self::WrongUserData => f.write_str("the guest vouches for other data than the data expected, or for none"),
            Self::DocumentContradicts => f.write_str("the claims name another launch document than the processor does (CONFIGID)"),
            Self::WrongPublicKey => f.write_str("the evidence is about another public key than the certificate's"),
            Self::NoCertificate => f.write_str("the evidence is about a certificate's key, and came without the certificate"),
        }
    }
}

fn listed(marks: &[Mark]) -> String {
    let names: Vec<_> = marks.iter().map(|mark| mark.name()).collect();
    names.join(", ")
}
