//! `poll_oneoff`: waiting for several things at once.
//!
//! ```text
//!   subscriptions ──read──► Subscription ──look──► events        some: done
//!                                          │                      none: wait until the next deadline
//!                                          └──────────◄───────────┘      or until a stream is ready
//! ```
//!
//! The host may end a wait early or late, so deadlines are compared with the clocks again after each.

use alloc::vec::Vec;

use twine_abi::exchange::{WAIT_FOREVER, interest};
use wasmtime::Linker;

use crate::descriptors::{End, OpenFile, Resource};
use crate::limits::SUBSCRIPTIONS_MAX;
use crate::platform::Sink;
use crate::state::State;
use crate::streams;
use crate::wasi::call::{Call, Failure, Result, define};
use crate::wasi::clock::ClockId;
use crate::wasi::memory::{GuestRange, offset};
use crate::wasi::rights::need;
use crate::wasi::types::{Errno, poll, right};

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define!(linker; poll_oneoff(subscriptions: u32, events: u32, count: u32, occurred: u32),);
    Ok(())
}

fn poll_oneoff(
    call: &mut Call<'_>,
    subscriptions: u32,
    events: u32,
    count: u32,
    occurred: u32,
) -> Result {
    if count == 0 || count > SUBSCRIPTIONS_MAX {
        return Err(Errno::Inval.into());
    }
    call.memory.slice(GuestRange {
        address: subscriptions,
        len: count * poll::SUBSCRIPTION_LEN,
    })?;
    // The places for the results first: nobody should wait for what cannot be reported.
    call.memory.write_u32(occurred, 0)?;
    call.memory.slice(GuestRange {
        address: events,
        len: count * EVENT_LEN,
    })?;
    let subscriptions = (0..count)
        .map(|index| {
            Subscription::read(call, offset(subscriptions, index * poll::SUBSCRIPTION_LEN)?)
        })
        .collect::<Result<Vec<_>>>()?;
    let found = wait(call, &subscriptions)?;
    for (index, event) in (0..count).zip(&found) {
        call.memory
            .write(offset(events, index * EVENT_LEN)?, &event.to_bytes())?;
    }
    let found = u32::try_from(found.len()).map_err(|_| Errno::Overflow)?;
    Ok(call.memory.write_u32(occurred, found)?)
}

/// Waits until there is something to report.
fn wait(call: &mut Call<'_>, subscriptions: &[Subscription]) -> Result<Vec<Event>> {
    let interests = subscriptions
        .iter()
        .fold(0, |all, subscription| all | subscription.interest());
    let mut ready = 0;
    let mut looked = interests == 0;
    loop {
        let mut events = Vec::new();
        let mut timeout = WAIT_FOREVER;
        for subscription in subscriptions {
            match subscription.look(call, ready)? {
                Look::Event(event) => events.push(event),
                Look::Nothing { within } => timeout = timeout.min(within),
            }
        }
        // Even if a deadline has passed, streams that are ready have a right to be reported with it.
        if !events.is_empty() {
            if looked {
                return Ok(events);
            }
            timeout = 0;
        }
        ready = streams::wait(call.platform(), timeout, interests)?;
        looked = true;
    }
}

/// Something that the guest waits for.
#[derive(Clone, Copy, Debug)]
struct Subscription {
    /// What the guest calls it.
    userdata: u64,
    /// What it is: [`poll::CLOCK`], [`poll::FD_READ`] or [`poll::FD_WRITE`].
    kind: u8,
    /// When it happens; or why it cannot be waited for.
    target: core::result::Result<Target, Errno>,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    /// When the clock shows so many nanoseconds.
    Deadline(ClockId, u64),
    /// When one of these is ready.
    Interest(u64),
    /// At once: it is a file. So many bytes can be moved.
    Now(u64),
}

enum Look {
    Event(Event),
    /// Nothing yet, but maybe in so many nanoseconds.
    Nothing {
        within: u64,
    },
}

impl Subscription {
    /// ```text
    /// offset  size  field
    ///      0     8  userdata
    ///      8     1  kind
    ///     16     4  clock, or descriptor
    ///     24     8  clock: time
    ///     32     8  clock: precision
    ///     40     2  clock: flags
    /// ```
    fn read(call: &mut Call<'_>, address: u32) -> Result<Self> {
        let memory = &call.memory;
        let userdata = u64::from_le_bytes(memory.array(address)?);
        let [kind] = memory.array(offset(address, 8)?)?;
        let id = memory.read_u32(offset(address, 16)?)?;
        let time = u64::from_le_bytes(memory.array(offset(address, 24)?)?);
        let flags = u16::from_le_bytes(memory.array(offset(address, 40)?)?);
        let target = match kind {
            poll::CLOCK => deadline(call, id, time, flags),
            poll::FD_READ => readiness(call, id, right::FD_READ),
            poll::FD_WRITE => readiness(call, id, right::FD_WRITE),
            _ => Err(Errno::Inval.into()),
        };
        Ok(Self {
            userdata,
            kind,
            target: match target {
                Ok(target) => Ok(target),
                Err(Failure::Errno(errno)) => Err(errno),
                Err(halt) => return Err(halt),
            },
        })
    }

