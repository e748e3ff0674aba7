//! Quotes (`docs/abi.md`, calls 48 and 49): what the quoting source says, handed on.
//!
//! The enclave learns that there is no quote; why, and what to do, whoever runs the enclave is told.

use twine_abi::exchange::HostErrno;
use twine_abi::sgx::Report;

use crate::quote::{QuoteError, QuoteSource};

/// Puts the quoting enclave's TARGETINFO into the payload.
pub(super) fn target(source: &dyn QuoteSource, payload: &mut [u8]) -> Result<u64, HostErrno> {
    let info = source.target_info().map_err(tell)?;
    put(payload, &info)?;
    Ok(0)
}

/// Replaces the REPORT in the payload by its quote. Answer: the quote's length.
pub(super) fn quote(source: &dyn QuoteSource, payload: &mut [u8]) -> Result<u64, HostErrno> {
    let report: &[u8; Report::LEN] = payload.first_chunk().ok_or(HostErrno::Invalid)?;
    let quote = source.quote(report).map_err(tell)?;
    put(payload, &quote)?;
    Ok(quote.len() as u64)
}

fn put(payload: &mut [u8], bytes: &[u8]) -> Result<(), HostErrno> {
    payload
        .get_mut(..bytes.len())
        .ok_or(HostErrno::Io)?
        .copy_from_slice(bytes);
    Ok(())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "an argument of `map_err` takes the error as it comes"
)]
fn tell(error: QuoteError) -> HostErrno {
    log::error!("no quote: {error}");
    error.errno()
}
