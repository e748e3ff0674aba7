//! The honest host, asked by an enclave that is not: every answer is an answer or an error, and nothing panics.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::pipe::pipe;
use twine_abi::exchange::{Clock, PAYLOAD_LEN, WAIT_FOREVER, interest};
use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{PageKind, Permissions, Report, TargetInfo};

use super::*;
use crate::backend::{BackendError, Leaf, Left, PageRange, Refusal, Registers};
use crate::launch::deadline::StopSignal;
use crate::quote::QuoteError;

/// An enclave whose pages remember what was asked, and refuse one offset.
#[derive(Default)]
struct Pages(Mutex<Vec<String>>);

const REFUSED: u64 = 16 * PAGE_LEN;

impl Pages {
    fn note(&self, what: String, range: PageRange) -> Result<(), BackendError> {
        if range.offset == REFUSED {
            return Err(BackendError::Refused {
                leaf: "EMODPR",
                reason: Refusal::PageFault { address: 0 },
            });
        }
        let PageRange { offset, count } = range;
        self.0
            .lock()
            .unwrap()
            .push(format!("{what} {offset:#x} {count}"));
        Ok(())
    }
}

impl Enclave for Pages {
    fn base(&self) -> u64 {
        0
    }

    fn enter(&self, _: u64, _: Leaf, _: &mut Registers) -> Result<Left, BackendError> {
        Err(BackendError::Lost)
    }

    fn interrupt(&self, _: u64) {}

    fn restrict(&self, range: PageRange, permissions: Permissions) -> Result<(), BackendError> {
        self.note(format!("restrict {}", permissions.bits()), range)
    }

    fn retype(&self, range: PageRange, kind: PageKind) -> Result<(), BackendError> {
        self.note(format!("{kind:?}"), range)
    }

    fn remove(&self, range: PageRange) -> Result<(), BackendError> {
        self.note("remove".into(), range)
    }
}

fn host(input: Input, output: Output, stop: Option<Arc<StopSignal>>) -> Host {
    let console = Console::new(input, output, Output::Discard, stop).unwrap();
    Host::new(console, Arc::new(Pages::default()), Log::default())
}

fn idle() -> Host {
    host(Input::Empty, Output::Discard, None)
}

fn header(call: HostCall, args: &[u64]) -> Header {
    let mut header = Header {
        op: call as u32,
        ..Header::default()
    };
    header.args[..args.len()].copy_from_slice(args);
    header
}

fn ask(host: &mut Host, call: HostCall, args: &[u64], payload: &mut [u8]) -> i64 {
    host.serve(&header(call, args), payload)
}

fn errno(errno: HostErrno) -> i64 {
    -(errno as i64)
}

/// A pipe's two ends; what is written to the second is read from the first.
fn ends() -> (OwnedFd, OwnedFd) {
    pipe().unwrap()
}

#[test]
fn hostile_numbers_are_refused_and_never_panic() {
    let mut payload = vec![0; PAYLOAD_LEN];
    let hostile = [0, 1, 7, PAGE_LEN, PAYLOAD_LEN as u64 + 1, 1 << 63, u64::MAX];
    for op in (0..70).chain([u32::MAX]) {
        for first in hostile {
            for second in hostile {
                for third in [0, 5, 255, 256, u64::MAX] {
                    if op == HostCall::Wait as u32 {
                        continue; // Tested below: some of these wait for as long as they say.
                    }
                    let args = [first, second, third, u64::MAX, 0, 0];
                    let header = Header {
                        op,
                        reserved: u32::MAX,
                        args,
                        ret: i64::MIN,
                    };
                    let answer = idle().serve(&header, &mut payload);
                    if HostCall::try_from(op).is_err() {
                        assert_eq!(answer, errno(HostErrno::Invalid));
                    }
                }
            }
        }
    }
}

#[test]
fn lengths_beyond_the_payload_are_refused() {
    let mut payload = vec![0; PAYLOAD_LEN];
    let too_long = PAYLOAD_LEN as u64 + 1;
    for (call, args) in [
        (HostCall::ConsoleWrite, &[1, too_long][..]),
        (HostCall::ConsoleRead, &[too_long]),
        (HostCall::Log, &[u64::MAX]),
        (HostCall::ConsoleWrite, &[0, 1]),
        (HostCall::ConsoleWrite, &[3, 1]),
        (HostCall::ClockRead, &[2]),
        (HostCall::Wait, &[0, interest::ALL + 1]),
    ] {
        assert_eq!(
            ask(&mut idle(), call, args, &mut payload),
            errno(HostErrno::Invalid),
            "{call:?} {args:?}"
        );
    }
}