    /// What the platform has to wait for.
    const fn interest(&self) -> u64 {
        match self.target {
            Ok(Target::Interest(interest)) => interest,
            Ok(Target::Deadline(..) | Target::Now(_)) | Err(_) => 0,
        }
    }

    /// Looks whether it has happened, if the platform says that `ready` is ready.
    fn look(&self, call: &mut Call<'_>, ready: u64) -> Result<Look> {
        let within = match self.target {
            Err(errno) => return Ok(self.event(Some(errno), 0)),
            Ok(Target::Now(bytes)) => return Ok(self.event(None, bytes)),
            // The host says that a stream is ready, not how much of it.
            Ok(Target::Interest(interest)) if ready & interest != 0 => {
                return Ok(self.event(None, 1));
            }
            Ok(Target::Interest(_)) => WAIT_FOREVER,
            Ok(Target::Deadline(clock, deadline)) => deadline.saturating_sub(clock.now(call)?),
        };
        Ok(match within {
            0 => self.event(None, 0),
            within => Look::Nothing { within },
        })
    }

    const fn event(&self, errno: Option<Errno>, bytes: u64) -> Look {
        Look::Event(Event {
            userdata: self.userdata,
            errno,
            bytes,
            kind: self.kind,
        })
    }
}

fn deadline(call: &mut Call<'_>, clock: u32, time: u64, flags: u16) -> Result<Target> {
    let clock = ClockId::try_from(clock)?;
    let deadline = match flags {
        poll::ABSTIME => time,
        0 => clock.now(call)?.saturating_add(time),
        _ => return Err(Errno::Inval.into()),
    };
    Ok(Target::Deadline(clock, deadline))
}

fn readiness(call: &mut Call<'_>, fd: u32, direction: u64) -> Result<Target> {
    let entry = *call.state.descriptors.entry(fd)?;
    let needed = right::POLL_FD_READWRITE | direction;
    let stream = match entry.resource {
        Resource::Stream(stream) => stream,
        Resource::File(open) => {
            need(&entry, needed)?;
            return file_readiness(call, open, direction);
        }
        Resource::Directory(_) => return Err(Errno::Badf.into()),
    };
    let interest = match (stream.end, direction) {
        (End::Input, right::FD_READ) => interest::INPUT,
        (End::Output(Sink::Output), right::FD_WRITE) => interest::OUTPUT,
        (End::Output(Sink::Error), right::FD_WRITE) => interest::ERROR,
        _ => return Err(Errno::Badf.into()),
    };
    need(&entry, needed)?;
    Ok(Target::Interest(interest))
}

/// A file never lets anybody wait.
fn file_readiness(call: &mut Call<'_>, open: OpenFile, direction: u64) -> Result<Target> {
    if direction == right::FD_WRITE {
        return Ok(Target::Now(1));
    }
    let files = call.state.mounts.files(open.file.mount)?;
    let size = files.status(open.file.node)?.size;
    Ok(Target::Now(size.saturating_sub(open.position)))
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
struct Event {
    userdata: u64,
    errno: Option<Errno>,
    bytes: u64,
    kind: u8,
}

impl Event {
    /// ```text
    /// offset  size  field
    ///      0     8  userdata
    ///      8     2  errno
    ///     10     1  kind
    ///     16     8  descriptor: bytes that can be moved at least
    ///     24     2  descriptor: flags
    /// ```
    fn to_bytes(self) -> [u8; poll::EVENT_LEN] {
        let errno = self.errno.map_or(0, |errno| errno as u16);
        let words = [
            self.userdata,
            u64::from(errno) | u64::from(self.kind) << 16,
            self.bytes,
            0,
        ];
        let mut event = [0; poll::EVENT_LEN];
        event.copy_from_slice(words.map(u64::to_le_bytes).as_flattened());
        event
    }
}

const EVENT_LEN: u32 = 32;

const _: () = {
    assert!(poll::EVENT_LEN == EVENT_LEN as usize);
    assert!(
        SUBSCRIPTIONS_MAX
            .checked_mul(poll::SUBSCRIPTION_LEN)
            .is_some()
    );
};
