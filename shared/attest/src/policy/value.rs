//! Values of the policy's file that TOML has no types for.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use super::ConfigIds;

/// Bytes in lower-case hexadecimal digits.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Hex<const N: usize>(pub(super) [u8; N]);

/// The bytes of each.
pub(super) fn plain<const N: usize>(list: Vec<Hex<N>>) -> Vec<[u8; N]> {
    list.into_iter().map(|hex| hex.0).collect()
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let refuse =
            || de::Error::custom(format!("must be {} lower-case hexadecimal digits", 2 * N));
        crate::hex::decode(&text).map(Self).ok_or_else(refuse)
    }
}

impl<'de> Deserialize<'de> for ConfigIds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ConfigIdsVisitor)
    }
}

struct ConfigIdsVisitor;

impl<'de> Visitor<'de> for ConfigIdsVisitor {
    type Value = ConfigIds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of launch documents' hashes, each `sha512:` and 128 lower-case hexadecimal digits, or \"any\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ConfigIds, E> {
        match text {
            "any" => Ok(ConfigIds::Any),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ConfigIds, A::Error> {
        let mut ids = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            let id = text.strip_prefix("sha512:").and_then(crate::hex::decode);
            ids.push(
                id.ok_or_else(|| de::Error::invalid_value(de::Unexpected::Str(&text), &self))?,
            );
        }
        Ok(ConfigIds::Listed(ids))
    }
}
