//! The map that claims are written as: its keys, their order, and which of them a purpose takes.

use alloc::vec::Vec;

use crate::cbor::{self, Reader, Writer, Written};
use crate::claims::{Claims, Nonce, Purpose, Statement};
use crate::error::Error;
use crate::limits::CLAIMS_LEN_BYTES_MAX;

/// The entries of the map, as they come.
#[derive(Default)]
pub(crate) struct Parts {
    nonce: Option<Nonce>,
    document: Option<[u8; 64]>,
    hpke: Option<[u8; 32]>,
    user: Option<[u8; 32]>,
    module: Option<[u8; 32]>,
    purpose: Option<Purpose>,
    public_key: Option<[u8; 32]>,
}

impl Parts {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut parts = Self::default();
        // A key that comes twice shows when the encodings are compared.
        for _ in 0..reader.map()? {
            match reader.text("key")? {
                NONCE => parts.nonce = Some(Nonce::new(reader.bytes(NONCE)?)?),
                DOCUMENT => parts.document = Some(reader.exactly(DOCUMENT)?),
                HPKE => parts.hpke = Some(reader.exactly(HPKE)?),
                USER => parts.user = Some(reader.exactly(USER)?),
                MODULE => parts.module = Some(reader.exactly(MODULE)?),
                PURPOSE => {
                    let purpose = Purpose::from_name(reader.text(PURPOSE)?);
                    parts.purpose = Some(purpose.ok_or(Error::UnknownPurpose)?);
                }
                PUBLIC_KEY => {
                    let mut inner =
                        Reader::new(PUBLIC_KEY, reader.bytes(PUBLIC_KEY)?, CLAIMS_LEN_BYTES_MAX)?;
                    inner.array(2)?;
                    if inner.part("hash algorithm", minicbor::Decoder::u64)? != SHA_256 {
                        return Err(inner.malformed("hash algorithm"));
                    }
                    let hash = inner.exactly("hash")?;
                    inner.finish(&hash_entry(&hash))?;
                    parts.public_key = Some(hash);
                }
                _ => return Err(Error::UnknownClaim),
            }
        }
        Ok(parts)
    }

    /// Takes what goes with the purpose, and refuses what is left.
    pub(crate) fn check(mut self) -> Result<Claims, Error> {
        let purpose = needed(self.purpose.take(), PURPOSE)?;
        let document = needed(self.document.take(), DOCUMENT)?;
        let statement = match purpose {
            Purpose::Launch => Statement::Launch {
                module: self.take_module()?,
                nonce: self.nonce.take(),
            },
            Purpose::RaTls => Statement::RaTls {
                module: self.take_module()?,
                public_key: needed(self.public_key.take(), PUBLIC_KEY)?,
                nonce: self.nonce.take(),
            },
            Purpose::Provision => Statement::Provision {
                key: self.take_key()?,
            },
            Purpose::Migrate => Statement::Migrate {
                key: self.take_key()?,
            },
            Purpose::Guest => Statement::Guest {
                module: self.take_module()?,
                user: self.take_user()?,
            },
            Purpose::Peer => Statement::Peer {
                module: self.take_module()?,
                user: self.take_user()?,
            },
        };
        match self.left_over() {
            Some(claim) => Err(Error::UnexpectedClaim { claim, purpose }),
            None => Ok(Claims {
                document,
                statement,
            }),
        }
    }

    fn take_module(&mut self) -> Result<[u8; 32], Error> {
        needed(self.module.take(), MODULE)
    }

    fn take_key(&mut self) -> Result<[u8; 32], Error> {
        needed(self.hpke.take(), HPKE)
    }

    fn take_user(&mut self) -> Result<[u8; 32], Error> {
        needed(self.user.take(), USER)
    }

    fn left_over(&self) -> Option<&'static str> {
        let there = [
            (self.nonce.is_some(), NONCE),
            (self.hpke.is_some(), HPKE),
            (self.user.is_some(), USER),
            (self.module.is_some(), MODULE),
            (self.public_key.is_some(), PUBLIC_KEY),
        ];
        there.into_iter().find(|(is, _)| *is).map(|(_, key)| key)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let len = [
            self.nonce.is_some(),
            self.document.is_some(),
            self.hpke.is_some(),
            self.user.is_some(),
            self.module.is_some(),
            self.purpose.is_some(),
            self.public_key.is_some(),
        ]
        .into_iter()
        .map(u64::from)
        .sum();
        // In the order of RFC 8949: keys of this length compare by their lengths, then by their letters.
        cbor::encode(|out| {
            out.map(len)?;
            put(out, NONCE, self.nonce.as_ref().map(Nonce::as_bytes))?;
            put(
                out,
                DOCUMENT,
                self.document.as_ref().map(<[u8; 64]>::as_slice),
            )?;
            put(out, HPKE, self.hpke.as_ref().map(<[u8; 32]>::as_slice))?;
            put(out, USER, self.user.as_ref().map(<[u8; 32]>::as_slice))?;
            put(out, MODULE, self.module.as_ref().map(<[u8; 32]>::as_slice))?;
            if let Some(purpose) = self.purpose {
                out.str(PURPOSE)?.str(purpose.name())?;
            }
            let public_key = self.public_key.as_ref().map(hash_entry);
            put(out, PUBLIC_KEY, public_key.as_deref())
        })
    }
}

impl From<&Claims> for Parts {
    fn from(claims: &Claims) -> Self {
        let mut parts = Self {
            document: Some(claims.document),
            purpose: Some(claims.purpose()),
            module: claims.module().copied(),
            nonce: claims.nonce().cloned(),
            ..Self::default()
        };
        match claims.statement {
            Statement::Launch { .. } => {}
            Statement::RaTls { public_key, .. } => parts.public_key = Some(public_key),
            Statement::Provision { key } | Statement::Migrate { key } => parts.hpke = Some(key),
            Statement::Guest { user, .. } | Statement::Peer { user, .. } => {
                parts.user = Some(user);
            }
        }
        parts
    }
}

fn needed<T>(claim: Option<T>, name: &'static str) -> Result<T, Error> {
    claim.ok_or(Error::MissingClaim { claim: name })
}

fn put(out: &mut Writer<'_>, key: &str, value: Option<&[u8]>) -> Written {
    if let Some(value) = value {
        out.str(key)?.bytes(value)?;
    }
    Ok(())
}

/// The value of `pubkey-hash`: `[1, hash]`.
fn hash_entry(hash: &[u8; 32]) -> Vec<u8> {
    cbor::encode(|out| out.array(2)?.u64(SHA_256)?.bytes(hash)?.ok())
}

const NONCE: &str = "nonce";
const DOCUMENT: &str = "tw-doc";
const HPKE: &str = "tw-hpke";
const USER: &str = "tw-user";
const MODULE: &str = "tw-module";
const PURPOSE: &str = "tw-purpose";
const PUBLIC_KEY: &str = "pubkey-hash";

/// SHA-256 in the registry "Named Information Hash Algorithm", which `pubkey-hash` refers to.
const SHA_256: u64 = 1;
