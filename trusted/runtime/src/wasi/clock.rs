//! Clocks as the guest names them.

use wasmtime::Linker;

use crate::clocks::{Clocks, RESOLUTION_NS};
use crate::state::State;
use crate::wasi::call::{Call, Result, define};
use crate::wasi::types::{Errno, clockid};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define!(linker;
        clock_res_get(id: u32, resolution: u32),
        clock_time_get(id: u32, precision: u64, time: u32),
    );
    Ok(())
}

fn clock_res_get(call: &mut Call<'_>, id: u32, resolution: u32) -> Result {
    ClockId::try_from(id)?;
    Ok(call.memory.write_u64(resolution, RESOLUTION_NS)?)
}

// The precision is what the guest is content with; it always gets the best there is.
fn clock_time_get(call: &mut Call<'_>, id: u32, _precision: u64, time: u32) -> Result {
    let now = ClockId::try_from(id)?.now(call)?;
    Ok(call.memory.write_u64(time, now)?)
}

/// A clock that the guest can name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ClockId {
    /// The time of day.
    Realtime,
    /// Time that never goes backwards.
    Monotonic,
    /// Processor time, of the process or the thread; a guest has one of each.
    CpuTime,
}

impl TryFrom<u32> for ClockId {
    type Error = Errno;

    fn try_from(id: u32) -> core::result::Result<Self, Errno> {
        match id {
            clockid::REALTIME => Ok(Self::Realtime),
            clockid::MONOTONIC => Ok(Self::Monotonic),
            clockid::PROCESS_CPUTIME | clockid::THREAD_CPUTIME => Ok(Self::CpuTime),
            _ => Err(Errno::Inval),
        }
    }
}

impl ClockId {
    /// What the clock shows, in nanoseconds.
    pub(super) fn now(self, call: &mut Call<'_>) -> Result<u64> {
        let State {
            platform, clocks, ..
        } = &mut *call.state;
        Ok(match self {
            Self::Realtime => Clocks::realtime(&mut **platform),
            Self::Monotonic => clocks.monotonic(&mut **platform),
            Self::CpuTime => clocks.elapsed(&mut **platform),
        }?)
    }
}
