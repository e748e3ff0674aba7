//! Leaves debugging information out of a module and keeps everything else, the names of functions above all.
//!
//! The linker offers both or neither. Debugging information makes up nine tenths of a small C program.

/// A module's magic number and version.
const PREAMBLE_LEN: usize = 8;

/// The number of a custom section.
const CUSTOM: u8 = 0;

/// Returns the module without its `.debug_*` sections; anything that cannot be read stays as it is.
pub(crate) fn without_debug(module: &[u8]) -> Vec<u8> {
    let (preamble, mut rest) = module.split_at(module.len().min(PREAMBLE_LEN));
    let mut kept = preamble.to_vec();
    while let Some((section, after)) = split_section(rest) {
        if !is_debug(section) {
            kept.extend_from_slice(section);
        }
        rest = after;
    }
    kept.extend_from_slice(rest);
    kept
}

/// Splits off the first section: number, length, contents.
fn split_section(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, len_len) = leb128(bytes.get(1..)?)?;
    bytes.split_at_checked(len.checked_add(1 + len_len)?)
}

/// Whether a section holds debugging information.
fn is_debug(section: &[u8]) -> bool {
    fn name(section: &[u8]) -> Option<&[u8]> {
        let contents = section.get(1 + leb128(section.get(1..)?)?.1..)?;
        let (len, len_len) = leb128(contents)?;
        contents.get(len_len..len_len.checked_add(len)?)
    }
    section.first() == Some(&CUSTOM)
        && name(section).is_some_and(|name| name.starts_with(b".debug_"))
}

/// Reads an unsigned number of at most 32 bits and returns it with its length in bytes.
fn leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_debugging_information_is_left_out() {
        let preamble = b"\0asm\x01\0\0\0";
        let names = b"\0\x06\x04name\0";
        let debug = b"\0\x0d\x0b.debug_info\0";
        let types = b"\x01\x01\0";
        let module = [&preamble[..], names, debug, types].concat();
        assert_eq!(
            without_debug(&module),
            [&preamble[..], names, types].concat()
        );
    }

    #[test]
    fn what_cannot_be_read_stays_as_it_is() {
        for garbage in [
            &b""[..],
            b"\0as",
            b"\0asm\x01\0\0\0\0\xff",
            b"\0asm\x01\0\0\0\0\x09abc",
        ] {
            assert_eq!(without_debug(garbage), garbage);
        }
    }
}
