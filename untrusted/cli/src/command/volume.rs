//! `twine volume`: volumes of protected files, for those who hold a key.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use twine_volume::Error;

use crate::exit;

mod cat;
mod compact;
mod create;
mod diff_root;
mod export;
mod fsck;
mod import;
mod info;
mod keygen;
mod ls;
mod progress;
mod rekey;
mod slots;
mod unlock;

/// Create, fill, read and check volumes of protected files
///
/// A volume is one encrypted file that holds a tree of files. Programs in enclaves open it with sealed keys; here it is
/// opened with a passphrase or a recovery key, by whoever owns the data. This machine sees the contents while it works.
#[derive(Args, Debug)]
#[command(after_help = exit::VOLUME_HELP)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(create::Arguments),
    Ls(ls::Arguments),
    Cat(cat::Arguments),
    Import(import::Arguments),
    Export(export::Arguments),
    Info(info::Arguments),
    Fsck(fsck::Arguments),
    Compact(compact::Arguments),
    Slots(slots::Arguments),
    Rekey(rekey::Arguments),
    DiffRoot(diff_root::Arguments),
    Keygen(keygen::Arguments),
}

impl Arguments {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        match &self.command {
            Command::Create(arguments) => arguments.run(),
            Command::Ls(arguments) => arguments.run(),
            Command::Cat(arguments) => arguments.run(),
            Command::Import(arguments) => arguments.run(),
            Command::Export(arguments) => arguments.run(),
            Command::Info(arguments) => arguments.run(),
            Command::Fsck(arguments) => arguments.run(),
            Command::Compact(arguments) => arguments.run(),
            Command::Slots(arguments) => arguments.run(),
            Command::Rekey(arguments) => arguments.run(),
            Command::DiffRoot(arguments) => arguments.run(),
            Command::Keygen(arguments) => arguments.run(),
        }
    }
}

/// The volume that a command is about, and how it is unlocked.
#[derive(Args, Debug)]
struct Target {
    /// The volume
    volume: PathBuf,
    #[command(flatten)]
    unlock: unlock::Unlock,
}

impl Target {
    fn read(&self) -> Result<twine_volume::Volume> {
        self.open(twine_volume::fs::Access::ReadOnly, 0)
    }

    fn write(&self) -> Result<twine_volume::Volume> {
        self.open(twine_volume::fs::Access::ReadWrite, 0)
    }

    fn open(
        &self,
        access: twine_volume::fs::Access,
        capacity: u64,
    ) -> Result<twine_volume::Volume> {
        let secret = self.unlock.secret(&self.volume)?;
        let opened = twine_volume::Volume::open(&self.volume, access, &secret, capacity);
        Ok(opened?)
    }
}

/// A reader that had enough is no failure of ours: shows it as what it is.
fn piped<T>(result: twine_volume::Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        Error::File { source, .. } if source.kind() == ErrorKind::BrokenPipe => source.into(),
        other => other.into(),
    })
}

/// A name for JSON, which has text only: other bytes are replaced, and `bytes` tells what they were.
fn json_name(name: &[u8]) -> (String, Option<String>) {
    match str::from_utf8(name) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => (
            String::from_utf8_lossy(name).into_owned(),
            Some(super::hex(name)),
        ),
    }
}

/// Writes to standard output.
fn print(text: &str) -> Result<()> {
    use io::Write as _;
    Ok(io::stdout().write_all(text.as_bytes())?)
}
