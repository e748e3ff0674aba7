//! The numbers of WASI preview 1, as its specification (`wasi_snapshot_preview1.witx`) fixes them.
//!
//! A test compares them with an independent set.

use twine_abi::exchange::HostErrno;

use crate::files::FileKind;

/// Why a call failed, for the guest. Only those that this runtime returns have names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub(crate) enum Errno {
    /// More bytes than allowed.
    TooBig = 1,
    /// Access is denied.
    Acces = 2,
    /// It would have to wait.
    Again = 6,
    /// The number stands for no open descriptor.
    Badf = 8,
    /// Bytes that are no message.
    Badmsg = 9,
    /// In use.
    Busy = 10,
    /// The name exists.
    Exist = 20,
    /// An address or length lies outside the guest's memory.
    Fault = 21,
    /// The file would be too large.
    Fbig = 22,
    /// Bytes that are no text.
    Ilseq = 25,
    /// An argument makes no sense.
    Inval = 28,
    /// An input or output error.
    Io = 29,
    /// A directory cannot be used so.
    Isdir = 31,
    /// Too many symbolic links, or one where none may be.
    Loop = 32,
    /// Too many open descriptors.
    Mfile = 33,
    /// Too many names.
    Mlink = 34,
    /// A name or path is too long.
    Nametoolong = 37,
    /// Too many open files in the file system.
    Nfile = 41,
    /// No such file or directory.
    Noent = 44,
    /// No memory.
    Nomem = 48,
    /// No space left.
    Nospc = 51,
    /// Not a directory.
    Notdir = 54,
    /// The directory is not empty.
    Notempty = 55,
    /// Not a socket.
    Notsock = 57,
    /// This runtime does not do it.
    Notsup = 58,
    /// A number does not fit its type.
    Overflow = 61,
    /// Nobody may do this.
    Perm = 63,
    /// Nobody reads the other end.
    Pipe = 64,
    /// The result is longer than its place.
    Range = 68,
    /// The mount can only be read.
    Rofs = 69,
    /// A stream has no position.
    Spipe = 70,
    /// Two mounts are involved.
    Xdev = 75,
    /// The descriptor's rights do not cover it, or the path leaves the directory.
    Notcapable = 76,
}

impl From<HostErrno> for Errno {
    fn from(errno: HostErrno) -> Self {
        match errno {
            HostErrno::Again => Self::Again,
            HostErrno::NoMemory => Self::Nomem,
            HostErrno::NoSpace => Self::Nospc,
            HostErrno::BrokenPipe => Self::Pipe,
            _ => Self::Io,
        }
    }
}

impl From<FileKind> for u8 {
    fn from(kind: FileKind) -> Self {
        match kind {
            FileKind::File => filetype::REGULAR_FILE,
            FileKind::Directory => filetype::DIRECTORY,
            FileKind::Link => filetype::SYMBOLIC_LINK,
            FileKind::Other => filetype::UNKNOWN,
        }
    }
}

/// Success, beside [`Errno`].
pub(crate) const SUCCESS: i32 = 0;