#[test]
fn bytes_pass_through_unchanged_and_unbuffered() {
    let (from_guest, to_outside) = ends();
    let (to_guest, from_outside) = ends();
    let mut host = host(to_guest.into(), to_outside.into(), None);
    let mut payload = vec![0; PAYLOAD_LEN];
    payload[..4].copy_from_slice(b"a\0\xff\n");
    assert_eq!(
        ask(&mut host, HostCall::ConsoleWrite, &[1, 4], &mut payload),
        4
    );
    let mut received = [0; 16];
    assert_eq!(rustix::io::read(&from_guest, &mut received).unwrap(), 4);
    assert_eq!(&received[..4], b"a\0\xff\n");

    rustix::io::write(&from_outside, b"input").unwrap();
    assert_eq!(ask(&mut host, HostCall::ConsoleRead, &[3], &mut payload), 3);
    assert_eq!(&payload[..3], b"inp");
    assert_eq!(
        ask(&mut host, HostCall::ConsoleRead, &[99], &mut payload),
        2
    );
    drop(from_outside);
    assert_eq!(
        ask(&mut host, HostCall::ConsoleRead, &[99], &mut payload),
        0
    );
}

#[test]
fn a_pipe_that_nobody_reads_is_broken() {
    let (from_guest, to_outside) = ends();
    drop(from_guest);
    let mut host = host(Input::Empty, to_outside.into(), None);
    let answer = ask(&mut host, HostCall::ConsoleWrite, &[1, 1], &mut [0; 8]);
    assert_eq!(answer, errno(HostErrno::BrokenPipe));
}

#[test]
fn readers_and_writers_of_the_caller_serve_as_streams() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    struct Broken(bool);
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0 = !self.0;
            let kind = if self.0 {
                io::ErrorKind::Interrupted
            } else {
                io::ErrorKind::Other
            };
            Err(kind.into())
        }
    }
    let mut broken = host(
        Input::Reader(Box::new(Broken(false))),
        Output::Writer(Box::new(Full)),
        None,
    );
    let mut payload = [0; 8];
    assert_eq!(
        ask(&mut broken, HostCall::ConsoleWrite, &[1, 1], &mut payload),
        errno(HostErrno::NoSpace)
    );
    assert_eq!(
        ask(&mut broken, HostCall::ConsoleRead, &[1], &mut payload),
        errno(HostErrno::Io)
    );

    let capture = Capture::default();
    let mut good = host(Input::bytes("ab"), Output::from(&capture), None);
    assert_eq!(ask(&mut good, HostCall::ConsoleRead, &[8], &mut payload), 2);
    assert_eq!(
        ask(&mut good, HostCall::ConsoleWrite, &[1, 2], &mut payload),
        2
    );
    assert_eq!(capture.take(), b"ab");
}

#[test]
fn waiting_ends_with_what_is_ready_or_with_the_time() {
    let (to_guest, from_outside) = ends();
    let mut host = host(to_guest.into(), Output::Discard, None);
    let mut wait = |nanoseconds, interests| {
        ask(
            &mut host,
            HostCall::Wait,
            &[nanoseconds, interests],
            &mut [],
        )
    };
    let start = Instant::now();
    assert_eq!(wait(5_000_000, interest::INPUT), 0);
    assert!(start.elapsed() >= Duration::from_millis(5));
    assert_eq!(wait(u64::MAX - 1, interest::INPUT | interest::OUTPUT), 2);
    assert_eq!(wait(WAIT_FOREVER, interest::ERROR), 4);
    rustix::io::write(&from_outside, b"x").unwrap();
    assert_eq!(wait(WAIT_FOREVER, interest::INPUT), 1);
    drop(from_outside);
    assert_eq!(
        wait(WAIT_FOREVER, interest::INPUT),
        1,
        "the end is ready too"
    );
}

/// Raises the signal soon, and checks that `blocking` ends because of it.
fn interrupted(blocking: impl FnOnce(Arc<StopSignal>) -> i64) {
    let stop = StopSignal::new().unwrap();
    let raiser = Arc::clone(&stop);
    let timer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        raiser.raise();
    });
    assert_eq!(blocking(stop), errno(HostErrno::Interrupted));
    timer.join().unwrap();
}

#[test]
fn a_blocked_read_a_blocked_write_and_a_wait_end_when_the_time_is_up() {
    let mut payload = vec![0; PAYLOAD_LEN];
    let (to_guest, _from_outside) = ends();
    interrupted(|stop| {
        let mut host = host(to_guest.into(), Output::Discard, Some(stop));
        ask(&mut host, HostCall::ConsoleRead, &[1], &mut payload)
    });
    let (_from_guest, to_outside) = ends();
    interrupted(|stop| {
        let mut host = host(Input::Empty, to_outside.into(), Some(stop));
        let write = [1, PAYLOAD_LEN as u64];
        loop {
            let answer = ask(&mut host, HostCall::ConsoleWrite, &write, &mut payload);
            if answer < 0 {
                return answer;
            }
        }
    });
    interrupted(|stop| {
        let mut host = host(Input::Empty, Output::Discard, Some(stop));
        ask(&mut host, HostCall::Wait, &[WAIT_FOREVER, 0], &mut payload)
    });
}

#[test]
fn a_guest_that_only_looks_at_the_clock_or_yields_is_told_that_its_time_is_up() {
    for (call, argument) in [
        (HostCall::ClockRead, Clock::Monotonic as u64),
        (HostCall::Yield, 0),
    ] {
        interrupted(|stop| {
            let mut host = host(Input::Empty, Output::Discard, Some(stop));
            loop {
                let answer = ask(&mut host, call, &[argument], &mut []);
                if answer < 0 {
                    return answer;
                }
            }
        });
    }
}

