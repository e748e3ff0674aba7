//! Bytes in lower-case hexadecimal digits.

/// The bytes, if the text is exactly them.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = 16 * digit(*high)? + digit(*low)?;
    }
    Some(bytes)
}

fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Any number of bytes, with digits of either case, as services write them.
pub(crate) fn decode_any(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks();
    let byte = |[high, low]: &[u8; 2]| {
        let digit = |letter: &u8| digit(letter.to_ascii_lowercase());
        Some(16 * digit(high)? + digit(low)?)
    };
    if rest.is_empty() {
        pairs.iter().map(byte).collect()
    } else {
        None
    }
}

/// The digits.
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_number_of_lower_case_digits_is_taken() {
        assert_eq!(decode("00ff1a"), Some([0, 255, 0x1a]));
        assert_eq!(encode(&[0, 255, 0x1a]), "00ff1a");
        for text in [
            "", "00ff1", "00ff1a0", "00ff1a00", "00FF1A", "00fg1a", "0 ff1a",
        ] {
            assert_eq!(decode::<3>(text), None, "{text}");
        }
    }
}
