//! The three standard streams.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use twine_abi::exchange::{HostErrno, WAIT_FOREVER, interest, launch_flag};

use super::descriptor::Descriptor;
use super::errno::of_stream;
use super::stream::{Input, Output};
use crate::error::Error;
use crate::launch::deadline::StopSignal;

/// The guest's console: its standard streams, and waiting for them.
pub struct Console {
    input: Source,
    output: Sink,
    error: Sink,
    stop: Option<Arc<StopSignal>>,
}

impl Console {
    /// Opens the streams. Waiting for them ends when `stop` is raised.
    ///
    /// # Errors
    /// [`Error::Os`] if one of this process's own streams is closed.
    pub fn new(
        input: Input,
        output: Output,
        error: Output,
        stop: Option<Arc<StopSignal>>,
    ) -> Result<Self, Error> {
        let stop_of = || stop.clone();
        Ok(Self {
            input: Source::open(input, stop_of())?,
            output: Sink::open(output, io::stdout(), stop_of())?,
            error: Sink::open(error, io::stderr(), stop_of())?,
            stop,
        })
    }

    /// Which streams are terminals, as [`launch_flag`]s.
    #[must_use]
    pub fn terminals(&self) -> u64 {
        [
            (self.input.descriptor(), launch_flag::INPUT_TERMINAL),
            (self.output.descriptor(), launch_flag::OUTPUT_TERMINAL),
            (self.error.descriptor(), launch_flag::ERROR_TERMINAL),
        ]
        .into_iter()
        .filter(|(descriptor, _)| descriptor.is_some_and(Descriptor::is_terminal))
        .fold(0, |flags, (_, flag)| flags | flag)
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<u64, HostErrno> {
        match &mut self.input {
            Source::Descriptor(descriptor) => descriptor.read(buffer),
            Source::Reader(reader) => uncut(|| reader.read(buffer)),
        }
        .map(|count| count as u64)
    }

    pub(super) fn write(&mut self, stream: u64, bytes: &[u8]) -> Result<u64, HostErrno> {
        let sink = match stream {
            1 => &mut self.output,
            2 => &mut self.error,
            _ => return Err(HostErrno::Invalid),
        };
        match sink {
            Sink::Descriptor(descriptor) => descriptor.write(bytes),
            Sink::Writer(writer) => uncut(|| {
                let count = writer.write(bytes)?;
                writer.flush()?;
                Ok(count)
            }),
        }
        .map(|count| count as u64)
    }

    /// Fails once the time is up: with this answer a guest ends that is hardly ever in its own code.
    pub(super) fn go_on(&self) -> Result<(), HostErrno> {
        match &self.stop {
            Some(stop) if stop.is_raised() => Err(HostErrno::Interrupted),
            _ => Ok(()),
        }
    }

    /// Waits for the streams of `interests`, at most `nanoseconds`.
    pub(super) fn wait(&self, nanoseconds: u64, interests: u64) -> Result<u64, HostErrno> {
        if interests & !interest::ALL != 0 {
            return Err(HostErrno::Invalid);
        }
        let streams = [
            (interest::INPUT, self.input.descriptor(), PollFlags::IN),
            (interest::OUTPUT, self.output.descriptor(), PollFlags::OUT),
            (interest::ERROR, self.error.descriptor(), PollFlags::OUT),
        ];
        // A reader or writer has no readiness to wait for: it is asked, and does what it does.
        let ready = streams
            .iter()
            .filter(|(bit, descriptor, _)| interests & bit != 0 && descriptor.is_none())
            .fold(0, |ready, (bit, ..)| ready | bit);
        let (bits, mut fds): (Vec<u64>, Vec<PollFd<'_>>) = streams
            .iter()
            .filter(|(bit, ..)| interests & bit != 0)
            .filter_map(|(bit, descriptor, flags)| {
                Some((bit, PollFd::new(*descriptor.as_ref()?, *flags)))
            })
            .unzip();
        fds.extend(
            self.stop
                .iter()
                .map(|stop| PollFd::new(stop, PollFlags::IN)),
        );
        let limit = match (ready, nanoseconds) {
            (0, WAIT_FOREVER) => None,
            (0, nanoseconds) => Some(Duration::from_nanos(nanoseconds)),
            _ => Some(Duration::ZERO),
        };
        poll_until(&mut fds, limit)?;
        self.go_on()?;
        Ok(bits
            .into_iter()
            .zip(&fds)
            .filter(|(_, fd)| !fd.revents().is_empty())
            .fold(ready, |ready, (bit, _)| ready | bit))
    }
}

/// `poll(2)` that signal handlers of this process do not cut short.
fn poll_until(fds: &mut [PollFd<'_>], limit: Option<Duration>) -> Result<(), HostErrno> {
    let start = Instant::now();
    loop {
        let left = limit.map(|limit| limit.saturating_sub(start.elapsed()));
        let left = left.map(|left| Timespec {
            tv_sec: left.as_secs().cast_signed(),
            tv_nsec: left.subsec_nanos().into(),
        });
        match poll(fds, left.as_ref()) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(of_stream(&errno.into())),
        }
    }
}

/// A caller's reader or writer, asked again if a signal handler of this process cut it short.
fn uncut(mut operation: impl FnMut() -> io::Result<usize>) -> Result<usize, HostErrno> {
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result.map_err(|error| of_stream(&error)),
        }
    }
}

/// A descriptor of its own for one of this process's streams.
fn duplicate(stream: impl AsFd) -> Result<OwnedFd, Error> {
    let duplicate = stream.as_fd().try_clone_to_owned();
    duplicate.map_err(|source| Error::Os {
        what: "opening this process's standard streams",
        source,
    })
}

enum Source {
    Descriptor(Descriptor),
    Reader(Box<dyn Read + Send>),
}

impl Source {
    fn open(input: Input, stop: Option<Arc<StopSignal>>) -> Result<Self, Error> {
        Ok(match input {
            Input::Inherit => Self::Descriptor(Descriptor::new(duplicate(io::stdin())?, stop)),
            Input::Descriptor(fd) => Self::Descriptor(Descriptor::new(fd, stop)),
            Input::Empty => Self::Reader(Box::new(io::empty())),
            Input::Reader(reader) => Self::Reader(reader),
        })
    }

    const fn descriptor(&self) -> Option<&Descriptor> {
        match self {
            Self::Descriptor(descriptor) => Some(descriptor),
            Self::Reader(_) => None,
        }
    }
}

enum Sink {
    Descriptor(Descriptor),
    Writer(Box<dyn Write + Send>),
}

impl Sink {
    fn open(output: Output, own: impl AsFd, stop: Option<Arc<StopSignal>>) -> Result<Self, Error> {
        Ok(match output {
            Output::Inherit => Self::Descriptor(Descriptor::new(duplicate(own)?, stop)),
            Output::Descriptor(fd) => Self::Descriptor(Descriptor::new(fd, stop)),
            Output::Discard => Self::Writer(Box::new(io::sink())),
            Output::Writer(writer) => Self::Writer(writer),
        })
    }

    const fn descriptor(&self) -> Option<&Descriptor> {
        match self {
            Self::Descriptor(descriptor) => Some(descriptor),
            Self::Writer(_) => None,
        }
    }
}
