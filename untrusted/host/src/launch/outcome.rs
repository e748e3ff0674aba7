//! How a run ended, read from the exchange area strictly: the bytes come from the enclave, and an enclave that breaks
//! the format is reported, not interpreted.

use twine_abi::outcome::{Kind, MESSAGE_LEN_MAX, OUTCOME_HEADER_LEN};

use crate::error::{Error, Refusal};

/// How a guest's run ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// The guest ended by itself.
    Exited {
        /// The exit code it chose.
        code: u32,
    },
    /// The guest broke a rule of WebAssembly and was ended.
    Trapped {
        /// The reason and the Wasm backtrace, for people.
        message: String,
    },
    /// The guest's time was up ([`Launch::timeout`](crate::Launch::timeout)).
    Stopped,
}

/// Reads the outcome at the start of `payload`.
///
/// # Errors
/// [`Error::Refused`] if the enclave did not start the guest; [`Error::EnclaveMisbehaved`] if the bytes are not an
/// outcome.
pub fn parse(payload: &[u8]) -> Result<Outcome, Error> {
    let broken = |what| Error::EnclaveMisbehaved(what);
    let (head, rest) = payload
        .split_first_chunk::<OUTCOME_HEADER_LEN>()
        .ok_or_else(|| broken("an outcome is too short"))?;
    let [k0, k1, k2, k3, c0, c1, c2, c3, len @ ..] = *head;
    let kind = Kind::try_from(u32::from_le_bytes([k0, k1, k2, k3]))
        .map_err(|_| broken("an outcome of no known kind"))?;
    let code = u32::from_le_bytes([c0, c1, c2, c3]);
    let message = usize::try_from(u64::from_le_bytes(len))
        .ok()
        .filter(|len| *len <= MESSAGE_LEN_MAX)
        .and_then(|len| rest.get(..len))
        .ok_or_else(|| broken("an outcome's message is longer than its place"))?;
    let message =
        str::from_utf8(message).map_err(|_| broken("an outcome's message is not UTF-8"))?;
    if code != 0 && kind != Kind::Exited {
        return Err(broken("an outcome that is no exit has an exit code"));
    }
    interpret(kind, code, printable(message))
}

fn interpret(kind: Kind, code: u32, message: String) -> Result<Outcome, Error> {
    let refusal = match kind {
        Kind::Exited => return Ok(Outcome::Exited { code }),
        Kind::Trapped => return Ok(Outcome::Trapped { message }),
        Kind::Stopped => return Ok(Outcome::Stopped),
        Kind::DocumentRefused => Refusal::Document,
        Kind::ModuleRefused => Refusal::Module,
        Kind::ModuleUnusable => Refusal::ModuleUnusable,
        Kind::LimitReached => Refusal::Limit,
        Kind::ArgumentsRefused => Refusal::Arguments,
        Kind::HostMisbehaved => Refusal::Host,
        Kind::VolumeRefused => Refusal::Volume,
        Kind::VolumeTampered => Refusal::VolumeTampered,
        Kind::BundleMissing => Refusal::BundleMissing,
        Kind::BundleRefused => Refusal::Bundle,
        Kind::QuoteMissing => Refusal::QuoteMissing,
        Kind::SignatureRefused => Refusal::Signature,
        Kind::MigrationRefused => Refusal::Migration,
    };
    Err(Error::Refused { refusal, message })
}

/// Replaces control characters: a message quotes names that the guest's author chose, and ends up on a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(kind: u32, code: u32, len: u64, message: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(kind.to_le_bytes());
        bytes.extend(code.to_le_bytes());
        bytes.extend(len.to_le_bytes());
        bytes.extend(message);
        bytes
    }

    fn misbehaved(payload: &[u8]) -> bool {
        matches!(parse(payload), Err(Error::EnclaveMisbehaved(_)))
    }

    #[test]
    fn an_exit_carries_its_code() {
        let outcome = parse(&payload(0, 42, 0, b"left over from earlier")).unwrap();
        assert_eq!(outcome, Outcome::Exited { code: 42 });
    }

    #[test]
    fn a_trap_carries_its_message_without_terminal_control() {
        let outcome = parse(&payload(1, 0, 8, b"a\x1b[2J\nb\x07 and more")).unwrap();
        assert_eq!(
            outcome,
            Outcome::Trapped {
                message: "a\u{fffd}[2J\nb\u{fffd}".into()
            }
        );
    }

    #[test]
    fn every_refusal_is_an_error_of_its_own() {
        for kind in 3..=10 {
            let result = parse(&payload(kind, 0, 2, b"no"));
            assert!(
                matches!(result, Err(Error::Refused { ref message, .. }) if message == "no"),
                "{kind}: {result:?}"
            );
        }
    }

    #[test]
    fn bytes_that_are_no_outcome_are_the_enclaves_fault() {
        assert!(misbehaved(&[]));
        assert!(misbehaved(&[0; OUTCOME_HEADER_LEN - 1]));
        assert!(misbehaved(&payload(99, 0, 0, b"")), "unknown kind");
        assert!(misbehaved(&payload(1, 3, 0, b"")), "a trap with a code");
        assert!(
            misbehaved(&payload(1, 0, 4, b"abc")),
            "a length beyond the bytes"
        );
        assert!(misbehaved(&payload(1, 0, u64::MAX, b"abc")));
        assert!(misbehaved(&payload(1, 0, 2, b"\xff\xfe")), "not UTF-8");
        let long = vec![b'a'; MESSAGE_LEN_MAX + 1];
        assert!(misbehaved(&payload(1, 0, long.len() as u64, &long)));
    }
}
