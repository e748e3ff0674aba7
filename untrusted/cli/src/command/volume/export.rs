//! `twine volume export`: a volume's files into a directory of this machine, or a tar archive.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use twine_volume::Error;

use super::{Target, piped, progress};

/// Copy a volume's files into a new or empty directory, or a tar archive
///
/// Nothing outside the directory is ever written, whoever wrote the volume. Symbolic links are kept as they are: where they
/// lead is for you to judge.
///
/// For example: twine volume export data.volume ./restored, or: twine volume export data.volume -o - | tar tv
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// The directory to write into
    #[arg(required_unless_present = "output")]
    directory: Option<PathBuf>,
    /// Write a tar archive instead; `-` for standard output
    #[arg(short, long, value_name = "FILE.tar", conflicts_with = "directory")]
    output: Option<PathBuf>,
    /// What to export, in the volume
    #[arg(long, value_name = "PATH", default_value = "/")]
    from: OsString,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let mut volume = self.target.read()?;
        let from = self.from.as_bytes();
        let bar = progress::bar(Some(volume.statistics().used));
        let mut advance = |bytes| bar.inc(bytes);
        let exported = match (&self.directory, &self.output) {
            (Some(directory), _) => volume.export(from, directory, &mut advance),
            (None, Some(output)) => {
                let to = stream(output)?;
                volume.archive(from, to, output, &mut advance)
            }
            (None, None) => unreachable!("the command line asks for one of the two"),
        };
        bar.finish_and_clear();
        let summary = piped(exported)?;
        log::info!(
            "exported {} files, {} directories, {} links, {} bytes",
            summary.files,
            summary.directories,
            summary.links,
            summary.bytes
        );
        Ok(ExitCode::SUCCESS)
    }
}

fn stream(path: &Path) -> Result<Box<dyn Write>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufWriter::new(io::stdout().lock())));
    }
    let file = File::create(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    Ok(Box::new(BufWriter::new(file)))
}
