//! Which parts of an address range are mapped, and for what: the operating system's side of access control.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use twine_abi::sgx::Permissions;

/// Disjoint mapped ranges.
#[derive(Debug, Default)]
pub(in crate::backend) struct Mappings {
    /// Start to (end, permissions).
    ranges: RwLock<BTreeMap<u64, (u64, Permissions)>>,
}

impl Mappings {
    /// What the mapping at `offset` allows; nothing where nothing is mapped.
    pub(in crate::backend) fn at(&self, offset: u64) -> Permissions {
        let ranges = self.ranges.read().unwrap_or_else(PoisonError::into_inner);
        let below = ranges.range(..=offset).next_back();
        below
            .filter(|(_, (end, _))| offset < *end)
            .map_or(Permissions::EMPTY, |(_, (_, permissions))| *permissions)
    }

    /// Maps a range in place of whatever was mapped there. Returns whether anything was.
    pub(in crate::backend) fn set(&self, start: u64, end: u64, permissions: Permissions) -> bool {
        let mut ranges = self.ranges.write().unwrap_or_else(PoisonError::into_inner);
        for at in [start, end] {
            let cut = ranges
                .range_mut(..at)
                .next_back()
                .filter(|(_, (stop, _))| *stop > at)
                .map(|(_, range)| std::mem::replace(range, (at, range.1)));
            if let Some(tail) = cut {
                ranges.insert(at, tail);
            }
        }
        let before = ranges.len();
        ranges.retain(|at, _| *at < start || *at >= end);
        let replaced = ranges.len() < before;
        ranges.insert(start, (end, permissions));
        replaced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_replaces_what_it_covers_and_nothing_else() {
        let mappings = Mappings::default();
        assert!(!mappings.set(10, 50, Permissions::RW));
        assert!(mappings.set(20, 30, Permissions::R));
        assert!(mappings.set(45, 60, Permissions::RX));
        assert!(!mappings.set(60, 61, Permissions::EMPTY));
        let expected = [
            (9, Permissions::EMPTY),
            (10, Permissions::RW),
            (19, Permissions::RW),
            (20, Permissions::R),
            (29, Permissions::R),
            (30, Permissions::RW),
            (44, Permissions::RW),
            (45, Permissions::RX),
            (59, Permissions::RX),
            (60, Permissions::EMPTY),
        ];
        for (offset, permissions) in expected {
            assert_eq!(mappings.at(offset), permissions, "{offset}");
        }
    }
}
