//! What stands in the simulated certificates.

use std::str::FromStr as _;

use x509_cert::TbsCertificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::builder::{self, profile::BuilderProfile};
use x509_cert::der::asn1::{Any, ObjectIdentifier, OctetString, OctetStringRef};
use x509_cert::der::{self, DateTime, Encode as _, Tag};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension as _};
use x509_cert::name::Name;
use x509_cert::spki::SubjectPublicKeyInfoRef;
use x509_cert::time::{Time, Validity};

use crate::backend::emulator::model::CPU_SVN;
use crate::quote::QuoteError;

use super::simulated;

/// FMSPC of the emulated processor: "SIM" and three zero bytes.
pub(super) const FMSPC: [u8; 6] = *b"SIM\0\0\0";
/// PPID of the emulated processor.
const PPID: [u8; 16] = *b"SIMULATED-PPID-0";
/// PCE-ID, PCESVN of the provisioning certification enclave, which is not emulated as an enclave.
pub(super) const PCE_ID: [u8; 2] = [0, 0];
pub(super) const PCE_SVN: u8 = 1;
/// SGX type "standard": memory without protection against replay on the bus.
const SGX_TYPE_STANDARD: u8 = 0;

/// Who a certificate is for.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    /// Unique among these.
    pub(super) serial: u32,
    name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    /// It signs certificates and lists of revoked ones.
    Authority,
    /// It signs collateral.
    Signer,
    /// It signs reports of the quoting enclave, and says which processor it belongs to.
    Platform,
}

impl Subject {
    pub(super) const ROOT: Self = Self {
        serial: 1,
        name: "SIMULATED SGX Root CA - NOT INTEL",
        kind: Kind::Authority,
    };
    pub(super) const PCK_CA: Self = Self {
        serial: 2,
        name: "SIMULATED SGX PCK CA - NOT INTEL",
        kind: Kind::Authority,
    };
    pub(super) const TCB_SIGNING: Self = Self {
        serial: 3,
        name: "SIMULATED SGX TCB Signing - NOT INTEL",
        kind: Kind::Signer,
    };
    pub(super) const PCK: Self = Self {
        serial: 4,
        name: "SIMULATED SGX PCK Certificate - NOT INTEL",
        kind: Kind::Platform,
    };

    fn name(self) -> Result<Name, der::Error> {
        Name::from_str(&format!(
            "CN={},O=SIMULATED - NOT INTEL - NOT SECURE",
            self.name
        ))
    }
}

/// A subject with its issuer; nobody for one that issues its own certificate.
pub(super) struct Role {
    subject: Name,
    issuer: Option<Name>,
    kind: Kind,
}

impl Role {
    pub(super) fn new(subject: Subject, issuer: Option<Name>) -> Result<Self, QuoteError> {
        Ok(Self {
            subject: subject.name().map_err(simulated)?,
            issuer,
            kind: subject.kind,
        })
    }
}

impl BuilderProfile for Role {
    fn get_issuer(&self, subject: &Name) -> Name {
        self.issuer.as_ref().unwrap_or(subject).clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        issuer_key: SubjectPublicKeyInfoRef<'_>,
        certificate: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let is_authority = self.kind == Kind::Authority;
        let usage = if is_authority {
            KeyUsages::KeyCertSign | KeyUsages::CRLSign
        } else {
            KeyUsages::DigitalSignature.into()
        };
        let constraints = BasicConstraints {
            ca: is_authority,
            path_len_constraint: None,
        };
        let issuer = AuthorityKeyIdentifier {
            key_identifier: Some(SubjectKeyIdentifier::try_from(issuer_key)?.0),
            ..AuthorityKeyIdentifier::default()
        };
        let subject = certificate.subject();
        let mut extensions = vec![
            issuer.to_extension(subject, &[])?,
            SubjectKeyIdentifier::try_from(key)?.to_extension(subject, &[])?,
            KeyUsage(usage).to_extension(subject, &[])?,
            constraints.to_extension(subject, &[])?,
        ];
        if self.kind == Kind::Platform {
            extensions.push(sgx_extension()?);
        }
        Ok(extensions)
    }
}

/// When every certificate is valid. Fixed, so that a certificate does not depend on when it is made.
pub(super) fn validity() -> Result<Validity, QuoteError> {
    let time = |year, month, day, hour, minute, second| {
        DateTime::new(year, month, day, hour, minute, second).map(Time::from)
    };
    let from = time(2024, 1, 1, 0, 0, 0).map_err(simulated)?;
    let to = time(2049, 12, 31, 23, 59, 59).map_err(simulated)?;
    Ok(Validity::new(from, to))
}

/// The extension that tells what a PCK certificate vouches for. Intel, "SGX PCK Certificate and CRL Specification".
fn sgx_extension() -> der::Result<Extension> {
    let octets = |bytes: &[u8]| Any::encode_from(&OctetStringRef::new(bytes)?);
    let mut tcb = Vec::new();
    for (arc, svn) in (1..).zip(CPU_SVN) {
        tcb.push(entry(&[2, arc], Any::encode_from(&svn)?)?);
    }
    tcb.push(entry(&[2, 17], Any::encode_from(&PCE_SVN)?)?);
    tcb.push(entry(&[2, 18], octets(&CPU_SVN)?)?);
    let all = vec![
        entry(&[1], octets(&PPID)?)?,
        entry(&[2], Any::encode_from(&tcb)?)?,
        entry(&[3], octets(&PCE_ID)?)?,
        entry(&[4], octets(&FMSPC)?)?,
        entry(&[5], Any::new(Tag::Enumerated, [SGX_TYPE_STANDARD])?)?,
    ];
    Ok(Extension {
        extn_id: SGX_EXTENSION,
        critical: false,
        extn_value: OctetString::new(all.to_der()?)?,
    })
}

/// A value with its name, which lies below that of the extension.
fn entry(arcs: &[u32], value: Any) -> der::Result<AttributeTypeAndValue> {
    let mut oid = SGX_EXTENSION;
    for arc in arcs {
        oid = oid.push_arc(*arc)?;
    }
    Ok(AttributeTypeAndValue { oid, value })
}

/// Of the extension.
const SGX_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1");
