//! What becomes of pages, by the emulator's own log: no page is ever writable and executable.

use std::sync::Arc;

use twine::Outcome;
use twine::abi::sgx::Permissions;
use twine::backend::emulator::{Audit, AuditEvent};
use twine_tests::run::{module, platform, run_on};

/// Runs guests that use memory in every way there is, and returns what became of pages.
fn events() -> Vec<AuditEvent> {
    let audit = Arc::new(Audit::default());
    let runtime = platform(|config| config.audit = Some(Arc::clone(&audit)));
    for name in [
        "c_computes",
        "wat_finds_grown_memory_empty",
        "wat_exhausts_the_stack",
        "wat_reads_out_of_bounds",
    ] {
        let ran = run_on(&runtime, &module(name), |launch| launch);
        assert!(
            matches!(
                ran.outcome,
                Ok(Outcome::Exited { code: 0 } | Outcome::Trapped { .. })
            ),
            "{name}: {ran:?}"
        );
    }
    audit.events()
}

const WX: Permissions = Permissions::W.union(Permissions::X);

#[test]
fn no_page_is_ever_writable_and_executable() {
    let events = events();
    let mut code_pages = 0;
    for event in &events {
        let Some(page) = event.page else { continue };
        assert!(!page.permissions.contains(WX), "{event:?}");
        code_pages +=
            usize::from(page.permissions.contains(Permissions::X) && event.leaf != "EADD");
    }
    assert!(
        code_pages > 0,
        "the guests' machine code left no trace in the log"
    );
}

/// Code pages come about as the design says: added writable, filled, restricted, and only then executable.
#[test]
fn a_page_that_becomes_executable_was_not_writable_when_it_did() {
    let events = events();
    for (index, event) in events.iter().enumerate() {
        let executable = event
            .page
            .is_some_and(|page| page.reachable.contains(Permissions::X));
        if !executable || event.leaf == "EADD" {
            continue;
        }
        let before = events[..index]
            .iter()
            .rev()
            .find(|other| (other.base, other.offset) == (event.base, event.offset));
        let before = before
            .and_then(|other| other.page)
            .expect("an executable page has a past");
        assert!(
            !before.reachable.contains(Permissions::W),
            "{before:?} became {event:?}"
        );
    }
}
