//! Reading and writing through descriptors, in one buffer or several.
//!
//! A transfer to or from a stream in one buffer goes straight between guest memory and the platform, as often as it
//! takes. One in several buffers is gathered first, so that it takes one host call and not one a buffer; it moves at most
//! [`IO_LEN_BYTES_MAX`] bytes, and the guest sees a short count, as POSIX allows.
//!
//! Files are read into and written from guest memory itself, buffer by buffer, without a copy in between: the guest
//! cannot run meanwhile, and if a read fails, what the file system left in the buffer is wiped. The position moves once,
//! when all is done.

use alloc::vec;
use alloc::vec::Vec;

use wasmtime::Linker;

use crate::descriptors::{End, Entry, OpenFile, Resource, Stream};
use crate::files::{self, Error, File, Scope};
use crate::limits::{IO_LEN_BYTES_MAX, VECTORS_MAX};
use crate::platform::Sink;
use crate::state::State;
use crate::streams;
use crate::wasi::call::{Call, Result, define};
use crate::wasi::memory::{GuestMemory, GuestRange, offset};
use crate::wasi::rights::{file_with, need};
use crate::wasi::types::{Errno, fdflag, right, whence};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define!(linker;
        fd_pread(fd: u32, vectors: u32, count: u32, offset: u64, read: u32),
        fd_pwrite(fd: u32, vectors: u32, count: u32, offset: u64, written: u32),
        fd_read(fd: u32, vectors: u32, count: u32, read: u32),
        fd_seek(fd: u32, offset: i64, from: u32, position: u32),
        fd_tell(fd: u32, position: u32),
        fd_write(fd: u32, vectors: u32, count: u32, written: u32),
    );
    Ok(())
}

fn fd_read(call: &mut Call<'_>, fd: u32, vectors: u32, count: u32, read: u32) -> Result {
    let entry = *call.state.descriptors.entry(fd)?;
    match entry.resource {
        Resource::Stream(Stream {
            end: End::Input, ..
        }) => {
            need(&entry, right::FD_READ)?;
            let ranges = ranges(&call.memory, vectors, count)?;
            // The result's place first: bytes once taken from the stream cannot be put back.
            call.memory.write_u32(read, 0)?;
            if entry.flags & fdflag::NONBLOCK != 0 && !streams::input_is_ready(call.platform())? {
                return Err(Errno::Again.into());
            }
            let len = read_input(call, &ranges)?;
            Ok(call.memory.write_u32(read, len)?)
        }
        Resource::Stream(_) => Err(Errno::Badf.into()),
        Resource::File(OpenFile { file, position }) => {
            need(&entry, right::FD_READ)?;
            let ranges = ranges(&call.memory, vectors, count)?;
            call.memory.write_u32(read, 0)?;
            let moved = read_file(call, file, position, &ranges)?;
            call.state.descriptors.set_position(fd, moved.end)?;
            Ok(call.memory.write_u32(read, moved.len)?)
        }
        Resource::Directory(_) => Err(Errno::Isdir.into()),
    }
}

fn fd_write(call: &mut Call<'_>, fd: u32, vectors: u32, count: u32, written: u32) -> Result {
    let entry = *call.state.descriptors.entry(fd)?;
    match entry.resource {
        Resource::Stream(Stream {
            end: End::Output(sink),
            ..
        }) => {
            need(&entry, right::FD_WRITE)?;
            let ranges = ranges(&call.memory, vectors, count)?;
            call.memory.write_u32(written, 0)?;
            let len = write_output(call, sink, &ranges)?;
            Ok(call.memory.write_u32(written, len)?)
        }
        Resource::Stream(_) => Err(Errno::Badf.into()),
        Resource::File(OpenFile { file, position }) => {
            need(&entry, right::FD_WRITE)?;
            let ranges = ranges(&call.memory, vectors, count)?;
            call.memory.write_u32(written, 0)?;
            let start = match entry.flags & fdflag::APPEND {
                0 => Start::At(position),
                _ => Start::End,
            };
            if let Some(moved) = write_file(call, file, start, &ranges)? {
                call.state.descriptors.set_position(fd, moved.end)?;
                synchronise(call, &entry, file)?;
                call.memory.write_u32(written, moved.len)?;
            }
            Ok(())
        }
        Resource::Directory(_) => Err(Errno::Isdir.into()),
    }
}

fn fd_pread(
    call: &mut Call<'_>,
    fd: u32,
    vectors: u32,
    count: u32,
    offset: u64,
    read: u32,
) -> Result {
    let open = file_with(call, fd, right::FD_READ | right::FD_SEEK, Errno::Spipe)?;
    let ranges = ranges(&call.memory, vectors, count)?;
    call.memory.write_u32(read, 0)?;
    let moved = read_file(call, open.file, offset, &ranges)?;
    Ok(call.memory.write_u32(read, moved.len)?)
}

