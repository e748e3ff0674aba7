//! Interruptions: by the host's own request, and by signals that are meant for the host.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::backend::{BackendError, Leaf, Left, Refusal, Registers};

use super::guest::op;
use super::support::{DATA, Guest, TCS, platform, start};

/// Two words in the host's memory: the enclave says that it has begun, the host says when to stop.
struct Flags([AtomicU64; 2]);

impl Flags {
    fn new() -> Self {
        Self([AtomicU64::new(0), AtomicU64::new(0)])
    }

    fn arguments(&self) -> [u64; 4] {
        let address = |flag: &AtomicU64| flag.as_ptr().expose_provenance() as u64;
        [address(&self.0[0]), address(&self.0[1]), 0, 0]
    }

    fn wait_until_begun(&self) {
        while self.0[0].load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
    }

    fn stop(&self) {
        self.0[1].store(1, Ordering::SeqCst);
    }
}

fn spin(guest: &Guest, flags: &Flags) -> (Result<Left, BackendError>, Registers) {
    let [rsi, rdx, r8, r9] = flags.arguments();
    let mut registers = Registers {
        rdi: op::SPIN,
        rsi,
        rdx,
        r8,
        r9,
    };
    let left = guest.enter(0, Leaf::Enter, &mut registers);
    (left, registers)
}

#[test]
fn a_thread_that_is_inside_is_interrupted_and_goes_on_unchanged() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    let flags = Flags::new();
    thread::scope(|scope| {
        let inside = scope.spawn(|| {
            let (left, _) = spin(&guest, &flags);
            assert_eq!(left.unwrap(), Left::Interrupted);
            let saved = guest.saved(0);
            assert_eq!(saved.exit_info.bits(), 0, "the enclave is not told why");
            assert_eq!(saved.rax, 0x0101_0101_0101_0101);
            flags.stop();
            let mut registers = Registers::default();
            let left = guest.enter(0, Leaf::Resume, &mut registers);
            assert_eq!(left.unwrap(), Left::Exited);
            assert_eq!(registers.rsi, 0, "registers that changed");
        });
        flags.wait_until_begun();
        guest.enclave.interrupt(TCS[0]);
        inside.join().unwrap();
    });
}

#[test]
fn a_request_while_the_thread_is_outside_is_honoured_at_its_next_entry() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    guest.enclave.interrupt(TCS[0]);
    let mut registers = Registers {
        rdi: op::NOTHING,
        rsi: 9,
        ..Registers::default()
    };
    let left = guest.enter(0, Leaf::Enter, &mut registers);
    assert_eq!(left.unwrap(), Left::Interrupted);
    let saved = guest.saved(0);
    assert_eq!((saved.rip, saved.rax, saved.rsi), (guest.base, 0, 9));
    // It was honoured once; the entry then takes place as if nothing had been.
    let left = guest.enter(0, Leaf::Resume, &mut registers);
    assert_eq!(left.unwrap(), Left::Exited);
    assert_eq!(registers.rsi, 9);
    // And at a resumption, just the same.
    assert!(matches!(
        guest.left(0, op::UD2, [3, 0, 0, 0]),
        Left::Exception { .. }
    ));
    let before = guest.saved(0);
    guest.enclave.interrupt(TCS[0]);
    let left = guest.enter(0, Leaf::Resume, &mut registers);
    assert_eq!(left.unwrap(), Left::Interrupted);
    let after = guest.saved(0);
    assert_eq!((after.rip, after.rsi), (before.rip, before.rsi));
    guest.handle_and_resume(0);
}

#[test]
fn other_threads_are_not_interrupted() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    guest.enclave.interrupt(TCS[1]);
    assert_eq!(guest.call(0, op::NOTHING, [1, 0, 0, 0]).0, 1);
}

