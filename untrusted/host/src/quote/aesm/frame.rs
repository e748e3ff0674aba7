//! How a message travels: its length as 32 bits in the machine's own order, then its bytes.

use std::io::{self, Read, Write};

/// The longest message that is read. The longest honest one holds a quote.
pub(crate) const MESSAGE_LEN_MAX: usize = 1 << 20;

/// Reads a message.
///
/// # Errors
/// The stream's; [`io::ErrorKind::UnexpectedEof`] if it ends too early, [`io::ErrorKind::InvalidData`] if the message
/// would be longer than [`MESSAGE_LEN_MAX`].
pub(crate) fn read(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut len = [0; size_of::<u32>()];
    from.read_exact(&mut len)?;
    // SGX is little-endian, so the machine's order is this one.
    let len = usize::try_from(u32::from_le_bytes(len))
        .ok()
        .filter(|len| *len <= MESSAGE_LEN_MAX)
        .ok_or(io::ErrorKind::InvalidData)?;
    let mut message = vec![0; len];
    from.read_exact(&mut message)?;
    Ok(message)
}

/// Writes a message, in one piece.
///
/// # Errors
/// The stream's; [`io::ErrorKind::InvalidInput`] if no reader would take it.
pub(crate) fn write(to: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let len = u32::try_from(message.len())
        .ok()
        .filter(|_| message.len() <= MESSAGE_LEN_MAX)
        .ok_or(io::ErrorKind::InvalidInput)?;
    to.write_all(&[&len.to_le_bytes(), message].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for message in [&b""[..], b"x", &[7; 5000]] {
            let mut stream = Vec::new();
            write(&mut stream, message).unwrap();
            assert_eq!(read(&mut stream.as_slice()).unwrap(), message);
        }
        assert!(write(&mut Vec::new(), &vec![0; MESSAGE_LEN_MAX + 1]).is_err());
    }

    #[test]
    fn a_length_that_is_a_lie_costs_no_memory() {
        let mut huge = u32::MAX.to_le_bytes().to_vec();
        huge.push(1);
        let error = read(&mut huge.as_slice()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let mut short = 5_u32.to_le_bytes().to_vec();
        short.extend(b"1234");
        let error = read(&mut short.as_slice()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
