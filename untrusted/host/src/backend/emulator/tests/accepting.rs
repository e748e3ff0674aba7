//! EACCEPT, EACCEPTCOPY and EMODPE inside, EAUG, EMODPR, EMODT and EREMOVE outside: each change needs both sides.

use std::sync::Arc;
use std::time::Instant;

use twine_abi::sgx::{ErrorCode, PageKind, Permissions, SecInfo, SecInfoFlags, Tcs};

use crate::backend::emulator::Audit;
use crate::backend::{BackendError, Left, PageRange, Refusal};

use super::guest::op;
use super::support::{DATA, FREE, Guest, PAGE, SCRATCH, TCS, platform, start};

const EACCEPT: u64 = 5;
const EMODPE: u64 = 6;
const EACCEPTCOPY: u64 = 7;
/// ZF.
const ZERO: u64 = 0x40;

const PENDING: SecInfo = SecInfo::new(PageKind::Reg, Permissions::RW).with(SecInfoFlags::PENDING);

/// Executes a leaf on a page with a SECINFO that is put into the enclave first; returns RAX and RFLAGS.
fn with_info(guest: &Guest, leaf: u64, info: &SecInfo, page: u64) -> (u64, u64) {
    guest.store_bytes(SCRATCH, &info.to_bytes());
    guest.leaf(leaf, guest.base + SCRATCH, guest.base + page, 0)
}

/// The same when it is expected to fault.
fn faulting(guest: &Guest, leaf: u64, info: &SecInfo, page: u64) -> Left {
    guest.store_bytes(SCRATCH, &info.to_bytes());
    let arguments = [leaf, guest.base + SCRATCH, guest.base + page, 0];
    guest.left(0, op::LEAF, arguments)
}

fn pages(offset: u64, count: u64) -> PageRange {
    PageRange { offset, count }
}

fn accepted(guest: &Guest, page: u64) {
    let (code, flags) = with_info(guest, EACCEPT, &PENDING, page);
    assert_eq!((code, flags & ZERO), (0, 0));
}

#[test]
fn a_page_comes_into_being_by_being_accepted() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    accepted(&guest, FREE);
    assert_eq!(guest.load(FREE + 8), 0);
    guest.store(FREE + 8, 42);
    assert_eq!(guest.load(FREE + 8), 42);
}

#[test]
fn a_page_is_not_accepted_twice() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    accepted(&guest, FREE);
    guest.store(FREE, 42);
    let (code, flags) = with_info(&guest, EACCEPT, &PENDING, FREE);
    assert_eq!(code, ErrorCode::PageAttributesMismatch as u64);
    assert_eq!(flags & ZERO, ZERO);
    assert_eq!(guest.load(FREE), 42);
}

#[test]
fn a_site_that_traps_gives_the_same_codes() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    guest.store_bytes(SCRATCH, &PENDING.to_bytes());
    let arguments = [EACCEPT, guest.base + SCRATCH, guest.base + FREE, 0];
    let (code, flags) = guest.call(0, op::LEAF_TRAPPING, arguments);
    assert_eq!((code, flags & ZERO), (0, 0));
    let (code, flags) = guest.call(0, op::LEAF_TRAPPING, arguments);
    assert_eq!(code, ErrorCode::PageAttributesMismatch as u64);
    assert_eq!(flags & ZERO, ZERO);
}

