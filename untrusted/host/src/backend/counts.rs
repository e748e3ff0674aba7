//! The cost model: how often a launch does what silicon takes its time for. Counts, not times; what each costs is the
//! machine's.

use std::fmt;

/// What an enclave has done since ECREATE.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Pages added before EINIT (EADD).
    pub added: u64,
    /// Chunks of 256 bytes measured (EEXTEND).
    pub measured: u64,
    /// Pages added while it ran (EAUG).
    pub augmented: u64,
    /// Those of them for which the enclave faulted first: an asynchronous exit each, and a resumption.
    pub faulted: u64,
    /// Pages accepted (EACCEPT, EACCEPTCOPY).
    pub accepted: u64,
    /// Pages whose type or permissions were changed (EMODPR, EMODT, EMODPE).
    pub changed: u64,
    /// Pages removed (EREMOVE).
    pub removed: u64,
    /// Ways in (EENTER and ERESUME), without those for [`Counts::faulted`]. There are as many ways out.
    pub entries: u64,
}

impl Counts {
    /// Ways in and out together, those for [`Counts::faulted`] included.
    #[must_use]
    pub const fn transitions(&self) -> u64 {
        2 * (self.entries + self.faulted)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            added,
            measured,
            augmented,
            faulted,
            accepted,
            changed,
            removed,
            ..
        } = self;
        write!(
            f,
            "built of {added} pages ({added} EADD, {measured} EEXTEND); then {augmented} pages added (EAUG), {faulted} of \
             them after a fault, {accepted} EACCEPT, {changed} changes, {removed} EREMOVE, {} transitions",
            self.transitions()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_comes_after_a_fault_costs_a_way_out_and_one_in() {
        let counts = Counts {
            entries: 3,
            faulted: 2,
            ..Counts::default()
        };
        assert_eq!(counts.transitions(), 10);
    }
}
