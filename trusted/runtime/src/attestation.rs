//! What this enclave says of itself, and what it believes of others on its machine.
//!
//! ```text
//!   statement ──► claims ──hash──► report (processor) ──┬──► quote (quoting enclave) ──► evidence, for anybody
//!                                                       └──► peer message, for one enclave of this machine
//! ```
//!
//! Nothing else asks the processor for a report that leaves the enclave, so no report carries anything but the hash of
//! claims, and every purpose is the runtime's own word. A guest reaches [`guest_evidence`] and [`peer_message`]
//! alone: whatever it passes, it becomes the claim `tw-user`.
//!
//! The host says who the quoting enclave is, and may name any other. What it gets then is a report that a chosen
//! enclave of its machine believes: of claims whose purpose says that they were meant for a quote.

use aes::Aes128;
use cmac::{Cmac, KeyInit as _, Mac as _};
use twine_abi::sgx::{KeyName, KeyRequest, Report, ReportBody, TargetInfo};
use twine_evidence::{Claims, Evidence, Nonce, Origin, PeerMessage, Statement, sha256};
use twine_launch::LaunchDocument;

use crate::error::Error;
use crate::identity::Identity;
use crate::platform::{Fault, Platform};

/// What stands in every statement about a running guest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    identity: Identity,
    module: [u8; 32],
}

/// A guest of another enclave on this machine, by its processor's word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// Its enclave.
    pub(crate) enclave: ReportBody,
    /// SHA-256 of its compiled module, if the enclave is one of ours.
    pub(crate) module: [u8; 32],
    /// SHA-256 of what it chose, if the enclave is one of ours.
    pub(crate) user: [u8; 32],
}

/// Why a message is not believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Disbelief {
    /// It is no peer message.
    Malformed,
    /// The processor did not make its report for this enclave, or the report does not vouch for what it says.
    NotVouchedFor,
}

/// States that this enclave holds the document, in place of running the guest. The message is a verifier's nonce, or nothing.
///
/// # Errors
/// [`Error::Nonce`], [`Error::NoEvidence`].
pub(crate) fn attest(
    platform: &mut dyn Platform,
    (identity, document): (&Identity, &LaunchDocument),
    message: &[u8],
) -> Result<(), Error> {
    let module = document.module.sha256.0;
    let nonce = nonce(message)?;
    let evidence = evidence(platform, identity, Statement::Launch { module, nonce })?;
    let handed_over = platform.hand_over(&evidence.encode());
    handed_over.map_err(Error::NoEvidence)
}

/// The caller's nonce, if there is one.
///
/// # Errors
/// [`Error::Nonce`] if it is too short or too long.
pub(crate) fn nonce(bytes: &[u8]) -> Result<Option<Nonce>, Error> {
    if bytes.is_empty() {
        return Ok(None);
    }
    Nonce::new(bytes).map(Some).map_err(Error::Nonce)
}

/// Makes evidence of a statement of the runtime's own.
///
/// # Errors
/// [`Error::NoEvidence`] if the host gives no quote, or something else in its place.
pub(crate) fn evidence(
    platform: &mut dyn Platform,
    identity: &Identity,
    statement: Statement,
) -> Result<Evidence, Error> {
    make(platform, identity, statement).map_err(Error::NoEvidence)
}

impl Subject {
    /// The guest with this compiled module, in the enclave with this `identity`.
    pub(crate) const fn new(identity: &Identity, module: [u8; 32]) -> Self {
        Self {
            identity: *identity,
            module,
        }
    }
}

/// Makes evidence that the guest asked for and that is for anybody.
///
/// # Errors
/// A [`Fault`].
pub(crate) fn guest_evidence(
    platform: &mut dyn Platform,
    subject: &Subject,
    data: &[u8],
) -> Result<Evidence, Fault> {
    let statement = Statement::Guest {
        module: subject.module,
        user: sha256(data),
    };
    make(platform, &subject.identity, statement)
}

/// Makes a message that the guest asked for and that is for the enclave `target` of this machine; `None` if that cannot be an
/// enclave.
///
/// # Errors
/// A [`Fault`].
pub(crate) fn peer_message(
    platform: &mut dyn Platform,
    subject: &Subject,
    target: &TargetInfo,
    data: &[u8],
) -> Result<Option<PeerMessage>, Fault> {
    if !is_well_formed(target) {
        return Ok(None);
    }
    let statement = Statement::Peer {
        module: subject.module,
        user: sha256(data),
    };
    tell(platform, &subject.identity, target, statement).map(Some)
}

/// Makes a message of a statement, for the enclave `target` of this machine, which is well formed.
///
/// # Errors
/// A [`Fault`].
pub(crate) fn tell(
    platform: &mut dyn Platform,
    identity: &Identity,
    target: &TargetInfo,
    statement: Statement,
) -> Result<PeerMessage, Fault> {
    let claims = Claims {
        document: identity.config_id,
        statement,
    };
    let report = platform.processor_report(target, &claims.report_data())?;
    Ok(PeerMessage::new(report.to_bytes(), &claims))
}

