//! `twine volume keygen`: a recovery key.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use twine_volume::{keyfile, secret};

use super::print;

/// Make a recovery key: the private half in FILE, the public half in FILE.pub
///
/// Keep the private half offline. The public half is enough to give its holder access to a volume (`twine volume create
/// --recovery-to`, `twine volume slots --add-recovery-key`). Keys of `openssl genpkey -algorithm X25519` do as well.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The new file
    file: PathBuf,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let key = secret::generate()?;
        let public = key.public();
        let mut name = self.file.clone().into_os_string();
        name.push(".pub");
        keyfile::write_private(&self.file, &key)?;
        keyfile::write_public(&PathBuf::from(name), &public)?;
        print(&keyfile::public_text(&public))?;
        Ok(ExitCode::SUCCESS)
    }
}
