//! What launches cost on silicon, in counts: pages, the instructions for them, transitions.

use twine::abi::entry::Call;
use twine::backend::Counts;
use twine_tests::hostile::honest;
use twine_tests::run::platform;
use twine_tests::stage::{DONE, Stage};

use crate::proved;

fn costs_of(guest: &str) -> Counts {
    let runtime = platform(|_| ());
    let mut stage = Stage::new(&runtime, guest);
    let mut host = honest(&stage.enclave);
    assert_eq!(stage.main.complete(Call::Initialise, &mut host), DONE);
    let came = stage.begin();
    assert_eq!(stage.main.serve_on(came, &mut host), DONE, "{guest}");
    stage.enclave.counts().unwrap()
}

/// Every page that is added before EINIT costs each launch some microseconds.
#[test]
fn a_guest_that_says_hello_needs_an_enclave_of_few_pages() {
    const PAGES_MAX: u64 = 600;
    let counts = costs_of("wat_says_hello");
    proved(counts.added, "pages added to say hello");
    proved(counts.augmented, "pages that came while it said so");
    proved(counts.transitions(), "transitions to say hello");
    assert!(counts.added <= PAGES_MAX, "{counts}");
    assert_eq!(counts.measured, 16 * counts.added, "all is measured");
}

/// Memory comes in batches: no exit for each page.
#[test]
fn a_hundred_megabytes_cost_hardly_more_transitions_than_none() {
    const PAGES: u64 = 100 << 8;
    const MORE_MAX: u64 = 64;
    let (without, with) = (
        costs_of("wat_does_nothing"),
        costs_of("wat_asks_for_a_hundred_megabytes"),
    );
    proved(with.accepted, "pages accepted for 100 MiB");
    proved(with.transitions(), "transitions for 100 MiB");
    assert!(with.accepted >= PAGES, "{with}");
    assert!(with.augmented >= PAGES, "{with}");
    assert!(
        with.transitions() < without.transitions() + MORE_MAX,
        "without: {without}; with: {with}"
    );
}
