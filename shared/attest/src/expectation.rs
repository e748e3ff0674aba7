//! What a verifier expects evidence to be about, and whether it is.

use twine_evidence::{Claims, Nonce, Purpose, Statement, report_data, sha256};

use crate::certificate::ForeignClaims;
use crate::presented::Presented;
use crate::reason::Reason;

/// What the verifier expects. Evidence for one purpose never stands in for another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expectation {
    purpose: Option<Purpose>,
    nonce: Option<Nonce>,
    user: Option<[u8; 32]>,
}

impl Expectation {
    /// Evidence for this purpose.
    #[must_use]
    pub const fn of(purpose: Purpose) -> Self {
        Self {
            purpose: Some(purpose),
            nonce: None,
            user: None,
        }
    }

    /// A quote without claims. It tells who the enclave is; nothing tells when it was made, or what for.
    #[must_use]
    pub const fn quote_alone() -> Self {
        Self {
            purpose: None,
            nonce: None,
            user: None,
        }
    }

    /// And this nonce, which the verifier has made for this one use.
    #[must_use]
    pub fn with_nonce(self, nonce: Nonce) -> Self {
        Self {
            nonce: Some(nonce),
            ..self
        }
    }

    /// And this data, chosen by the guest.
    #[must_use]
    pub fn with_user_data(self, data: &[u8]) -> Self {
        Self {
            user: Some(sha256(data)),
            ..self
        }
    }
}

/// Compares what was presented with what was expected, and returns our runtime's claims if there are any.
pub(crate) fn claims(
    expectation: &Expectation,
    presented: &Presented,
    reasons: &mut Vec<Reason>,
) -> Option<Claims> {
    let Some(bytes) = &presented.claims else {
        let wanted = expectation.purpose.is_some()
            || expectation.nonce.is_some()
            || expectation.user.is_some();
        reasons.extend(wanted.then_some(Reason::NoClaims));
        return None;
    };
    if report_data(bytes) != presented.report().report_data {
        reasons.push(Reason::ClaimsNotBound);
    }
    let Some(expected) = expectation.purpose else {
        reasons.push(Reason::UnexpectedClaims);
        return None;
    };
    match Claims::decode(bytes) {
        Ok(claims) => {
            of_ours(expectation, expected, &claims, presented, reasons);
            Some(claims)
        }
        Err(error) => {
            match (ForeignClaims::decode(bytes), &presented.public_key) {
                (Ok(claims), Some(key)) if !claims.are_ours() => {
                    of_foreign(expectation, expected, &claims, key, reasons);
                }
                _ => reasons.push(Reason::ClaimsMalformed {
                    detail: error.to_string(),
                }),
            }
            None
        }
    }
}

fn of_ours(
    expectation: &Expectation,
    expected: Purpose,
    claims: &Claims,
    presented: &Presented,
    reasons: &mut Vec<Reason>,
) {
    check_purpose(claims.purpose(), expected, reasons);
    check_nonce(expectation, claims.nonce().map(Nonce::as_bytes), reasons);
    let user = match &claims.statement {
        Statement::Guest { user, .. } | Statement::Peer { user, .. } => Some(*user),
        _ => None,
    };
    if expectation.user.is_some() && expectation.user != user {
        reasons.push(Reason::WrongUserData);
    }
    if claims.document != presented.report().config_id {
        reasons.push(Reason::DocumentContradicts);
    }
    if let Statement::RaTls { public_key, .. } = &claims.statement {
        match &presented.public_key {
            Some(key) if sha256(key) == *public_key => {}
            Some(_) => reasons.push(Reason::WrongPublicKey),
            None => reasons.push(Reason::NoCertificate),
        }
    }
}

fn of_foreign(
    expectation: &Expectation,
    expected: Purpose,
    claims: &ForeignClaims,
    key: &[u8],
    reasons: &mut Vec<Reason>,
) {
    check_purpose(Purpose::RaTls, expected, reasons);
    check_nonce(expectation, claims.nonce.as_deref(), reasons);
    if expectation.user.is_some() {
        reasons.push(Reason::WrongUserData);
    }
    if !claims.are_about(key) {
        reasons.push(Reason::WrongPublicKey);
    }
}

fn check_purpose(found: Purpose, expected: Purpose, reasons: &mut Vec<Reason>) {
    if found != expected {
        reasons.push(Reason::WrongPurpose { found, expected });
    }
}

fn check_nonce(expectation: &Expectation, found: Option<&[u8]>, reasons: &mut Vec<Reason>) {
    let Some(expected) = &expectation.nonce else {
        return;
    };
    match found {
        Some(found) if found == expected.as_bytes() => {}
        Some(_) => reasons.push(Reason::WrongNonce),
        None => reasons.push(Reason::NoNonce),
    }
}