// At the offset also if the descriptor appends: POSIX has it so.
fn fd_pwrite(
    call: &mut Call<'_>,
    fd: u32,
    vectors: u32,
    count: u32,
    offset: u64,
    written: u32,
) -> Result {
    let open = file_with(call, fd, right::FD_WRITE | right::FD_SEEK, Errno::Spipe)?;
    let entry = *call.state.descriptors.entry(fd)?;
    let ranges = ranges(&call.memory, vectors, count)?;
    call.memory.write_u32(written, 0)?;
    if let Some(moved) = write_file(call, open.file, Start::At(offset), &ranges)? {
        synchronise(call, &entry, open.file)?;
        call.memory.write_u32(written, moved.len)?;
    }
    Ok(())
}

fn fd_seek(call: &mut Call<'_>, fd: u32, offset: i64, from: u32, position: u32) -> Result {
    call.state.descriptors.entry(fd)?;
    if from > whence::END {
        return Err(Errno::Inval.into());
    }
    if from == whence::CUR && offset == 0 {
        return fd_tell(call, fd, position);
    }
    let open = file_with(call, fd, right::FD_SEEK, Errno::Spipe)?;
    let base = match from {
        whence::SET => 0,
        whence::CUR => open.position,
        _ => {
            let files = call.state.mounts.files(open.file.mount)?;
            files.status(open.file.node)?.size
        }
    };
    // Positions are numbers that also fit the signed type of C.
    let to = base
        .checked_add_signed(offset)
        .filter(|to| i64::try_from(*to).is_ok())
        .ok_or(Errno::Inval)?;
    call.memory.write_u64(position, to)?;
    Ok(call.state.descriptors.set_position(fd, to)?)
}

fn fd_tell(call: &mut Call<'_>, fd: u32, position: u32) -> Result {
    let open = file_with(call, fd, 0, Errno::Spipe)?;
    let entry = call.state.descriptors.entry(fd)?;
    // The right to move includes that to know from where.
    if entry.rights.base & (right::FD_TELL | right::FD_SEEK) == 0 {
        return Err(Errno::Notcapable.into());
    }
    Ok(call.memory.write_u64(position, open.position)?)
}

/// A finished transfer.
struct Moved {
    len: u32,
    /// Where in the file it ended.
    end: u64,
}

/// Where in a file a write begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Start {
    At(u64),
    End,
}

fn read_file(call: &mut Call<'_>, file: File, from: u64, ranges: &[GuestRange]) -> Result<Moved> {
    let files = call.state.mounts.files(file.mount)?;
    let mut moved = Moved { len: 0, end: from };
    for range in ranges {
        let into = call.memory.slice_mut(*range)?;
        let len = match files.read(file.node, moved.end, into) {
            Ok(len) => len,
            Err(error) => {
                into.fill(0);
                return Err(error.into());
            }
        };
        moved.advance(moved.end, len)?;
        if len < into.len() {
            break;
        }
    }
    Ok(moved)
}

/// Writes as much as there is room for; `None` if there is nothing to write.
fn write_file(
    call: &mut Call<'_>,
    file: File,
    start: Start,
    ranges: &[GuestRange],
) -> Result<Option<Moved>> {
    let files = call.state.mounts.writable(file.mount)?;
    let mut written: Option<Moved> = None;
    for range in ranges {
        let bytes = call.memory.slice(*range)?;
        let at = written.as_ref().map_or(start, |moved| Start::At(moved.end));
        let result: files::Result<(u64, usize)> = match at {
            Start::At(at) => files.write(file.node, at, bytes).map(|len| (at, len)),
            Start::End => files.append(file.node, bytes),
        };
        let (at, len) = match result {
            Ok(taken) => taken,
            // What was taken is told; the next write meets the error again.
            Err(Error::NoSpace | Error::TooLarge) if written.is_some() => break,
            Err(error) => return Err(error.into()),
        };
        let moved = written.get_or_insert(Moved { len: 0, end: at });
        moved.advance(at, len)?;
        if len < bytes.len() {
            break;
        }
    }
    Ok(written)
}

impl Moved {
    fn advance(&mut self, at: u64, len: usize) -> core::result::Result<(), Errno> {
        let more = u32::try_from(len).map_err(|_| Errno::Overflow)?;
        self.len = self.len.checked_add(more).ok_or(Errno::Overflow)?;
        self.end = at.checked_add(u64::from(more)).ok_or(Errno::Overflow)?;
        Ok(())
    }
}

/// Makes a write durable if the descriptor says so.
fn synchronise(call: &mut Call<'_>, entry: &Entry, file: File) -> Result {
    let scope = match entry.flags & (fdflag::DSYNC | fdflag::SYNC) {
        0 => return Ok(()),
        fdflag::DSYNC => Scope::Contents,
        _ => Scope::Everything,
    };
    Ok(call
        .state
        .mounts
        .writable(file.mount)?
        .sync(file.node, scope)?)
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

const _: () = assert!(VECTORS_MAX.checked_mul(VECTOR_LEN).is_some());
