//! WASI preview 1 (`wasi_snapshot_preview1`), all 46 calls.
//!
//! The core that does the work (`streams`, `clocks`, `descriptors`) has no type of preview 1 in it; this module translates. Nothing is mounted and
//! there are no sockets, so the calls on files, directories and sockets are present and say so.
//!
//! | call | status | remarks |
//! |---|---|---|
//! | `args_get`, `args_sizes_get` | complete | by the launch document's rule |
//! | `environ_get`, `environ_sizes_get` | complete | fixed variables first |
//! | `clock_res_get` | complete | 1 ns for every clock; the host's may be coarser |
//! | `clock_time_get` | complete | the host's time; the monotonic clock never goes backwards. Processor time is the time since a clock was first read, an upper bound |
//! | `poll_oneoff` | complete | a stream's `nbytes` is 1: the host tells only that there are some. More than 131072 subscriptions: EINVAL |
//! | `proc_exit` | complete | |
//! | `proc_raise` | complete | a signal that would end a process ends the guest with 128 + its number; stop signals: ENOTSUP |
//! | `random_get` | complete | the enclave's own generator, never the host's |
//! | `sched_yield` | complete | |
//! | `fd_read`, `fd_write` | streams | more than 1024 buffers: EINVAL; several buffers move at most 64 KiB in one call |
//! | `fd_close`, `fd_renumber` | complete | both numbers of `fd_renumber` have to be open |
//! | `fd_fdstat_get`, `fd_filestat_get` | streams | a stream is a character device if the host says that it is a terminal, else of unknown type |
//! | `fd_fdstat_set_flags` | streams | NONBLOCK; other flags: ENOTSUP |
//! | `fd_fdstat_set_rights` | complete | gives up rights, never adds any |
//! | `fd_sync`, `fd_datasync` | streams | nothing to do for output, EINVAL for input |
//! | `fd_advise`, `fd_allocate`, `fd_pread`, `fd_pwrite`, `fd_seek`, `fd_tell` | no files | ESPIPE on a stream |
//! | `fd_filestat_set_size`, `fd_filestat_set_times` | no files | EINVAL, ENOTSUP on a stream |
//! | `fd_readdir`, `fd_prestat_dir_name`, `path_*` | nothing mounted | ENOTDIR on a stream |
//! | `fd_prestat_get` | nothing mounted | EBADF: no descriptor is a mount |
//! | `sock_*` | no sockets | ENOTSOCK on a stream |
//!
//! For all: a number that is not open is EBADF, reading an output or writing an input is EBADF, a right that was given up is
//! ENOTCAPABLE, an address outside memory is EFAULT. Addresses need not be aligned. A guest that calls without exporting a
//! memory named `memory` traps.
//!
//! The older module name `wasi_unstable` is not served: its structures differ.

mod call;
mod clock;
mod fd;
mod io;
mod memory;
mod path;
mod poll;
mod process;
mod sock;
mod strings;
mod types;

use wasmtime::Linker;

use crate::state::State;

pub(crate) use fd::stream_rights;

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
    path::link(linker)?;
    sock::link(linker)
}
