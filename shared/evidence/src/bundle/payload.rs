//! What a bundle brings: a module, secrets, keys of volumes.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use minicbor::Encoder;
use minicbor::encode::{Error as EncodeError, Write};
use zeroize::Zeroizing;

use super::{KEY_LEN, TAG_LEN, is_secret_name};
use crate::canonical;
use crate::cbor::Reader;
use crate::error::Error;
use crate::limits::{
    BUNDLE_LEN_BYTES_MAX, MODULE_LEN_BYTES_MAX, SECRET_LEN_BYTES_MAX, SECRETS_COUNT_MAX,
    VOLUME_KEYS_COUNT_MAX, VOLUME_NAME_LEN_BYTES_MAX,
};

const WHAT: &str = "payload of the bundle";

/// What a bundle brings. It borrows: whoever holds the bytes wipes them.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Payload<'a> {
    /// The compiled module, if it is confidential.
    pub module: Option<&'a [u8]>,
    /// Secrets by their names ([`is_secret_name`]).
    pub secrets: BTreeMap<&'a str, &'a [u8]>,
    /// Keys of volumes by the guest paths of their mounts.
    pub volume_keys: BTreeMap<&'a str, &'a [u8; KEY_LEN]>,
}

impl<'a> Payload<'a> {
    /// Lengths, numbers and names.
    fn check(&self) -> Result<(), Error> {
        let malformed = |part| Err(Error::Malformed { what: WHAT, part });
        if self.module.is_some_and(|m| m.len() > MODULE_LEN_BYTES_MAX) {
            return malformed("length of the module");
        }
        if self.secrets.len() > SECRETS_COUNT_MAX {
            return malformed("number of secrets");
        }
        if self.volume_keys.len() > VOLUME_KEYS_COUNT_MAX {
            return malformed("number of volume keys");
        }
        if !self.secrets.keys().all(|name| is_secret_name(name)) {
            return malformed("name of a secret");
        }
        if self
            .secrets
            .values()
            .any(|s| s.len() > SECRET_LEN_BYTES_MAX)
        {
            return malformed("length of a secret");
        }
        let is_path = |name: &&str| (1..=VOLUME_NAME_LEN_BYTES_MAX).contains(&name.len());
        if !self.volume_keys.keys().all(is_path) {
            return malformed("name of a volume key");
        }
        Ok(())
    }

    /// The bytes, in memory that does not move while it is filled, with room for a tag: no copy is left behind.
    pub(crate) fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.check()?;
        let entry = |name: &str, value: &[u8]| name.len() + value.len() + ENTRY_HEADS_LEN;
        let secrets: usize = self.secrets.iter().map(|(n, v)| entry(n, v)).sum();
        let keys: usize = self.volume_keys.iter().map(|(n, v)| entry(n, *v)).sum();
        let module = self.module.map_or(0, <[u8]>::len);
        let capacity = PARTS_LEN + module + secrets + keys + TAG_LEN;
        let mut encoder = Encoder::new(Vec::with_capacity(capacity));
        let written = self.write(&mut encoder);
        let bytes = Zeroizing::new(encoder.into_writer());
        assert!(
            written.is_ok() && bytes.len() + TAG_LEN <= capacity,
            "a vector takes every byte, and there was room"
        );
        Ok(bytes)
    }

    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(WHAT, bytes, BUNDLE_LEN_BYTES_MAX)?;
        let mut payload = Self::default();
        for _ in 0..entries(&mut reader, "number of parts", PARTS_COUNT_MAX)? {
            match reader.text("name of a part")? {
                "module" => payload.module = Some(reader.bytes("module")?),
                "secrets" => {
                    for _ in 0..entries(&mut reader, "number of secrets", SECRETS_COUNT_MAX)? {
                        let name = reader.text("name of a secret")?;
                        payload.secrets.insert(name, reader.bytes("secret")?);
                    }
                }
                "volume-keys" => {
                    let most = VOLUME_KEYS_COUNT_MAX;
                    for _ in 0..entries(&mut reader, "number of volume keys", most)? {
                        let name = reader.text("name of a volume key")?;
                        let key = reader.bytes("volume key")?.try_into();
                        let key = key.map_err(|_| reader.malformed("volume key"))?;
                        payload.volume_keys.insert(name, key);
                    }
                }
                _ => return Err(reader.malformed("name of a part")),
            }
        }
        payload.check()?;
        if canonical::is_encoding(bytes, |encoder| payload.write(encoder)) {
            Ok(payload)
        } else {
            Err(Error::NotDeterministic { what: WHAT })
        }
    }

    pub(super) fn write<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
    ) -> Result<(), EncodeError<W::Error>> {
        let parts = u64::from(self.module.is_some())
            + u64::from(!self.secrets.is_empty())
            + u64::from(!self.volume_keys.is_empty());
        encoder.map(parts)?;
        if let Some(module) = self.module {
            encoder.str("module")?.bytes(module)?;
        }
        if !self.secrets.is_empty() {
            encoder.str("secrets")?;
            write_map(encoder, self.secrets.iter().map(|(n, v)| (*n, *v)))?;
        }
        if !self.volume_keys.is_empty() {
            encoder.str("volume-keys")?;
            let keys = self.volume_keys.iter();
            write_map(encoder, keys.map(|(n, key)| (*n, key.as_slice())))?;
        }
        Ok(())
    }
}

const PARTS_COUNT_MAX: usize = 3;

/// Bytes of the parts' names, and of the heads around them.
const PARTS_LEN: usize = 64;

/// Bytes before an entry's name and before its value.
const ENTRY_HEADS_LEN: usize = 8;

/// The number of a map's entries, at most `most`.
fn entries(reader: &mut Reader<'_>, part: &'static str, most: usize) -> Result<u64, Error> {
    let count = reader.map()?;
    match usize::try_from(count) {
        Ok(small) if small <= most => Ok(count),
        _ => Err(reader.malformed(part)),
    }
}

fn write_map<'a, W: Write>(
    encoder: &mut Encoder<W>,
    entries: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<(), EncodeError<W::Error>> {
    let mut entries: Vec<_> = entries.collect();
    entries.sort_unstable_by(|(one, _), (other, _)| canonical::order(one, other));
    encoder.map(u64::try_from(entries.len()).unwrap_or(u64::MAX))?;
    for (name, value) in entries {
        encoder.str(name)?.bytes(value)?;
    }
    Ok(())
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("module", &self.module.map(<[u8]>::len))
            .field("secrets", &self.secrets.keys())
            .field("volume_keys", &self.volume_keys.keys())
            .finish()
    }
}
