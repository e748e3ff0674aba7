//! Comparing a volume with what is known of its past: the same, newer, older, or a fork.
//!
//! Every commit has a number and a root that chains it to all before it. A volume shows the roots of its last checkpoint, the
//! commit before that and every record since, so a mark from that stretch is compared exactly; for an older mark only
//! the number can be.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use twine_fs::freshness::{Freshness, Mark};
use twine_fs::{Access, Options};

use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::volume::Volume;

/// A mark as text: `COMMIT:ROOT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkText(pub Mark);

/// How a volume stands to a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The mark is the volume's newest commit.
    Same,
    /// The mark is in the volume's history, and commits followed.
    Newer,
    /// The volume has more commits than the mark, but no longer shows the mark's: a fork cannot be ruled out.
    NewerUnproven,
    /// The volume has fewer commits than the mark: it was rolled back, or a tail of it was cut off.
    Older,
    /// The commit of that number is another one: two histories.
    Fork,
}

impl Relation {
    /// A word for scripts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Newer => "newer",
            Self::NewerUnproven => "newer-unproven",
            Self::Older => "older",
            Self::Fork => "fork",
        }
    }

    /// The same, seen from the other volume.
    const fn reversed(self) -> Self {
        match self {
            Self::Newer | Self::NewerUnproven => Self::Older,
            other => other,
        }
    }
}

/// Compares a volume with a mark, and returns the volume's own mark beside.
///
/// # Errors
/// As [`Volume::open`].
pub fn compare(path: &Path, secret: &Secret, mark: Mark) -> Result<(Relation, Mark)> {
    let open = |mark| {
        Volume::open_with(path, Access::ReadOnly, secret, || Options {
            access: Access::ReadOnly,
            freshness: Freshness::Export(mark),
            ..Options::default()
        })
    };
    let relation = match open(Some(mark)) {
        Ok(volume) => return Ok((relation(&volume.fs, mark), volume.fs.mark())),
        Err(Error::Volume {
            source: twine_fs::Error::RolledBack { .. },
            ..
        }) => Relation::Older,
        Err(Error::Volume {
            source: twine_fs::Error::Forked { .. },
            ..
        }) => Relation::Fork,
        Err(error) => return Err(error),
    };
    // The slots may be what was rolled back: then this fails as the first attempt did.
    Ok((relation, open(None)?.fs.mark()))
}

/// Compares a volume with another one.
///
/// # Errors
/// [`Error::OtherVolume`], or as [`Volume::open`] for either.
pub fn compare_files(path: &Path, other: &Path, secret: &Secret) -> Result<(Relation, Mark, Mark)> {
    let identity = |path| {
        let volume = Volume::open(path, Access::ReadOnly, secret, 0)?;
        Ok((volume.fs.uuid(), volume.fs.mark()))
    };
    let ((uuid, mine), (other_uuid, theirs)) = (identity(path)?, identity(other)?);
    if uuid != other_uuid {
        return Err(Error::OtherVolume);
    }
    // Only the one with more commits can know the other's.
    let relation = if mine.commit >= theirs.commit {
        compare(path, secret, theirs)?.0
    } else {
        match compare(other, secret, mine)?.0 {
            Relation::NewerUnproven => Relation::Older,
            relation => relation.reversed(),
        }
    };
    Ok((relation, mine, theirs))
}

/// For a volume whose history does not contradict the mark.
fn relation(volume: &twine_fs::Volume, mark: Mark) -> Relation {
    if volume.mark().commit == mark.commit {
        Relation::Same
    } else if mark.commit >= volume.oldest_known_commit() {
        Relation::Newer
    } else {
        Relation::NewerUnproven
    }
}

impl fmt::Display for MarkText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.0.commit)?;
        self.0
            .root
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for MarkText {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (commit, digits) = text.split_once(':').ok_or(Error::NotAMark)?;
        let commit = commit.parse().map_err(|_| Error::NotAMark)?;
        let mut root = [0; 32];
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Error::NotAMark);
        }
        for (byte, pair) in root.iter_mut().zip(digits.as_bytes().as_chunks::<2>().0) {
            let pair = str::from_utf8(pair).map_err(|_| Error::NotAMark)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| Error::NotAMark)?;
        }
        Ok(Self(Mark { commit, root }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_written() {
        let mark = MarkText(Mark {
            commit: 77,
            root: std::array::from_fn(|at| u8::try_from(at * 8).unwrap()),
        });
        assert_eq!(mark.to_string().parse::<MarkText>().unwrap(), mark);
        for text in ["", "7", "7:", "x:00", ":", "7:zz", &mark.to_string()[1..40]] {
            assert!(matches!(text.parse::<MarkText>(), Err(Error::NotAMark)));
        }
        let plus = format!("7:+{}", "0".repeat(63));
        plus.parse::<MarkText>().unwrap_err();
    }
}
