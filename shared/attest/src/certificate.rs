//! RA-TLS certificates: X.509 certificates with evidence about their key, in the interoperable format.
//!
//! (Confidential Computing Consortium, "Interoperable RA-TLS".) The extension 2.23.133.5.4.9 holds tagged evidence, whose
//! claims have the hash of the certificate's SubjectPublicKeyInfo under `pubkey-hash`. Certificates of other projects are
//! not all strict about DER (algorithm parameters that should be absent, serial numbers of odd lengths), so nothing
//! is asked of them but what is needed here; the evidence itself is read strictly.

use std::fmt;

use sha2::{Digest as _, Sha256, Sha384, Sha512};
use twine_evidence::Evidence;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _};

use crate::limits::CERTIFICATE_LEN_BYTES_MAX;

/// tcg-dice-TaggedEvidence. (TCG, "DICE Attestation Architecture".)
const TAGGED_EVIDENCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.5.4.9");

/// What is needed of a certificate.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) evidence: Evidence,
    /// SubjectPublicKeyInfo, DER.
    pub(crate) public_key: Vec<u8>,
}

/// Why bytes are not a certificate with evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More bytes than a certificate needs.
    #[error("the certificate has {0} bytes, at most {CERTIFICATE_LEN_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// Neither DER nor PEM of a certificate.
    #[error("this is not a certificate: {0}")]
    Form(String),
    /// An ordinary certificate.
    #[error(
        "the certificate holds no evidence (extension 2.23.133.5.4.9): it is an ordinary one, or made before \
         the interoperable format"
    )]
    NoEvidence,
    /// The extension is there twice.
    #[error("the certificate holds evidence twice")]
    Twice,
    /// The evidence is not in its form.
    #[error("the certificate's evidence: {0}")]
    Evidence(twine_evidence::Error),
}

impl Certificate {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > CERTIFICATE_LEN_BYTES_MAX {
            return Err(Error::TooLong(bytes.len()));
        }
        let form = |error: &dyn fmt::Display| Error::Form(error.to_string());
        let text;
        let der = if crate::presented::is_pem(bytes) {
            text = pem::parse(bytes).map_err(|error| form(&error))?;
            text.contents()
        } else {
            bytes
        };
        let certificate = CertificateInner::<Raw>::from_der(der).map_err(|error| form(&error))?;
        let body = certificate.tbs_certificate();
        let extensions = body.extensions().map_or([].as_slice(), Vec::as_slice);
        let mut found = extensions
            .iter()
            .filter(|extension| extension.extn_id == TAGGED_EVIDENCE);
        let evidence = found.next().ok_or(Error::NoEvidence)?;
        if found.next().is_some() {
            return Err(Error::Twice);
        }
        let evidence = Evidence::decode(evidence.extn_value.as_bytes()).map_err(Error::Evidence)?;
        let public_key = body.subject_public_key_info().to_der();
        Ok(Self {
            evidence,
            public_key: public_key.map_err(|error| form(&error))?,
        })
    }
}

/// What the claims of any project's certificate have.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct ForeignClaims {
    key_hash: KeyHash,
    pub(crate) nonce: Option<Vec<u8>>,
    ours: bool,
}

/// The hash of a certificate's key, in one of the three ways that a verifier has to know.
#[derive(Debug, Eq, PartialEq)]
enum KeyHash {
    Sha256(Vec<u8>),
    Sha384(Vec<u8>),
    Sha512(Vec<u8>),
}

impl ForeignClaims {
    /// Reads the claims of interoperable RA-TLS. Unknown ones are left alone, as that format asks for.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, minicbor::decode::Error> {
        let mut decoder = minicbor::Decoder::new(bytes);
        let entries = decoder
            .map()?
            .ok_or_else(|| fault("a map of indefinite length"))?;
        let (mut key_hash, mut nonce, mut ours) = (None, None, false);
        for _ in 0..entries {
            let (slot, name) = match decoder.str()? {
                "pubkey-hash" => (&mut key_hash, "pubkey-hash"),
                "nonce" => (&mut nonce, "nonce"),
                other => {
                    ours |= other.starts_with("tw-");
                    decoder.skip()?;
                    continue;
                }
            };
            if slot.replace(decoder.bytes()?.to_vec()).is_some() {
                return Err(fault(format!("`{name}` twice")));
            }
        }
        if decoder.position() != bytes.len() {
            return Err(fault("bytes behind the map"));
        }
        let key_hash = key_hash.ok_or_else(|| fault("`pubkey-hash` is missing"))?;
        Ok(Self {
            key_hash: KeyHash::decode(&key_hash)?,
            nonce,
            ours,
        })
    }

    /// Whether the claims are meant to be our runtime's, and so have to be read as strictly as those.
    pub(crate) const fn are_ours(&self) -> bool {
        self.ours
    }

    /// Whether the claims are about this key (SubjectPublicKeyInfo, DER).
    pub(crate) fn are_about(&self, public_key: &[u8]) -> bool {
        match &self.key_hash {
            KeyHash::Sha256(hash) => *hash == Sha256::digest(public_key).as_slice(),
            KeyHash::Sha384(hash) => *hash == Sha384::digest(public_key).as_slice(),
            KeyHash::Sha512(hash) => *hash == Sha512::digest(public_key).as_slice(),
        }
    }
}

