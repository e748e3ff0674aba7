//! A stream that is a descriptor: bytes go through unbuffered and unchanged, and waiting for it ends when the guest's
//! time is up.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::pipe::PIPE_BUF;
use twine_abi::exchange::HostErrno;

use super::errno::of_stream;
use crate::launch::deadline::StopSignal;

/// An open file, pipe, socket or terminal, and the signal that ends waiting for it.
pub(super) struct Descriptor {
    fd: OwnedFd,
    stop: Option<Arc<StopSignal>>,
    /// Files never keep anybody waiting.
    is_file: bool,
}

impl Descriptor {
    pub(super) fn new(fd: OwnedFd, stop: Option<Arc<StopSignal>>) -> Self {
        let is_file = rustix::fs::fstat(&fd)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        Self { fd, stop, is_file }
    }

    pub(super) fn is_terminal(&self) -> bool {
        rustix::termios::isatty(&self.fd)
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> Result<usize, HostErrno> {
        if self.stop.is_some() {
            self.wait(PollFlags::IN)?;
        }
        self.retry(PollFlags::IN, || rustix::io::read(&self.fd, &mut *buffer))
    }

    pub(super) fn write(&self, bytes: &[u8]) -> Result<usize, HostErrno> {
        let mut bytes = bytes;
        if self.stop.is_some() && !self.is_file {
            self.wait(PollFlags::OUT)?;
            // A pipe that is ready takes so much without waiting; a longer write could wait past the deadline.
            bytes = bytes.get(..PIPE_BUF).unwrap_or(bytes);
        }
        self.retry(PollFlags::OUT, || rustix::io::write(&self.fd, bytes))
    }

    /// Does what can be cut short by a signal handler of this process, or be refused because somebody made the
    /// descriptor non-blocking; the guest shall see neither.
    fn retry(
        &self,
        interest: PollFlags,
        mut operation: impl FnMut() -> Result<usize, Errno>,
    ) -> Result<usize, HostErrno> {
        loop {
            match operation() {
                Err(Errno::INTR) if !self.is_stopped() => {}
                Err(Errno::AGAIN) => self.wait(interest)?,
                result => return result.map_err(|errno| of_stream(&errno.into())),
            }
        }
    }

    /// Waits until the descriptor is ready, however it is: errors show in the operation that follows.
    fn wait(&self, interest: PollFlags) -> Result<(), HostErrno> {
        loop {
            if self.is_stopped() {
                return Err(HostErrno::Interrupted);
            }
            let mut fds = vec![PollFd::new(&self.fd, interest)];
            fds.extend(
                self.stop
                    .iter()
                    .map(|stop| PollFd::new(stop, PollFlags::IN)),
            );
            match poll(&mut fds, None) {
                Err(Errno::INTR) => {}
                Err(errno) => return Err(of_stream(&errno.into())),
                Ok(_) if fds.first().is_some_and(|fd| !fd.revents().is_empty()) => return Ok(()),
                Ok(_) => {}
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.is_raised())
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
