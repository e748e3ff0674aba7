//! Passphrases and keys from the command line: never as arguments, which every user of the machine can read.

use std::env;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use twine_volume::secret::Passphrase;
use twine_volume::{Error, ProvisionedKey, Secret, keyfile};
use zeroize::Zeroizing;

use crate::exit::{Blame, Code};

/// What unlocks a volume.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(super) struct Unlock {
    /// Take the passphrase from this environment variable
    #[arg(
        long,
        value_name = "VAR",
        help_heading = "Unlocking [default: ask for a passphrase]"
    )]
    passphrase_env: Option<String>,
    /// Take the passphrase from the first line of this file
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Unlocking [default: ask for a passphrase]"
    )]
    passphrase_file: Option<PathBuf>,
    /// Unlock with this private recovery key (PEM)
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Unlocking [default: ask for a passphrase]"
    )]
    recovery_key: Option<PathBuf>,
    /// Unlock with the key that the provisioner sends to enclaves (a file of 32 bytes)
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Unlocking [default: ask for a passphrase]"
    )]
    key_file: Option<PathBuf>,
}

impl Unlock {
    /// The secret that the arguments name, or a passphrase that is asked for.
    pub(super) fn secret(&self, volume: &Path) -> Result<Secret> {
        // Before anybody types a passphrase in vain.
        if let Err(source) = fs::metadata(volume) {
            let path = volume.to_owned();
            return Err(Error::File { path, source }.into());
        }
        if let Some(path) = &self.recovery_key {
            warn_if_exposed(path);
            return Ok(Secret::RecoveryKey(keyfile::read_private(path)?));
        }
        if let Some(path) = &self.key_file {
            return Ok(Secret::Provisioned(provisioned(path)?));
        }
        let given = given(
            self.passphrase_env.as_deref(),
            self.passphrase_file.as_deref(),
        )?;
        let passphrase = given.map_or_else(|| ask(&prompt(volume)), Ok)?;
        Ok(Secret::Passphrase(passphrase))
    }
}

/// A provisioner's key from a file.
pub(super) fn provisioned(path: &Path) -> Result<ProvisionedKey> {
    warn_if_exposed(path);
    Ok(keyfile::read_provisioned(path)?)
}

/// A passphrase from a variable or a file.
pub(super) fn given(variable: Option<&str>, file: Option<&Path>) -> Result<Option<Passphrase>> {
    let bytes = match (variable, file) {
        (Some(name), _) => {
            let value = env::var_os(name).ok_or_else(|| Blame {
                code: Code::Usage,
                message: format!("the environment has no variable {name}"),
            })?;
            Zeroizing::new(value.into_vec())
        }
        (None, Some(path)) => first_line(path)?,
        (None, None) => return Ok(None),
    };
    Ok(Some(Passphrase::new(bytes)))
}

/// Asks for a passphrase that nobody knows yet, twice.
pub(super) fn ask_for_new(prompt: &str) -> Result<Passphrase> {
    let first = read_hidden(prompt)?;
    if *first != *read_hidden("Once more: ")? {
        return Err(usage("the two passphrases differ"));
    }
    Ok(Passphrase::new(first))
}

/// Refuses a passphrase that protects nothing.
pub(super) fn check_new(passphrase: &Passphrase) -> Result<()> {
    if passphrase.is_empty() {
        return Err(usage("an empty passphrase protects nothing"));
    }
    Ok(())
}

fn ask(prompt: &str) -> Result<Passphrase> {
    read_hidden(prompt).map(Passphrase::new)
}

fn prompt(volume: &Path) -> String {
    format!("Passphrase of {}: ", volume.display())
}

fn read_hidden(prompt: &str) -> Result<Zeroizing<Vec<u8>>> {
    let text = rpassword::prompt_password(prompt)
        .context("no terminal to ask for a passphrase; use --passphrase-env, --passphrase-file, --recovery-key or --key-file")?;
    Ok(Zeroizing::new(text.into_bytes()))
}

fn first_line(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    warn_if_exposed(path);
    let file = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    // Room from the start: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LINE_LEN_MAX + 1));
    let opened = File::open(path).map_err(file)?;
    opened
        .take(LINE_LEN_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(file)?;
    let end = bytes.iter().position(|&byte| byte == b'\n');
    let end = end.unwrap_or(bytes.len());
    if end > LINE_LEN_MAX {
        return Err(usage(
            "the passphrase file's first line is longer than any passphrase",
        ));
    }
    bytes.truncate(end);
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(bytes)
}

fn warn_if_exposed(path: &Path) {
    if fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o077 != 0) {
        log::warn!(
            "{}: others may read this secret; make it yours alone (chmod 600)",
            path.display()
        );
    }
}

fn usage(message: &str) -> anyhow::Error {
    Blame {
        code: Code::Usage,
        message: message.to_owned(),
    }
    .into()
}

/// Longest passphrase in a file, in bytes: keeps a wrong file from being read whole.
const LINE_LEN_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_of_a_file_is_the_passphrase() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        for (text, passphrase) in [
            ("open sesame\n", &b"open sesame"[..]),
            ("open sesame", b"open sesame"),
            (" spaces count \r\nsecond line\n", b" spaces count "),
            ("\n", b""),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(*first_line(&path).unwrap(), passphrase, "{text:?}");
        }
        fs::write(&path, "x".repeat(LINE_LEN_MAX + 1)).unwrap();
        first_line(&path).unwrap_err();
    }
}
