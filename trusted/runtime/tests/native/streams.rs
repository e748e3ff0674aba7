//! WASI on the standard streams: reading, writing, and what the descriptors say of themselves.

use twine_abi::exchange::{HostErrno, interest, launch_flag};
use twine_runtime::limits::IO_LEN_BYTES_MAX;
use twine_runtime::{Fault, Sink};

use crate::guest::{errnos, module, report};
use crate::support::Launch;

const OK: u32 = 0;
const AGAIN: u32 = 6;
const BADF: u32 = 8;
const FAULT: u32 = 21;
const INVAL: u32 = 28;
const IO: u32 = 29;
const NOTDIR: u32 = 54;
const NOTSOCK: u32 = 57;
const NOTSUP: u32 = 58;
const PIPE: u32 = 64;
const SPIPE: u32 = 70;
const NOTCAPABLE: u32 = 76;

/// One vector over `len` bytes at 256, and a write of it to standard output with the count at 16.
fn write(len: usize) -> String {
    format!(
        "(call $vector (i32.const 0) (i32.const 256) (i32.const {len}))
         (call $try (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
         (call $show (i32.const 16) (i32.const 4))"
    )
}

/// A read of at most `len` bytes to 256, with the count at 16.
fn read(len: usize) -> String {
    format!(
        "(call $vector (i32.const 0) (i32.const 256) (i32.const {len}))
         (call $try (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
         (call $show (i32.const 16) (i32.const 4))"
    )
}

#[test]
fn several_buffers_leave_in_one_host_call_and_in_order() {
    let body = "
        (i32.store (i32.const 256) (i32.const 0x64636261))
        (call $vector (i32.const 0) (i32.const 258) (i32.const 2))
        (call $vector (i32.const 8) (i32.const 0x10000) (i32.const 0))
        (call $vector (i32.const 16) (i32.const 256) (i32.const 2))
        (call $try (call $fd_write (i32.const 1) (i32.const 0) (i32.const 3) (i32.const 32)))
        (call $show (i32.const 32) (i32.const 4))";
    let report = report(body, |_| ());
    assert_eq!(report.errnos, [OK]);
    assert_eq!(report.u32s(), [4]);
    assert_eq!(report.world.written, [(Sink::Output, b"cdab".to_vec())]);
}

#[test]
fn a_long_write_takes_as_many_host_calls_as_it_needs() {
    let len = 3 * IO_LEN_BYTES_MAX - 7;
    let body = format!("(drop (memory.grow (i32.const 4))) {}", write(len));
    let report = report(&body, |_| ());
    assert_eq!(report.errnos, [OK]);
    assert_eq!(report.u32s(), [u32::try_from(len).unwrap()]);
    let lens: Vec<_> = report
        .world
        .written
        .iter()
        .map(|(_, bytes)| bytes.len())
        .collect();
    assert_eq!(
        lens,
        [IO_LEN_BYTES_MAX, IO_LEN_BYTES_MAX, IO_LEN_BYTES_MAX - 7]
    );
}

#[test]
fn a_short_write_is_reported_as_what_it_is() {
    let report = report(&write(100), |launch| {
        launch.world.0.borrow_mut().lies.push_back(Ok(60));
    });
    assert_eq!(
        (report.errnos, report.shown),
        (vec![OK], 60u32.to_le_bytes().to_vec())
    );
}

#[test]
fn the_hosts_errors_reach_the_guest_under_wasis_numbers() {
    for (host, guest) in [
        (HostErrno::BrokenPipe, PIPE),
        (HostErrno::Again, AGAIN),
        (HostErrno::Io, IO),
        (HostErrno::Invalid, IO),
        (HostErrno::NoMemory, 48),
        (HostErrno::NoSpace, 51),
    ] {
        let report = report(&write(3), |launch| {
            launch
                .world
                .0
                .borrow_mut()
                .lies
                .push_back(Err(Fault::Host(host)));
        });
        assert_eq!(report.errnos, [guest], "{host:?}");
    }
}

#[test]
fn a_host_that_takes_nothing_is_an_error_and_not_an_endless_loop() {
    let report = report(&write(3), |launch| {
        launch.world.0.borrow_mut().lies.push_back(Ok(0));
    });
    assert_eq!(report.errnos, [IO]);
}

#[test]
fn input_arrives_in_the_pieces_in_which_it_came_and_then_ends() {
    let body = [read(10), read(10), read(10)].join("(call $show (i32.const 256) (i32.const 4))");
    let report = report(&body, |launch| {
        launch.world.0.borrow_mut().input = [b"ab".to_vec(), b"cdefgh".to_vec()].into();
    });
    assert_eq!(report.errnos, [OK, OK, OK]);
    assert_eq!(report.shown, b"\x02\0\0\0ab\0\0\x06\0\0\0cdef\0\0\0\0");
}

#[test]
fn one_read_fills_several_buffers() {
    let body = "
        (call $vector (i32.const 0) (i32.const 258) (i32.const 2))
        (call $vector (i32.const 8) (i32.const 256) (i32.const 2))
        (call $try (call $fd_read (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 16)))
        (call $show (i32.const 16) (i32.const 4))
        (call $show (i32.const 256) (i32.const 4))";
    let report = report(body, |launch| {
        launch.world.0.borrow_mut().input = [b"abc".to_vec()].into();
    });
    assert_eq!(
        (report.errnos, report.shown),
        (vec![OK], b"\x03\0\0\0c\0ab".to_vec())
    );
}

#[test]
fn a_read_that_must_not_wait_fails_until_there_is_input() {
    let body = format!(
        "(call $try (call $fd_fdstat_set_flags (i32.const 0) (i32.const 4)))
         (call $try (call $fd_fdstat_get (i32.const 0) (i32.const 64)))
         (call $show (i32.const 66) (i32.const 2))
         (call $show (i32.const 66) (i32.const 2)) {}",
        read(4)
    );
    let waiting = report(&body, |_| ());
    assert_eq!(waiting.errnos, [OK, OK, AGAIN]);
    assert_eq!(waiting.shown, [4, 0, 4, 0, 0, 0, 0, 0]);
    assert_eq!(waiting.world.waits, [(0, interest::INPUT)]);
    let there = report(&body, |launch| {
        let mut world = launch.world.0.borrow_mut();
        world.ready = interest::INPUT;
        world.input = [b"abc".to_vec()].into();
    });
    assert_eq!(there.errnos, [OK, OK, OK]);
}

#[test]
fn a_pointer_outside_memory_is_efault_and_moves_no_byte() {
    let bodies = [
        // The list, its entry, the data, the result.
        "(call $try (call $fd_write (i32.const 1) (i32.const 0xfffc) (i32.const 1) (i32.const 16)))",
        "(call $try (call $fd_write (i32.const 1) (i32.const -8) (i32.const 2) (i32.const 16)))",
        "(call $vector (i32.const 0) (i32.const 0xfff0) (i32.const 17))
         (call $try (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))",
        "(call $vector (i32.const 0) (i32.const -1) (i32.const 1))
         (call $try (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))",
        "(call $vector (i32.const 0) (i32.const 256) (i32.const 3))
         (call $try (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0xfffd)))",
    ];
    for body in bodies {
        let written = report(body, |_| ());
        assert_eq!(written.errnos, [FAULT], "{body}");
        assert_eq!(written.world.written, [], "{body}");
        let body = body.replace("$fd_write (i32.const 1)", "$fd_read (i32.const 0)");
        let read = report(&body, |launch| {
            launch.world.0.borrow_mut().input = [b"abc".to_vec()].into();
        });
        assert_eq!(read.errnos, [FAULT], "{body}");
        assert_eq!(read.world.input, [b"abc"], "{body}");
    }
}

#[test]
fn too_many_buffers_or_too_many_bytes_are_einval() {
    let too_many =
        "(call $try (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1025) (i32.const 16)))";
    assert_eq!(errnos(too_many), [INVAL]);
    let too_long = "
        (drop (memory.grow (i32.const 32767)))
        (call $vector (i32.const 0) (i32.const 0) (i32.const 0x7fffffff))
        (call $vector (i32.const 8) (i32.const 0) (i32.const 0x7fffffff))
        (call $vector (i32.const 16) (i32.const 0) (i32.const 2))
        (call $try (call $fd_write (i32.const 1) (i32.const 0) (i32.const 3) (i32.const 24)))";
    assert_eq!(errnos(too_long), [INVAL]);
}

#[test]
fn streams_are_read_or_written_in_their_direction_only() {
    let body = "
        (call $try (call $fd_read (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 16)))
        (call $try (call $fd_write (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16)))
        (call $try (call $fd_write (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 16)))
        (call $try (call $fd_read (i32.const -1) (i32.const 0) (i32.const 0) (i32.const 16)))";
    assert_eq!(errnos(body), [BADF; 4]);
}

#[test]
fn a_stream_describes_itself_with_type_flags_and_rights() {
    let body = "
        (call $try (call $fd_fdstat_get (i32.const 0) (i32.const 0)))
        (call $show (i32.const 0) (i32.const 24))
        (call $try (call $fd_fdstat_get (i32.const 1) (i32.const 0)))
        (call $show (i32.const 0) (i32.const 24))
        (call $try (call $fd_filestat_get (i32.const 1) (i32.const 32)))
        (call $show (i32.const 32) (i32.const 64))
        (call $try (call $fd_fdstat_get (i32.const 3) (i32.const 0)))
        (call $try (call $fd_fdstat_get (i32.const 0) (i32.const 0xffe9)))";
    let report = report(body, |launch| {
        launch.request.flags = launch_flag::OUTPUT_TERMINAL
    });
    assert_eq!(report.errnos, [OK, OK, OK, BADF, FAULT]);
    let common = wasi::RIGHTS_FD_FDSTAT_SET_FLAGS
        | wasi::RIGHTS_FD_FILESTAT_GET
        | wasi::RIGHTS_POLL_FD_READWRITE;
    let output = wasi::RIGHTS_FD_WRITE | wasi::RIGHTS_FD_SYNC | wasi::RIGHTS_FD_DATASYNC;
    let unknown = u64::from(wasi::FILETYPE_UNKNOWN.raw());
    let terminal = u64::from(wasi::FILETYPE_CHARACTER_DEVICE.raw());
    assert_eq!(
        report.u64s(),
        [
            [unknown, common | wasi::RIGHTS_FD_READ, 0].as_slice(),
            &[terminal, common | output, 0],
            &[0, 1, terminal, 1, 0, 0, 0, 0],
        ]
        .concat()
    );
}

#[test]
fn rights_can_be_given_up_but_never_gained() {
    let body = "
        (call $try (call $fd_fdstat_set_rights (i32.const 1) (i64.const 2) (i64.const 0)))
        (call $try (call $fd_fdstat_set_rights (i32.const 1) (i64.const 0x200040) (i64.const 1)))
        (call $try (call $fd_fdstat_set_rights (i32.const 1) (i64.const 0x200000) (i64.const 0)))
        (call $try (call $fd_fdstat_set_rights (i32.const 1) (i64.const 0x200040) (i64.const 0)))
        (call $try (call $fd_write (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 16)))
        (call $try (call $fd_filestat_get (i32.const 1) (i32.const 64)))
        (call $try (call $fd_sync (i32.const 1)))
        (call $try (call $fd_fdstat_set_flags (i32.const 1) (i32.const 0)))
        (call $try (call $fd_fdstat_set_rights (i32.const 9) (i64.const 0) (i64.const 0)))";
    assert_eq!(
        errnos(body),
        [
            NOTCAPABLE, NOTCAPABLE, OK, NOTCAPABLE, NOTCAPABLE, OK, NOTCAPABLE, NOTCAPABLE, BADF
        ]
    );
}

#[test]
fn a_stream_has_no_flag_but_nonblock() {
    let body = "
        (call $try (call $fd_fdstat_set_flags (i32.const 1) (i32.const 0)))
        (call $try (call $fd_fdstat_set_flags (i32.const 1) (i32.const 1)))
        (call $try (call $fd_fdstat_set_flags (i32.const 1) (i32.const 20)))
        (call $try (call $fd_fdstat_set_flags (i32.const 1) (i32.const 32)))
        (call $try (call $fd_fdstat_set_flags (i32.const 1) (i32.const 0x10004)))
        (call $try (call $fd_fdstat_set_flags (i32.const 7) (i32.const 0)))";
    assert_eq!(errnos(body), [OK, NOTSUP, NOTSUP, INVAL, INVAL, BADF]);
}

#[test]
fn closed_and_renumbered_descriptors_behave_as_in_posix() {
    let body = "
        (call $try (call $fd_close (i32.const 0)))
        (call $try (call $fd_close (i32.const 0)))
        (call $try (call $fd_read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16)))
        (call $try (call $fd_renumber (i32.const 1) (i32.const 0)))
        (call $try (call $fd_renumber (i32.const 1) (i32.const 2)))
        (call $try (call $fd_write (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 16)))
        (call $vector (i32.const 0) (i32.const 256) (i32.const 1))
        (call $try (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)))
        (call $proc_exit (i32.load8_u (i32.const 0x8014)))";
    let launch = Launch::new(&module(body));
    let world = launch.world.clone();
    // What was standard error is standard output now: the guest cannot report, and exits with the errno of the write
    // that found 1 closed.
    assert_eq!(launch.run(), twine_runtime::Outcome::exited(BADF));
    assert_eq!(world.0.borrow().written, [(Sink::Output, vec![0])]);
    let before = body
        .split("(call $try (call $fd_renumber (i32.const 1) (i32.const 2)))")
        .next()
        .unwrap();
    assert_eq!(errnos(before), [OK, BADF, BADF, BADF]);
}

/// Every call that needs a position, a size, times, a directory or a socket, and what it says on a stream.
const NOT_FOR_STREAMS: [(&str, u32); 22] = [
    (
        "$fd_advise FD (i64.const 0) (i64.const 0) (i32.const 5)",
        SPIPE,
    ),
    ("$fd_allocate FD (i64.const 0) (i64.const 1)", SPIPE),
    (
        "$fd_pread FD (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 16)",
        SPIPE,
    ),
    (
        "$fd_pwrite FD (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 16)",
        SPIPE,
    ),
    (
        "$fd_seek FD (i64.const 0) (i32.const 1) (i32.const 16)",
        SPIPE,
    ),
    ("$fd_tell FD (i32.const 16)", SPIPE),
    ("$fd_filestat_set_size FD (i64.const 0)", INVAL),
    (
        "$fd_filestat_set_times FD (i64.const 0) (i64.const 0) (i32.const 0)",
        NOTSUP,
    ),
    (
        "$fd_readdir FD (i32.const 0) (i32.const 9) (i64.const 0) (i32.const 16)",
        NOTDIR,
    ),
    ("$fd_prestat_get FD (i32.const 0)", BADF),
    (
        "$fd_prestat_dir_name FD (i32.const 0) (i32.const 9)",
        NOTDIR,
    ),
    (
        "$path_create_directory FD (i32.const 0) (i32.const 1)",
        NOTDIR,
    ),
    (
        "$path_filestat_get FD (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 64)",
        NOTDIR,
    ),
    (
        "$path_filestat_set_times FD (i32.const 0) (i32.const 0) (i32.const 1) (i64.const 0) (i64.const 0) (i32.const 0)",
        NOTDIR,
    ),
    (
        "$path_open FD (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 16)",
        NOTDIR,
    ),
    (
        "$path_readlink FD (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 8) (i32.const 16)",
        NOTDIR,
    ),
    (
        "$path_remove_directory FD (i32.const 0) (i32.const 1)",
        NOTDIR,
    ),
    (
        "$path_symlink (i32.const 0) (i32.const 1) FD (i32.const 0) (i32.const 1)",
        NOTDIR,
    ),
    ("$path_unlink_file FD (i32.const 0) (i32.const 1)", NOTDIR),
    ("$sock_accept FD (i32.const 0) (i32.const 16)", NOTSOCK),
    (
        "$sock_recv FD (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 20)",
        NOTSOCK,
    ),
    ("$sock_shutdown FD (i32.const 1)", NOTSOCK),
];

#[test]
fn what_streams_cannot_do_has_its_own_errno_and_an_unknown_number_is_ebadf() {
    for (call, expected) in NOT_FOR_STREAMS {
        let on = |fd: u32| {
            format!(
                "(call $try (call {}))",
                call.replace("FD", &format!("(i32.const {fd})"))
            )
        };
        let body = [on(0), on(1), on(3), on(u32::MAX)].concat();
        assert_eq!(errnos(&body), [expected, expected, BADF, BADF], "{call}");
    }
    let two_descriptors = "
        (call $try (call $path_rename (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 1)))
        (call $try (call $path_rename (i32.const 5) (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 1)))
        (call $try (call $path_link (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 1)))
        (call $try (call $path_link (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 1)))
        (call $try (call $sock_send (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16)))
        (call $try (call $sock_send (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16)))";
    assert_eq!(
        errnos(two_descriptors),
        [NOTDIR, BADF, NOTDIR, BADF, NOTSOCK, BADF]
    );
}

#[test]
fn arguments_without_meaning_are_einval_before_anything_else_is_looked_at() {
    let body = "
        (call $try (call $fd_advise (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 6)))
        (call $try (call $fd_seek (i32.const 0) (i64.const 0) (i32.const 3) (i32.const 16)))";
    assert_eq!(errnos(body), [INVAL; 2]);
}

#[test]
fn synchronising_has_nothing_to_do_for_output_and_no_meaning_for_input() {
    let body = "
        (call $try (call $fd_sync (i32.const 1)))
        (call $try (call $fd_datasync (i32.const 2)))
        (call $try (call $fd_sync (i32.const 0)))
        (call $try (call $fd_datasync (i32.const 0)))
        (call $try (call $fd_sync (i32.const 3)))";
    assert_eq!(errnos(body), [OK, OK, INVAL, INVAL, BADF]);
}
