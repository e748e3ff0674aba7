//! The real loader: over a calm driver and over restless ones it builds the same enclave and breaks no rule.

use twine_abi::sgx::{PageKind, Permissions, SecInfo, SecInfoFlags};

use crate::backend::device::model::Mood;
use crate::backend::emulator::tests::guest::op;
use crate::backend::emulator::tests::support::{FREE, Guest, SCRATCH};
use crate::backend::{BackendError, PageRange};

use super::support::{PAGE, start};

/// EACCEPT.
const ACCEPT: u64 = 5;

/// Accepts a page inside; returns the error code.
fn accept(guest: &Guest, offset: u64, info: SecInfo) -> u64 {
    guest.store_bytes(SCRATCH, &info.to_bytes());
    guest
        .leaf(ACCEPT, guest.base + SCRATCH, guest.base + offset, 0)
        .0
}

fn pages(offset: u64, count: u64) -> PageRange {
    PageRange { offset, count }
}

/// All that the driver can do to pages, for ranges.
fn exercise(guest: &Guest) {
    let fresh = SecInfo::new(PageKind::Reg, Permissions::RW).with(SecInfoFlags::PENDING);
    let restricted = SecInfo::new(PageKind::Reg, Permissions::R).with(SecInfoFlags::PR);
    let trimmed = SecInfo::new(PageKind::Trim, Permissions::EMPTY).with(SecInfoFlags::MODIFIED);
    let range = pages(FREE, 24);
    let each = |info| {
        for page in 0..range.count {
            assert_eq!(accept(guest, FREE + page * PAGE, info), 0);
        }
    };
    each(fresh);
    guest.store(FREE + 8, 77);
    guest.enclave.restrict(range, Permissions::R).unwrap();
    each(restricted);
    assert_eq!(guest.load(FREE + 8), 77);
    guest.enclave.retype(range, PageKind::Trim).unwrap();
    each(trimmed);
    guest.enclave.remove(range).unwrap();
    // What comes back is fresh, also if it comes before the enclave asks for it.
    let counts = guest.enclave.counts().unwrap();
    assert_eq!((counts.augmented, counts.faulted), (24, 24));
    guest.enclave.augment(range).unwrap();
    each(fresh);
    let counts = guest.enclave.counts().unwrap();
    assert_eq!((counts.augmented, counts.faulted), (48, 24));
    assert_eq!(guest.load(FREE + 8), 0);
}

#[test]
fn over_a_calm_driver_the_loader_breaks_no_rule() {
    let (guest, record) = start(Mood::Calm);
    assert_eq!(guest.call(0, op::NOTHING, [7, 0, 0, 0]).0, 7);
    exercise(&guest);
    assert_eq!(record.violations(), Vec::<String>::new());
    assert_eq!(record.injected(), 0);
}

#[test]
fn over_restless_drivers_the_loader_breaks_no_rule_either() {
    let mut injected = 0;
    for number in 0..40 {
        let (guest, record) = start(Mood::Restless(number));
        exercise(&guest);
        assert_eq!(record.violations(), Vec::<String>::new(), "{number}");
        injected += record.injected();
    }
    assert!(injected > 500, "only {injected} events");
}

#[test]
fn what_the_driver_refuses_is_an_error_that_names_the_instruction() {
    let (guest, _) = start(Mood::Calm);
    let refused = |result: Result<(), BackendError>, leaf: &str| {
        let error = result.unwrap_err();
        assert!(matches!(error, BackendError::Refused { .. }), "{error}");
        assert!(error.to_string().starts_with(leaf), "{error}");
    };
    let nothing = pages(FREE, 1);
    refused(guest.enclave.restrict(nothing, Permissions::R), "EMODPR");
    refused(guest.enclave.retype(nothing, PageKind::Trim), "EMODT");
    refused(guest.enclave.remove(nothing), "EREMOVE");
    let beyond = pages(0, u64::MAX / PAGE);
    refused(guest.enclave.restrict(beyond, Permissions::R), "EMODPR");
}
