//! The envelope: who it is for, the ciphertext, the signature.

use alloc::vec::Vec;
use core::convert::Infallible;
use core::ops::Range;

use minicbor::Encoder;
use minicbor::encode::{Error as EncodeError, Write};
use sha2::{Digest as _, Sha256};

use super::{KEY_LEN, SIGNATURE_LEN};
use crate::canonical;
use crate::cbor::{self, Reader};
use crate::error::Error;
use crate::limits::BUNDLE_LEN_BYTES_MAX;

const WHAT: &str = "bundle";
const NAME: &str = "twine-bundle";
const VERSION: u64 = 1;

/// Whom a bundle is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header<'a> {
    /// The engine profile that its module was compiled for.
    pub engine: &'a str,
    /// SHA-256 of the request that it answers.
    pub request: &'a [u8; 32],
    /// CONFIGID: the application.
    pub config_id: &'a [u8; 64],
}

impl<'a> Header<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        cbor::encode(|encoder| self.write(encoder))
    }

    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("header of the bundle", bytes, BUNDLE_LEN_BYTES_MAX)?;
        if reader.map()? != 3 {
            return Err(reader.malformed("number of entries"));
        }
        let header = Self {
            engine: entry(&mut reader, "engine", Reader::text)?,
            request: entry(&mut reader, "request", exactly)?,
            config_id: entry(&mut reader, "config-id", exactly)?,
        };
        reader.finish(&header.encode())?;
        Ok(header)
    }

    fn write<W: Write>(&self, encoder: &mut Encoder<W>) -> Result<(), EncodeError<W::Error>> {
        encoder.map(3)?.str("engine")?.str(self.engine)?;
        encoder.str("request")?.bytes(self.request)?;
        encoder.str("config-id")?.bytes(self.config_id)?.ok()
    }
}

/// The parts of a bundle.
#[derive(Clone, Copy)]
pub(crate) struct Envelope<'a> {
    /// The encoded [`Header`].
    pub(crate) header: &'a [u8],
    /// The encapsulated key.
    pub(crate) encapsulated: &'a [u8; KEY_LEN],
    /// The encrypted payload with its tag.
    pub(crate) ciphertext: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// What a provisioner signs: SHA-256 of the array of all items but the signature.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut encoder = Encoder::new(Hash(Sha256::new()));
        let written = self.write(&mut encoder, 5);
        assert!(written.is_ok(), "hashing takes every byte");
        encoder.into_writer().0.finalize().into()
    }

    /// The bundle with this signature.
    pub(crate) fn encode(&self, signature: &[u8; SIGNATURE_LEN]) -> Vec<u8> {
        let capacity = self.ciphertext.len() + self.header.len() + HEADS_LEN;
        let mut encoder = Encoder::new(Vec::with_capacity(capacity));
        let written = self
            .write(&mut encoder, 6)
            .and_then(|()| encoder.bytes(signature)?.ok());
        assert!(written.is_ok(), "a vector takes every byte");
        encoder.into_writer()
    }

    /// Reads a bundle. Returns the signature, too, and where the ciphertext is.
    pub(crate) fn parse(
        bytes: &'a [u8],
    ) -> Result<(Self, &'a [u8; SIGNATURE_LEN], Range<usize>), Error> {
        let mut reader = Reader::new(WHAT, bytes, BUNDLE_LEN_BYTES_MAX)?;
        reader.array(6)?;
        reader.message(NAME, VERSION)?;
        let header = reader.bytes("header")?;
        let encapsulated = exactly(&mut reader, "encapsulated key")?;
        let ciphertext = reader.bytes("ciphertext")?;
        let end = reader.position();
        let signature = exactly(&mut reader, "signature")?;
        let envelope = Self {
            header,
            encapsulated,
            ciphertext,
        };
        let whole = canonical::is_encoding(bytes, |encoder| {
            envelope.write(encoder, 6)?;
            encoder.bytes(signature)?.ok()
        });
        if !whole {
            return Err(Error::NotDeterministic { what: WHAT });
        }
        Ok((envelope, signature, end - ciphertext.len()..end))
    }

    /// Writes the start of an array of `items`.
    fn write<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        items: u64,
    ) -> Result<(), EncodeError<W::Error>> {
        encoder.array(items)?.str(NAME)?.u64(VERSION)?;
        encoder.bytes(self.header)?.bytes(self.encapsulated)?;
        encoder.bytes(self.ciphertext)?.ok()
    }
}

/// Bytes of a bundle beside header and ciphertext: name, version, key and signature, with their heads.
const HEADS_LEN: usize = 1 + 13 + 1 + 5 + 34 + 5 + 66;

/// Reads the entry of a map that has this key.
fn entry<'a, T>(
    reader: &mut Reader<'a>,
    key: &'static str,
    read: impl FnOnce(&mut Reader<'a>, &'static str) -> Result<T, Error>,
) -> Result<T, Error> {
    if reader.text(key)? != key {
        return Err(reader.malformed(key));
    }
    read(reader, key)
}

fn exactly<'a, const N: usize>(
    reader: &mut Reader<'a>,
    part: &'static str,
) -> Result<&'a [u8; N], Error> {
    let bytes = reader.bytes(part)?;
    bytes.try_into().map_err(|_| reader.malformed(part))
}

struct Hash(Sha256);

impl Write for Hash {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.update(bytes);
        Ok(())
    }
}
