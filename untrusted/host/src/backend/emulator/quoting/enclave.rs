//! The simulated quoting enclave. It also plays the provisioning certification enclave, which signs its report.
//!
//! ```text
//! offset  size  field of a quote, version 3
//!      0    48  header: version, key type, zero, QE SVN, PCE SVN, vendor, "SIMULATED-NOT-SECURE"
//!     48   384  report body of the enclave that is quoted
//!    432     4  length of what follows
//!    436    64  signature of all that is before 432, by the attestation key
//!    500    64  attestation key: x, y
//!    564   384  report body of the quoting enclave; its data: SHA-256 of attestation key and authentication data
//!    948    64  signature of that report, by the PCK
//!   1012  2+32  authentication data, after its length
//!   1046   2+4  certification type 5, and the length of
//!   1052        the chain of the PCK, PEM
//! ```
//!
//! Intel, "SGX ECDSA QuoteLibReference DCAP API", appendix A.4.

use aes::Aes128;
use cmac::{Cmac, KeyInit as _, Mac as _};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use sha2::{Digest as _, Sha256};
use twine_abi::sgx::{AttributeFlags, KeyName, KeyRequest, Report, ReportBody, TargetInfo};

use crate::backend::emulator::model::{Architectural, Model, Processor};
use crate::quote::QuoteError;

use super::certificate::PCE_SVN;
use super::pki::Pki;

/// Who the quoting enclave is.
pub(super) struct Identity {
    pub(super) prod_id: u16,
    pub(super) svn: u16,
}

/// Who this one is.
pub(super) const IDENTITY: Identity = Identity { prod_id: 1, svn: 1 };

impl Identity {
    /// MRSIGNER: the hash of no key, so that nobody can sign an enclave that would have it.
    pub(super) fn mr_signer(&self) -> [u8; 32] {
        Sha256::digest("SIMULATED QE - NOT INTEL").into()
    }

    fn architectural(&self) -> Architectural {
        Architectural {
            mr_enclave: Sha256::digest("SIMULATED quoting enclave, version 1").into(),
            mr_signer: self.mr_signer(),
            isv_prod_id: self.prod_id,
            isv_svn: self.svn,
            rights: AttributeFlags::PROVISIONKEY,
        }
    }
}

/// The quoting enclave of one processor.
pub(super) struct QuotingEnclave {
    model: Model,
    attestation: SigningKey,
    pck: SigningKey,
    chain: String,
}

/// Why it does not quote a report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refused {
    /// The report was not made for this enclave, or not on this processor.
    Report,
    /// The processor refused EGETKEY.
    Processor,
}

impl QuotingEnclave {
    pub(super) fn new(processor: &Processor) -> Result<Self, QuoteError> {
        let pki = Pki::derive(processor.secret())?;
        Ok(Self {
            model: Model::architectural(processor, &IDENTITY.architectural()),
            chain: pki.pck_chain(),
            attestation: pki.attestation,
            pck: pki.pck.key,
        })
    }

    /// Who reports must be made for.
    pub(super) fn target_info(&self) -> TargetInfo {
        TargetInfo::of(&self.report(&TargetInfo::ZERO, [0; 64]).body)
    }

    /// The identity of the public attestation key.
    pub(super) fn key_id(&self) -> [u8; 32] {
        Sha256::digest(self.public_key()).into()
    }

    /// A report of this enclave about itself.
    pub(super) fn report(&self, target: &TargetInfo, data: [u8; 64]) -> Report {
        self.model.report(target, data)
    }

    pub(super) fn quote(&self, report: &Report) -> Result<Vec<u8>, Refused> {
        self.quote_as(report, VENDOR)
    }

    /// A quote under a vendor's identity.
    pub(super) fn quote_as(&self, report: &Report, vendor: [u8; 16]) -> Result<Vec<u8>, Refused> {
        self.check(report)?;
        let mut quote = Vec::new();
        quote.extend(3_u16.to_le_bytes());
        quote.extend(KEY_TYPE_ECDSA_P256.to_le_bytes());
        quote.extend([0; 4]);
        quote.extend(IDENTITY.svn.to_le_bytes());
        quote.extend(u16::from(PCE_SVN).to_le_bytes());
        quote.extend(vendor);
        quote.extend(MARK);
        quote.extend(report.body.to_bytes());
        let certified = self.certified(sign(&self.attestation, &quote));
        quote.extend(len32(&certified));
        quote.extend(certified);
        Ok(quote)
    }

    /// Checks that the processor made the report, and for this enclave.
    fn check(&self, report: &Report) -> Result<(), Refused> {
        let request = KeyRequest {
            key_name: KeyName::Report as u16,
            key_id: report.key_id,
            ..KeyRequest::ZERO
        };
        let key = self.model.key(&request).map_err(|_| Refused::Processor)?;
        let mut mac = Cmac::<Aes128>::new(&key.into());
        mac.update(&report.body.to_bytes());
        mac.verify(&report.mac.into()).map_err(|_| Refused::Report)
    }

    /// The signature with all that vouches for the key it was made with.
    fn certified(&self, signature: [u8; 64]) -> Vec<u8> {
        let key = self.public_key();
        let own: ReportBody = self.own_report(&key).body;
        let own = own.to_bytes();
        let mut data = signature.to_vec();
        data.extend(key);
        data.extend(own);
        data.extend(sign(&self.pck, &own));
        data.extend(AUTHENTICATION_LEN.to_le_bytes());
        data.extend(AUTHENTICATION);
        data.extend(CERTIFICATION_PCK_CHAIN.to_le_bytes());
        data.extend(len32(self.chain.as_bytes()));
        data.extend(self.chain.as_bytes());
        data
    }

    /// The report that binds the attestation key to this enclave; the provisioning certification enclave signs it.
    fn own_report(&self, key: &[u8; 64]) -> Report {
        let hash = Sha256::new()
            .chain_update(key)
            .chain_update(AUTHENTICATION)
            .finalize();
        self.report(&TargetInfo::ZERO, padded(hash.into()))
    }

    /// x and y of the attestation key.
    fn public_key(&self) -> [u8; 64] {
        let point = self.attestation.verifying_key().to_sec1_point(false);
        let mut key = [0; 64];
        // The first byte only says that the other 64 are coordinates.
        for (to, from) in key.iter_mut().zip(point.as_bytes().iter().skip(1)) {
            *to = *from;
        }
        key
    }
}

/// A hash as report data.
pub(super) fn padded(hash: [u8; 32]) -> [u8; 64] {
    let mut data = [0; 64];
    for (to, from) in data.iter_mut().zip(hash) {
        *to = from;
    }
    data
}

fn sign(key: &SigningKey, message: &[u8]) -> [u8; 64] {
    let signature: Signature = key.sign(message);
    signature.to_bytes().into()
}

/// A length as quotes hold it.
fn len32(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len())
        .map(u32::to_le_bytes)
        .unwrap_or_default()
}

/// In the header of every quote, where Intel's enclave puts an identity of the platform.
const MARK: [u8; 20] = *b"SIMULATED-NOT-SECURE";

/// Intel's, because verifiers know no other vendor; the other marks tell the difference.
const VENDOR: [u8; 16] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];

const KEY_TYPE_ECDSA_P256: u16 = 2;

const CERTIFICATION_PCK_CHAIN: u16 = 5;

/// What the report of the quoting enclave vouches for besides the key.
const AUTHENTICATION: [u8; 32] = *b"SIMULATED QE AUTHENTICATION DATA";
const AUTHENTICATION_LEN: u16 = 32;

const _: () = assert!(AUTHENTICATION.len() == AUTHENTICATION_LEN as usize);
