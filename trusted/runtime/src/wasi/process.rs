//! The process: its end, signals to itself, its turn, and randomness.

use wasmtime::{Caller, Linker};

use crate::halt::Halt;
use crate::limits::IO_LEN_BYTES_MAX;
use crate::state::State;
use crate::wasi::MODULE;
use crate::wasi::call::{Call, Result, define};
use crate::wasi::memory::GuestRange;
use crate::wasi::types::Errno;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(MODULE, "proc_exit", proc_exit)?;
    define!(linker;
        proc_raise(signal: u32),
        random_get(buffer: u32, len: u32),
        sched_yield(),
    );
    Ok(())
}

// The only call that needs no memory and never returns.
fn proc_exit(_: Caller<'_, State>, code: u32) -> wasmtime::Result<()> {
    Err(wasmtime::Error::new(Halt::Exit(code)))
}

/// Does what a signal does to a process that has not asked for anything else (POSIX, `<signal.h>`): nothing, or its end
/// with the exit code that a shell shows.
fn proc_raise(_: &mut Call<'_>, signal: u32) -> Result {
    match signal {
        SIGNAL_NONE | SIGNAL_CHLD | SIGNAL_CONT | SIGNAL_URG | SIGNAL_WINCH => Ok(()),
        SIGNAL_STOP..=SIGNAL_TTOU => Err(Errno::Notsup.into()),
        SIGNAL_NONE..=SIGNAL_LAST => Err(Halt::Exit(SIGNAL_EXIT_BASE + signal).into()),
        _ => Err(Errno::Inval.into()),
    }
}

fn random_get(call: &mut Call<'_>, buffer: u32, len: u32) -> Result {
    let buffer = call.memory.slice_mut(GuestRange {
        address: buffer,
        len,
    })?;
    for chunk in buffer.chunks_mut(IO_LEN_BYTES_MAX) {
        call.state.platform.random(chunk);
    }
    Ok(())
}

fn sched_yield(call: &mut Call<'_>) -> Result {
    Ok(call.platform().yield_now()?)
}

/// A shell shows the end by signal `n` as exit code 128 + `n`.
const SIGNAL_EXIT_BASE: u32 = 128;

const SIGNAL_NONE: u32 = 0;
const SIGNAL_CHLD: u32 = 16;
const SIGNAL_CONT: u32 = 17;
const SIGNAL_STOP: u32 = 18;
const SIGNAL_TTOU: u32 = 21;
const SIGNAL_URG: u32 = 22;
const SIGNAL_WINCH: u32 = 27;
const SIGNAL_LAST: u32 = 30;
