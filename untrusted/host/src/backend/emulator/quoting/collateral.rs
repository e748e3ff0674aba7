//! What Intel publishes about processors and quoting enclaves, about simulated ones.
//!
//! Formats: Intel's API "Provisioning Certification Service", version 4: TCB info version 3, identity of the quoting
//! enclave version 2. Together they make the JSON that `dcap-qvl` calls `QuoteCollateralV3`.

use std::time::{Duration, SystemTime};

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, Signature};
use serde_json::{Value, json};
use x509_cert::builder::{Builder as _, CrlBuilder};
use x509_cert::crl::RevokedCert;
use x509_cert::der::{DateTime, Encode as _};
use x509_cert::ext::pkix::CrlNumber;
use x509_cert::time::Time;

use crate::backend::emulator::model::CPU_SVN;
use crate::quote::QuoteError;

use super::certificate::{FMSPC, PCE_ID, PCE_SVN};
use super::enclave::IDENTITY;
use super::pki::{Holder, Pki};
use super::{hexadecimal, simulated};

/// What collateral is to say. [`Collateral::now`] says that all is well; tests have it say otherwise.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Collateral {
    /// From when on it is valid.
    pub issued: SystemTime,
    /// How long.
    pub lifetime: Duration,
    /// Which evaluation of the maker it belongs to (tcbEvaluationDataNumber); newer ones are higher.
    pub evaluation: u32,
    /// What the maker thinks of this processor.
    pub platform: TcbStatus,
    /// What the maker thinks of this quoting enclave.
    pub quoting_enclave: TcbStatus,
    /// The security advisories that are the reason for `platform`.
    pub advisories: Vec<String>,
    /// Whose certificate is revoked.
    pub revoked: Option<Revoked>,
}

/// The maker's opinion, in the words of Intel's service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TcbStatus {
    /// All is well.
    UpToDate,
    /// The software has to take precautions.
    SWHardeningNeeded,
    /// The machine has to be set up in another way.
    ConfigurationNeeded,
    /// Both of them.
    ConfigurationAndSWHardeningNeeded,
    /// There is an update that closes known holes.
    OutOfDate,
    /// As [`TcbStatus::OutOfDate`], and the machine has to be set up in another way.
    OutOfDateConfigurationNeeded,
    /// It is not to be trusted any more.
    Revoked,
}

/// Whose certificate is revoked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Revoked {
    /// This platform's.
    Pck,
    /// That of the authority that certifies platforms.
    PckCa,
    /// That of the signer of collateral.
    TcbSigning,
}

impl Collateral {
    /// All is well. Valid for 30 days, as Intel's is, and from an hour ago, for verifiers whose clocks are late.
    #[must_use]
    pub fn now() -> Self {
        let now = SystemTime::now();
        Self {
            issued: now.checked_sub(Duration::from_secs(3600)).unwrap_or(now),
            lifetime: Duration::from_secs(30 * 24 * 3600),
            evaluation: 1,
            platform: TcbStatus::UpToDate,
            quoting_enclave: TcbStatus::UpToDate,
            advisories: Vec::new(),
            revoked: None,
        }
    }
}

/// Signs the collateral.
pub(super) fn issue(pki: &Pki, collateral: &Collateral) -> Result<String, QuoteError> {
    let issued = DateTime::from_system_time(collateral.issued).map_err(simulated)?;
    let next = collateral
        .issued
        .checked_add(collateral.lifetime)
        .ok_or_else(|| simulated("collateral that never ends"))?;
    let issuer = Issuer {
        pki,
        collateral,
        issued,
        next: DateTime::from_system_time(next).map_err(simulated)?,
    };
    let signing_chain = [pki.tcb_signing.pem(), pki.root.pem()].concat();
    let pck_crl_chain = [pki.pck_ca.pem(), pki.root.pem()].concat();
    let tcb_info = issuer.tcb_info().to_string();
    let identity = issuer.enclave_identity().to_string();
    let whole = json!({
        "pck_crl_issuer_chain": pck_crl_chain,
        "root_ca_crl": issuer.revocations(&pki.root, &[
            (Revoked::PckCa, &pki.pck_ca),
            (Revoked::TcbSigning, &pki.tcb_signing),
        ])?,
        "pck_crl": issuer.revocations(&pki.pck_ca, &[(Revoked::Pck, &pki.pck)])?,
        "tcb_info_issuer_chain": signing_chain,
        "tcb_info_signature": issuer.signature(&tcb_info),
        "tcb_info": tcb_info,
        "qe_identity_issuer_chain": signing_chain,
        "qe_identity_signature": issuer.signature(&identity),
        "qe_identity": identity,
    });
    Ok(format!("{whole:#}\n"))
}

