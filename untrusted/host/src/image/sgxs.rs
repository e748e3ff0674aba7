//! Canonical SGXS: the enclave as the stream of records that the processor hashes.
//!
//! Writing and reading follow `docs/image.md`, "The stream". There is exactly one stream for an enclave; the reader
//! refuses every other.

use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{SecInfo, SecInfoFlags};

use super::pages::{PAGE, PageRule, Pages};

/// A stream that is not canonical SGXS. The stream is to blame.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("SGXS, page at byte {position}: {rule}")]
pub struct SgxsError {
    /// Where the page's first record starts in the stream, in bytes; 0 for ECREATE.
    pub position: usize,
    /// What is wrong with it.
    pub rule: SgxsRule,
}

/// What a record of the stream must satisfy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SgxsRule {
    /// The stream ends inside a record, or before a page is complete.
    #[error("the stream ends too early")]
    End,
    /// Another record belongs here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// SIZE is not a power of two of at least two pages, or an SSA frame has no page.
    #[error("no enclave can have this size or SSA frame size")]
    Size,
    /// The page cannot be added.
    #[error(transparent)]
    Page(#[from] PageRule),
}

/// Passes the stream to `out`, piece by piece.
pub(crate) fn write<E>(
    pages: &Pages,
    mut out: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    out(&create(pages))?;
    for run in pages.runs() {
        for (offset, page) in run.pages() {
            out(&add(offset, run.info.flags))?;
            for (place, chunk) in (offset..).step_by(CHUNK).zip(page.chunks_exact(CHUNK)) {
                out(&extend(place))?;
                out(chunk)?;
            }
        }
    }
    Ok(())
}

/// Reads a stream. Every record is taken apart, put together again and compared, so that no byte goes unseen.
pub(crate) fn read(stream: &[u8]) -> Result<Pages, SgxsError> {
    let mut reader = Reader { rest: stream };
    let mut pages = reader.create().map_err(|rule| rule.at(0))?;
    while !reader.rest.is_empty() {
        let position = stream.len() - reader.rest.len();
        let page = reader.page();
        page.and_then(|(offset, info, bytes)| Ok(pages.add(offset, info, bytes)?))
            .map_err(|rule| rule.at(position))?;
    }
    Ok(pages)
}

struct Reader<'stream> {
    /// What has not been read yet.
    rest: &'stream [u8],
}

impl<'stream> Reader<'stream> {
    /// ECREATE.
    fn create(&mut self) -> Result<Pages, SgxsRule> {
        let found = self.take::<RECORD>()?;
        let mut fields = Reader { rest: found };
        fields.take::<TAG>()?;
        let ssa_frame_pages = u32::from_le_bytes(*fields.take()?);
        let size = u64::from_le_bytes(*fields.take()?);
        let pages = Pages::new(size, ssa_frame_pages);
        expect(found, &create(&pages), "ECREATE, its reserved bytes zero")?;
        if !size.is_power_of_two() || size < 2 * PAGE_LEN || ssa_frame_pages == 0 {
            return Err(SgxsRule::Size);
        }
        Ok(pages)
    }

    /// EADD and its sixteen EEXTENDs.
    fn page(&mut self) -> Result<(u64, SecInfo, Vec<u8>), SgxsRule> {
        let found = self.take::<RECORD>()?;
        let mut fields = Reader { rest: found };
        fields.take::<TAG>()?;
        let offset = u64::from_le_bytes(*fields.take()?);
        let flags = SecInfoFlags::from_bits(u64::from_le_bytes(*fields.take()?));
        expect(found, &add(offset, flags), "EADD, its reserved bytes zero")?;
        let mut bytes = Vec::with_capacity(PAGE);
        for index in 0..PAGE / CHUNK {
            let place = offset.wrapping_add((index * CHUNK) as u64);
            expect(self.take()?, &extend(place), "the page's next EEXTEND")?;
            bytes.extend_from_slice(self.take::<CHUNK>()?);
        }
        let info = SecInfo {
            flags,
            ..SecInfo::ZERO
        };
        Ok((offset, info, bytes))
    }

    fn take<const N: usize>(&mut self) -> Result<&'stream [u8; N], SgxsRule> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(SgxsRule::End)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl SgxsRule {
    const fn at(self, position: usize) -> SgxsError {
        SgxsError {
            position,
            rule: self,
        }
    }
}

fn expect(found: &Record, expected: &Record, name: &'static str) -> Result<(), SgxsRule> {
    if found == expected {
        Ok(())
    } else {
        Err(SgxsRule::Expected(name))
    }
}

type Record = [u8; RECORD];

/// The record of ECREATE.
fn create(pages: &Pages) -> Record {
    let ssa_frame_pages = pages.ssa_frame_pages().to_le_bytes();
    record([CREATE, &ssa_frame_pages, &pages.size().to_le_bytes()])
}

/// The record of EADD.
fn add(offset: u64, flags: SecInfoFlags) -> Record {
    record([ADD, &offset.to_le_bytes(), &flags.bits().to_le_bytes()])
}

/// The record of EEXTEND; the bytes themselves follow it.
fn extend(place: u64) -> Record {
    record([EXTEND, &place.to_le_bytes(), &[]])
}

/// The fields one after the other, then zeroes.
fn record(fields: [&[u8]; 3]) -> Record {
    let mut record = [0; RECORD];
    for (to, from) in record.iter_mut().zip(fields.into_iter().flatten()) {
        *to = *from;
    }
    record
}

const CREATE: &[u8] = b"ECREATE\0";
const ADD: &[u8] = b"EADD\0\0\0\0";
const EXTEND: &[u8] = b"EEXTEND\0";

/// Bytes in the name at the start of a record.
const TAG: usize = 8;

/// Bytes in a record.
const RECORD: usize = 64;

/// Bytes of a page that one EEXTEND measures.
const CHUNK: usize = 256;
