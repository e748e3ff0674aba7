//! `twine volume slots`: who can open a volume.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use twine_volume::fs::SlotKind;
use twine_volume::volume::{SlotInfo, slots_of};
use twine_volume::{NewHolder, keyfile};

use super::{Target, create, print, unlock};
use crate::command::hex;
use crate::units;

/// List, add or remove the key slots of a volume
///
/// Listing needs no key, and so proves nothing: what it shows is authenticated only when slots are changed or the volume
/// is opened. Somebody who opened the volume before can keep its key: after removing a slot, `twine volume rekey` draws a
/// new one.
///
/// For example: twine volume slots data.volume --add-recovery-key offline.key.pub
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Add a slot for a passphrase, which is asked for
    #[arg(long, help_heading = "Changes", conflicts_with_all = ["add_passphrase_env", "add_passphrase_file"])]
    add_passphrase: bool,
    /// Add a slot for the passphrase in this environment variable
    #[arg(
        long,
        value_name = "VAR",
        help_heading = "Changes",
        conflicts_with = "add_passphrase_file"
    )]
    add_passphrase_env: Option<String>,
    /// Add a slot for the passphrase in the first line of this file
    #[arg(long, value_name = "FILE", help_heading = "Changes")]
    add_passphrase_file: Option<PathBuf>,
    /// Memory that each try of the new passphrase costs, 8MiB to 1GiB [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::size, help_heading = "Changes")]
    passphrase_memory: Option<u64>,
    /// Add a slot for the holder of the private half of this recovery key
    #[arg(long, value_name = "FILE.pub", help_heading = "Changes")]
    add_recovery_key: Option<PathBuf>,
    /// Add a slot for enclaves to which the provisioner sends this key (a file of 32 random bytes)
    #[arg(long, value_name = "FILE", help_heading = "Changes")]
    add_key_file: Option<PathBuf>,
    /// Remove a slot
    #[arg(long, value_name = "NUMBER", help_heading = "Changes")]
    remove: Option<usize>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let changes = self.add_passphrase
            || self.add_passphrase_env.is_some()
            || self.add_passphrase_file.is_some()
            || self.add_recovery_key.is_some()
            || self.add_key_file.is_some()
            || self.remove.is_some();
        if changes {
            self.change()?;
        }
        let slots = slots_of(&self.target.volume)?;
        let text = if self.json {
            let all: Vec<_> = slots.iter().map(as_json).collect();
            format!("{:#}\n", Value::from(all))
        } else {
            slots.iter().map(line).collect()
        };
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }

    fn change(&self) -> Result<()> {
        let cost = create::cost(self.passphrase_memory)?;
        let recipient = match &self.add_recovery_key {
            Some(path) => Some(keyfile::read_public(path)?),
            None => None,
        };
        let key = self.add_key_file.as_deref().map(unlock::provisioned);
        let key = key.transpose()?;
        let given = unlock::given(
            self.add_passphrase_env.as_deref(),
            self.add_passphrase_file.as_deref(),
        )?;
        let mut volume = self.target.write()?;
        let passphrase = match given {
            None if self.add_passphrase => Some(unlock::ask_for_new("New passphrase: ")?),
            given => given,
        };
        // First add, then remove: whatever fails in between, nobody is locked out.
        if let Some(passphrase) = &passphrase {
            unlock::check_new(passphrase)?;
            let number = volume.add_slot(&NewHolder::Passphrase(passphrase, cost))?;
            log::info!("added slot {number}");
        }
        if let Some(recipient) = recipient {
            let number = volume.add_slot(&NewHolder::Recovery(recipient))?;
            log::info!("added slot {number}");
        }
        if let Some(key) = &key {
            let number = volume.add_slot(&NewHolder::Provisioned(key))?;
            log::info!("added slot {number}");
        }
        if let Some(number) = self.remove {
            volume.remove_slot(number)?;
            log::info!("removed slot {number}");
        }
        Ok(volume.close()?)
    }
}

const fn kind(slot: &SlotInfo) -> &'static str {
    match slot.kind {
        SlotKind::SealedToImage => "sealed to one enclave image",
        SlotKind::SealedToSigner => "sealed to a signer's images",
        SlotKind::Provisioned => "provisioned after attestation",
        SlotKind::Recovery => "recovery key",
        SlotKind::Passphrase => "passphrase",
    }
}

fn line(slot: &SlotInfo) -> String {
    let detail = match (&slot.cost, &slot.recipient) {
        (Some(cost), _) => format!(
            ", Argon2id with {} MiB and {} passes",
            cost.memory() >> 20,
            cost.passes()
        ),
        (None, Some(recipient)) => format!(" {}", hex(recipient.bytes())),
        (None, None) => String::new(),
    };
    format!("{:2}  {}{detail}\n", slot.number, kind(slot))
}

fn as_json(slot: &SlotInfo) -> Value {
    json!({
        "number": slot.number,
        "kind": match slot.kind {
            SlotKind::SealedToImage => "sealed-to-image",
            SlotKind::SealedToSigner => "sealed-to-signer",
            SlotKind::Provisioned => "provisioned",
            SlotKind::Recovery => "recovery",
            SlotKind::Passphrase => "passphrase",
        },
        "memory_bytes": slot.cost.map(|cost| cost.memory()),
        "passes": slot.cost.map(|cost| cost.passes()),
        "recipient": slot.recipient.map(|recipient| hex(recipient.bytes())),
    })
}
