//! Arguments and environment: lists of strings that the guest copies into its memory.

use alloc::string::String;

use wasmtime::Linker;

use crate::state::State;
use crate::wasi::call::{Call, Result, define};
use crate::wasi::memory::{GuestMemory, offset};
use crate::wasi::types::Errno;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define!(linker;
        args_get(pointers: u32, buffer: u32),
        args_sizes_get(count: u32, len: u32),
        environ_get(pointers: u32, buffer: u32),
        environ_sizes_get(count: u32, len: u32),
    );
    Ok(())
}

fn args_get(call: &mut Call<'_>, pointers: u32, buffer: u32) -> Result {
    write(&mut call.memory, &call.state.arguments, pointers, buffer)
}

fn args_sizes_get(call: &mut Call<'_>, count: u32, len: u32) -> Result {
    write_sizes(&mut call.memory, &call.state.arguments, count, len)
}

fn environ_get(call: &mut Call<'_>, pointers: u32, buffer: u32) -> Result {
    write(&mut call.memory, &call.state.environment, pointers, buffer)
}

fn environ_sizes_get(call: &mut Call<'_>, count: u32, len: u32) -> Result {
    write_sizes(&mut call.memory, &call.state.environment, count, len)
}

/// Writes the strings one after the other, each ended by a zero byte, and their addresses.
fn write(
    memory: &mut GuestMemory<'_>,
    strings: &[String],
    mut pointers: u32,
    mut buffer: u32,
) -> Result {
    for string in strings {
        memory.write_u32(pointers, buffer)?;
        memory.write(buffer, string.as_bytes())?;
        buffer = offset(buffer, len(string)?)?;
        memory.write(buffer, &[0])?;
        buffer = offset(buffer, 1)?;
        pointers = offset(pointers, 4)?;
    }
    Ok(())
}

fn write_sizes(memory: &mut GuestMemory<'_>, strings: &[String], count: u32, total: u32) -> Result {
    let lens = strings.iter().try_fold(0u32, |sum, string| {
        sum.checked_add(len(string)?)
            .and_then(|sum| sum.checked_add(1))
            .ok_or(Errno::Overflow)
    })?;
    memory.write_u32(
        count,
        u32::try_from(strings.len()).map_err(|_| Errno::Overflow)?,
    )?;
    Ok(memory.write_u32(total, lens)?)
}

fn len(string: &str) -> core::result::Result<u32, Errno> {
    u32::try_from(string.len()).map_err(|_| Errno::Overflow)
}
