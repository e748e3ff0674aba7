//! `twine volume create`: a new, empty volume.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use twine_volume::fs::Suite;
use twine_volume::history::MarkText;
use twine_volume::passphrase::Cost;
use twine_volume::{NewHolder, Volume, keyfile};

use super::unlock;
use crate::units;

/// Create an empty volume
///
/// For example: twine volume create data.volume --recovery-to offline.key.pub
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The new file
    volume: PathBuf,
    /// The cipher
    #[arg(long, value_enum, default_value = "aegis-128l")]
    cipher: Cipher,
    /// Let the holder of the private half of this recovery key open the volume, too; may be repeated
    #[arg(long, value_name = "FILE.pub")]
    recovery_to: Vec<PathBuf>,
    /// Let enclaves open the volume to which the provisioner sends this key (a file of 32 random bytes); no passphrase is asked
    /// for then
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(flatten)]
    passphrase: NewPassphrase,
}

/// A passphrase that is not in use yet.
#[derive(Args, Debug)]
pub(super) struct NewPassphrase {
    /// Take the passphrase from this environment variable [default: ask for it]
    #[arg(long, value_name = "VAR", conflicts_with = "passphrase_file")]
    passphrase_env: Option<String>,
    /// Take the passphrase from the first line of this file
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Memory that each try of the passphrase costs, 8MiB to 1GiB [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    passphrase_memory: Option<u64>,
}

/// A cipher, by its usual name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Cipher {
    /// The fastest (RFC 10032)
    #[value(name = "aegis-128l")]
    Aegis128L,
    /// For those who need a FIPS-approved cipher (NIST SP 800-38D)
    #[value(name = "aes-256-gcm")]
    Aes256Gcm,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let suite = match self.cipher {
            Cipher::Aegis128L => Suite::Aegis128L,
            Cipher::Aes256Gcm => Suite::Aes256Gcm,
        };
        let cost = cost(self.passphrase.passphrase_memory)?;
        let given = unlock::given(
            self.passphrase.passphrase_env.as_deref(),
            self.passphrase.passphrase_file.as_deref(),
        )?;
        let recipients: Result<Vec<_>, _> = self
            .recovery_to
            .iter()
            .map(|path| keyfile::read_public(path))
            .collect();
        let recipients = recipients?;
        let key = self.key_file.as_deref().map(unlock::provisioned);
        let key = key.transpose()?;
        let passphrase = match given {
            None if key.is_none() => Some(unlock::ask_for_new("Passphrase for the new volume: ")?),
            given => given,
        };
        let mut holders = Vec::new();
        if let Some(passphrase) = &passphrase {
            unlock::check_new(passphrase)?;
            holders.push(NewHolder::Passphrase(passphrase, cost));
        }
        holders.extend(key.as_ref().map(NewHolder::Provisioned));
        holders.extend(recipients.into_iter().map(NewHolder::Recovery));
        let volume = Volume::create(&self.volume, suite, &holders)?;
        let mark = MarkText(volume.fs().mark());
        volume.close()?;
        log::info!("created {} at {mark}", self.volume.display());
        Ok(ExitCode::SUCCESS)
    }
}

/// The cost of a passphrase.
pub(super) fn cost(memory: Option<u64>) -> Result<Cost> {
    Ok(memory.map_or_else(|| Ok(Cost::default()), Cost::of_memory)?)
}
