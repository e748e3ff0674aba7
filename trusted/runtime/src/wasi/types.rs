//! The numbers of WASI preview 1, as its specification (`wasi_snapshot_preview1.witx`) fixes them.
//!
//! A test compares them with an independent set.

use twine_abi::exchange::HostErrno;

/// Why a call failed, for the guest. Only those that this runtime returns have names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub(crate) enum Errno {
    /// It would have to wait.
    Again = 6,
    /// The number stands for no open descriptor.
    Badf = 8,
    /// An address or length lies outside the guest's memory.
    Fault = 21,
    /// An argument makes no sense.
    Inval = 28,
    /// An input or output error.
    Io = 29,
    /// No memory.
    Nomem = 48,
    /// No space left.
    Nospc = 51,
    /// Not a directory.
    Notdir = 54,
    /// Not a socket.
    Notsock = 57,
    /// This runtime does not do it.
    Notsup = 58,
    /// A number does not fit its type.
    Overflow = 61,
    /// Nobody reads the other end.
    Pipe = 64,
    /// A stream has no position.
    Spipe = 70,
    /// The descriptor's rights do not cover it.
    Notcapable = 76,
}

impl From<HostErrno> for Errno {
    fn from(errno: HostErrno) -> Self {
        match errno {
            HostErrno::Again => Self::Again,
            HostErrno::NoMemory => Self::Nomem,
            HostErrno::NoSpace => Self::Nospc,
            HostErrno::BrokenPipe => Self::Pipe,
            HostErrno::Invalid | HostErrno::Io | HostErrno::Interrupted => Self::Io,
        }
    }
}

/// Success, beside [`Errno`].
pub(crate) const SUCCESS: i32 = 0;

/// Bits of a descriptor's rights.
pub(crate) mod right {
    /// `fd_datasync`.
    pub(crate) const FD_DATASYNC: u64 = 1 << 0;
    /// `fd_read`.
    pub(crate) const FD_READ: u64 = 1 << 1;
    /// `fd_fdstat_set_flags`.
    pub(crate) const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
    /// `fd_sync`.
    pub(crate) const FD_SYNC: u64 = 1 << 4;
    /// `fd_write`.
    pub(crate) const FD_WRITE: u64 = 1 << 6;
    /// `fd_filestat_get`.
    pub(crate) const FD_FILESTAT_GET: u64 = 1 << 21;
    /// `poll_oneoff` on the descriptor.
    pub(crate) const POLL_FD_READWRITE: u64 = 1 << 27;
}

/// Types of files.
pub(crate) mod filetype {
    /// Neither of those that have a number; a pipe, for example.
    pub(crate) const UNKNOWN: u8 = 0;
    /// A character device: a terminal.
    pub(crate) const CHARACTER_DEVICE: u8 = 2;
}

/// Flags of an open descriptor.
pub(crate) mod fdflag {
    /// Fail instead of waiting.
    pub(crate) const NONBLOCK: u16 = 1 << 2;
    /// Every flag there is; the others ask for writes that are on the disk when the call returns.
    pub(crate) const ALL: u16 = (1 << 5) - 1;
}

/// Numbers of clocks.
pub(crate) mod clockid {
    /// The time of day.
    pub(crate) const REALTIME: u32 = 0;
    /// Time that never goes backwards.
    pub(crate) const MONOTONIC: u32 = 1;
    /// Processor time of the process.
    pub(crate) const PROCESS_CPUTIME: u32 = 2;
    /// Processor time of the thread.
    pub(crate) const THREAD_CPUTIME: u32 = 3;
}

/// `poll_oneoff`.
pub(crate) mod poll {
    /// Length of a subscription in memory.
    pub(crate) const SUBSCRIPTION_LEN: u32 = 48;
    /// Length of an event in memory.
    pub(crate) const EVENT_LEN: usize = 32;
    /// A point in time.
    pub(crate) const CLOCK: u8 = 0;
    /// Readiness to be read.
    pub(crate) const FD_READ: u8 = 1;
    /// Readiness to be written.
    pub(crate) const FD_WRITE: u8 = 2;
    /// The time is absolute.
    pub(crate) const ABSTIME: u16 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errnos_are_the_specifications() {
        for (ours, theirs) in [
            (Errno::Again, wasi::ERRNO_AGAIN),
            (Errno::Badf, wasi::ERRNO_BADF),
            (Errno::Fault, wasi::ERRNO_FAULT),
            (Errno::Inval, wasi::ERRNO_INVAL),
            (Errno::Io, wasi::ERRNO_IO),
            (Errno::Nomem, wasi::ERRNO_NOMEM),
            (Errno::Nospc, wasi::ERRNO_NOSPC),
            (Errno::Notdir, wasi::ERRNO_NOTDIR),
            (Errno::Notsock, wasi::ERRNO_NOTSOCK),
            (Errno::Notsup, wasi::ERRNO_NOTSUP),
            (Errno::Overflow, wasi::ERRNO_OVERFLOW),
            (Errno::Pipe, wasi::ERRNO_PIPE),
            (Errno::Spipe, wasi::ERRNO_SPIPE),
            (Errno::Notcapable, wasi::ERRNO_NOTCAPABLE),
        ] {
            assert_eq!(ours as u16, theirs.raw());
        }
        assert_eq!(SUCCESS, i32::from(wasi::ERRNO_SUCCESS.raw()));
    }

    #[test]
    fn rights_flags_and_identifiers_are_the_specifications() {
        assert_eq!(right::FD_DATASYNC, wasi::RIGHTS_FD_DATASYNC);
        assert_eq!(right::FD_READ, wasi::RIGHTS_FD_READ);
        assert_eq!(right::FD_FDSTAT_SET_FLAGS, wasi::RIGHTS_FD_FDSTAT_SET_FLAGS);
        assert_eq!(right::FD_SYNC, wasi::RIGHTS_FD_SYNC);
        assert_eq!(right::FD_WRITE, wasi::RIGHTS_FD_WRITE);
        assert_eq!(right::FD_FILESTAT_GET, wasi::RIGHTS_FD_FILESTAT_GET);
        assert_eq!(right::POLL_FD_READWRITE, wasi::RIGHTS_POLL_FD_READWRITE);
        assert_eq!(filetype::UNKNOWN, wasi::FILETYPE_UNKNOWN.raw());
        assert_eq!(
            filetype::CHARACTER_DEVICE,
            wasi::FILETYPE_CHARACTER_DEVICE.raw()
        );
        assert_eq!(fdflag::NONBLOCK, wasi::FDFLAGS_NONBLOCK);
        assert_eq!(clockid::REALTIME, wasi::CLOCKID_REALTIME.raw());
        assert_eq!(clockid::MONOTONIC, wasi::CLOCKID_MONOTONIC.raw());
        assert_eq!(poll::CLOCK, wasi::EVENTTYPE_CLOCK.raw());
        assert_eq!(poll::FD_READ, wasi::EVENTTYPE_FD_READ.raw());
        assert_eq!(poll::FD_WRITE, wasi::EVENTTYPE_FD_WRITE.raw());
        assert_eq!(
            poll::ABSTIME,
            wasi::SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME
        );
        assert_eq!(poll::EVENT_LEN, size_of::<wasi::Event>());
        assert_eq!(
            poll::SUBSCRIPTION_LEN as usize,
            size_of::<wasi::Subscription>()
        );
    }
}
