//! Distinguished Encoding Rules (ITU-T X.690), the writing half, as far as certificates need it.

use alloc::vec::Vec;

/// What a value is: the identifier octet. No tag here is above 30.
#[derive(Clone, Copy)]
pub(super) struct Tag(u8);

impl Tag {
    pub(super) const INTEGER: Self = Self(0x02);
    pub(super) const BIT_STRING: Self = Self(0x03);
    pub(super) const OCTET_STRING: Self = Self(0x04);
    pub(super) const UTF8_STRING: Self = Self(0x0c);
    pub(super) const UTC_TIME: Self = Self(0x17);
    pub(super) const GENERALIZED_TIME: Self = Self(0x18);
    pub(super) const SEQUENCE: Self = Self(0x30);
    pub(super) const SET: Self = Self(0x31);

    /// Around a value with a tag of its own.
    pub(super) const fn explicit(number: u8) -> Self {
        Self(0xa0 | number & 0x1f)
    }

    /// In place of a primitive value's own tag.
    pub(super) const fn implicit(number: u8) -> Self {
        Self(0x80 | number & 0x1f)
    }
}

/// A value with these contents, one part behind the other.
pub(super) fn put(tag: Tag, parts: &[&[u8]]) -> Vec<u8> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let Ok([low, middle, high, 0]) = u32::try_from(len).map(u32::to_le_bytes) else {
        unreachable!("evidence is far shorter than 16 MiB, and so is all around it");
    };
    let mut out = Vec::with_capacity(HEAD_LEN_MAX.saturating_add(len));
    out.push(tag.0);
    match len {
        0..0x80 => out.push(low),
        0x80..0x100 => out.extend([0x81, low]),
        0x100..0x1_0000 => out.extend([0x82, middle, low]),
        _ => out.extend([0x83, high, middle, low]),
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// Identifier and length.
const HEAD_LEN_MAX: usize = 5;
