//! Entering, leaving and being interrupted, through the backend's assembly and the model's function.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use twine_abi::sgx::{Permissions, vector};

use crate::backend::device::model::Mood;
use crate::backend::emulator::tests::guest::op;
use crate::backend::emulator::tests::support::{DATA, FREE, Guest, TCS};
use crate::backend::{BackendError, Leaf, Left, Registers};

use super::support::start;

#[test]
fn an_exception_inside_is_reported_and_handled_on_the_second_frame() {
    let (guest, record) = start(Mood::Calm);
    let left = guest.left(0, op::UD2, [3, 0, 0, 0]);
    let expected = Left::Exception {
        vector: vector::UD,
        error: 0,
        address: 0,
    };
    assert_eq!(left, expected);
    let (left, _) = guest.handle_and_resume(0);
    assert_eq!(left, Left::Exited);
    assert_eq!(record.violations(), Vec::<String>::new());
}

#[test]
fn registers_survive_an_exception() {
    let (guest, _) = start(Mood::Calm);
    let left = guest.left(0, op::UD2_WITH_REGISTERS, [0; 4]);
    assert!(
        matches!(
            left,
            Left::Exception {
                vector: vector::UD,
                ..
            }
        ),
        "{left:?}"
    );
    let (left, registers) = guest.handle_and_resume(0);
    assert_eq!(
        (left, registers.rsi),
        (Left::Exited, 0),
        "registers that changed"
    );
}

#[test]
fn an_access_where_no_page_is_adds_one_and_faults_all_the_same() {
    let (guest, _) = start(Mood::Calm);
    let left = guest.left(0, op::LOAD, [guest.base + FREE + 40, 0, 0, 0]);
    let Left::Exception {
        vector,
        error,
        address,
    } = left
    else {
        panic!("{left:?}");
    };
    assert_eq!((vector, address), (vector::PF, guest.base + FREE));
    assert_eq!(
        error & 0x8001,
        0x8001,
        "there is a page, which the EPCM does not give"
    );
    // It is there, and nobody has accepted it.
    let refused = guest.enclave.restrict(
        crate::backend::PageRange {
            offset: FREE,
            count: 1,
        },
        Permissions::R,
    );
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("SGX_PAGE_NOT_MODIFIABLE"), "{text}");
}

#[test]
fn a_range_that_is_not_mapped_faults_and_no_page_comes() {
    let (guest, _) = start(Mood::Calm);
    let hole = TCS[1] + 0x8000;
    let left = guest.left(0, op::LOAD, [guest.base + hole, 0, 0, 0]);
    let Left::Exception { error, .. } = left else {
        panic!("{left:?}");
    };
    assert_eq!(error & 0x8001, 0, "nothing is there");
}

#[test]
fn a_tcs_that_is_none_or_busy_or_has_nothing_to_resume_is_refused() {
    let (guest, _) = start(Mood::Calm);
    let mut registers = Registers::default();
    let refusals = [
        guest.enter(0, Leaf::Resume, &mut registers),
        guest.enclave.enter(DATA, Leaf::Enter, &mut registers),
        guest.enclave.enter(FREE, Leaf::Enter, &mut registers),
        guest.enclave.enter(TCS[0] + 8, Leaf::Enter, &mut registers),
    ];
    for refusal in refusals {
        let error = refusal.unwrap_err();
        assert!(matches!(error, BackendError::Refused { .. }), "{error}");
    }
}

/// Two words in the host's memory: the enclave says that it has begun, the host says when to stop.
#[derive(Default)]
struct Flags([AtomicU64; 2]);

impl Flags {
    fn spin(&self, guest: &Guest) -> (Left, Registers) {
        let address = |flag: &AtomicU64| flag.as_ptr().expose_provenance() as u64;
        let mut registers = Registers {
            rdi: op::SPIN,
            rsi: address(&self.0[0]),
            rdx: address(&self.0[1]),
            ..Registers::default()
        };
        let left = guest.enter(0, Leaf::Enter, &mut registers).unwrap();
        (left, registers)
    }
}

#[test]
fn a_thread_that_is_inside_is_interrupted_and_goes_on_unchanged() {
    let (guest, record) = start(Mood::Calm);
    for _ in 0..50 {
        let flags = Flags::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                let (left, _) = flags.spin(&guest);
                assert_eq!(left, Left::Interrupted);
                flags.0[1].store(1, Ordering::SeqCst);
                let mut registers = Registers::default();
                let left = guest.enter(0, Leaf::Resume, &mut registers).unwrap();
                assert_eq!(
                    (left, registers.rsi),
                    (Left::Exited, 0),
                    "registers that changed"
                );
            });
            while flags.0[0].load(Ordering::SeqCst) == 0 {
                thread::yield_now();
            }
            guest.enclave.interrupt(TCS[0]);
        });
    }
    assert_eq!(record.violations(), Vec::<String>::new());
}

#[test]
fn a_request_to_leave_made_outside_is_honoured_once_the_thread_is_inside() {
    let (guest, _) = start(Mood::Calm);
    let flags = Flags::default();
    guest.enclave.interrupt(TCS[0]);
    let (left, _) = flags.spin(&guest);
    assert_eq!(left, Left::Interrupted);
    flags.0[1].store(1, Ordering::SeqCst);
    let mut registers = Registers::default();
    let left = guest.enter(0, Leaf::Resume, &mut registers).unwrap();
    assert_eq!((left, registers.rsi), (Left::Exited, 0));
}

#[test]
fn a_second_thread_finds_the_tcs_busy() {
    let (guest, _) = start(Mood::Calm);
    let flags = Flags::default();
    thread::scope(|scope| {
        scope.spawn(|| flags.spin(&guest));
        while flags.0[0].load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        let mut registers = Registers::default();
        let error = guest.enter(0, Leaf::Enter, &mut registers).unwrap_err();
        assert!(error.to_string().contains("EENTER"), "{error}");
        flags.0[1].store(1, Ordering::SeqCst);
    });
}