/// Requests at random moments, including the instructions between host and enclave: none is lost and none disturbs.
#[test]
fn interruptions_at_any_moment_are_neither_lost_nor_harmful() {
    const ROUNDS: u64 = 20_000;
    let platform = platform(|_| ());
    let guest = start(&platform);
    let done = AtomicBool::new(false);
    let requests = thread::scope(|scope| {
        let nagger = scope.spawn(|| {
            let mut requests = 0_u64;
            while !done.load(Ordering::SeqCst) {
                guest.enclave.interrupt(TCS[0]);
                requests += 1;
                for _ in 0..requests % 300 {
                    std::hint::spin_loop();
                }
            }
            requests
        });
        for round in 0..ROUNDS {
            let operation = if round % 2 == 0 {
                op::NOTHING
            } else {
                op::LEAF
            };
            // Leaf 6 (EMODPE) on the thread's own data, asking for what it has.
            let info = guest.base + DATA + 0x800;
            let mut registers = Registers {
                rdi: operation,
                rsi: if operation == op::LEAF { 6 } else { round },
                rdx: info,
                r8: guest.base + DATA,
                r9: 0,
            };
            let mut left = guest.enter(0, Leaf::Enter, &mut registers).unwrap();
            while left == Left::Interrupted {
                left = guest.enter(0, Leaf::Resume, &mut registers).unwrap();
            }
            assert_eq!(left, Left::Exited);
            if operation == op::NOTHING {
                assert_eq!(registers.rsi, round);
            }
        }
        done.store(true, Ordering::SeqCst);
        nagger.join().unwrap()
    });
    assert!(requests > 0);
}

#[test]
fn a_busy_tcs_is_not_entered_twice() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    let flags = Flags::new();
    thread::scope(|scope| {
        let inside = scope.spawn(|| spin(&guest, &flags));
        flags.wait_until_begun();
        let error = guest
            .enter(0, Leaf::Enter, &mut Registers::default())
            .unwrap_err();
        assert!(matches!(
            error,
            BackendError::Refused {
                leaf: "EENTER",
                reason: Refusal::GeneralProtection("the TCS is busy")
            }
        ));
        // The enclave's other thread is free.
        assert_eq!(guest.call(1, op::NOTHING, [5, 0, 0, 0]).0, 5);
        flags.stop();
        let (left, registers) = inside.join().unwrap();
        assert_eq!((left.unwrap(), registers.rsi), (Left::Exited, 0));
    });
}

#[test]
fn many_enclaves_run_at_once() {
    let platform = platform(|_| ());
    thread::scope(|scope| {
        for index in 0..6 {
            let platform = &platform;
            scope.spawn(move || {
                let guest = start(platform);
                for round in 0..200 {
                    assert_eq!(
                        guest.call(0, op::NOTHING, [index, round, 0, 0]),
                        (index, round)
                    );
                    assert!(matches!(
                        guest.left(0, op::UD2, [round, 0, 0, 0]),
                        Left::Exception { vector: 6, .. }
                    ));
                    assert_eq!(guest.handle_and_resume(0).1.rsi, round);
                }
            });
        }
    });
}

/// The host's profiler, alarm or child handler must run on the host's side and find nothing of the enclave.
#[test]
fn a_signal_for_the_host_is_an_exit_and_a_resumption() {
    let seen = super::host_handler::install();
    let platform = platform(|_| ());
    let guest = start(&platform);
    let flags = Flags::new();
    thread::scope(|scope| {
        let inside = scope.spawn(|| {
            super::host_handler::remember_this_thread();
            spin(&guest, &flags)
        });
        flags.wait_until_begun();
        for count in 1..=50 {
            super::host_handler::signal();
            while seen.count() < count {
                thread::sleep(Duration::from_micros(50));
            }
        }
        flags.stop();
        let (left, registers) = inside.join().unwrap();
        assert_eq!((left.unwrap(), registers.rsi), (Left::Exited, 0));
    });
    assert_eq!(seen.rax(), 3, "RAX is the number of ERESUME");
    assert_eq!(seen.rbx(), guest.base + TCS[0]);
    let rip = seen.rip();
    assert!(!(guest.base..guest.base + super::support::SIZE).contains(&rip));
    assert_eq!(seen.r15(), 0);
    // Outside the handler works as ever.
    super::host_handler::remember_this_thread();
    super::host_handler::signal();
    assert_eq!(seen.count(), 51);
}
