//! What must hold whatever a quoting service sends.

use std::io::{self, Read, Write};
use std::sync::Mutex;

use twine_abi::sgx::Report;

use super::aesm::Aesm;
use super::{QUOTE_LEN_MAX, QuoteSource as _};

/// Whatever a service answers, the client ends with something that has a quote's length, or with an error.
///
/// The bytes are the answers, each as it comes off the wire after its length (16 bits).
pub(crate) fn aesm_answers(bytes: &[u8]) {
    let rest = Mutex::new(bytes.to_vec());
    let aesm = Aesm::behind(Box::new(move || {
        let answer = rest.lock().map(|mut rest| next(&mut rest));
        Ok(Box::new(Answer(answer.unwrap_or_default().into())))
    }));
    let _ = aesm.target_info();
    if let Ok(quote) = aesm.quote(&[0; Report::LEN]) {
        assert!((436..=QUOTE_LEN_MAX).contains(&quote.len()), "no quote");
    }
}

/// Takes the next answer off the front.
fn next(rest: &mut Vec<u8>) -> Vec<u8> {
    let Some((len, _)) = rest.split_first_chunk() else {
        return Vec::new();
    };
    let len = usize::from(u16::from_le_bytes(*len));
    rest.drain(..2);
    rest.drain(..len.min(rest.len())).collect()
}

/// A connection on which anything can be asked and the answer is known.
struct Answer(std::collections::VecDeque<u8>);

impl Read for Answer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Answer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