/// Each case is a leaf, RBX and RCX as offsets, and the vector of the fault.
#[test]
fn operands_that_the_manual_forbids_fault() {
    let platform = platform(|_| ());
    let outside = 1 << 40;
    let cases = [
        ("SECINFO misaligned", EACCEPT, SCRATCH + 8, FREE, 13),
        ("SECINFO outside", EACCEPT, outside, FREE, 13),
        ("SECINFO where no page is", EACCEPT, FREE + PAGE, FREE, 14),
        ("SECINFO in a TCS", EACCEPT, TCS[0], FREE, 14),
        ("page misaligned", EACCEPT, SCRATCH, FREE + 8, 13),
        ("page outside", EACCEPT, SCRATCH, outside, 13),
        ("EMODPE: SECINFO misaligned", EMODPE, SCRATCH + 32, DATA, 13),
        ("EMODPE: no page", EMODPE, SCRATCH, FREE, 14),
        ("EMODPE: a TCS", EMODPE, SCRATCH, TCS[1], 14),
        ("EENTER inside", 2, TCS[0], 0, 13),
        ("ERESUME inside", 3, TCS[0], 0, 13),
        ("no such leaf", 8, SCRATCH, FREE, 13),
        ("no such leaf", 0xffff_ffff, SCRATCH, FREE, 13),
    ];
    for (what, leaf, rbx, rcx, vector) in cases {
        let guest = start(&platform);
        let info = SecInfo::new(PageKind::Reg, Permissions::RW);
        let info = if leaf == EACCEPT { PENDING } else { info };
        guest.store_bytes(SCRATCH, &info.to_bytes());
        let arguments = [leaf, guest.base + rbx, guest.base + rcx, 0];
        for operation in [op::LEAF, op::LEAF_TRAPPING] {
            let guest_left = guest.left(0, operation, arguments);
            let Left::Exception { vector: found, .. } = guest_left else {
                panic!("{what}: {guest_left:?}");
            };
            assert_eq!(found, vector, "{what}");
            // RIP is still at the instruction, so that it would be executed again.
            let rip = guest.saved(0).rip - guest.base;
            let word = guest.load(rip & !7) >> (8 * (rip & 7));
            let is_enclu = word & 0xff_ffff == 0xd7_010f;
            let is_rebound = word & 0xff == 0xe9;
            assert!(rip % 8 > 5 || is_enclu || is_rebound, "{what}");
            // Skip it.
            guest.store(DATA + 32, if operation == op::LEAF { 5 } else { 3 });
            let (left, _) = guest.handle_and_resume(0);
            assert_eq!(left, Left::Exited, "{what}");
        }
    }
}

#[test]
fn a_secinfo_that_asks_for_nonsense_is_a_general_protection_fault() {
    let platform = platform(|_| ());
    let rw = SecInfo::new(PageKind::Reg, Permissions::RW);
    let mut reserved = PENDING;
    reserved.reserved[3] = 1;
    let cases = [
        ("reserved field", EACCEPT, reserved),
        (
            "reserved flag",
            EACCEPT,
            PENDING.with(SecInfoFlags::from_bits(1 << 40)),
        ),
        ("REG and MODIFIED", EACCEPT, rw.with(SecInfoFlags::MODIFIED)),
        (
            "TRIM, not MODIFIED",
            EACCEPT,
            SecInfo::new(PageKind::Trim, Permissions::EMPTY),
        ),
        (
            "SECS",
            EACCEPT,
            SecInfo::new(PageKind::Secs, Permissions::EMPTY),
        ),
        (
            "VA",
            EACCEPT,
            SecInfo::new(PageKind::Va, Permissions::EMPTY),
        ),
        (
            "W without R",
            EMODPE,
            SecInfo::new(PageKind::Reg, Permissions::W),
        ),
    ];
    for (what, leaf, info) in cases {
        let guest = start(&platform);
        let left = faulting(&guest, leaf, &info, DATA + PAGE);
        let general_protection = Left::Exception {
            vector: 13,
            error: 0,
            address: 0,
        };
        assert_eq!(left, general_protection, "{what}");
    }
}

