//! `setup`: installs what a fresh Debian 12 has not, and Cargo does not bring.
//!
//! It also builds SQLite's module, which `twine sqlite` looks for beside itself. Everything else comes from package
//! registries while it is needed, pinned, into the target folder. So this stays short: a compiler's linker, Python's
//! installer for the tools the guests are built with, its headers for the volume reader's ciphers, and APT's package
//! lists, from which the guests' Rust comes.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command;
use crate::project::{Project, Workspace};

/// Something the machine must be able to do, and the packages that make it so.
struct Need {
    purpose: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    packages: &'static [&'static str],
}

/// Probed in this order; a probe must be quick and change nothing.
const NEEDS: [Need; 6] = [
    Need {
        purpose: "a linker, and a C compiler to compare guests with",
        program: "cc",
        arguments: &["--version"],
        packages: &["gcc", "libc6-dev"],
    },
    Need {
        purpose: "a C++ compiler to compare guests with",
        program: "c++",
        arguments: &["--version"],
        packages: &["g++"],
    },
    Need {
        purpose: "the kernel's headers, with which the driver's structures are compared",
        program: "cc",
        arguments: &[
            "-fsyntax-only",
            "-include",
            "asm/sgx.h",
            "-x",
            "c",
            "/dev/null",
        ],
        packages: &["linux-libc-dev"],
    },
    Need {
        purpose: "Python's pip, which fetches the guests' C, C++ and Zig compiler",
        program: "python3",
        arguments: &["-m", "pip", "--version"],
        packages: &["python3", "python3-pip"],
    },
    Need {
        purpose: "Python's headers, with which the ciphers of the volume reader are built",
        program: "python3",
        arguments: &["-c", HAS_HEADERS],
        packages: &["python3-dev"],
    },
    Need {
        purpose: "OpenSSL, which looks at certificates that enclaves make",
        program: "openssl",
        arguments: &["version"],
        packages: &["openssl"],
    },
];

/// Fails if there are no headers.
const HAS_HEADERS: &str =
    "import pathlib, sysconfig; pathlib.Path(sysconfig.get_path('include'), 'Python.h').stat()";

/// A package that only lists from Debian 12 can name: the guests crate unpacks it.
const LISTED_PACKAGE: &str = "libstd-rust-dev-wasm32";

/// Installs what is missing, and builds SQLite's module where the program `twine` finds it.
///
/// # Errors
/// As [`packages`]; if SQLite cannot be fetched or built.
pub(crate) fn run(project: &Project) -> Result<()> {
    packages()?;
    sqlite(project)
}

/// Builds SQLite's module, unless it is there.
fn sqlite(project: &Project) -> Result<()> {
    let arguments = [
        "run",
        "--quiet",
        "--locked",
        "--package",
        "twine-guests",
        "--",
    ];
    let built = command::output(
        project
            .cargo(Workspace::Main)
            .args(arguments)
            .arg("sqlite_shell"),
    )?;
    let built = built.trim_end();
    let place = project.target("share/twine/sqlite.wasm");
    let folder = project.target("share/twine");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    // Beside it first: a `twine` that starts meanwhile finds a whole module.
    let partial = project.target("share/twine/sqlite.partial");
    fs::copy(built, &partial).with_context(|| format!("cannot copy {built}"))?;
    fs::rename(&partial, &place).with_context(|| place.display().to_string())?;
    println!("setup: SQLite is at {}", project.relative(&place).display());
    Ok(())
}

/// Installs what is missing.
///
/// # Errors
/// If something that everything needs is missing and cannot be installed. Without APT's lists only guests in Rust
/// cannot be built, so that is no more than a remark here.
fn packages() -> Result<()> {
    let missing: Vec<&Need> = NEEDS.iter().filter(|need| !need.is_met()).collect();
    if missing.is_empty() && is_listed() {
        println!("setup: nothing is missing");
        return Ok(());
    }
    for need in &missing {
        println!("setup: missing: {}", need.purpose);
    }
    let packages: Vec<&str> = missing
        .iter()
        .flat_map(|need| need.packages)
        .copied()
        .collect();
    let commands = apt_commands(&packages);
    match Privilege::find() {
        Some(privilege) => commands.iter().try_for_each(|line| privilege.run(line))?,
        None if missing.is_empty() => println!("setup: {}", by_hand(&commands)),
        None => bail!("{}", by_hand(&commands)),
    }
    if !is_listed() {
        println!("setup: APT does not offer {LISTED_PACKAGE}: guests in Rust cannot be built here");
    }
    match NEEDS.iter().find(|need| !need.is_met()) {
        Some(need) => bail!("still missing after installing: {}", need.purpose),
        None => Ok(()),
    }
}

impl Need {
    fn is_met(&self) -> bool {
        command::succeeds(self.program, self.arguments)
    }
}

/// Tells whether APT knows where the guests' Rust is.
fn is_listed() -> bool {
    command::succeeds("apt-get", &["download", "--print-uris", LISTED_PACKAGE])
}

/// The calls of `apt-get` that bring the packages; none brings only the lists.
fn apt_commands(packages: &[&'static str]) -> Vec<Vec<&'static str>> {
    let mut commands = vec![vec!["apt-get", "update"]];
    if !packages.is_empty() {
        let mut install = vec!["apt-get", "install", "--yes", "--no-install-recommends"];
        install.extend(packages);
        commands.push(install);
    }
    commands
}

/// What to tell somebody who has to ask an administrator.
fn by_hand(commands: &[Vec<&str>]) -> String {
    let lines: Vec<String> = commands
        .iter()
        .map(|line| format!("sudo {}", line.join(" ")))
        .collect();
    format!(
        "installing needs Debian's APT, and root or sudo without a password. To do it yourself, run\n    {}",
        lines.join(" && ")
    )
}

/// How packages can be installed.
enum Privilege {
    Root,
    Sudo,
}

impl Privilege {
    /// Nothing if there is no APT, or no way to be root without a password.
    fn find() -> Option<Self> {
        if !command::succeeds("apt-get", &["--version"]) {
            return None;
        }
        if rustix::process::geteuid().is_root() {
            return Some(Self::Root);
        }
        command::succeeds("sudo", &["-n", "true"]).then_some(Self::Sudo)
    }

    /// Runs a command with it, telling so.
    fn run(&self, line: &[&str]) -> Result<()> {
        let mut command = self.command(line);
        println!("setup: {}", command::line(&command));
        command::run(&mut command)
    }

    fn command(&self, line: &[&str]) -> Command {
        // `env` rather than the environment: sudo drops it.
        let mut command = Command::new(match self {
            Self::Root => "env",
            Self::Sudo => "sudo",
        });
        if matches!(self, Self::Sudo) {
            command.args(["-n", "env"]);
        }
        command.arg("DEBIAN_FRONTEND=noninteractive").args(line);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_fetched_before_packages_are_installed() {
        let commands = apt_commands(&["g++"]);
        assert_eq!(commands[0], ["apt-get", "update"]);
        assert_eq!(commands[1].last(), Some(&"g++"));
        assert_eq!(apt_commands(&[]).len(), 1);
    }

    #[test]
    fn a_user_without_root_is_told_the_command() {
        let text = by_hand(&apt_commands(&["python3", "python3-pip"]));
        assert!(text.ends_with(
            "sudo apt-get update && sudo apt-get install --yes --no-install-recommends python3 python3-pip"
        ));
    }
}