/// Bits of a descriptor's rights.
pub(crate) mod right {
    /// `fd_datasync`, and opening with `DSYNC`.
    pub(crate) const FD_DATASYNC: u64 = 1 << 0;
    /// `fd_read`; with `FD_SEEK` also `fd_pread`.
    pub(crate) const FD_READ: u64 = 1 << 1;
    /// `fd_seek`, and what `FD_TELL` allows.
    pub(crate) const FD_SEEK: u64 = 1 << 2;
    /// `fd_fdstat_set_flags`.
    pub(crate) const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
    /// `fd_sync`, and opening with `DSYNC`, `RSYNC`, `SYNC`.
    pub(crate) const FD_SYNC: u64 = 1 << 4;
    /// `fd_tell`.
    pub(crate) const FD_TELL: u64 = 1 << 5;
    /// `fd_write`; with `FD_SEEK` also `fd_pwrite`.
    pub(crate) const FD_WRITE: u64 = 1 << 6;
    /// `fd_advise`.
    pub(crate) const FD_ADVISE: u64 = 1 << 7;
    /// `fd_allocate`.
    pub(crate) const FD_ALLOCATE: u64 = 1 << 8;
    /// `path_create_directory`.
    pub(crate) const PATH_CREATE_DIRECTORY: u64 = 1 << 9;
    /// `path_open` with `CREAT`.
    pub(crate) const PATH_CREATE_FILE: u64 = 1 << 10;
    /// `path_link` from here.
    pub(crate) const PATH_LINK_SOURCE: u64 = 1 << 11;
    /// `path_link` to here.
    pub(crate) const PATH_LINK_TARGET: u64 = 1 << 12;
    /// `path_open`.
    pub(crate) const PATH_OPEN: u64 = 1 << 13;
    /// `fd_readdir`.
    pub(crate) const FD_READDIR: u64 = 1 << 14;
    /// `path_readlink`.
    pub(crate) const PATH_READLINK: u64 = 1 << 15;
    /// `path_rename` from here.
    pub(crate) const PATH_RENAME_SOURCE: u64 = 1 << 16;
    /// `path_rename` to here.
    pub(crate) const PATH_RENAME_TARGET: u64 = 1 << 17;
    /// `path_filestat_get`.
    pub(crate) const PATH_FILESTAT_GET: u64 = 1 << 18;
    /// `path_open` with `TRUNC`.
    pub(crate) const PATH_FILESTAT_SET_SIZE: u64 = 1 << 19;
    /// `path_filestat_set_times`.
    pub(crate) const PATH_FILESTAT_SET_TIMES: u64 = 1 << 20;
    /// `fd_filestat_get`.
    pub(crate) const FD_FILESTAT_GET: u64 = 1 << 21;
    /// `fd_filestat_set_size`.
    pub(crate) const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    /// `fd_filestat_set_times`.
    pub(crate) const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
    /// `path_symlink`.
    pub(crate) const PATH_SYMLINK: u64 = 1 << 24;
    /// `path_remove_directory`.
    pub(crate) const PATH_REMOVE_DIRECTORY: u64 = 1 << 25;
    /// `path_unlink_file`.
    pub(crate) const PATH_UNLINK_FILE: u64 = 1 << 26;
    /// `poll_oneoff` on the descriptor.
    pub(crate) const POLL_FD_READWRITE: u64 = 1 << 27;
    /// Every right on files and directories. The bits above are those of sockets, or none.
    pub(crate) const ALL: u64 = (1 << 28) - 1;
}

/// Types of files.
pub(crate) mod filetype {
    /// None of those that have a number; a pipe, for example.
    pub(crate) const UNKNOWN: u8 = 0;
    /// A character device: a terminal.
    pub(crate) const CHARACTER_DEVICE: u8 = 2;
    /// A directory.
    pub(crate) const DIRECTORY: u8 = 3;
    /// A regular file.
    pub(crate) const REGULAR_FILE: u8 = 4;
    /// A symbolic link.
    pub(crate) const SYMBOLIC_LINK: u8 = 7;
}

/// Flags of an open descriptor.
pub(crate) mod fdflag {
    /// Write at the end.
    pub(crate) const APPEND: u16 = 1 << 0;
    /// Contents are durable when a write returns.
    pub(crate) const DSYNC: u16 = 1 << 1;
    /// Fail instead of waiting.
    pub(crate) const NONBLOCK: u16 = 1 << 2;
    /// Reads see what is durable. Here they always do.
    pub(crate) const RSYNC: u16 = 1 << 3;
    /// Contents and attributes are durable when a write returns.
    pub(crate) const SYNC: u16 = 1 << 4;
    /// Every flag there is.
    pub(crate) const ALL: u16 = (1 << 5) - 1;
}

/// How a path is looked up.
pub(crate) mod lookupflag {
    /// Follow a symbolic link at the end.
    pub(crate) const SYMLINK_FOLLOW: u32 = 1 << 0;
}

/// How a file is opened.
pub(crate) mod oflag {
    /// Create it if it is not there.
    pub(crate) const CREAT: u32 = 1 << 0;
    /// It has to be a directory.
    pub(crate) const DIRECTORY: u32 = 1 << 1;
    /// It must not be there.
    pub(crate) const EXCL: u32 = 1 << 2;
    /// Cut it to nothing.
    pub(crate) const TRUNC: u32 = 1 << 3;
    /// Every flag there is.
    pub(crate) const ALL: u32 = (1 << 4) - 1;
}

