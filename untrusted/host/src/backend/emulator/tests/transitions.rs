//! EENTER, EEXIT, ERESUME: what registers carry, and what is refused.

use std::time::{Duration, Instant};

use crate::backend::emulator::Rebinding;
use crate::backend::{Backend as _, BackendError, BackendKind, Leaf, Left, Refusal, Registers};

use super::guest::op;
use super::support::{DATA, FRAMES, Guest, PAGE, TCS, platform, start, thread};

fn refusal(result: Result<Left, BackendError>) -> (&'static str, Refusal) {
    match result.unwrap_err() {
        BackendError::Refused { leaf, reason } => (leaf, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_enclave_is_entered_and_left() {
    let platform = platform(|_| ());
    assert_eq!(platform.emulator.kind(), BackendKind::Emulator);
    let guest = start(&platform);
    assert_eq!(guest.call(0, op::NOTHING, [11, 12, 13, 14]), (11, 12));
    assert_eq!(guest.call(1, op::NOTHING, [21, 22, 23, 24]), (21, 22));
}

#[test]
fn an_exit_that_traps_is_the_same_exit() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    let mut registers = Registers {
        rdi: op::EXIT_TRAPPING,
        rsi: 5,
        ..Registers::default()
    };
    let left = guest.enter(0, Leaf::Enter, &mut registers);
    assert_eq!(left.unwrap(), Left::Exited);
    assert_eq!(registers.rsi, 5);
}

#[test]
fn everything_works_without_rebinding_too() {
    let platform = platform(|config| config.rebinding = Rebinding::Traps);
    let guest = start(&platform);
    assert_eq!(guest.call(0, op::NOTHING, [1, 2, 0, 0]), (1, 2));
    assert_eq!(
        guest.call(0, op::LOAD, [guest.base + DATA + 40, 0, 0, 0]).0,
        0x11f48
    );
}

#[test]
fn the_enclave_sees_the_same_host_stack_whatever_the_depth_of_the_caller() {
    fn deep(guest: &Guest, depth: u64) -> u64 {
        let ballast = [depth; 64];
        if depth == 0 {
            guest.call(0, op::ENTRY_REGISTERS, [0; 4]).1
        } else {
            deep(guest, depth - 1) + std::hint::black_box(ballast)[1] - depth
        }
    }
    let platform = platform(|_| ());
    let guest = start(&platform);
    let shallow = deep(&guest, 0);
    assert_eq!(shallow % 16, 0);
    assert_eq!(deep(&guest, 100), shallow);
    let elsewhere = std::thread::scope(|scope| scope.spawn(|| deep(&guest, 7)).join().unwrap());
    assert_eq!(elsewhere, shallow);
}

#[test]
fn gs_is_the_enclaves_inside_and_the_hosts_outside() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    assert_eq!(guest.call(0, op::GS_BASE, [0; 4]).0, guest.base + DATA);
    assert_eq!(
        guest.call(1, op::GS_BASE, [0; 4]).0,
        guest.base + DATA + PAGE
    );
}

#[test]
fn the_base_is_naturally_aligned_and_changes() {
    let platform = platform(|_| ());
    let bases: Vec<u64> = (0..4).map(|_| start(&platform).base).collect();
    assert!(bases.iter().all(|base| base % super::support::SIZE == 0));
    assert!(bases.iter().any(|base| base != &bases[0]));
}

#[test]
fn an_entry_that_the_manual_forbids_is_refused() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    let cases: [(u64, Leaf, Refusal); 6] = [
        (
            TCS[0] + 8,
            Leaf::Enter,
            Refusal::GeneralProtection("the TCS is misaligned"),
        ),
        (
            1 << 20,
            Leaf::Enter,
            Refusal::GeneralProtection("the TCS lies outside the enclave"),
        ),
        (
            0,
            Leaf::Enter,
            Refusal::PageFault {
                address: guest.base,
            },
        ),
        (
            0x50000,
            Leaf::Enter,
            Refusal::PageFault {
                address: guest.base + 0x50000,
            },
        ),
        (
            DATA,
            Leaf::Resume,
            Refusal::PageFault {
                address: guest.base + DATA,
            },
        ),
        (
            TCS[0],
            Leaf::Resume,
            Refusal::GeneralProtection(
                "ERESUME: no asynchronous exit to return from (CSSA is zero)",
            ),
        ),
    ];
    for (tcs, leaf, expected) in cases {
        let result = guest.enclave.enter(tcs, leaf, &mut Registers::default());
        let (name, reason) = refusal(result);
        assert_eq!(
            name,
            if leaf == Leaf::Enter {
                "EENTER"
            } else {
                "ERESUME"
            }
        );
        assert_eq!(reason, expected, "{tcs:#x}");
    }
    assert_eq!(guest.call(0, op::NOTHING, [1, 0, 0, 0]).0, 1);
}

#[test]
fn no_more_exceptions_nest_than_there_are_frames() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    // The guest's handler faults itself if it is told to skip to an instruction that is none: here it is simply not
    // resumed, and entered again.
    assert!(matches!(
        guest.left(0, op::UD2, [0; 4]),
        Left::Exception { vector: 6, .. }
    ));
    let mut registers = Registers::default();
    // The handler (CSSA = 1) faults: its GS block points to no frame.
    guest.store(DATA + 40, 0);
    let left = guest.enter(0, Leaf::Enter, &mut registers).unwrap();
    assert!(
        matches!(left, Left::Exception { vector: 14, .. }),
        "{left:?}"
    );
    let (leaf, reason) = refusal(guest.enter(0, Leaf::Enter, &mut registers));
    assert_eq!(leaf, "EENTER");
    assert_eq!(
        reason,
        Refusal::GeneralProtection("EENTER: no SSA frame is left (CSSA is not below NSSA)")
    );
    assert_eq!(thread(0).nssa, FRAMES);
}

#[test]
fn an_exit_to_another_place_is_reported() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    let mut registers = Registers {
        rdi: op::EXIT_ELSEWHERE,
        rsi: 0x1234,
        ..Registers::default()
    };
    let (leaf, _) = refusal(guest.enter(0, Leaf::Enter, &mut registers));
    assert_eq!(leaf, "EEXIT");
    // The thread is outside all the same.
    assert_eq!(guest.call(0, op::NOTHING, [1, 0, 0, 0]).0, 1);
}

#[test]
fn charged_costs_are_spent() {
    let transition = Duration::from_millis(2);
    let platform = platform(|config| config.costs.transition = transition);
    let guest = start(&platform);
    let begin = Instant::now();
    guest.call(0, op::NOTHING, [0; 4]);
    assert!(begin.elapsed() >= 2 * transition);
}

/// Not asserted: what a transition costs depends on the machine and on what else it does.
#[test]
fn the_cost_of_entering_and_leaving_is_printed() {
    const ROUNDS: u32 = 100_000;
    let platform = platform(|_| ());
    let guest = start(&platform);
    let mut registers = Registers::default();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        registers.rdi = op::NOTHING;
        guest.enter(0, Leaf::Enter, &mut registers).unwrap();
    }
    println!("entering and leaving: {:?}", start.elapsed() / ROUNDS);
}
