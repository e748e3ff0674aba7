//! Deterministic CBOR (RFC 8949, section 4.2.1): every value has one encoding, and no other is read.
//!
//! Readers here take bytes apart generously and then compare with what the writer makes of the value. So there is one
//! description of each form, the writer, and nothing about lengths, order or duplicates has to be checked by hand.

use alloc::vec::Vec;
use core::convert::Infallible;

use minicbor::decode::Decoder;
use minicbor::encode::{self, Encoder};

use crate::error::Error;

/// What writes a value.
pub(crate) type Writer<'a> = Encoder<&'a mut Vec<u8>>;

/// What comes of writing a part of a value.
pub(crate) type Written = Result<(), encode::Error<Infallible>>;

/// Returns what `write` writes.
pub(crate) fn encode(write: impl FnOnce(&mut Writer<'_>) -> Written) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = write(&mut Encoder::new(&mut bytes));
    assert!(written.is_ok(), "a vector takes every byte");
    bytes
}

/// The bytes of one value, on the way to being read.
pub(crate) struct Reader<'b> {
    /// What is read, for errors.
    what: &'static str,
    bytes: &'b [u8],
    decoder: Decoder<'b>,
}

impl<'b> Reader<'b> {
    /// Begins to read `what`, which takes at most `max` bytes.
    pub(crate) fn new(what: &'static str, bytes: &'b [u8], max: usize) -> Result<Self, Error> {
        let len = bytes.len();
        if len > max {
            return Err(Error::TooLong { what, len, max });
        }
        let decoder = Decoder::new(bytes);
        Ok(Self {
            what,
            bytes,
            decoder,
        })
    }

    /// Reads one part; `part` names it for the error.
    pub(crate) fn part<T>(
        &mut self,
        part: &'static str,
        read: impl FnOnce(&mut Decoder<'b>) -> Result<T, minicbor::decode::Error>,
    ) -> Result<T, Error> {
        read(&mut self.decoder).map_err(|_| self.malformed(part))
    }

    /// Reads the head of an array of `len` items.
    pub(crate) fn array(&mut self, len: u64) -> Result<(), Error> {
        match self.part("array", Decoder::array)? {
            Some(found) if found == len => Ok(()),
            _ => Err(self.malformed("array")),
        }
    }

    /// Reads the head of a map and returns the number of its entries.
    pub(crate) fn map(&mut self) -> Result<u64, Error> {
        let len = self.part("map", Decoder::map)?;
        len.ok_or_else(|| self.malformed("map"))
    }

    /// Reads a text.
    pub(crate) fn text(&mut self, part: &'static str) -> Result<&'b str, Error> {
        self.part(part, Decoder::str)
    }

    /// Reads a byte string.
    pub(crate) fn bytes(&mut self, part: &'static str) -> Result<&'b [u8], Error> {
        self.part(part, Decoder::bytes)
    }

    /// Reads a byte string of exactly `N` bytes.
    pub(crate) fn exactly<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], Error> {
        let bytes = self.bytes(part)?;
        bytes.try_into().map_err(|_| self.malformed(part))
    }

    /// Reads the name and the version that a message begins with.
    pub(crate) fn message(&mut self, name: &str, version: u64) -> Result<(), Error> {
        if self.text("name of the message")? != name {
            return Err(self.malformed("name of the message"));
        }
        if self.part("version of the message", Decoder::u64)? != version {
            return Err(self.malformed("version of the message"));
        }
        Ok(())
    }

    /// How many bytes have been read.
    pub(crate) fn position(&self) -> usize {
        self.decoder.position()
    }

    /// Ends the reading of a value whose one encoding is `canonical`.
    pub(crate) fn finish(self, canonical: &[u8]) -> Result<(), Error> {
        if self.bytes == canonical {
            Ok(())
        } else {
            Err(Error::NotDeterministic { what: self.what })
        }
    }

    /// The error for a part that is not as it should be.
    pub(crate) fn malformed(&self, part: &'static str) -> Error {
        Error::Malformed {
            what: self.what,
            part,
        }
    }
}
