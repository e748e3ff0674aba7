//! What the machine is, as far as figures depend on it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde::Serialize;

/// A description in words, for whoever reads the figures.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_gib: u64,
    system: String,
    /// How busy it was when measuring began: the load of the last minute, per core.
    load: f64,
    compilers: BTreeMap<&'static str, String>,
    /// The sources' commit, with a plus if they were changed.
    commit: String,
}

impl Machine {
    pub(crate) fn describe() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores,
            memory_gib: field("/proc/meminfo", "MemTotal")
                .and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
                .map_or(0, |kib| kib.div_ceil(1 << 20)),
            system: format!(
                "{}, Linux {}",
                setting("/etc/os-release", "PRETTY_NAME").unwrap_or_else(unknown),
                rustix::system::uname().release().to_string_lossy()
            ),
            load: load().unwrap_or(f64::NAN) / cores as f64,
            compilers: [
                ("gcc", first_line("gcc", &["--version"])),
                ("rustc", first_line("rustc", &["--version"])),
            ]
            .into_iter()
            .filter_map(|(name, line)| Some((name, line?)))
            .collect(),
            commit: first_line("git", &["describe", "--always", "--dirty=+", "--exclude=*"])
                .unwrap_or_else(unknown),
        }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The value behind `name:` in a file of the kernel's.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The value behind `NAME=` in a file of settings, without quotes.
fn setting(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let mut pairs = text.lines().filter_map(|line| line.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    Some(value.trim_matches('"').to_owned())
}

fn load() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next()?.parse().ok()
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}
