//! What must hold for any bytes, callable by a fuzzer and by the unit test below.

use std::sync::Arc;

use twine_abi::exchange::{ARGS_COUNT, Header, HostCall, HostErrno, PAYLOAD_LEN};
use twine_abi::sgx::{PageKind, Permissions};

use crate::backend::emulator;
use crate::backend::{BackendError, Enclave, Leaf, Left, PageRange, Registers};
use crate::cache::Cache;
use crate::launch::outcome;
use crate::module::Module;
use crate::quote;
use crate::serve::{Console, Host, Input, Log, Output, Services};

/// Loading any bytes as a module ends in a module or an error.
pub fn module(bytes: &[u8]) {
    let _ = Module::from_bytes("fuzz", bytes, &Cache::disabled());
}

/// Any bytes that an enclave leaves as an outcome are one, or the enclave's fault.
pub fn outcome(payload: &[u8]) {
    let _ = outcome::parse(payload);
}

/// Any host call is answered, with a number that the call foresees or an error.
pub fn host_call(bytes: &[u8]) {
    let Some((header, payload_bytes)) = header(bytes) else {
        return;
    };
    let streams = (
        Input::bytes(payload_bytes),
        Output::Discard,
        Output::Discard,
    );
    let Ok(console) = Console::new(streams.0, streams.1, streams.2, None) else {
        return;
    };
    let mut payload = vec![0; PAYLOAD_LEN];
    for (to, from) in payload.iter_mut().zip(payload_bytes) {
        *to = *from;
    }
    let answer = Host::new(console, Arc::new(NoPages), Log::default()).serve(&header, &mut payload);
    assert!(
        answer >= 0 || HostErrno::from_answer(answer).is_some_and(|errno| errno as i64 == -answer),
        "an answer without a name"
    );
    let moves_bytes = [HostCall::ConsoleWrite, HostCall::ConsoleRead].map(|call| call as u32);
    if moves_bytes.contains(&header.op) {
        let len = i64::try_from(PAYLOAD_LEN).unwrap_or(i64::MAX);
        assert!(answer <= len, "more bytes than there are");
    }
}

/// Whatever AESM answers, the client ends with a quote or an error.
pub fn aesm_answers(bytes: &[u8]) {
    quote::fuzzing::aesm_answers(bytes);
}

/// Whatever a client asks, the emulator's quoting service answers, and never with a quote of what is no report.
pub fn aesm_request(bytes: &[u8]) {
    emulator::quoting_answers(bytes);
}

/// The first bytes as a header, and the rest. A wait is cut short: nobody fuzzes for as long as 2^64 nanoseconds.
fn header(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let (op, rest) = bytes.split_first_chunk()?;
    let (words, rest) = rest.split_first_chunk::<{ 8 * ARGS_COUNT }>()?;
    let (words, _) = words.as_chunks::<8>();
    let mut header = Header {
        op: u32::from_le_bytes(*op),
        ..Header::default()
    };
    for (arg, word) in header.args.iter_mut().zip(words) {
        *arg = u64::from_le_bytes(*word);
    }
    if let (Ok(HostCall::Wait), [limit, ..]) = (HostCall::try_from(header.op), &mut header.args) {
        *limit %= 1000;
    }
    Some((header, rest))
}

/// An enclave that has no pages to change.
struct NoPages;

impl Enclave for NoPages {
    fn base(&self) -> u64 {
        0
    }

    fn enter(&self, _: u64, _: Leaf, _: &mut Registers) -> Result<Left, BackendError> {
        Err(BackendError::Lost)
    }

    fn interrupt(&self, _: u64) {}

    fn restrict(&self, _: PageRange, _: Permissions) -> Result<(), BackendError> {
        Err(BackendError::Lost)
    }

    fn retype(&self, _: PageRange, _: PageKind) -> Result<(), BackendError> {
        Err(BackendError::Lost)
    }

    fn remove(&self, _: PageRange) -> Result<(), BackendError> {
        Err(BackendError::Lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corner_inputs_end_well() {
        let corners: &[&[u8]] = &[b"", b"\0asm", b"\x89TWASM\x1a\n", b"(", b";;", &[0xff; 200]];
        for bytes in corners {
            module(bytes);
            outcome(bytes);
            host_call(bytes);
            aesm_answers(bytes);
            aesm_request(bytes);
        }
        for op in 0..12_u32 {
            for word in [0, 1, 0xff, 0x7f] {
                let mut bytes = op.to_le_bytes().to_vec();
                bytes.extend([word; 64]);
                host_call(&bytes);
            }
        }
    }
}
