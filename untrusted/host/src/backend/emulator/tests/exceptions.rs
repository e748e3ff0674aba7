//! Asynchronous exits by exceptions: what the enclave finds in its SSA frame, what the host is told, and that ERESUME
//! restores everything.

use twine_abi::sgx::{ExInfo, GprSgx, MiscSelect, Secs};

use crate::backend::{BackendError, Leaf, Left, Refusal, Registers};

use super::guest::op;
use super::support::{
    DATA, FREE, Guest, PAGE, SIZE, TCS, frame, platform, secs, start, start_with,
};

fn exinfo(guest: &Guest) -> ExInfo {
    let at = frame(0, 0) + PAGE - (GprSgx::LEN + ExInfo::LEN) as u64;
    ExInfo::from_bytes(&guest.load_bytes(at))
}

fn exception(vector: u8, error: u16, address: u64) -> Left {
    Left::Exception {
        vector,
        error,
        address,
    }
}

#[test]
fn an_invalid_opcode_is_reported_and_resumed_behind() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    assert_eq!(guest.left(0, op::UD2, [7, 8, 0, 0]), exception(6, 0, 0));
    let saved = guest.saved(0);
    assert_eq!(saved.exit_info.bits(), 0x8000_0306);
    assert_eq!(saved.rsi, 7);
    assert_eq!(saved.rdx, 8);
    assert_eq!(saved.gs_base, guest.base + DATA);
    assert_eq!(saved.fs_base, guest.base);
    let presented = guest.load(DATA);
    assert_eq!((saved.ursp, saved.urbp), (presented, presented));
    assert!((guest.base..guest.base + PAGE).contains(&saved.rip));
    let (left, registers) = guest.handle_and_resume(0);
    assert_eq!(left, Left::Exited);
    assert_eq!((registers.rsi, registers.rdx), (7, 8));
}

#[test]
fn every_register_survives_an_exception() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    assert_eq!(
        guest.left(0, op::UD2_WITH_REGISTERS, [0; 4]),
        exception(6, 0, 0)
    );
    let saved = guest.saved(0);
    assert_eq!(saved.rax, 0x0101_0101_0101_0101);
    assert_eq!(saved.r15, 0x1515_1515_1515_1515);
    assert_eq!(saved.rflags & 1, 1, "CF");
    // XSAVE area: XMM0 lies at 160, the upper half of YMM2 at 576 + 32.
    assert_eq!(guest.load(frame(0, 0) + 160), 0x1212_1212_1212_1212);
    assert_eq!(guest.load(frame(0, 0) + 576 + 32), 0x1313_1313_1313_1313);
    let (left, registers) = guest.handle_and_resume(0);
    assert_eq!(left, Left::Exited);
    assert_eq!(registers.rsi, 0, "registers that changed");
}

#[test]
fn a_division_by_zero_is_reported() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    assert_eq!(guest.left(0, op::DIVIDE, [0; 4]), exception(0, 0, 0));
    assert_eq!(guest.saved(0).exit_info.bits(), 0x8000_0300);
    let (left, _) = guest.handle_and_resume(0);
    assert_eq!(left, Left::Exited);
}

#[test]
fn a_breakpoint_is_reported_as_a_software_exception() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    assert_eq!(guest.left(0, op::INT3, [0; 4]), exception(3, 0, 0));
    assert_eq!(guest.saved(0).exit_info.bits(), 0x8000_0603);
}

/// Page faults in and out of the range: error code, EXINFO, and what the host gets to see of the address.
#[test]
fn page_faults_are_reported_with_their_cause() {
    const WRITE: u32 = 2;
    const USER: u32 = 4;
    const FETCH: u32 = 16;
    const EPCM: u32 = 0x8001;
    let platform = platform(|_| ());
    let guest = start(&platform);
    let base = guest.base;
    let cases = [
        ("read where no page is", op::LOAD, base + FREE + 0x123, USER),
        (
            "write where no page is",
            op::STORE,
            base + FREE + 0x128,
            USER | WRITE,
        ),
        ("write to code", op::STORE, base + 0x10, USER | WRITE | EPCM),
        (
            "execute data",
            op::JUMP,
            base + DATA + 0x40,
            USER | FETCH | EPCM,
        ),
        ("read a TCS", op::LOAD, base + TCS[1] + 0x18, USER | EPCM),
        ("read address zero", op::LOAD, 0, USER),
        ("jump to address zero", op::JUMP, 0, USER | FETCH),
        ("read the last byte", op::LOAD, base + SIZE - 8, USER),
    ];
    for (what, operation, address, error) in cases {
        let guest = start(&platform);
        let address = if address >= base {
            address - base + guest.base
        } else {
            address
        };
        let left = guest.left(0, operation, [address, 0, 0, 0]);
        let error16 = u16::try_from(error).unwrap();
        assert_eq!(left, exception(14, error16, address & !0xfff), "{what}");
        assert_eq!(guest.saved(0).exit_info.bits(), 0x8000_030e, "{what}");
        let info = exinfo(&guest);
        assert_eq!((info.address, info.error_code), (address, error), "{what}");
    }
}

