//! The keys and certificates that Intel has for real processors. Every name says that they are not Intel's.
//!
//! ```text
//!   root ──┬──► PCK CA ──► PCK ──signs──► report of the quoting enclave ──holds──► attestation key ──signs──► quotes
//!          └──► TCB signing ──signs──► TCB info, identity of the quoting enclave
//! ```
//!
//! All keys are derived from the processor's secret, signatures are deterministic and validity is fixed, so the
//! certificates are the same whenever they are made, and a policy that names the root stays valid.

use p256::ecdsa::{DerSignature, SigningKey};
use x509_cert::Certificate;
use x509_cert::builder::{Builder as _, CertificateBuilder};
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{Encode as _, EncodePem as _};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::SubjectPublicKeyInfo;

use crate::backend::emulator::model::PlatformSecret;
use crate::quote::QuoteError;

use super::certificate::{self, Role, Subject};
use super::simulated;

/// Everybody who signs.
pub(super) struct Pki {
    pub(super) root: Holder,
    pub(super) pck_ca: Holder,
    pub(super) tcb_signing: Holder,
    pub(super) pck: Holder,
    pub(super) attestation: SigningKey,
}

impl Pki {
    pub(super) fn derive(secret: &PlatformSecret) -> Result<Self, QuoteError> {
        let key = |label| key(secret, label);
        let root = Holder::certify(Subject::ROOT, key("root")?, None)?;
        let pck_ca = Holder::certify(Subject::PCK_CA, key("PCK CA")?, Some(&root))?;
        Ok(Self {
            tcb_signing: Holder::certify(Subject::TCB_SIGNING, key("TCB signing")?, Some(&root))?,
            pck: Holder::certify(Subject::PCK, key("PCK")?, Some(&pck_ca))?,
            attestation: key("attestation")?,
            root,
            pck_ca,
        })
    }

    /// The chain that goes into quotes.
    pub(super) fn pck_chain(&self) -> String {
        [&self.pck, &self.pck_ca, &self.root]
            .map(Holder::pem)
            .concat()
    }
}

/// Somebody with a key and a certificate for it.
pub(super) struct Holder {
    pub(super) key: SigningKey,
    pub(super) certificate: Certificate,
    der: Vec<u8>,
    pem: String,
}

impl Holder {
    /// Certifies a key; without an issuer by the key itself.
    fn certify(
        subject: Subject,
        key: SigningKey,
        issuer: Option<&Self>,
    ) -> Result<Self, QuoteError> {
        let issuer_name =
            issuer.map(|issuer| issuer.certificate.tbs_certificate().subject().clone());
        let role = Role::new(subject, issuer_name)?;
        let signer = issuer.map_or(&key, |issuer| &issuer.key);
        let certificate = SubjectPublicKeyInfo::from_key(key.verifying_key())
            .map_err(simulated)
            .and_then(|public| {
                let serial = SerialNumber::from(subject.serial);
                CertificateBuilder::new(role, serial, certificate::validity()?, public)
                    .and_then(|builder| builder.build::<_, DerSignature>(signer))
                    .map_err(simulated)
            })?;
        Ok(Self {
            der: certificate.to_der().map_err(simulated)?,
            pem: certificate.to_pem(LineEnding::LF).map_err(simulated)?,
            key,
            certificate,
        })
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }
}

/// A key for ECDSA with P-256: the first derived number that is one. Of 2^32 numbers one is not.
fn key(secret: &PlatformSecret, label: &str) -> Result<SigningKey, QuoteError> {
    (0..=u8::MAX)
        .find_map(|attempt| SigningKey::from_slice(&*secret.seed(label, attempt)).ok())
        .ok_or_else(|| simulated("no key can be derived"))
}
