//! Reading and writing through descriptors, in one buffer or several.
//!
//! A transfer in one buffer goes straight between guest memory and the platform, as often as it takes. One in several
//! buffers is gathered first, so that it takes one host call and not one a buffer; it moves at most
//! [`IO_LEN_BYTES_MAX`] bytes, and the guest sees a short count, as POSIX allows.

use alloc::vec;
use alloc::vec::Vec;

use wasmtime::Linker;

use crate::descriptors::{Blocking, End, Resource, Stream};
use crate::limits::{IO_LEN_BYTES_MAX, VECTORS_MAX};
use crate::platform::Sink;
use crate::state::State;
use crate::streams;
use crate::wasi::call::{Call, Result, define};
use crate::wasi::fd::entry_with;
use crate::wasi::memory::{GuestMemory, GuestRange, offset};
use crate::wasi::types::{Errno, right};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define!(linker;
        fd_pread(fd: u32, vectors: u32, count: u32, offset: u64, read: u32),
        fd_pwrite(fd: u32, vectors: u32, count: u32, offset: u64, written: u32),
        fd_read(fd: u32, vectors: u32, count: u32, read: u32),
        fd_readdir(fd: u32, buffer: u32, len: u32, cookie: u64, used: u32),
        fd_seek(fd: u32, offset: i64, whence: u32, position: u32),
        fd_tell(fd: u32, position: u32),
        fd_write(fd: u32, vectors: u32, count: u32, written: u32),
    );
    Ok(())
}

fn fd_read(call: &mut Call<'_>, fd: u32, vectors: u32, count: u32, read: u32) -> Result {
    let entry = *call.state.descriptors.entry(fd)?;
    let Resource::Stream(Stream {
        end: End::Input, ..
    }) = entry.resource
    else {
        return Err(Errno::Badf.into());
    };
    entry_with(call, fd, right::FD_READ)?;
    let ranges = ranges(&call.memory, vectors, count)?;
    // The result's place first: bytes once taken from the stream cannot be put back.
    call.memory.write_u32(read, 0)?;
    if entry.blocking == Blocking::Fail && !streams::input_is_ready(call.platform())? {
        return Err(Errno::Again.into());
    }
    let len = read_input(call, &ranges)?;
    Ok(call.memory.write_u32(read, len)?)
}

fn fd_write(call: &mut Call<'_>, fd: u32, vectors: u32, count: u32, written: u32) -> Result {
    let Resource::Stream(Stream {
        end: End::Output(sink),
        ..
    }) = call.state.descriptors.entry(fd)?.resource
    else {
        return Err(Errno::Badf.into());
    };
    entry_with(call, fd, right::FD_WRITE)?;
    let ranges = ranges(&call.memory, vectors, count)?;
    call.memory.write_u32(written, 0)?;
    let len = write_output(call, sink, &ranges)?;
    Ok(call.memory.write_u32(written, len)?)
}

// A stream has no position, whatever is asked of it.
fn fd_pread(call: &mut Call<'_>, fd: u32, _: u32, _: u32, _: u64, _: u32) -> Result {
    no_position(call, fd)
}

fn fd_pwrite(call: &mut Call<'_>, fd: u32, _: u32, _: u32, _: u64, _: u32) -> Result {
    no_position(call, fd)
}

fn fd_seek(call: &mut Call<'_>, fd: u32, _: i64, whence: u32, _: u32) -> Result {
    match call.state.descriptors.entry(fd)?.resource {
        _ if whence > WHENCE_LAST => Err(Errno::Inval.into()),
        Resource::Stream(_) => Err(Errno::Spipe.into()),
    }
}

fn fd_tell(call: &mut Call<'_>, fd: u32, _: u32) -> Result {
    no_position(call, fd)
}

fn no_position(call: &Call<'_>, fd: u32) -> Result {
    match call.state.descriptors.entry(fd)?.resource {
        Resource::Stream(_) => Err(Errno::Spipe.into()),
    }
}

fn fd_readdir(call: &mut Call<'_>, fd: u32, _: u32, _: u32, _: u64, _: u32) -> Result {
    match call.state.descriptors.entry(fd)?.resource {
        Resource::Stream(_) => Err(Errno::Notdir.into()),
    }
}

/// Reads the guest's list of buffers. Empty ones are left out; all others are checked to lie in memory, and to be no
/// longer together than a count can say.
fn ranges(memory: &GuestMemory<'_>, vectors: u32, count: u32) -> Result<Vec<GuestRange>> {
    if count > VECTORS_MAX {
        return Err(Errno::Inval.into());
    }
    let mut ranges = Vec::new();
    let mut total = 0u32;
    for index in 0..count {
        let vector = offset(vectors, index * VECTOR_LEN)?;
        let range = GuestRange {
            address: memory.read_u32(vector)?,
            len: memory.read_u32(offset(vector, 4)?)?,
        };
        memory.slice(range)?;
        total = total.checked_add(range.len).ok_or(Errno::Inval)?;
        if range.len > 0 {
            ranges.push(range);
        }
    }
    Ok(ranges)
}

fn read_input(call: &mut Call<'_>, ranges: &[GuestRange]) -> Result<u32> {
    let platform = &mut *call.state.platform;
    let len = match ranges {
        [range] => streams::read(platform, call.memory.slice_mut(*range)?)?,
        ranges => {
            let mut gathered = vec![0; total(ranges).min(IO_LEN_BYTES_MAX)];
            let len = streams::read(platform, &mut gathered)?;
            gathered.truncate(len);
            scatter(&mut call.memory, ranges, &gathered)?;
            len
        }
    };
    Ok(u32::try_from(len).map_err(|_| Errno::Overflow)?)
}

fn write_output(call: &mut Call<'_>, sink: Sink, ranges: &[GuestRange]) -> Result<u32> {
    let platform = &mut *call.state.platform;
    let len = match ranges {
        [range] => streams::write(platform, sink, call.memory.slice(*range)?)?,
        ranges => streams::write(platform, sink, &gather(&call.memory, ranges)?)?,
    };
    Ok(u32::try_from(len).map_err(|_| Errno::Overflow)?)
}

fn gather(memory: &GuestMemory<'_>, ranges: &[GuestRange]) -> Result<Vec<u8>> {
    let mut gathered = Vec::with_capacity(total(ranges).min(IO_LEN_BYTES_MAX));
    for range in ranges {
        let bytes = memory.slice(*range)?;
        let room = IO_LEN_BYTES_MAX.saturating_sub(gathered.len());
        gathered.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
    Ok(gathered)
}

fn scatter(memory: &mut GuestMemory<'_>, ranges: &[GuestRange], mut bytes: &[u8]) -> Result {
    for range in ranges {
        let buffer = memory.slice_mut(*range)?;
        let (now, later) = bytes.split_at(bytes.len().min(buffer.len()));
        if let Some(buffer) = buffer.get_mut(..now.len()) {
            buffer.copy_from_slice(now);
        }
        bytes = later;
    }
    Ok(())
}

// `ranges` has checked that 32 bits hold the sum.
fn total(ranges: &[GuestRange]) -> usize {
    ranges.iter().fold(0, |sum: usize, range| {
        sum.saturating_add(usize::try_from(range.len).unwrap_or(usize::MAX))
    })
}

/// Length of one entry in a list of buffers: address, length.
const VECTOR_LEN: u32 = 8;

/// The last of the three values of `whence`.
const WHENCE_LAST: u32 = 2;

const _: () = assert!(VECTORS_MAX.checked_mul(VECTOR_LEN).is_some());
