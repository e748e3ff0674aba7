//! The guest's standard streams, as the embedder gives them.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where the guest's standard input comes from.
#[derive(Default)]
#[non_exhaustive]
pub enum Input {
    /// This process's own standard input, unbuffered: bytes that the guest does not read stay for others.
    Inherit,
    /// Nothing: the end of the input comes at once.
    #[default]
    Empty,
    /// An open file, pipe, socket or terminal.
    Descriptor(OwnedFd),
    /// Any reader. One that blocks also holds up the deadline.
    Reader(Box<dyn Read + Send>),
}

/// Where the guest's standard output or standard error goes.
#[derive(Default)]
#[non_exhaustive]
pub enum Output {
    /// This process's own stream of the same name, unbuffered.
    Inherit,
    /// Nowhere.
    #[default]
    Discard,
    /// An open file, pipe, socket or terminal.
    Descriptor(OwnedFd),
    /// Any writer. It is flushed after every write; one that blocks also holds up the deadline.
    Writer(Box<dyn Write + Send>),
}

impl Input {
    /// These bytes, and then the end.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Reader(Box::new(io::Cursor::new(bytes.into())))
    }
}

/// Keeps what a guest writes. Clones share the bytes, so one goes to the launch and the other is read afterwards.
///
/// It grows with what the guest writes: for a guest that may write without end, use a writer with a limit.
#[derive(Clone, Debug, Default)]
pub struct Capture(Arc<Mutex<Vec<u8>>>);

impl Capture {
    /// Takes the bytes written so far.
    #[must_use]
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl From<&Capture> for Output {
    fn from(capture: &Capture) -> Self {
        Self::Writer(Box::new(capture.clone()))
    }
}

impl From<OwnedFd> for Input {
    fn from(descriptor: OwnedFd) -> Self {
        Self::Descriptor(descriptor)
    }
}

impl From<OwnedFd> for Output {
    fn from(descriptor: OwnedFd) -> Self {
        Self::Descriptor(descriptor)
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inherit => "Inherit",
            Self::Empty => "Empty",
            Self::Descriptor(_) => "Descriptor(..)",
            Self::Reader(_) => "Reader(..)",
        })
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inherit => "Inherit",
            Self::Discard => "Discard",
            Self::Descriptor(_) => "Descriptor(..)",
            Self::Writer(_) => "Writer(..)",
        })
    }
}