#[test]
fn an_address_that_is_not_canonical_is_a_general_protection_fault() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    let left = guest.left(0, op::LOAD, [1 << 63, 0, 0, 0]);
    assert_eq!(left, exception(13, 0, 0));
    assert_eq!(guest.saved(0).exit_info.bits(), 0x8000_030d);
    assert_eq!(exinfo(&guest), ExInfo::ZERO);
}

#[test]
fn without_exinfo_the_enclave_does_not_learn_of_page_faults() {
    let platform = platform(|_| ());
    let secs = Secs {
        misc_select: MiscSelect::EMPTY,
        ..secs()
    };
    let guest = start_with(&platform, &secs, |_| ());
    let address = guest.base + FREE;
    let left = guest.left(0, op::LOAD, [address, 0, 0, 0]);
    assert_eq!(left, exception(14, 4, address));
    assert_eq!(guest.saved(0).exit_info.bits(), 0);
    assert_eq!(guest.saved(0).rsi, address);
    // What is always reported still is.
    let guest = start_with(&platform, &secs, |_| ());
    assert_eq!(guest.left(0, op::UD2, [0; 4]), exception(6, 0, 0));
    assert_eq!(guest.saved(0).exit_info.bits(), 0x8000_0306);
}

#[test]
fn a_hundred_exceptions_in_a_row_leave_nothing_behind() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    for round in 0..100 {
        assert_eq!(guest.left(0, op::UD2, [round, 0, 0, 0]), exception(6, 0, 0));
        let (left, registers) = guest.handle_and_resume(0);
        assert_eq!((left, registers.rsi), (Left::Exited, round));
    }
}

/// Offsets in the XSAVE header and the value that makes the frame unloadable.
#[test]
fn a_frame_that_the_processor_would_not_load_is_refused() {
    let platform = platform(|_| ());
    let gprs = PAGE - GprSgx::LEN as u64;
    let cases = [
        ("XSTATE_BV", 512, 1 << 9),
        ("XCOMP_BV", 520, 1 << 63),
        ("reserved", 528, 1),
        ("MXCSR", 24, 0xffff_ffff),
        ("RIP", gprs + 136, 1 << 63),
        ("GSBASE", gprs + 176, 1 << 63),
    ];
    for (what, at, value) in cases {
        let guest = start(&platform);
        assert_eq!(guest.left(0, op::UD2, [0; 4]), exception(6, 0, 0));
        let good = guest.load(frame(0, 0) + at);
        guest.store(frame(0, 0) + at, value);
        let result = guest.enter(0, Leaf::Resume, &mut Registers::default());
        let refused = matches!(
            result,
            Err(BackendError::Refused {
                leaf: "ERESUME",
                reason: Refusal::GeneralProtection(_)
            })
        );
        assert!(refused, "{what}: {result:?}");
        // Nothing has happened: with the frame repaired the thread goes on.
        guest.store(frame(0, 0) + at, good);
        let (left, _) = guest.handle_and_resume(0);
        assert_eq!(left, Left::Exited, "{what}");
    }
}

#[test]
fn a_frame_decides_where_the_thread_goes_on() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    assert_eq!(guest.left(0, op::UD2, [0; 4]), exception(6, 0, 0));
    // Flags that ERESUME does not take from the frame (TF, NT) make no difference.
    let gprs = frame(0, 0) + PAGE - GprSgx::LEN as u64;
    guest.store(gprs + 128, 0x202 | 0x100 | 0x4000);
    guest.store(gprs + 48, 4711);
    let (left, registers) = guest.handle_and_resume(0);
    assert_eq!((left, registers.rsi), (Left::Exited, 4711));
}

#[test]
fn a_leaf_needs_no_stack() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    // The enclave's stack pointer is of no use to anybody: it points where no page is.
    guest.store(DATA + 24, guest.base + FREE);
    let left = guest.left(0, op::LEAF, [99, 0, 0, 0]);
    // Leaf 99 does not exist: a general protection fault with RSP as it is. Nothing was pushed.
    assert_eq!(left, exception(13, 0, 0));
    assert_eq!(guest.saved(0).rsp, guest.base + FREE);
}