/// Which times are set.
pub(crate) mod fstflag {
    /// The time of the last read, to a given one.
    pub(crate) const ATIM: u32 = 1 << 0;
    /// The time of the last read, to the present.
    pub(crate) const ATIM_NOW: u32 = 1 << 1;
    /// The time of the last write, to a given one.
    pub(crate) const MTIM: u32 = 1 << 2;
    /// The time of the last write, to the present.
    pub(crate) const MTIM_NOW: u32 = 1 << 3;
    /// Every flag there is.
    pub(crate) const ALL: u32 = (1 << 4) - 1;
}

/// What an offset counts from.
pub(crate) mod whence {
    /// The start of the file.
    pub(crate) const SET: u32 = 0;
    /// The position.
    pub(crate) const CUR: u32 = 1;
    /// The end of the file.
    pub(crate) const END: u32 = 2;
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
            (Errno::Acces, wasi::ERRNO_ACCES),
            (Errno::Again, wasi::ERRNO_AGAIN),
            (Errno::Badf, wasi::ERRNO_BADF),
            (Errno::Busy, wasi::ERRNO_BUSY),
            (Errno::Exist, wasi::ERRNO_EXIST),
            (Errno::Fault, wasi::ERRNO_FAULT),
            (Errno::Fbig, wasi::ERRNO_FBIG),
            (Errno::Ilseq, wasi::ERRNO_ILSEQ),
            (Errno::Inval, wasi::ERRNO_INVAL),
            (Errno::Io, wasi::ERRNO_IO),
            (Errno::Isdir, wasi::ERRNO_ISDIR),
            (Errno::Loop, wasi::ERRNO_LOOP),
            (Errno::Mfile, wasi::ERRNO_MFILE),
            (Errno::Mlink, wasi::ERRNO_MLINK),
            (Errno::Nametoolong, wasi::ERRNO_NAMETOOLONG),
            (Errno::Nfile, wasi::ERRNO_NFILE),
            (Errno::Noent, wasi::ERRNO_NOENT),
            (Errno::Nomem, wasi::ERRNO_NOMEM),
            (Errno::Nospc, wasi::ERRNO_NOSPC),
            (Errno::Notdir, wasi::ERRNO_NOTDIR),
            (Errno::Notempty, wasi::ERRNO_NOTEMPTY),
            (Errno::Notsock, wasi::ERRNO_NOTSOCK),
            (Errno::Notsup, wasi::ERRNO_NOTSUP),
            (Errno::Overflow, wasi::ERRNO_OVERFLOW),
            (Errno::Perm, wasi::ERRNO_PERM),
            (Errno::Pipe, wasi::ERRNO_PIPE),
            (Errno::TooBig, wasi::ERRNO_2BIG),
            (Errno::Badmsg, wasi::ERRNO_BADMSG),
            (Errno::Range, wasi::ERRNO_RANGE),
            (Errno::Rofs, wasi::ERRNO_ROFS),
            (Errno::Spipe, wasi::ERRNO_SPIPE),
            (Errno::Xdev, wasi::ERRNO_XDEV),
            (Errno::Notcapable, wasi::ERRNO_NOTCAPABLE),
        ] {
            assert_eq!(ours as u16, theirs.raw());
        }
        assert_eq!(SUCCESS, i32::from(wasi::ERRNO_SUCCESS.raw()));
    }

    #[test]
    fn rights_flags_and_identifiers_are_the_specifications() {
        for (ours, theirs) in [
            (right::FD_DATASYNC, wasi::RIGHTS_FD_DATASYNC),
            (right::FD_READ, wasi::RIGHTS_FD_READ),
            (right::FD_SEEK, wasi::RIGHTS_FD_SEEK),
            (right::FD_FDSTAT_SET_FLAGS, wasi::RIGHTS_FD_FDSTAT_SET_FLAGS),
            (right::FD_SYNC, wasi::RIGHTS_FD_SYNC),
            (right::FD_TELL, wasi::RIGHTS_FD_TELL),
            (right::FD_WRITE, wasi::RIGHTS_FD_WRITE),
            (right::FD_ADVISE, wasi::RIGHTS_FD_ADVISE),
            (right::FD_ALLOCATE, wasi::RIGHTS_FD_ALLOCATE),
            (
                right::PATH_CREATE_DIRECTORY,
                wasi::RIGHTS_PATH_CREATE_DIRECTORY,
            ),
            (right::PATH_CREATE_FILE, wasi::RIGHTS_PATH_CREATE_FILE),
            (right::PATH_LINK_SOURCE, wasi::RIGHTS_PATH_LINK_SOURCE),
            (right::PATH_LINK_TARGET, wasi::RIGHTS_PATH_LINK_TARGET),
            (right::PATH_OPEN, wasi::RIGHTS_PATH_OPEN),
            (right::FD_READDIR, wasi::RIGHTS_FD_READDIR),
            (right::PATH_READLINK, wasi::RIGHTS_PATH_READLINK),
            (right::PATH_RENAME_SOURCE, wasi::RIGHTS_PATH_RENAME_SOURCE),
            (right::PATH_RENAME_TARGET, wasi::RIGHTS_PATH_RENAME_TARGET),
            (right::PATH_FILESTAT_GET, wasi::RIGHTS_PATH_FILESTAT_GET),
            (
                right::PATH_FILESTAT_SET_SIZE,
                wasi::RIGHTS_PATH_FILESTAT_SET_SIZE,
            ),
            (
                right::PATH_FILESTAT_SET_TIMES,
                wasi::RIGHTS_PATH_FILESTAT_SET_TIMES,
            ),
            (right::FD_FILESTAT_GET, wasi::RIGHTS_FD_FILESTAT_GET),
            (
                right::FD_FILESTAT_SET_SIZE,
                wasi::RIGHTS_FD_FILESTAT_SET_SIZE,
            ),
            (
                right::FD_FILESTAT_SET_TIMES,
                wasi::RIGHTS_FD_FILESTAT_SET_TIMES,
            ),
            (right::PATH_SYMLINK, wasi::RIGHTS_PATH_SYMLINK),
            (
                right::PATH_REMOVE_DIRECTORY,
                wasi::RIGHTS_PATH_REMOVE_DIRECTORY,
            ),
            (right::PATH_UNLINK_FILE, wasi::RIGHTS_PATH_UNLINK_FILE),
            (right::POLL_FD_READWRITE, wasi::RIGHTS_POLL_FD_READWRITE),
            (right::ALL + 1, wasi::RIGHTS_SOCK_SHUTDOWN),
        ] {
            assert_eq!(ours, theirs);
        }
        for (ours, theirs) in [
            (filetype::UNKNOWN, wasi::FILETYPE_UNKNOWN),
            (filetype::CHARACTER_DEVICE, wasi::FILETYPE_CHARACTER_DEVICE),
            (filetype::DIRECTORY, wasi::FILETYPE_DIRECTORY),
            (filetype::REGULAR_FILE, wasi::FILETYPE_REGULAR_FILE),
            (filetype::SYMBOLIC_LINK, wasi::FILETYPE_SYMBOLIC_LINK),
        ] {
            assert_eq!(ours, theirs.raw());
        }
        for (ours, theirs) in [
            (fdflag::APPEND, wasi::FDFLAGS_APPEND),
            (fdflag::DSYNC, wasi::FDFLAGS_DSYNC),
            (fdflag::NONBLOCK, wasi::FDFLAGS_NONBLOCK),
            (fdflag::RSYNC, wasi::FDFLAGS_RSYNC),
            (fdflag::SYNC, wasi::FDFLAGS_SYNC),
        ] {
            assert_eq!(ours, theirs);
        }
        for (ours, theirs) in [
            (oflag::CREAT, wasi::OFLAGS_CREAT),
            (oflag::DIRECTORY, wasi::OFLAGS_DIRECTORY),
            (oflag::EXCL, wasi::OFLAGS_EXCL),
            (oflag::TRUNC, wasi::OFLAGS_TRUNC),
            (fstflag::ATIM, wasi::FSTFLAGS_ATIM),
            (fstflag::ATIM_NOW, wasi::FSTFLAGS_ATIM_NOW),
            (fstflag::MTIM, wasi::FSTFLAGS_MTIM),
            (fstflag::MTIM_NOW, wasi::FSTFLAGS_MTIM_NOW),
        ] {
            assert_eq!(ours, u32::from(theirs));
        }
        assert_eq!(lookupflag::SYMLINK_FOLLOW, wasi::LOOKUPFLAGS_SYMLINK_FOLLOW);
        assert_eq!(whence::SET, u32::from(wasi::WHENCE_SET.raw()));
        assert_eq!(whence::CUR, u32::from(wasi::WHENCE_CUR.raw()));
        assert_eq!(whence::END, u32::from(wasi::WHENCE_END.raw()));
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
