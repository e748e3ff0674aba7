//! Why evidence is refused: what was found, whose doing that is, what to do.

use std::fmt;

use jiff::Timestamp;
use twine_evidence::Purpose;

use crate::marks::Mark;
use crate::tcb::TcbStatus;

#[cfg(test)]
mod tests;
mod words;

/// One reason to refuse evidence. A verdict has every one that applies.
///
/// [`Display`](fmt::Display) tells what was found; [`blame`](Self::blame) whose doing that is; [`remedy`](Self::remedy)
/// what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    // Whether the quote is genuine.
    /// The pinned root certificate is not the one whose hash is pinned.
    RootExchanged,
    /// The quoting enclave is not Intel's.
    ForeignVendor {
        /// The vendor's identifier.
        vendor: [u8; 16],
    },
    /// The certificates do not lead to the root that they have to lead to.
    OtherRoot,
    /// A certificate in the chain has been revoked.
    CertificateRevoked,
    /// Intel has revoked processors of this state.
    PlatformRevoked,
    /// The quote has been changed since it was signed.
    QuoteAltered,
    /// The collateral has been changed since Intel signed it.
    CollateralAltered,
    /// The collateral is no longer valid.
    CollateralExpired {
        /// When Intel meant to publish the next.
        next_update: Timestamp,
    },
    /// The collateral is not valid yet.
    CollateralNotYetValid {
        /// When it was issued.
        issued: Timestamp,
    },
    /// The collateral is for another kind of processor.
    OtherPlatform {
        /// FMSPC in the quote's certificate.
        quote: [u8; 6],
        /// FMSPC in the collateral.
        collateral: String,
    },
    /// The collateral's lists of revoked certificates are of another authority.
    RevocationUnknown,
    /// The collateral knows no TCB level as low as the processor's.
    TcbUnknown,
    /// Something else is wrong with quote or collateral.
    Unverifiable {
        /// What the checking library says.
        detail: String,
    },

    // Whether it is simulated.
    /// Evidence that is to be a processor's carries marks of the emulator.
    MarkedAsSimulated {
        /// The marks.
        marks: Vec<Mark>,
    },
    /// Evidence that is to be the emulator's lacks its marks.
    UnmarkedSimulation {
        /// The marks that are missing.
        missing: Vec<Mark>,
    },
    /// The evidence is simulated, and the policy trusts no emulator.
    SimulationRefused,
    /// The evidence is simulated, by an emulator that the policy does not name.
    OtherEmulator {
        /// SHA-256 of that emulator's root certificate, if there is one.
        root: Option<[u8; 32]>,
    },

    // Which enclave it is.
    /// Another image.
    WrongImage {
        /// MRENCLAVE.
        found: [u8; 32],
    },
    /// Another signer.
    WrongSigner {
        /// MRSIGNER.
        found: [u8; 32],
    },
    /// Another product of the signer.
    WrongProduct {
        /// ISVPRODID.
        found: u16,
        /// What it has to be.
        expected: u16,
    },
    /// An older security version than is allowed.
    OldVersion {
        /// ISVSVN.
        found: u16,
        /// The least.
        min: u16,
    },
    /// Another launch document.
    WrongConfiguration {
        /// CONFIGID.
        found: [u8; 64],
    },
    /// An older launch document than is allowed.
    OldConfiguration {
        /// CONFIGSVN.
        found: u16,
        /// The least.
        min: u16,
    },
    /// The enclave is open to a debugger.
    Debug,
    /// Attributes are missing.
    MissingAttributes {
        /// ATTRIBUTES.FLAGS, those that are missing.
        bits: u64,
    },
    /// Attributes are there that are forbidden, or that nobody knows.
    ForbiddenAttributes {
        /// ATTRIBUTES.FLAGS, those that must not be there.
        bits: u64,
    },
    /// The enclave uses more processor state than is allowed.
    TooMuchState {
        /// ATTRIBUTES.XFRM, what is too much.
        bits: u64,
    },
    /// The enclave has more saved at exits than is allowed.
    TooMuchSaved {
        /// MISCSELECT, what is too much.
        bits: u32,
    },

    // Which machine it runs on.
    /// The processor's state is not one of those allowed.
    TcbStatus {
        /// The state.
        found: TcbStatus,
    },
    /// There are advisories that have not been accepted.
    Advisories {
        /// Intel's identifiers.
        ids: Vec<String>,
    },
    /// The collateral has a lower evaluation number than is allowed.
    OldEvaluation {
        /// tcbEvaluationDataNumber.
        found: u32,
        /// The least.
        min: u32,
    },
    /// The TCB info is older than is allowed.
    OldTcbInfo {
        /// When it was issued.
        issued: Timestamp,
        /// The most days.
        max_days: u32,
    },
    /// Processors can be added to the machine.
    DynamicPlatform,
    /// Two threads share a core.
    Smt,
    /// Intel keeps the machine's root keys.
    CachedKeys,
    /// This kind of processor is denied.
    DeniedProcessor {
        /// FMSPC.
        fmspc: [u8; 6],
    },
    /// This kind of memory protection is not allowed.
    SgxType {
        /// 0 standard, 1 scalable, 2 scalable with integrity.
        found: u8,
    },
    /// Not one of the machines that are named.
    OtherMachine {
        /// The machine's identifier.
        instance: Option<[u8; 16]>,
        /// The processor's identifier.
        ppid: Vec<u8>,
    },

    // What it claims.
    /// A quote alone, where claims were expected.
    NoClaims,
    /// Claims, where a quote alone was expected.
    UnexpectedClaims,
    /// The quote does not vouch for these claims.
    ClaimsNotBound,
    /// The claims are not of the form.
    ClaimsMalformed {
        /// What is wrong.
        detail: String,
    },
    /// Evidence for something else.
    WrongPurpose {
        /// What it is for.
        found: Purpose,
        /// What it should be for.
        expected: Purpose,
    },
    /// A nonce was expected, and there is none.
    NoNonce,
    /// Another nonce than was expected.
    WrongNonce,
    /// Other user data than was expected, or none.
    WrongUserData,
    /// The claims speak of another launch document than the processor.
    DocumentContradicts,
    /// The claims are about another public key than the certificate's.
    WrongPublicKey,
    /// No certificate came with claims about one.
    NoCertificate,
}

/// Whose doing a reason is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Blame {
    /// Whoever handed the evidence over: it is false, altered, or not what was asked for.
    Presenter,
    /// Whoever started the enclave: another one runs than is allowed.
    Launcher,
    /// Whoever keeps the machine: its firmware, microcode or settings.
    Machine,
    /// The verifier: policy, collateral or clock.
    Verifier,
}

impl Blame {
    /// The name in JSON and for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Presenter => "presenter",
            Self::Launcher => "launcher",
            Self::Machine => "machine",
            Self::Verifier => "verifier",
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
