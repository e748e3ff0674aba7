//! `twine volume import`: a directory of this machine into a volume.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use twine_volume::fs::Access;
use twine_volume::import::Existing;

use super::{Target, progress};
use crate::units;

/// Copy a directory of this machine into a volume
///
/// Keeps names, contents, holes, times, symbolic links and hard links; not owners and permissions, which volumes do not
/// have. Devices, sockets and named pipes are left out. An import that is cut short leaves a sound volume with the files
/// that were done; run it again with --replace.
///
/// For example: twine volume import data.volume ./site --to /www
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// The directory whose contents are imported
    directory: PathBuf,
    /// Where to, in the volume
    #[arg(long, value_name = "PATH", default_value = "/")]
    to: OsString,
    /// Replace files that are there
    #[arg(long)]
    replace: bool,
    /// Let the volume grow to this size and no further, for example 10GiB
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    capacity: Option<u64>,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let capacity = self.capacity.unwrap_or_default();
        let mut volume = self.target.open(Access::ReadWrite, capacity)?;
        let existing = if self.replace {
            Existing::Replace
        } else {
            Existing::Refuse
        };
        let bar = progress::bar(None);
        let mut advance = |bytes| bar.inc(bytes);
        let imported = volume.import(&self.directory, self.to.as_bytes(), existing, &mut advance);
        bar.finish_and_clear();
        let summary = imported?;
        volume.close()?;
        for path in &summary.skipped {
            log::warn!(
                "{}: left out, not a file, directory or symbolic link",
                path.display()
            );
        }
        log::info!(
            "imported {} files, {} directories, {} links, {} bytes",
            summary.files,
            summary.directories,
            summary.links,
            summary.bytes
        );
        Ok(ExitCode::SUCCESS)
    }
}