#[test]
fn code_is_written_then_restricted_then_made_executable_and_never_both() {
    let audit = Arc::new(Audit::default());
    let log = Arc::clone(&audit);
    let platform = platform(|config| config.audit = Some(log));
    let guest = start(&platform);
    accepted(&guest, FREE);
    // mov rsi, 77; xor edi, edi; jmp back is too much for a test: a UD2 at the right address says as much.
    guest.store(FREE, 0x0b0f);
    let jump = [guest.base + FREE, 0, 0, 0];
    guest
        .enclave
        .restrict(pages(FREE, 1), Permissions::R)
        .unwrap();
    // Before the enclave has accepted it, the restriction is in force, but the page is not executable.
    let restricted = SecInfo::new(PageKind::Reg, Permissions::R).with(SecInfoFlags::PR);
    assert_eq!(with_info(&guest, EACCEPT, &restricted, FREE).0, 0);
    let rx = SecInfo::new(PageKind::Reg, Permissions::RX);
    guest.store_bytes(SCRATCH, &rx.to_bytes());
    guest.leaf(EMODPE, guest.base + SCRATCH, guest.base + FREE, 0);
    let left = guest.left(0, op::JUMP, jump);
    assert!(
        matches!(left, Left::Exception { vector: 6, .. }),
        "{left:?}"
    );
    assert_eq!(guest.saved(0).rip, guest.base + FREE);

    let writable_code = Permissions::W | Permissions::X;
    let events = audit.events();
    assert!(events.iter().any(|event| event.leaf == "EMODPE"));
    for event in events {
        let page = event.page.unwrap();
        assert!(!page.permissions.contains(writable_code), "{event:?}");
    }
}

#[test]
fn a_restriction_is_in_force_at_once_and_accepted_once() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    accepted(&guest, FREE);
    guest.store(FREE, 1);
    guest
        .enclave
        .restrict(pages(FREE, 1), Permissions::R)
        .unwrap();
    let address = guest.base + FREE;
    let left = guest.left(0, op::STORE, [address, 2, 0, 0]);
    let write_refused = Left::Exception {
        vector: 14,
        error: 0x8007,
        address,
    };
    assert_eq!(left, write_refused);
    assert_eq!(guest.load(FREE), 1);
}

#[test]
fn a_restriction_that_was_not_asked_for_is_not_accepted() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    accepted(&guest, FREE);
    guest
        .enclave
        .restrict(pages(FREE, 1), Permissions::EMPTY)
        .unwrap();
    let expected = SecInfo::new(PageKind::Reg, Permissions::R).with(SecInfoFlags::PR);
    let (code, _) = with_info(&guest, EACCEPT, &expected, FREE);
    assert_eq!(code, ErrorCode::PageAttributesMismatch as u64);
}

#[test]
fn a_page_is_removed_in_three_steps_and_comes_back_empty() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    accepted(&guest, FREE);
    guest.store(FREE, 42);
    guest
        .enclave
        .retype(pages(FREE, 1), PageKind::Trim)
        .unwrap();
    assert!(matches!(
        guest.left(0, op::LOAD, [guest.base + FREE, 0, 0, 0]),
        Left::Exception { vector: 14, .. }
    ));
    guest.store(DATA + 32, 3);
    guest.handle_and_resume(0);
    let early = guest.enclave.remove(pages(FREE, 1)).unwrap_err();
    assert!(
        early.to_string().contains("SGX_PAGE_NOT_MODIFIABLE"),
        "{early}"
    );
    let trimmed = SecInfo::new(PageKind::Trim, Permissions::EMPTY).with(SecInfoFlags::MODIFIED);
    assert_eq!(with_info(&guest, EACCEPT, &trimmed, FREE).0, 0);
    guest.enclave.remove(pages(FREE, 1)).unwrap();
    accepted(&guest, FREE);
    assert_eq!(guest.load(FREE), 0);
}

#[test]
fn a_page_becomes_a_thread() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    accepted(&guest, FREE);
    let tcs = Tcs {
        // It shares the first thread's block and has a frame of its own in the data.
        ossa: DATA + 5 * PAGE,
        nssa: 1,
        ogsbase: DATA,
        ..Tcs::ZERO
    };
    guest.store_bytes(FREE, &tcs.to_bytes()[..128]);
    guest.enclave.retype(pages(FREE, 1), PageKind::Tcs).unwrap();
    let mut registers = crate::backend::Registers::default();
    let leaf = crate::backend::Leaf::Enter;
    let early = guest.enclave.enter(FREE, leaf, &mut registers).unwrap_err();
    assert!(matches!(
        early,
        BackendError::Refused {
            reason: Refusal::PageFault { .. },
            ..
        }
    ));
    let thread = SecInfo::new(PageKind::Tcs, Permissions::EMPTY).with(SecInfoFlags::MODIFIED);
    assert_eq!(with_info(&guest, EACCEPT, &thread, FREE).0, 0);
    registers.rdi = op::NOTHING;
    let left = guest.enclave.enter(FREE, leaf, &mut registers).unwrap();
    assert_eq!(left, Left::Exited);
}

