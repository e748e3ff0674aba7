//! Whether bytes are the one encoding of what was read from them, for values too large or too secret for a second copy: the
//! encoder's output is compared with the input on the way.

use core::cmp::Ordering;

use minicbor::Encoder;
use minicbor::encode::{Error, Write};

/// Whether `bytes` are exactly what `encode` writes.
pub(crate) fn is_encoding<'a>(
    bytes: &'a [u8],
    encode: impl FnOnce(&mut Encoder<Rest<'a>>) -> Result<(), Error<Differs>>,
) -> bool {
    let mut encoder = Encoder::new(Rest(bytes));
    encode(&mut encoder).is_ok() && encoder.writer().0.is_empty()
}

/// The order of texts as keys of a map: shorter ones first, for the length stands before the text.
pub(crate) fn order(one: &str, other: &str) -> Ordering {
    (one.len(), one).cmp(&(other.len(), other))
}

/// What has not been compared yet.
pub(crate) struct Rest<'a>(&'a [u8]);

/// The encoding differs from the bytes.
#[derive(Debug)]
pub(crate) struct Differs;

impl Write for Rest<'_> {
    type Error = Differs;

    fn write_all(&mut self, written: &[u8]) -> Result<(), Differs> {
        self.0 = self.0.strip_prefix(written).ok_or(Differs)?;
        Ok(())
    }
}
