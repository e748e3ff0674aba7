//! Collateral: what Intel publishes about processors, without which a quote cannot be judged.
//!
//! A set holds the state of one kind of processor (TCB info), the identity of quoting enclaves, and lists of revoked
//! certificates, all signed by Intel. Whoever picks the set picks the verdict, within what Intel has signed and what has
//! not expired: so it comes from the verifier, never from the attester.

use dcap_qvl::QuoteCollateralV3;
use jiff::Timestamp;
use serde::Deserialize;

use crate::limits::COLLATERAL_LEN_BYTES_MAX;

/// A set of collateral. Its signatures are checked together with a quote.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Collateral {
    set: QuoteCollateralV3,
    info: TcbInfo,
}

/// Why bytes are not collateral.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More bytes than any set needs.
    #[error("the collateral has {0} bytes, at most {COLLATERAL_LEN_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// Not the form that is expected.
    #[error("the collateral is not of the form that is expected (JSON, `QuoteCollateralV3`): {0}")]
    Form(#[source] serde_json::Error),
    /// The TCB info is not what Intel makes.
    #[error("the collateral's TCB info is not of Intel's form: {0}")]
    TcbInfo(#[source] serde_json::Error),
}

impl Collateral {
    /// Reads a set in the JSON form of the library dcap-qvl, `QuoteCollateralV3`: strings, with bytes in hexadecimal digits.
    ///
    /// # Errors
    /// If it is not of that form.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        if json.len() > COLLATERAL_LEN_BYTES_MAX {
            return Err(Error::TooLong(json.len()));
        }
        Self::new(serde_json::from_slice(json).map_err(Error::Form)?)
    }

    pub(crate) fn new(set: QuoteCollateralV3) -> Result<Self, Error> {
        let info = serde_json::from_str(&set.tcb_info).map_err(Error::TcbInfo)?;
        Ok(Self { set, info })
    }

    /// Writes the set in the form that [`parse`](Self::parse) reads.
    ///
    /// # Errors
    /// None: what has been read can be written.
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(&self.set).map_err(Error::Form)
    }

    pub(crate) const fn set(&self) -> &QuoteCollateralV3 {
        &self.set
    }

    /// What the TCB info says of itself. Nobody has vouched for it before the signatures are checked.
    pub(crate) const fn info(&self) -> &TcbInfo {
        &self.info
    }

    /// The texts that hold certificates.
    pub(crate) fn chains(&self) -> impl Iterator<Item = &str> {
        let set = &self.set;
        let always = [
            &set.pck_crl_issuer_chain,
            &set.tcb_info_issuer_chain,
            &set.qe_identity_issuer_chain,
        ];
        always
            .into_iter()
            .chain(&set.pck_certificate_chain)
            .map(String::as_str)
    }
}

/// The part of TCB info that is needed beyond what dcap-qvl tells.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TcbInfo {
    #[serde(deserialize_with = "timestamp")]
    pub(crate) issue_date: Timestamp,
    #[serde(deserialize_with = "timestamp")]
    pub(crate) next_update: Timestamp,
    /// In hexadecimal digits, of either case.
    pub(crate) fmspc: String,
}

fn timestamp<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &[u8] = include_bytes!(
        "../tests/vectors/matrix/collateral/fmspc00606a000000_ev17_2025-06-06_a6ee46.json"
    );

    #[test]
    fn a_set_is_read_and_written_unchanged() {
        let collateral = Collateral::parse(SET).unwrap();
        assert_eq!(collateral.info().fmspc, "00606a000000");
        assert_eq!(
            collateral.info().issue_date.to_string(),
            "2025-06-06T12:30:41Z"
        );
        let again = Collateral::parse(collateral.to_json().unwrap().as_bytes()).unwrap();
        assert_eq!(again, collateral);
        assert_eq!(collateral.chains().count(), 3);
    }

    #[test]
    fn what_is_not_collateral_is_refused_with_the_reason() {
        assert!(matches!(Collateral::parse(b"{}"), Err(Error::Form(_))));
        let text = str::from_utf8(SET)
            .unwrap()
            .replace("issueDate", "issuedDate");
        assert!(matches!(
            Collateral::parse(text.as_bytes()),
            Err(Error::TcbInfo(_))
        ));
        let long = vec![b' '; COLLATERAL_LEN_BYTES_MAX + 1];
        assert!(matches!(Collateral::parse(&long), Err(Error::TooLong(_))));
    }
}
