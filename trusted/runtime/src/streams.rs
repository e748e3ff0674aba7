//! The three standard streams: bytes that go out and come in at once, unbuffered and unchanged.
//!
//! Each function checks that the host's answer fits what it was asked.

use twine_abi::exchange::{HostErrno, interest};

use crate::limits::IO_LEN_BYTES_MAX;
use crate::platform::{Fault, Platform, Sink};

/// Writes as much of `bytes` as the host takes without an error, and returns how much that was. An error after some
/// bytes is not reported: the next write meets it again.
pub(crate) fn write(platform: &mut dyn Platform, sink: Sink, bytes: &[u8]) -> Result<usize, Fault> {
    let mut written = 0;
    for chunk in bytes.chunks(IO_LEN_BYTES_MAX) {
        match write_chunk(platform, sink, chunk) {
            Ok(taken) => {
                written += taken;
                if taken < chunk.len() {
                    break;
                }
            }
            Err(Fault::Host(errno)) if written > 0 && errno != HostErrno::Interrupted => break,
            Err(fault) => return Err(fault),
        }
    }
    Ok(written)
}

fn write_chunk(platform: &mut dyn Platform, sink: Sink, chunk: &[u8]) -> Result<usize, Fault> {
    match platform.write(sink, chunk)? {
        // A guest that writes until all is written would never end.
        0 => Err(Fault::Host(HostErrno::Io)),
        taken if taken > chunk.len() => {
            Err(Fault::Misbehaved("a write took more than was offered"))
        }
        taken => Ok(taken),
    }
}

/// Reads standard input once. Zero is its end, or an empty `buffer`.
pub(crate) fn read(platform: &mut dyn Platform, buffer: &mut [u8]) -> Result<usize, Fault> {
    let len = buffer.len().min(IO_LEN_BYTES_MAX);
    let Some(buffer) = buffer.get_mut(..len).filter(|buffer| !buffer.is_empty()) else {
        return Ok(0);
    };
    match platform.read(buffer)? {
        count if count > len => Err(Fault::Misbehaved("a read returned more than was asked for")),
        count => Ok(count),
    }
}

/// Waits for any of `interests`, at most `timeout` nanoseconds, and returns those that are ready.
pub(crate) fn wait(
    platform: &mut dyn Platform,
    timeout: u64,
    interests: u64,
) -> Result<u64, Fault> {
    let ready = platform.wait(timeout, interests)?;
    if ready & !interests != 0 {
        return Err(Fault::Misbehaved("a wait reported what nobody waited for"));
    }
    Ok(ready)
}

/// Whether standard input has bytes or has ended, without waiting.
pub(crate) fn input_is_ready(platform: &mut dyn Platform) -> Result<bool, Fault> {
    Ok(wait(platform, 0, interest::INPUT)? != 0)
}
