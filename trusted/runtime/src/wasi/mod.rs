//! WASI preview 1 (`wasi_snapshot_preview1`), all 46 calls.
//!
//! The core that does the work (`streams`, `clocks`, `descriptors`, [`files`](crate::files)) has no type of preview 1 in
//! it; this module translates.
//!
//! | call | status | remarks |
//! |---|---|---|
//! | `args_get`, `args_sizes_get` | complete | by the launch document's rule |
//! | `environ_get`, `environ_sizes_get` | complete | fixed variables first |
//! | `clock_res_get` | complete | 1 ns for every clock; the host's may be coarser |
//! | `clock_time_get` | complete | the host's time; the monotonic clock never goes backwards. Processor time is the time since a clock was first read, an upper bound |
//! | `poll_oneoff` | complete | files are always ready. A stream's `nbytes` is 1: the host tells only that there are some. More than 131072 subscriptions: EINVAL |
//! | `proc_exit` | complete | |
//! | `proc_raise` | complete | a signal that would end a process ends the guest with 128 + its number; stop signals: ENOTSUP |
//! | `random_get` | complete | the enclave's own generator, never the host's |
//! | `sched_yield` | complete | |
//! | `fd_read`, `fd_write` | complete | more than 1024 buffers: EINVAL. On a stream, several buffers move at most 64 KiB in one call |
//! | `fd_pread`, `fd_pwrite` | complete | `fd_pwrite` writes at its offset also with APPEND, as POSIX has it |
//! | `fd_seek`, `fd_tell` | complete | positions fit a signed number |
//! | `fd_close` | complete | writes nothing: see [`files`](crate::files) for what survives |
//! | `fd_renumber` | complete | both numbers have to be open |
//! | `fd_fdstat_get`, `fd_filestat_get` | complete | a stream is a character device if the host says that it is a terminal, else of unknown type. The device is 0 for streams, and another number for each mount |
//! | `fd_fdstat_set_flags` | complete | every flag on a file; NONBLOCK on a stream, others: ENOTSUP |
//! | `fd_fdstat_set_rights` | complete | gives up rights, never adds any |
//! | `fd_filestat_set_size`, `fd_filestat_set_times` | complete | |
//! | `fd_sync`, `fd_datasync` | complete | nothing to do for output and what is mounted read-only, EINVAL for input |
//! | `fd_advise` | complete | checked, and then nothing is done |
//! | `fd_allocate` | complete | ENOTSUP where the file system cannot |
//! | `fd_readdir` | complete | "." and ".." first; the last entry is cut off where the buffer ends |
//! | `fd_prestat_get`, `fd_prestat_dir_name` | complete | only for mounts; EBADF for anything else |
//! | `path_open` | complete | CREAT with DIRECTORY: EINVAL. Rights that mean nothing for what is opened are dropped, as the specification has it |
//! | `path_create_directory`, `path_remove_directory`, `path_unlink_file` | complete | |
//! | `path_filestat_get`, `path_filestat_set_times`, `path_readlink` | complete | |
//! | `path_link`, `path_rename` | complete | between two mounts: EXDEV. `path_link` follows a link if told to |
//! | `path_symlink` | complete | to an absolute path: ENOTCAPABLE, as it could never be followed |
//! | `sock_*` | no sockets | ENOTSOCK |
//!
//! For all: a number that is not open is EBADF, reading an output or writing an input is EBADF, a right that was given up is
//! ENOTCAPABLE, an address outside memory is EFAULT. Bytes moved to or from a directory are EISDIR, a path that starts at
//! something else is ENOTDIR, a position of a stream is ESPIPE. Addresses need not be aligned. A guest that calls without
//! exporting a memory named `memory` traps.
//!
//! # Paths
//!
//! A path starts at an open directory and never leaves it, whatever symbolic links are on the way: an absolute path, an
//! absolute target of a link, and a ".." too many are ENOTCAPABLE. More than 40 links are ELOOP, as is a link at the end that
//! must not be followed. A name over 255 or a path over 4096 bytes is ENAMETOOLONG, a path that is not UTF-8 EILSEQ, one with
//! a NUL EINVAL, an empty one ENOENT. A slash at the end says that what is before it is a directory.
//!
//! The older module name `wasi_unstable` is not served: its structures differ.

pub(crate) mod call;
mod clock;
mod directory;
mod fd;
mod io;
pub(crate) mod memory;
mod open;
mod path;
mod poll;
mod process;
mod rights;
mod sock;
mod stat;
mod strings;
pub(crate) mod types;

use wasmtime::Linker;

use crate::state::State;

pub(crate) use rights::{mount_rights, stream_rights};

/// The module that guests import the calls from.
pub(crate) const MODULE: &str = "wasi_snapshot_preview1";

/// The name of the snapshot before, whose structures differ.
pub(crate) const OLDER_MODULE: &str = "wasi_unstable";

/// Defines every call in `linker`.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    strings::link(linker)?;
    clock::link(linker)?;
    process::link(linker)?;
    poll::link(linker)?;
    fd::link(linker)?;
    io::link(linker)?;
    stat::link(linker)?;
    directory::link(linker)?;
    open::link(linker)?;
    path::link(linker)?;
    sock::link(linker)
}
