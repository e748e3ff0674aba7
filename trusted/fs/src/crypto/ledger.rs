//! The nonce ledger of debug builds: remembers every (key, nonce) pair of the process and stops at a repeated one.
//!
//! Types already make a repeat impossible within a mount; the ledger guards the argument *across* mounts, where
//! everything rests on fresh keys.

use std::{collections::HashSet, sync::Mutex};

use super::Tag;

static SEEN: Mutex<Option<HashSet<(Tag, u64)>>> = Mutex::new(None);

/// Records a use.
///
/// # Panics
/// If the pair was recorded before.
pub(super) fn record(key: Tag, sequence: u64) {
    let mut seen = SEEN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let fresh = seen
        .get_or_insert_with(HashSet::new)
        .insert((key, sequence));
    drop(seen);
    assert!(fresh, "a nonce was used twice under one key");
}
