//! The exchange area, as the host sees it while the enclave's thread is outside.

use twine_abi::exchange::{
    ARGS_COUNT, ARGS_OFFSET, EXCHANGE_LEN, HEADER_LEN, Header, LaunchRequest, RET_OFFSET, Span,
};

use super::buffer::SharedBuffer;

/// One call's exchange area ([`twine_abi::exchange`]).
#[derive(Debug)]
pub struct ExchangeArea {
    buffer: SharedBuffer,
}

impl ExchangeArea {
    /// Returns an area of zeros.
    #[must_use]
    pub fn new() -> Self {
        Self {
            buffer: SharedBuffer::zeroed(EXCHANGE_LEN),
        }
    }

    /// Its address, for the enclave to read and write until it is next used here.
    pub fn address(&mut self) -> u64 {
        self.buffer.address_mut()
    }

    /// What stands in the head.
    #[must_use]
    pub fn header(&self) -> Header {
        let bytes = self.buffer.bytes();
        let mut args = [0; ARGS_COUNT];
        for (index, arg) in args.iter_mut().enumerate() {
            *arg = word(bytes, ARGS_OFFSET + 8 * index);
        }
        let [op @ .., r0, r1, r2, r3] = word(bytes, 0).to_le_bytes();
        Header {
            op: u32::from_le_bytes(op),
            reserved: u32::from_le_bytes([r0, r1, r2, r3]),
            args,
            ret: word(bytes, RET_OFFSET).cast_signed(),
        }
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.buffer.bytes().split_at(HEADER_LEN).1
    }

    /// The payload.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        self.buffer.bytes_mut().split_at_mut(HEADER_LEN).1
    }

    /// Writes the answer to a host call.
    pub fn answer(&mut self, ret: i64) {
        set_word(self.buffer.bytes_mut(), RET_OFFSET, ret.cast_unsigned());
    }

    /// Writes the first argument of a call.
    pub fn set_first_argument(&mut self, value: u64) {
        set_word(self.buffer.bytes_mut(), ARGS_OFFSET, value);
    }

    /// Writes what [`twine_abi::entry::Call::Launch`] reads.
    pub fn set_launch_request(&mut self, request: &LaunchRequest) {
        let LaunchRequest {
            document,
            module,
            arguments,
            environment,
            signature,
            message,
            flags,
        } = *request;
        let spans = [document, module, arguments, environment, signature, message];
        let words = spans
            .into_iter()
            .flat_map(|Span { address, len }| [address, len])
            .chain([flags]);
        let payload = self.payload_mut();
        for (index, value) in words.enumerate() {
            set_word(payload, 8 * index, value);
        }
    }
}

impl Default for ExchangeArea {
    fn default() -> Self {
        Self::new()
    }
}

/// The word at `offset`; zero where there is none, which the callers' constant offsets rule out.
fn word(bytes: &[u8], offset: usize) -> u64 {
    let bytes = bytes.get(offset..).and_then(<[u8]>::first_chunk);
    u64::from_le_bytes(bytes.copied().unwrap_or_default())
}

fn set_word(bytes: &mut [u8], offset: usize, value: u64) {
    if let Some(target) = bytes
        .get_mut(offset..)
        .and_then(<[u8]>::first_chunk_mut::<8>)
    {
        *target = value.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_field_by_field_from_where_the_abi_puts_it() {
        let mut area = ExchangeArea::new();
        let bytes = area.buffer.bytes_mut();
        set_word(bytes, 0, 0x0000_0007_0000_0003);
        for index in 0..ARGS_COUNT {
            set_word(bytes, ARGS_OFFSET + 8 * index, 100 + index as u64);
        }
        area.answer(-5);
        assert_eq!(
            area.header(),
            Header {
                op: 3,
                reserved: 7,
                args: [100, 101, 102, 103, 104, 105],
                ret: -5
            }
        );
    }

    #[test]
    fn a_launch_request_is_laid_out_as_its_structure() {
        let span = |address, len| Span { address, len };
        let mut area = ExchangeArea::new();
        area.set_launch_request(&LaunchRequest {
            document: span(8, 1),
            module: span(16, 2),
            arguments: span(24, 3),
            environment: span(32, 4),
            signature: span(40, 5),
            message: span(48, 6),
            flags: 7,
        });
        let words: Vec<u64> = (0..14).map(|i| word(area.payload(), 8 * i)).collect();
        assert_eq!(words, [8, 1, 16, 2, 24, 3, 32, 4, 40, 5, 48, 6, 7, 0]);
    }
}
