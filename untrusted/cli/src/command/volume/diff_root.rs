//! `twine volume diff-root`: a volume's history against a mark, or another copy.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use twine_volume::fs::freshness::Mark;
use twine_volume::history::{MarkText, Relation, compare, compare_files};

use super::{Target, print};
use crate::exit::Code;

/// Tell whether a volume is the same as, newer or older than a mark or another copy of it, or a fork
///
/// A volume that is older than a mark you kept was rolled back, or its newest commits were cut off. A volume shows the roots
/// of its commits since the checkpoint before the last; for a mark from before, only the numbers can be compared
/// ("newer-unproven").
///
/// For example: twine volume diff-root data.volume 77:0c5f…, or: twine volume diff-root data.volume backup.volume
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// A mark as `twine volume info` prints it (COMMIT:ROOT), or another volume that the same secret opens
    other: OsString,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let secret = self.target.unlock.secret(&self.target.volume)?;
        let mark = self.other.to_str().and_then(|text| text.parse().ok());
        let (relation, mine, other) = match mark {
            Some(MarkText(mark)) => {
                let (relation, mine) = compare(&self.target.volume, &secret, mark)?;
                (relation, mine, mark)
            }
            None => compare_files(&self.target.volume, Path::new(&self.other), &secret)?,
        };
        let text = if self.json {
            let value = json!({
                "relation": relation.word(),
                "mark": MarkText(mine).to_string(),
                "other": MarkText(other).to_string(),
            });
            format!("{value:#}\n")
        } else {
            format!("{}: {}\n", relation.word(), sentence(relation, mine, other))
        };
        print(&text)?;
        Ok(match relation {
            Relation::Same | Relation::Newer | Relation::NewerUnproven => ExitCode::SUCCESS,
            Relation::Older | Relation::Fork => Code::Tampered.into(),
        })
    }
}

fn sentence(relation: Relation, mine: Mark, other: Mark) -> String {
    let (mine, other) = (mine.commit, other.commit);
    match relation {
        Relation::Same => format!("both are at commit {mine}, with one history"),
        Relation::Newer => format!("{} commits on top of commit {other}", mine - other),
        Relation::NewerUnproven => format!(
            "at commit {mine}, which is after {other}; whether {other} is in its history can no longer be seen"
        ),
        Relation::Older => format!(
            "at commit {mine}, which is before {other}: rolled back, or its newest commits were cut off"
        ),
        Relation::Fork => format!(
            "at commit {mine}, with another history than {other}: two copies were written independently"
        ),
    }
}
