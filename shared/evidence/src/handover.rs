//! What the enclave that has volumes tells the one that takes them over (`docs/attestation.md`, section 5).

use alloc::vec::Vec;

use minicbor::decode::Decoder;

use crate::cbor::{self, Reader};
use crate::error::Error;
use crate::limits::{HAND_OVER_LEN_BYTES_MAX, VOLUME_KEYS_COUNT_MAX};
use crate::peer::PeerMessage;

/// One message for each volume: whose key is in it, encrypted to the one who asked. Nothing has been checked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HandOver(Vec<PeerMessage>);

impl HandOver {
    /// Puts messages together.
    ///
    /// # Errors
    /// [`Error::Malformed`] if there are more than a launch document has mounts.
    pub fn new(messages: Vec<PeerMessage>) -> Result<Self, Error> {
        if messages.len() > VOLUME_KEYS_COUNT_MAX {
            return Err(Error::Malformed {
                what: "hand-over",
                part: "number of messages",
            });
        }
        Ok(Self(messages))
    }

    /// The messages.
    #[must_use]
    pub fn messages(&self) -> &[PeerMessage] {
        &self.0
    }

    /// Returns the one encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(|out| {
            out.array(3)?
                .str(NAME)?
                .u64(VERSION)?
                .array(self.0.len() as u64)?;
            for message in &self.0 {
                out.bytes(&message.encode())?;
            }
            Ok(())
        })
    }

    /// Reads what [`encode`](Self::encode) writes.
    ///
    /// # Errors
    /// An [`Error`] if the bytes are no such encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("hand-over", bytes, HAND_OVER_LEN_BYTES_MAX)?;
        reader.array(3)?;
        reader.message(NAME, VERSION)?;
        let count = reader.part("messages", Decoder::array)?.unwrap_or(u64::MAX);
        let mut messages = Vec::new();
        // Every message takes bytes, so this ends with them.
        for _ in 0..count {
            messages.push(PeerMessage::decode(reader.bytes("message")?)?);
        }
        let hand_over = Self::new(messages)?;
        reader.finish(&hand_over.encode())?;
        Ok(hand_over)
    }
}

const NAME: &str = "twine-handover";
const VERSION: u64 = 1;
