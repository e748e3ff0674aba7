//! Where quotes come from: whoever speaks for the processor's maker on this machine.
//!
//! ```text
//!   enclave ──QuoteTarget──► serve ──► QuoteSource::target_info
//!           ──EREPORT────►
//!           ──Quote──────► serve ──► QuoteSource::quote ──► Aesm ───► aesmd, or the emulator's quoting service
//!                                                      └─► DcapQl ──► libsgx_dcap_ql, in this process
//! ```
//!
//! Nothing here is trusted: a source can refuse or lie, and whoever verifies the quote finds out. What a source says is
//! checked only so far that nonsense becomes an error with a name.

pub mod aesm;
mod code;
pub mod dcap_ql;
mod error;
pub(crate) mod fuzzing;

use std::sync::Arc;

use twine_abi::exchange::PAYLOAD_LEN;
use twine_abi::sgx::{Report, TargetInfo};

pub use code::{Cause, ErrorCode};
pub use error::QuoteError;

use aesm::Aesm;
use dcap_ql::DcapQl;

/// Turns reports into quotes.
pub trait QuoteSource: Send + Sync {
    /// The quoting enclave: who the report is to be made for.
    ///
    /// # Errors
    /// Every [`QuoteError`].
    fn target_info(&self) -> Result<[u8; TargetInfo::LEN], QuoteError>;

    /// The quote of a report that was made for the quoting enclave: exactly the quote, with nothing behind it, and at most
    /// [`QUOTE_LEN_MAX`] bytes.
    ///
    /// # Errors
    /// Every [`QuoteError`]. After [`QuoteError::TargetChanged`] a report for the new target may be quoted.
    fn quote(&self, report: &[u8; Report::LEN]) -> Result<Vec<u8>, QuoteError>;
}

/// The longest quote that is passed on: what fits into an exchange area. Real ones take about 5 KiB.
pub const QUOTE_LEN_MAX: usize = PAYLOAD_LEN;

/// The source of a machine with SGX: AESM, or, where that does not run, Intel's library in this process.
#[must_use]
pub fn platform() -> Arc<dyn QuoteSource> {
    Arc::new(Fallback {
        first: Aesm::new(),
        second: DcapQl::new(),
    })
}

/// The first source, or, if there is none, the second.
struct Fallback<A, B> {
    first: A,
    second: B,
}

impl<A: QuoteSource, B: QuoteSource> Fallback<A, B> {
    fn either<T>(
        &self,
        ask: impl Fn(&dyn QuoteSource) -> Result<T, QuoteError>,
    ) -> Result<T, QuoteError> {
        ask(&self.first).or_else(|first| {
            if !first.is_absence() {
                return Err(first);
            }
            ask(&self.second).map_err(|second| QuoteError::NoSource {
                first: first.into(),
                second: second.into(),
            })
        })
    }
}

impl<A: QuoteSource, B: QuoteSource> QuoteSource for Fallback<A, B> {
    fn target_info(&self) -> Result<[u8; TargetInfo::LEN], QuoteError> {
        self.either(|source| source.target_info())
    }

    fn quote(&self, report: &[u8; Report::LEN]) -> Result<Vec<u8>, QuoteError> {
        self.either(|source| source.quote(report))
    }
}

/// What a source returned, cut to the quote: services answer with a buffer of the length they were asked for.
///
/// ```text
/// offset  size  field
///      0    48  header
///     48   384  report body
///    432     4  length of the signature data
///    436        signature data
/// ```
fn exactly(service: &'static str, mut bytes: Vec<u8>) -> Result<Vec<u8>, QuoteError> {
    let broke = |what| QuoteError::Protocol { service, what };
    let signed = bytes.first_chunk::<SIGNATURE_OFFSET>();
    let Some([.., a, b, c, d]) = signed.copied() else {
        return Err(broke("a quote that ends before its signature"));
    };
    let len = usize::try_from(u32::from_le_bytes([a, b, c, d]))
        .ok()
        .and_then(|len| len.checked_add(SIGNATURE_OFFSET))
        .filter(|len| *len <= bytes.len())
        .ok_or_else(|| broke("a quote that is shorter than it says"))?;
    if len > QUOTE_LEN_MAX {
        return Err(broke("a quote longer than 64 KiB"));
    }
    bytes.truncate(len);
    Ok(bytes)
}

/// Offset of the signature data in a quote.
const SIGNATURE_OFFSET: usize = 436;

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(signature_len: u32, really: usize) -> Vec<u8> {
        let mut bytes = vec![7; 432];
        bytes.extend(signature_len.to_le_bytes());
        bytes.resize(436 + really, 9);
        bytes
    }

    #[test]
    fn a_quote_is_cut_to_the_length_it_states() {
        assert_eq!(exactly("x", quote(10, 10)).unwrap().len(), 446);
        assert_eq!(exactly("x", quote(10, 999)).unwrap().len(), 446);
        assert_eq!(exactly("x", quote(0, 0)).unwrap().len(), 436);
    }

    #[test]
    fn what_cannot_be_a_quote_is_refused() {
        for bytes in [
            vec![],
            vec![0; 435],
            quote(11, 10),
            quote(u32::MAX, 10),
            quote(65_536, 65_536),
        ] {
            let error = exactly("AESM", bytes).unwrap_err();
            assert!(matches!(
                error,
                QuoteError::Protocol {
                    service: "AESM",
                    ..
                }
            ));
        }
    }

    /// Answers with its own name, or with an error.
    struct Named(u8, fn() -> Option<QuoteError>);

    impl QuoteSource for Named {
        fn target_info(&self) -> Result<[u8; TargetInfo::LEN], QuoteError> {
            (self.1)().map_or(Ok([self.0; TargetInfo::LEN]), Err)
        }

        fn quote(&self, _: &[u8; Report::LEN]) -> Result<Vec<u8>, QuoteError> {
            (self.1)().map_or_else(|| Ok(vec![self.0]), Err)
        }
    }

    #[test]
    fn the_second_source_is_asked_only_if_there_is_no_first() {
        let absent: fn() -> _ = || Some(QuoteError::NoLibrary { reason: "x".into() });
        let broken: fn() -> _ = || {
            Some(QuoteError::Protocol {
                service: "AESM",
                what: "y",
            })
        };
        let ask = |first, second| {
            let first = Named(1, first);
            let second = Named(2, second);
            let sources = Fallback { first, second };
            let quote = sources.quote(&[0; Report::LEN]);
            assert_eq!(
                sources.target_info().map(|info| vec![info[0]]).ok(),
                quote.as_ref().ok().cloned()
            );
            quote
        };
        assert_eq!(ask(|| None, broken).unwrap(), [1]);
        assert_eq!(ask(absent, || None).unwrap(), [2]);
        assert!(matches!(
            ask(broken, || None),
            Err(QuoteError::Protocol { .. })
        ));
        let neither = ask(absent, broken).unwrap_err();
        assert!(matches!(&neither, QuoteError::NoSource { .. }));
        assert!(neither.to_string().contains('x') && neither.to_string().contains('y'));
    }
}
