//! What must hold whatever a quoting service sends.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::Mutex;

use twine_abi::sgx::{Report, TargetInfo};

use super::aesm::Aesm;
use super::{QUOTE_LEN_MAX, QuoteError, QuoteSource as _};

/// Whatever a service answers, the client ends with something that has a quote's length, or with an error.
///
/// The bytes are the answers, each as it comes off the wire after its length (16 bits).
pub(crate) fn aesm_answers(bytes: &[u8]) {
    let (_, quote) = converse(bytes);
    if let Ok(quote) = quote {
        assert!((436..=QUOTE_LEN_MAX).contains(&quote.len()), "no quote");
    }
}

type Target = Result<[u8; TargetInfo::LEN], QuoteError>;

/// Asks for a target, then for a quote.
fn converse(answers: &[u8]) -> (Target, Result<Vec<u8>, QuoteError>) {
    let rest = Mutex::new(answers.to_vec());
    let aesm = Aesm::behind(Box::new(move || {
        let answer = rest.lock().map(|mut rest| next(&mut rest));
        Ok(Box::new(Answer(answer.unwrap_or_default().into())))
    }));
    (aesm.target_info(), aesm.quote(&[0; Report::LEN]))
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
struct Answer(VecDeque<u8>);

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

#[cfg(test)]
mod tests {
    use super::*;

    /// An honest service's answers to all that is asked for a target and a quote; also the fuzzer's first seed.
    const HONEST: &[u8] = include_bytes!("../../../../fuzz/seeds/aesm_answers/honest");

    #[test]
    fn honest_answers_lead_to_a_target_and_a_quote() {
        let (target, quote) = converse(HONEST);
        assert_eq!(target.unwrap(), [0x7a; 512]);
        assert_eq!(quote.unwrap().len(), 436 + 100);
    }

    #[test]
    fn no_change_of_a_byte_and_no_end_makes_the_client_panic() {
        for at in 0..HONEST.len() {
            aesm_answers(&HONEST[..at]);
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = HONEST.to_vec();
                bytes[at] ^= change;
                aesm_answers(&bytes);
            }
        }
    }
}