#[test]
fn a_copy_is_accepted_with_its_contents() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    let rw = SecInfo::new(PageKind::Reg, Permissions::RW);
    guest.store_bytes(SCRATCH, &rw.to_bytes());
    let arguments = [
        EACCEPTCOPY,
        guest.base + SCRATCH,
        guest.base + FREE,
        guest.base + DATA,
    ];
    let (code, _) = guest.call(0, op::LEAF, arguments);
    assert_eq!(code, 0);
    assert_eq!(guest.load(FREE + 40), guest.load(DATA + 40));
    let (code, _) = guest.call(0, op::LEAF, arguments);
    assert_eq!(code, ErrorCode::PageAttributesMismatch as u64);
}

/// The driver's side: each case is refused, and with what the manual says.
#[test]
fn changes_that_the_manual_forbids_are_refused() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    let enclave = &guest.enclave;
    let code = |result: Result<(), BackendError>| match result.unwrap_err() {
        BackendError::Refused {
            reason: Refusal::Code { code, .. },
            ..
        } => code,
        BackendError::Refused {
            reason: Refusal::PageFault { .. },
            ..
        } => 14_000,
        BackendError::Refused { .. } => 13_000,
        other => panic!("{other:?}"),
    };
    let not_modifiable = ErrorCode::PageNotModifiable as u64;
    let cases = [
        (enclave.restrict(pages(FREE, 1), Permissions::R), 14_000),
        (
            enclave.restrict(pages(TCS[0], 1), Permissions::R),
            not_modifiable,
        ),
        (enclave.restrict(pages(DATA, 1), Permissions::W), 13_000),
        (enclave.restrict(pages(DATA + 1, 1), Permissions::R), 13_000),
        (
            enclave.restrict(pages(DATA, u64::MAX), Permissions::R),
            13_000,
        ),
        (enclave.retype(pages(FREE, 1), PageKind::Trim), 14_000),
        (enclave.retype(pages(DATA, 1), PageKind::Secs), 13_000),
        (
            enclave.retype(pages(TCS[0], 1), PageKind::Tcs),
            not_modifiable,
        ),
        (enclave.remove(pages(DATA, 1)), not_modifiable),
        (enclave.remove(pages(FREE, 1)), 14_000),
    ];
    for (index, (result, expected)) in cases.into_iter().enumerate() {
        assert_eq!(code(result), expected, "case {index}");
    }
    // What is pending is not changed again.
    enclave
        .retype(pages(SCRATCH + PAGE, 1), PageKind::Trim)
        .unwrap();
    assert_eq!(
        code(enclave.retype(pages(SCRATCH + PAGE, 1), PageKind::Trim)),
        not_modifiable
    );
    assert_eq!(
        code(enclave.restrict(pages(SCRATCH + PAGE, 1), Permissions::R)),
        not_modifiable
    );
}

/// Accepting is free until memory is touched; what it costs is printed, not asserted.
#[test]
fn thousands_of_pages_are_accepted_and_usable() {
    const COUNT: u64 = 10_000;
    let platform = platform(|_| ());
    let secs = twine_abi::sgx::Secs {
        size: 1 << 26,
        ..super::support::secs()
    };
    let guest = super::support::start_with(&platform, &secs, |_| ());
    guest.store_bytes(SCRATCH, &PENDING.to_bytes());
    let first = guest.base + FREE;
    let start = Instant::now();
    let (code, _) = guest.call(0, op::ACCEPT_PAGES, [first, COUNT, guest.base + SCRATCH, 0]);
    println!("accepting {COUNT} pages: {:?}", start.elapsed());
    assert_eq!(code, 0);
    let start = Instant::now();
    guest.call(0, op::TOUCH_PAGES, [first, COUNT, 0, 0]);
    println!("touching them: {:?}", start.elapsed());
    assert_eq!(guest.load(FREE + (COUNT - 1) * PAGE), 1);
}