struct Issuer<'a> {
    pki: &'a Pki,
    collateral: &'a Collateral,
    issued: DateTime,
    next: DateTime,
}

impl Issuer<'_> {
    /// TCB info with the one level that this processor has, and a newer one above it if the level is to be a bad one.
    fn tcb_info(&self) -> Value {
        let level = |more: u8, status: TcbStatus, advisories: &[String]| {
            let components = CPU_SVN.map(|svn| json!({ "svn": svn.saturating_add(more) }));
            json!({
                "tcb": { "sgxtcbcomponents": components, "pcesvn": PCE_SVN.saturating_add(more) },
                "tcbDate": TCB_DATE,
                "tcbStatus": name(status),
                "advisoryIDs": advisories,
            })
        };
        let Collateral {
            platform,
            advisories,
            ..
        } = self.collateral;
        let ours = level(0, *platform, advisories);
        let levels = match platform {
            TcbStatus::UpToDate => vec![ours],
            _ => vec![level(1, TcbStatus::UpToDate, &[]), ours],
        };
        json!({
            "id": "SGX",
            "version": 3,
            "issueDate": self.issued.to_string(),
            "nextUpdate": self.next.to_string(),
            "fmspc": hexadecimal(&FMSPC).to_uppercase(),
            "pceId": hexadecimal(&PCE_ID),
            "tcbType": 0,
            "tcbEvaluationDataNumber": self.collateral.evaluation,
            "tcbLevels": levels,
        })
    }

    fn enclave_identity(&self) -> Value {
        json!({
            "id": "QE",
            "version": 2,
            "issueDate": self.issued.to_string(),
            "nextUpdate": self.next.to_string(),
            "tcbEvaluationDataNumber": self.collateral.evaluation,
            "miscselect": "00000000",
            "miscselectMask": "FFFFFFFF",
            // INIT, MODE64BIT, PROVISIONKEY, as the quoting enclave has them; DEBUG must be clear.
            "attributes": "15000000000000000000000000000000",
            "attributesMask": "FFFFFFFFFFFFFFFF0000000000000000",
            "mrsigner": hexadecimal(&IDENTITY.mr_signer()).to_uppercase(),
            "isvprodid": IDENTITY.prod_id,
            "tcbLevels": [{
                "tcb": { "isvsvn": IDENTITY.svn },
                "tcbDate": TCB_DATE,
                "tcbStatus": name(self.collateral.quoting_enclave),
            }],
        })
    }

    /// A list of those among the `known` that are revoked, DER, as hexadecimal digits.
    fn revocations(
        &self,
        issuer: &Holder,
        known: &[(Revoked, &Holder)],
    ) -> Result<String, QuoteError> {
        let revoked = known
            .iter()
            .filter(|(name, _)| self.collateral.revoked == Some(*name))
            .map(|(_, holder)| RevokedCert {
                serial_number: holder.certificate.tbs_certificate().serial_number().clone(),
                revocation_date: Time::from(self.issued),
                crl_entry_extensions: None,
            })
            .collect::<Vec<_>>();
        let number = CrlNumber::try_from(u128::from(self.collateral.evaluation));
        let list = number
            .and_then(|number| {
                CrlBuilder::new_with_this_update(
                    &issuer.certificate,
                    number,
                    Time::from(self.issued),
                )
            })
            .map_err(simulated)?
            .with_next_update(Some(Time::from(self.next)));
        // An empty list must not be there at all.
        let list = if revoked.is_empty() {
            list
        } else {
            list.with_certificates(revoked.into_iter())
        };
        list.build::<_, DerSignature>(&issuer.key)
            .map_err(simulated)?
            .to_der()
            .map(|der| hexadecimal(&der))
            .map_err(simulated)
    }

    /// r and s of 32 bytes each, as hexadecimal digits.
    fn signature(&self, text: &str) -> String {
        let signature: Signature = self.pki.tcb_signing.key.sign(text.as_bytes());
        hexadecimal(&signature.to_bytes())
    }
}

const fn name(status: TcbStatus) -> &'static str {
    match status {
        TcbStatus::UpToDate => "UpToDate",
        TcbStatus::SWHardeningNeeded => "SWHardeningNeeded",
        TcbStatus::ConfigurationNeeded => "ConfigurationNeeded",
        TcbStatus::ConfigurationAndSWHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
        TcbStatus::OutOfDate => "OutOfDate",
        TcbStatus::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
        TcbStatus::Revoked => "Revoked",
    }
}

/// When the levels came into being: long ago, and always the same.
const TCB_DATE: &str = "2024-01-01T00:00:00Z";