impl KeyHash {
    /// Reads `[algorithm, hash]`. (IANA, "Named Information Hash Algorithm Registry".)
    fn decode(bytes: &[u8]) -> Result<Self, minicbor::decode::Error> {
        let mut decoder = minicbor::Decoder::new(bytes);
        if decoder.array()? != Some(2) {
            return Err(fault("`pubkey-hash` is not a pair"));
        }
        let algorithm = decoder.u64()?;
        let hash = decoder.bytes()?.to_vec();
        if decoder.position() != bytes.len() {
            return Err(fault("bytes behind `pubkey-hash`"));
        }
        match algorithm {
            1 => Ok(Self::Sha256(hash)),
            7 => Ok(Self::Sha384(hash)),
            8 => Ok(Self::Sha512(hash)),
            other => Err(fault(format!(
                "the hash algorithm {other} in `pubkey-hash`, where 1, 7 or 8 is expected"
            ))),
        }
    }
}

fn fault(what: impl fmt::Display) -> minicbor::decode::Error {
    minicbor::decode::Error::message(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"a public key";

    fn claims(algorithm: u64, hash: &[u8], more: &[(&str, &[u8])]) -> Vec<u8> {
        let mut pair = minicbor::Encoder::new(Vec::new());
        pair.array(2)
            .unwrap()
            .u64(algorithm)
            .unwrap()
            .bytes(hash)
            .unwrap();
        let mut map = minicbor::Encoder::new(Vec::new());
        map.map(1 + u64::try_from(more.len()).unwrap()).unwrap();
        map.str("pubkey-hash")
            .unwrap()
            .bytes(pair.writer())
            .unwrap();
        for (name, value) in more {
            map.str(name).unwrap().bytes(value).unwrap();
        }
        map.into_writer()
    }

    #[test]
    fn all_three_hashes_of_a_key_are_known_and_no_other() {
        for (algorithm, hash) in [
            (1, Sha256::digest(KEY).to_vec()),
            (7, Sha384::digest(KEY).to_vec()),
            (8, Sha512::digest(KEY).to_vec()),
        ] {
            let right = ForeignClaims::decode(&claims(algorithm, &hash, &[])).unwrap();
            assert!(right.are_about(KEY));
            assert!(!right.are_about(b"another key"));
            let cut = ForeignClaims::decode(&claims(algorithm, &hash[1..], &[])).unwrap();
            assert!(!cut.are_about(KEY), "{algorithm}");
            ForeignClaims::decode(&claims(algorithm + 1, &hash, &[]))
                .map(|other| assert!(!other.are_about(KEY)))
                .unwrap_or_default();
        }
        ForeignClaims::decode(&claims(2, &[0; 16], &[])).unwrap_err();
    }

    #[test]
    fn unknown_claims_are_left_alone_but_not_those_of_our_runtime() {
        let hash = Sha256::digest(KEY);
        let other = ForeignClaims::decode(&claims(1, &hash, &[("key_0", b"x"), ("nonce", b"n")]));
        let other = other.unwrap();
        assert_eq!(other.nonce.as_deref(), Some(b"n".as_slice()));
        assert!(!other.are_ours());
        let ours = ForeignClaims::decode(&claims(1, &hash, &[("tw-purpose", b"x")]));
        assert!(ours.unwrap().are_ours());
    }

    #[test]
    fn claims_of_another_form_are_refused() {
        let hash = Sha256::digest(KEY);
        let right = claims(1, &hash, &[]);
        let twice = claims(1, &hash, &[("pubkey-hash", b"x")]);
        let behind = [right.as_slice(), &[0]].concat();
        let indefinite = [&[0xbf], &right[1..], &[0xff]].concat();
        for wrong in [
            &twice,
            &behind,
            &indefinite,
            &right[1..].to_vec(),
            &vec![0xa0],
            &Vec::new(),
        ] {
            ForeignClaims::decode(wrong).unwrap_err();
        }
        for len in 0..right.len() {
            ForeignClaims::decode(&right[..len]).unwrap_err();
        }
    }
}
