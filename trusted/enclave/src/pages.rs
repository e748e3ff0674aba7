//! The enclave's pages, and what the host must do to them.
//!
//! ```text
//!            accept                restrict(R)           extend(RX)
//!   (none) ─────────► RW ───────────────────► R ───────────────────► RX
//!      ▲               │                      │ ◄── extend(RW)        │
//!      └───────────────┴── remove ────────────┴───────────────────────┘
//! ```
//!
//! Nothing is ever writable and executable. EACCEPT proves each of the host's steps; a host that does something else,
//! or nothing, is told apart by the instruction's error code, and the enclave dies. Which pages were accepted is the
//! caller's record ([`crate::memory`]): a page is never accepted twice, so the host cannot swap a live page for a fresh
//! one.

use twine_abi::exchange::HostCall;
use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::Permissions;

use crate::enclu::{self, FRESH, TRIMMED};
use crate::{fatal, host, image};

/// Accepts fresh pages, zeroed, readable and writable, from `offset` for `len` bytes.
pub(crate) fn accept(offset: u64, len: u64) {
    for address in addresses(offset, len) {
        if let Err(refused) = enclu::accept(address, &FRESH) {
            fatal::kill(format_args!(
                "the host gave no fresh page at {address:#x}: {refused:?}"
            ));
        }
    }
}

/// Accepts pages as [`accept`] does, after telling the host which ones if they are many: a host that adds them then saves a
/// fault for each. It may as well not; EACCEPT proves the page, whenever it came.
pub(crate) fn accept_many(offset: u64, len: u64) {
    if len >= ANNOUNCED_LEN {
        let _ = host::call(HostCall::PageAdd, [offset, len, 0, 0, 0, 0], 0..=0);
    }
    accept(offset, len);
}

/// From this length on a host call is cheaper than the faults: it costs about two of them.
const ANNOUNCED_LEN: u64 = 4 * PAGE_LEN;

/// Restricts pages to `permissions`, which must be fewer than they have.
pub(crate) fn restrict(offset: u64, len: u64, permissions: Permissions) {
    demand(
        HostCall::PageRestrict,
        [offset, len, u64::from(permissions.bits())],
    );
    confirm(offset, len, &enclu::restricted(permissions));
}

/// Gives pages more permissions.
pub(crate) fn extend(offset: u64, len: u64, permissions: Permissions) {
    for address in addresses(offset, len) {
        enclu::extend(address, permissions);
    }
}

/// Gives pages back to the host. Their contents are gone.
pub(crate) fn remove(offset: u64, len: u64) {
    demand(HostCall::PageTrim, [offset, len, 0]);
    confirm(offset, len, &TRIMMED);
    demand(HostCall::PageRemove, [offset, len, 0]);
}

/// Has the host change pages. A host that says it cannot has denied service; there is no way on from here.
fn demand(call: HostCall, [offset, len, argument]: [u64; 3]) {
    if let Err(error) = host::call(call, [offset, len, argument, 0, 0, 0], 0..=0) {
        fatal::kill(format_args!(
            "the host refused {call:?} at {offset:#x}: {error:?}"
        ));
    }
}

/// Checks that the host did what it was asked to do.
fn confirm(offset: u64, len: u64, expected: &twine_abi::sgx::SecInfo) {
    for address in addresses(offset, len) {
        if let Err(refused) = enclu::accept(address, expected) {
            fatal::kill(format_args!(
                "the host did not change the page at {address:#x}: {refused:?}"
            ));
        }
    }
}

/// The addresses of the pages from `offset` for `len` bytes.
fn addresses(offset: u64, len: u64) -> impl Iterator<Item = u64> {
    let first = image::base() + offset;
    (0..len.div_ceil(PAGE_LEN)).map(move |index| first + index * PAGE_LEN)
}
