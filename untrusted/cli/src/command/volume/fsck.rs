//! `twine volume fsck`: the full check.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use twine_volume::check::{Explained, Severity, explain};

use super::{Target, print};
use crate::exit::Code;

/// Verify every block of a volume, and that names, links and free space fit together
///
/// Changes nothing. Ends with 116 if a block does not verify, and with 117 if blocks verify but do not fit together.
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
        let mut volume = self.target.read()?;
        let report = volume.check()?;
        let mut findings: Vec<_> = report.findings.iter().map(explain).collect();
        findings.extend(volume.check_slot_copies()?);
        let text = if self.json {
            let value = json!({
                "inodes": report.inodes,
                "blocks": report.blocks,
                "findings": findings.iter().map(as_json).collect::<Vec<_>>(),
            });
            format!("{value:#}\n")
        } else {
            let lines = findings.iter().map(line).collect::<String>();
            let verdict = verdict(&findings);
            let (inodes, blocks) = (report.inodes, report.blocks);
            format!("{lines}{verdict}: {inodes} files and directories, {blocks} blocks verified\n")
        };
        print(&text)?;
        if findings.is_empty() {
            Ok(ExitCode::SUCCESS)
        } else {
            Ok(Code::Damaged.into())
        }
    }
}

fn verdict(findings: &[Explained]) -> &'static str {
    match findings.iter().map(|finding| finding.severity).max() {
        None => "sound",
        Some(Severity::Harmless) => "contents are safe",
        Some(Severity::Serious) => "damaged",
    }
}

const fn severity(finding: &Explained) -> &'static str {
    match finding.severity {
        Severity::Harmless => "harmless",
        Severity::Serious => "serious",
    }
}

fn line(finding: &Explained) -> String {
    format!(
        "{}: {}: {}\n",
        severity(finding),
        finding.kind,
        finding.text
    )
}

fn as_json(finding: &Explained) -> serde_json::Value {
    json!({
        "kind": finding.kind,
        "severity": severity(finding),
        "text": finding.text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(severity: Severity) -> Explained {
        Explained {
            kind: "test",
            severity,
            text: String::new(),
        }
    }

    #[test]
    fn the_worst_finding_decides() {
        assert_eq!(verdict(&[]), "sound");
        let (harmless, serious) = (found(Severity::Harmless), found(Severity::Serious));
        assert!(verdict(std::slice::from_ref(&harmless)).contains("safe"));
        assert_eq!(verdict(&[serious, harmless]), "damaged");
    }
}
