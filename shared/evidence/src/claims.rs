//! Claims: what the runtime says of its enclave, and for which purpose.
//!
//! ```text
//! claims (CBOR) ──SHA-256──► REPORT_DATA = hash || 32 zero bytes
//! ```
//! Which claims go with which purpose is the shape of [`Statement`]: claims that break the table cannot be made, hence not
//! be read either.

use alloc::vec::Vec;
use core::fmt;

use sha2::{Digest as _, Sha256};

use crate::cbor::Reader;
use crate::error::Error;
use crate::limits::{CLAIMS_LEN_BYTES_MAX, NONCE_LEN_BYTES_MAX, NONCE_LEN_BYTES_MIN};
use crate::map::Parts;

/// What an enclave's runtime claims.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claims {
    /// `tw-doc`: SHA-512 of the launch document. A verifier compares it with the quote's CONFIGID.
    pub document: [u8; 64],
    /// The rest, which depends on the purpose.
    pub statement: Statement,
}

/// A purpose with the claims that go with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Statement {
    /// An enclave with this identity holds this document, now, if a nonce is given.
    Launch {
        /// `tw-module`: SHA-256 of the compiled module.
        module: [u8; 32],
        /// `nonce`: the verifier's.
        nonce: Option<Nonce>,
    },
    /// The private key of this certificate was made in this enclave.
    RaTls {
        /// `tw-module`: SHA-256 of the compiled module.
        module: [u8; 32],
        /// `pubkey-hash`: SHA-256 of the certificate's SubjectPublicKeyInfo.
        public_key: [u8; 32],
        /// `nonce`: the verifier's.
        nonce: Option<Nonce>,
    },
    /// What is encrypted to this key, only this enclave reads.
    Provision {
        /// `tw-hpke`: a public key (X25519), made in the enclave for this one use.
        key: [u8; 32],
    },
    /// As [`Provision`](Self::Provision), towards another enclave of this machine.
    Migrate {
        /// `tw-hpke`: a public key (X25519), made in the enclave for this one use.
        key: [u8; 32],
    },
    /// The guest asked for this evidence and chose the data.
    Guest {
        /// `tw-module`: SHA-256 of the compiled module.
        module: [u8; 32],
        /// `tw-user`: SHA-256 of what the guest chose.
        user: [u8; 32],
    },
    /// As [`Guest`](Self::Guest), towards another enclave of this machine.
    Peer {
        /// `tw-module`: SHA-256 of the compiled module.
        module: [u8; 32],
        /// `tw-user`: SHA-256 of what the guest chose.
        user: [u8; 32],
    },
}

/// What evidence is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Purpose {
    /// An enclave holds a document.
    Launch,
    /// A certificate's key belongs to an enclave.
    RaTls,
    /// An encryption key belongs to an enclave.
    Provision,
    /// As `Provision`, between enclaves of one machine.
    Migrate,
    /// A guest chose the data.
    Guest,
    /// As `Guest`, between enclaves of one machine.
    Peer,
}

/// A verifier's nonce, of a length that is allowed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Nonce(Vec<u8>);

impl Claims {
    /// What these claims are for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        match self.statement {
            Statement::Launch { .. } => Purpose::Launch,
            Statement::RaTls { .. } => Purpose::RaTls,
            Statement::Provision { .. } => Purpose::Provision,
            Statement::Migrate { .. } => Purpose::Migrate,
            Statement::Guest { .. } => Purpose::Guest,
            Statement::Peer { .. } => Purpose::Peer,
        }
    }

    /// SHA-256 of the compiled module, where the purpose has it.
    #[must_use]
    pub const fn module(&self) -> Option<&[u8; 32]> {
        match &self.statement {
            Statement::Launch { module, .. }
            | Statement::RaTls { module, .. }
            | Statement::Guest { module, .. }
            | Statement::Peer { module, .. } => Some(module),
            Statement::Provision { .. } | Statement::Migrate { .. } => None,
        }
    }

    /// The verifier's nonce, where the purpose may have one and it was given.
    #[must_use]
    pub const fn nonce(&self) -> Option<&Nonce> {
        match &self.statement {
            Statement::Launch { nonce, .. } | Statement::RaTls { nonce, .. } => nonce.as_ref(),
            _ => None,
        }
    }

    /// What a report has to carry to vouch for these claims.
    #[must_use]
    pub fn report_data(&self) -> [u8; 64] {
        report_data(&self.encode())
    }

    /// Returns the one encoding of these claims.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Parts::from(self).encode()
    }

    /// Reads claims. Whether anything vouches for them is another question: [`vouched`](Self::vouched).
    ///
    /// # Errors
    /// An [`Error`] if the bytes are not the encoding of claims that [`Statement`] allows.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("claims", bytes, CLAIMS_LEN_BYTES_MAX)?;
        let claims = Parts::read(&mut reader)?.check()?;
        reader.finish(&claims.encode())?;
        Ok(claims)
    }

    /// Reads the claims that a report vouches for with its REPORT_DATA.
    ///
    /// # Errors
    /// [`Error::NotVouchedFor`] if the report vouches for others; otherwise as [`decode`](Self::decode).
    pub fn vouched(bytes: &[u8], data: &[u8; 64]) -> Result<Self, Error> {
        if report_data(bytes) == *data {
            Self::decode(bytes)
        } else {
            Err(Error::NotVouchedFor)
        }
    }
}

/// What a report has to carry to vouch for encoded claims.
#[must_use]
pub fn report_data(claims: &[u8]) -> [u8; 64] {
    let mut data = [0; 64];
    let (hash, _) = data.split_at_mut(32);
    hash.copy_from_slice(&sha256(claims));
    data
}

/// SHA-256: of a SubjectPublicKeyInfo (DER), of what a guest chose, of a module.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

impl Nonce {
    /// Takes a nonce.
    ///
    /// # Errors
    /// [`Error::NonceLength`] unless it has 8 to 64 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, Error> {
        let len = bytes.len();
        if (NONCE_LEN_BYTES_MIN..=NONCE_LEN_BYTES_MAX).contains(&len) {
            Ok(Self(bytes.to_vec()))
        } else {
            Err(Error::NonceLength { len })
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 6] = [
        Self::Launch,
        Self::RaTls,
        Self::Provision,
        Self::Migrate,
        Self::Guest,
        Self::Peer,
    ];

    /// Its name in claims.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::RaTls => "ra-tls",
            Self::Provision => "provision",
            Self::Migrate => "migrate",
            Self::Guest => "guest",
            Self::Peer => "peer",
        }
    }

    /// The purpose of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