/// Which enclave this one is to others of its machine.
///
/// # Errors
/// A [`Fault`].
pub(crate) fn own_target(platform: &mut dyn Platform) -> Result<TargetInfo, Fault> {
    let report = platform.processor_report(&TargetInfo::ZERO, &[0; 64])?;
    Ok(TargetInfo::of(&report.body))
}

/// Checks a message that a guest of another enclave made for this one.
///
/// # Errors
/// A [`Disbelief`].
pub(crate) fn believe(platform: &mut dyn Platform, message: &[u8]) -> Result<Peer, Disbelief> {
    let message = PeerMessage::decode(message).map_err(|_| Disbelief::Malformed)?;
    match vouched(platform, &message)? {
        (enclave, Statement::Peer { module, user }) => Ok(Peer {
            enclave,
            module,
            user,
        }),
        _ => Err(Disbelief::NotVouchedFor),
    }
}

/// What the runtime of another enclave of this machine states for this one, and whose it is.
///
/// # Errors
/// [`Disbelief::NotVouchedFor`].
pub(crate) fn vouched(
    platform: &mut dyn Platform,
    message: &PeerMessage,
) -> Result<(ReportBody, Statement), Disbelief> {
    let report = Report::from_bytes(message.report());
    check_report(platform, &report).ok_or(Disbelief::NotVouchedFor)?;
    let body = report.body;
    let claims = message.vouched_claims(&body.report_data);
    let claims = claims.map_err(|_| Disbelief::NotVouchedFor)?;
    if claims.document != body.config_id {
        return Err(Disbelief::NotVouchedFor);
    }
    Ok((body, claims.statement))
}

/// Whether the processor made the report for this enclave. REPORT. Intel SDM vol. 3D, "EREPORT": AES-128-CMAC of the body
/// under the target's report key.
fn check_report(platform: &mut dyn Platform, report: &Report) -> Option<()> {
    let request = KeyRequest {
        key_name: KeyName::Report as u16,
        key_id: report.key_id,
        ..KeyRequest::ZERO
    };
    let key = platform.key(&request)?;
    let mut mac = Cmac::<Aes128>::new((&*key).into());
    mac.update(&report.body.to_bytes());
    // In constant time.
    mac.verify_slice(&report.mac).ok()
}

/// The one way from a statement to evidence.
fn make(
    platform: &mut dyn Platform,
    identity: &Identity,
    statement: Statement,
) -> Result<Evidence, Fault> {
    let claims = Claims {
        document: identity.config_id,
        statement,
    };
    let target = platform.quote_target()?;
    if !is_well_formed(&target) {
        return Err(Fault::Misbehaved(
            "a quoting enclave that cannot be an enclave",
        ));
    }
    let report = platform.processor_report(&target, &claims.report_data())?;
    let quote = platform.quote(&report)?;
    check_quote(&quote, &report.body)?;
    Evidence::new(origin(identity), quote, claims.encode())
        .map_err(|_| Fault::Misbehaved("a quote longer than any"))
}

/// Whose quotes this enclave's reports become.
fn origin(identity: &Identity) -> Origin {
    if identity.cpu_svn == SIMULATED_CPU_SVN {
        Origin::Emulator
    } else {
        Origin::Processor
    }
}

/// Checks that a quote is one, and of the report that was to be quoted. Whether its signature holds is for those to find out
/// who have the certificates.
fn check_quote(quote: &[u8], report: &ReportBody) -> Result<(), Fault> {
    let misbehaved = |rule| Err(Fault::Misbehaved(rule));
    let Some((header, rest)) = quote.split_first_chunk::<QUOTE_HEADER_LEN>() else {
        return misbehaved("a quote that is shorter than any");
    };
    let Some((body, rest)) = rest.split_first_chunk::<{ ReportBody::LEN }>() else {
        return misbehaved("a quote that is shorter than any");
    };
    let Some((len, signature)) = rest.split_first_chunk() else {
        return misbehaved("a quote that is shorter than any");
    };
    if header.first_chunk() != Some(&QUOTE_VERSION.to_le_bytes()) {
        return misbehaved("a quote of another version than 3");
    }
    if *body != report.to_bytes() {
        return misbehaved("a quote of another report");
    }
    if usize::try_from(u32::from_le_bytes(*len)) != Ok(signature.len()) {
        return misbehaved("a quote of another length than it says");
    }
    Ok(())
}

/// Whether EREPORT takes the target: it faults if reserved bytes are set, and a fault in here is the end of the enclave.
fn is_well_formed(target: &TargetInfo) -> bool {
    let reserved = [
        target.reserved1.as_slice(),
        &target.reserved2,
        &target.reserved3,
    ];
    reserved.into_iter().flatten().all(|byte| *byte == 0)
}

/// CPUSVN of the emulator's processor.
const SIMULATED_CPU_SVN: [u8; 16] = *b"SIMULATED-CPUSVN";

/// Header of a quote. Intel SGX ECDSA QuoteLibReference (DCAP 1.22), "Quote Format", "Quote Header".
const QUOTE_HEADER_LEN: usize = 48;

/// Version of quotes with an ECDSA signature.
const QUOTE_VERSION: u16 = 3;