#[test]
fn a_descriptor_that_somebody_made_non_blocking_still_waits() {
    let (to_guest, from_outside) = ends();
    rustix::io::ioctl_fionbio(&to_guest, true).unwrap();
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        rustix::io::write(&from_outside, b"x").unwrap();
    });
    let mut host = host(to_guest.into(), Output::Discard, None);
    assert_eq!(ask(&mut host, HostCall::ConsoleRead, &[8], &mut [0; 8]), 1);
    writer.join().unwrap();
}

#[test]
fn clocks_count_forwards() {
    let read = |clock| ask(&mut idle(), HostCall::ClockRead, &[clock as u64], &mut []);
    let first = read(Clock::Monotonic);
    assert!(first > 0 && read(Clock::Monotonic) >= first);
    assert!(read(Clock::Realtime) > 0);
}

#[test]
fn page_calls_reach_the_platform_and_its_refusal_reaches_the_enclave() {
    let pages = Arc::new(Pages::default());
    let console = Console::new(Input::Empty, Output::Discard, Output::Discard, None).unwrap();
    let mut host = Host::new(console, pages.clone(), Log::default());
    let mut page = |call, args: &[u64]| ask(&mut host, call, args, &mut []);
    assert_eq!(
        page(HostCall::PageRestrict, &[PAGE_LEN, 2 * PAGE_LEN, 5]),
        0
    );
    assert_eq!(page(HostCall::PageTrim, &[PAGE_LEN, PAGE_LEN]), 0);
    assert_eq!(page(HostCall::PageRemove, &[PAGE_LEN, PAGE_LEN]), 0);
    for permissions in [8, 256, u64::MAX] {
        let answer = page(HostCall::PageRestrict, &[PAGE_LEN, PAGE_LEN, permissions]);
        assert_eq!(answer, errno(HostErrno::Invalid));
    }
    assert_eq!(
        page(HostCall::PageTrim, &[REFUSED, PAGE_LEN]),
        errno(HostErrno::Invalid)
    );
    assert_eq!(
        *pages.0.lock().unwrap(),
        ["restrict 5 0x1000 2", "Trim 0x1000 1", "remove 0x1000 1"]
    );
}

/// Quotes what it is told to, or fails.
struct Quotes(fn() -> Result<Vec<u8>, QuoteError>);

impl QuoteSource for Quotes {
    fn target_info(&self) -> Result<[u8; TargetInfo::LEN], QuoteError> {
        (self.0)().map(|_| [0x7a; TargetInfo::LEN])
    }

    fn quote(&self, report: &[u8; Report::LEN]) -> Result<Vec<u8>, QuoteError> {
        assert_eq!(report, &[0x4e; Report::LEN]);
        (self.0)()
    }
}

#[test]
fn quotes_come_from_the_source_and_its_errors_reach_the_enclave_as_numbers() {
    let quoting = |source| {
        let mut host = idle().quotes(Some(Arc::new(Quotes(source))));
        let mut payload = vec![0x4e; PAYLOAD_LEN];
        let quote = ask(&mut host, HostCall::Quote, &[], &mut payload);
        let quoted = payload.clone();
        let target = ask(&mut host, HostCall::QuoteTarget, &[], &mut payload);
        (quote, target, quoted, payload)
    };
    let (quote, target, quoted, payload) = quoting(|| Ok(vec![0x3a; 5000]));
    assert_eq!((quote, target), (5000, 0));
    assert_eq!(quoted[..5000], [0x3a; 5000]);
    assert_eq!(payload[..512], [0x7a; 512]);
    assert_eq!(quoting(|| Ok(vec![0; PAYLOAD_LEN])).0, 65_536);
    let too_long = quoting(|| Ok(vec![0; PAYLOAD_LEN + 1]));
    assert_eq!(too_long.0, errno(HostErrno::Io));
    let (quote, target, ..) = quoting(|| Err(QuoteError::TargetChanged));
    assert_eq!((quote, target), (errno(HostErrno::Again), quote));
    let (quote, target, ..) = quoting(|| {
        Err(QuoteError::NoLibrary {
            reason: "none".into(),
        })
    });
    assert_eq!((quote, target), (errno(HostErrno::NotSupported), quote));
}

#[test]
fn a_host_without_a_source_has_no_quotes_and_half_a_report_is_refused() {
    let mut payload = vec![0; PAYLOAD_LEN];
    for call in [HostCall::QuoteTarget, HostCall::Quote] {
        let answer = ask(&mut idle(), call, &[], &mut payload);
        assert_eq!(answer, errno(HostErrno::NotSupported));
    }
    let mut host = idle().quotes(Some(Arc::new(Quotes(|| Ok(vec![1])))));
    let answer = ask(&mut host, HostCall::Quote, &[], &mut [0; 431]);
    assert_eq!(answer, errno(HostErrno::Invalid));
}
