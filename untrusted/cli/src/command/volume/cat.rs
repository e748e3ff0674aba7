//! `twine volume cat`: contents of files.

use std::ffi::OsString;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::{Target, piped};

/// Write the contents of files in a volume to standard output
///
/// For example: twine volume cat data.volume /logs/today
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// The files
    #[arg(required = true)]
    paths: Vec<OsString>,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let mut volume = self.target.read()?;
        let mut out = BufWriter::new(io::stdout().lock());
        for path in &self.paths {
            piped(volume.cat(path.as_bytes(), &mut out))?;
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}
