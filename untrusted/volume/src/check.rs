//! The full check, and what its findings mean for the operator.

use twine_fs::limits::BLOCK_LEN;
use twine_fs::{Access, Finding, Report, Store as _};

use crate::error::Result;
use crate::volume::{Volume, in_volume, open_file};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Space or bookkeeping is wrong; contents are safe.
    Harmless,
    /// Contents are lost, or can be lost by writing.
    Serious,
}

/// What a finding means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// A word for scripts.
    pub kind: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What was found, and what to do.
    pub text: String,
}

impl Volume {
    /// Reads and verifies every block, and compares names, links, bitmap and epochs.
    ///
    /// # Errors
    /// [`crate::Error::Volume`], with [`twine_fs::Error::Tampered`] at the first block that does not verify.
    pub fn check(&mut self) -> Result<Report> {
        let path = self.path().to_owned();
        self.fs.check().map_err(in_volume(&path))
    }

    /// Compares the two copies of the key slots, of which one would do; `None` if they agree.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_slot_copies(&self) -> Result<Option<Explained>> {
        let store = open_file(self.path(), Access::ReadOnly)?;
        let mut copies = vec![0; 2 * SLOT_BLOCKS * BLOCK_LEN];
        store
            .read(SLOTS_AT, &mut copies)
            .map_err(in_volume(self.path()))?;
        let (one, other) = copies.split_at(SLOT_BLOCKS * BLOCK_LEN);
        Ok((one != other).then(|| Explained {
            kind: "slot-copies",
            severity: Severity::Harmless,
            text: "the two copies of the key slots differ: one was damaged, or a change of them was cut short; any change of slots writes both anew".to_owned(),
        }))
    }
}

/// The key slots' first block, and the blocks of each copy (`docs/format.md`).
const SLOTS_AT: u64 = 2;
const SLOT_BLOCKS: usize = 4;

/// Explains a finding.
#[must_use]
pub fn explain(finding: &Finding) -> Explained {
    let serious = |kind, text| Explained {
        kind,
        severity: Severity::Serious,
        text,
    };
    let harmless = |kind, text| Explained {
        severity: Severity::Harmless,
        ..serious(kind, text)
    };
    match finding {
        Finding::DoubleReference { block } => serious(
            "double-reference",
            format!(
                "block {block} is used twice: writing one file would damage the other; export everything and make a new volume"
            ),
        ),
        Finding::NotMarked { block } => serious(
            "not-marked",
            format!(
                "block {block} is in use but marked as free: the next write may overwrite it; do not write, export everything and make a new volume"
            ),
        ),
        Finding::Leaked { block } => harmless(
            "leaked",
            format!(
                "block {block} is marked as used but nothing uses it: 4096 bytes of space are lost, nothing else"
            ),
        ),
        Finding::DanglingName { directory, ino } => serious(
            "dangling-name",
            format!(
                "directory {directory} has a name for inode {ino}, which does not exist: that file is lost"
            ),
        ),
        Finding::WrongLinks {
            ino,
            found,
            recorded,
        } => serious(
            "wrong-links",
            format!(
                "inode {ino} has {found} names but says {recorded}: removing names may free it too early or never"
            ),
        ),
        Finding::Unnamed { ino } => harmless(
            "orphan",
            format!("inode {ino} has no name: its contents cannot be reached, and take space"),
        ),
        Finding::WrongEpoch {
            first,
            found,
            recorded,
        } => serious(
            "wrong-epoch",
            format!(
                "the key that starts at sequence {first} is needed by {found} blocks but says {recorded}: it may be forgotten too early; export everything and make a new volume"
            ),
        ),
        other => serious("unknown", format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lost_space_is_harmless() {
        let severity = |finding| explain(&finding).severity;
        assert_eq!(severity(Finding::Leaked { block: 9 }), Severity::Harmless);
        assert_eq!(severity(Finding::Unnamed { ino: 20 }), Severity::Harmless);
        let double = explain(&Finding::DoubleReference { block: 77 });
        assert_eq!(double.severity, Severity::Serious);
        assert!(double.text.contains("block 77"), "{}", double.text);
    }
}
