//! The options of `twine run` that give the guest file systems.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use twine::document::limits::TMPFS_BYTES_DEFAULT;
use twine::launch::Launch;

use super::usage;
use crate::exit::Blame;
use crate::units;

/// File systems of the guest.
#[derive(Args, Debug)]
#[command(next_help_heading = "File systems")]
pub(super) struct Mounts {
    /// Mount a protected volume; with a launch document: the file behind a volume that it mounts. May be repeated
    #[arg(long, value_name = "FILE::GUEST", value_parser = pair)]
    volume: Vec<(PathBuf, String)>,
    /// Make volumes that are not there
    #[arg(long, requires = "volume")]
    create: bool,
    /// Mount an empty file system in the enclave's memory [default size: 64MiB]; may be repeated
    #[arg(long, value_name = "GUEST[::SIZE]", value_parser = tmpfs)]
    tmpfs: Vec<(String, u64)>,
    /// Mount a directory of this machine, UNPROTECTED; with a launch document: the directory behind one that it mounts. May
    /// be repeated
    #[arg(long, value_name = "DIR::GUEST", value_parser = pair)]
    host_dir: Vec<(PathBuf, String)>,
    /// Let the guest only read what is mounted there; may be repeated
    #[arg(long, value_name = "GUEST")]
    ro: Vec<String>,
}

impl Mounts {
    pub(super) fn configure<'a>(&self, mut launch: Launch<'a>) -> Result<Launch<'a>> {
        for (file, guest) in &self.volume {
            launch = launch.volume(guest, file);
        }
        if self.create {
            launch = launch.create_volumes()?;
        }
        for (directory, guest) in &self.host_dir {
            launch = launch.host_directory(guest, directory);
        }
        for (guest, size) in &self.tmpfs {
            launch = launch.tmpfs(guest, *size)?;
        }
        for guest in &self.ro {
            launch = launch.read_only(guest)?;
        }
        Ok(launch)
    }
}

/// `HOST::GUEST`. The last `::` separates: a guest's path seldom holds one.
pub(super) fn pair(text: &str) -> Result<(PathBuf, String), Blame> {
    match text.rsplit_once("::") {
        Some((host, guest)) if !host.is_empty() => Ok((host.into(), guest.to_owned())),
        _ => Err(usage(&format!(
            "{text}: write what it is here and where the guest finds it, like data.tv::/data"
        ))),
    }
}

fn tmpfs(text: &str) -> Result<(String, u64), String> {
    match text.rsplit_once("::") {
        Some((guest, size)) => Ok((guest.to_owned(), units::size(size)?)),
        None => Ok((text.to_owned(), TMPFS_BYTES_DEFAULT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_a_file_and_a_place() {
        assert_eq!(
            pair("a.tv::/data").unwrap(),
            ("a.tv".into(), "/data".into())
        );
        assert_eq!(pair("a::b.tv::/").unwrap(), ("a::b.tv".into(), "/".into()));
        for wrong in ["a.tv", "a.tv:/data", "::/data"] {
            assert!(
                pair(wrong)
                    .unwrap_err()
                    .message
                    .contains("like data.tv::/data")
            );
        }
    }

    #[test]
    fn a_tmpfs_has_a_size_of_its_own_or_the_default() {
        assert_eq!(tmpfs("/tmp"), Ok(("/tmp".into(), 64 << 20)));
        assert_eq!(tmpfs("/tmp::1MiB"), Ok(("/tmp".into(), 1 << 20)));
        tmpfs("/tmp::much").unwrap_err();
    }
}
