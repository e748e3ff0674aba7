//! `twine volume info`: what a volume is, and where its history stands.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use twine_volume::Volume;
use twine_volume::fs::Suite;
use twine_volume::history::MarkText;

use super::{Target, print};
use crate::command::hex;

/// Show identity, cipher, sizes and the newest commit of a volume
///
/// Keep the mark where this machine's owner cannot change it: `twine volume diff-root` tells later whether the volume was
/// rolled back behind it.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let volume = self.target.read()?;
        let text = if self.json {
            format!("{:#}\n", as_json(&volume)?)
        } else {
            as_text(&volume)?
        };
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn as_text(volume: &Volume) -> Result<String> {
    let (fs, statistics) = (volume.fs(), volume.statistics());
    let lines = [
        ("identity", hex(&fs.uuid())),
        ("cipher", cipher(fs.suite()).to_owned()),
        ("file", format!("{} bytes", statistics.size)),
        ("used", format!("{} bytes", statistics.used)),
        ("commit", fs.mark().commit.to_string()),
        ("mark", MarkText(fs.mark()).to_string()),
        (
            "keys",
            format!("{} (one for each mount that left data)", fs.epochs()),
        ),
        (
            "slots",
            format!(
                "{}, opened by slot {}",
                volume.slots()?.len(),
                volume.slot()
            ),
        ),
    ];
    let line = |(name, value): &(&str, String)| format!("{name:9} {value}\n");
    Ok(lines.iter().map(line).collect())
}

fn as_json(volume: &Volume) -> Result<serde_json::Value> {
    let (fs, statistics) = (volume.fs(), volume.statistics());
    Ok(json!({
        "identity": hex(&fs.uuid()),
        "cipher": cipher(fs.suite()),
        "file_bytes": statistics.size,
        "used_bytes": statistics.used,
        "commit": fs.mark().commit,
        "root": hex(&fs.mark().root),
        "mark": MarkText(fs.mark()).to_string(),
        "keys": fs.epochs(),
        "slots": volume.slots()?.len(),
        "opened_by_slot": volume.slot(),
    }))
}

const fn cipher(suite: Suite) -> &'static str {
    match suite {
        Suite::Aegis128L => "AEGIS-128L",
        Suite::Aes256Gcm => "AES-256-GCM",
        _ => "unknown",
    }
}
