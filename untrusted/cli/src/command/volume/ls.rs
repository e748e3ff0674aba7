//! `twine volume ls`: names, kinds, sizes and times.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use twine_volume::fs::FileKind;
use twine_volume::tree::{Depth, Listed, printable};

use super::{Target, json_name, print};

/// List files in a volume
///
/// Control characters and bytes that are not UTF-8 are shown as \xNN.
///
/// For example: twine volume ls --long data.volume /logs
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// What to list
    #[arg(default_value = "/")]
    path: OsString,
    /// Show kind, names, size and time
    #[arg(short, long)]
    long: bool,
    /// Go into directories
    #[arg(short, long)]
    recursive: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let depth = if self.recursive {
            Depth::Everything
        } else {
            Depth::Directory
        };
        let mut volume = self.target.read()?;
        let listed = volume.list(self.path.as_bytes(), depth)?;
        let mut text = String::new();
        if self.json {
            let all: Vec<_> = listed.iter().map(as_json).collect();
            text = format!("{:#}\n", Value::from(all));
        } else {
            for item in &listed {
                self.line(item, &mut text);
            }
        }
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }

    fn line(&self, item: &Listed, text: &mut String) {
        // Writing to a string cannot fail.
        if self.long {
            let status = &item.status;
            let _ = write!(
                text,
                "{} {:>3} {:>14} {} ",
                letter(status.kind),
                status.links,
                status.size,
                time(status.times.modified)
            );
        }
        let _ = write!(text, "{}", printable(&item.path));
        if let Some(target) = item.target.as_ref().filter(|_| self.long) {
            let _ = write!(text, " -> {}", printable(target));
        }
        text.push('\n');
    }
}

const fn letter(kind: FileKind) -> char {
    match kind {
        FileKind::File => '-',
        FileKind::Directory => 'd',
        FileKind::Link => 'l',
    }
}

const fn word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "file",
        FileKind::Directory => "directory",
        FileKind::Link => "link",
    }
}

/// To the second; a time that no calendar has is shown as the number it is.
fn time(nanoseconds: u64) -> String {
    let seconds = i64::try_from(nanoseconds / 1_000_000_000);
    let time = seconds.map(Timestamp::from_second);
    match time {
        Ok(Ok(time)) => time.to_string(),
        _ => nanoseconds.to_string(),
    }
}

fn as_json(item: &Listed) -> Value {
    let (path, path_bytes) = json_name(&item.path);
    let target = item.target.as_deref().map(json_name);
    let times = &item.status.times;
    json!({
        "path": path,
        "path_bytes": path_bytes,
        "kind": word(item.status.kind),
        "inode": item.status.ino,
        "links": item.status.links,
        "size": item.status.size,
        "blocks": item.status.blocks,
        "target": target.as_ref().map(|(target, _)| target),
        "target_bytes": target.as_ref().and_then(|(_, bytes)| bytes.as_ref()),
        "accessed_ns": times.accessed,
        "modified_ns": times.modified,
        "changed_ns": times.changed,
        "created_ns": times.created,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(time(1_700_000_000_999_999_999), "2023-11-14T22:13:20Z");
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(u64::MAX), "2554-07-21T23:34:33Z");
    }
}
