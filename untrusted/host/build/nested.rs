//! The nested Cargo call that builds the enclave image. Shared by this package's build script and by `cargo xtask`.
//!
//! The image's bytes may depend on its sources, its lock file and the toolchain, and on nothing else. So the caller's
//! settings for Cargo and rustc do not get through, and the paths that find their way into panic messages, the tree's
//! and the registry's, are replaced by names. The second needs to know the registry's folders, so packages are fetched
//! before anything is compiled.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target that the image is built for; the same in its `.cargo/config.toml`.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// `cargo fetch` for the image of the tree at `root`. Run it before [`build`].
pub(crate) fn fetch(root: &Path) -> Command {
    let mut command = cargo(root);
    command.args(["fetch", "--quiet", "--locked", "--target", TARGET]);
    command
}

/// `cargo build` for the image of the tree at `root`, with `target` as its target folder.
///
/// # Errors
/// If the registry's folders cannot be listed.
pub(crate) fn build(root: &Path, target: &Path) -> io::Result<Command> {
    let flags = remapped(root)?;
    let mut command = cargo(root);
    command
        .args(["build", "--quiet", "--release", "--locked", "--target-dir"])
        .arg(target)
        .arg("--config")
        .arg(format!("target.{TARGET}.rustflags=[{}]", flags.join(",")));
    Ok(command)
}

/// Where [`build`] puts the image, an ELF file.
pub(crate) fn image(target: &Path) -> PathBuf {
    target.join(TARGET).join("release/twine-enclave")
}

/// Cargo in the enclave's workspace, where it finds that workspace's configuration.
fn cargo(root: &Path) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(&cargo);
    command.current_dir(root.join("trusted/enclave"));
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_foreign) {
            command.env_remove(name);
        }
    }
    // The compiler beside Cargo. Found by its name it could be rustup's, which asks each package's folder for a toolchain,
    // and some packages name one.
    let rustc = Path::new(&cargo).with_file_name("rustc");
    if rustc.is_file() {
        command.env("RUSTC", rustc);
    }
    command
}

/// Whether a variable of the environment could change the image. Where packages come from could not: the lock file
/// holds their hashes. Nor could Cargo's way to share processors.
fn is_foreign(variable: &str) -> bool {
    const HARMLESS: [&str; 7] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_MAKEFLAGS",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_SOURCE_",
    ];
    const SETTINGS: [&str; 8] = [
        "CARGO_",
        "RUSTC",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTUP_TOOLCHAIN",
        "PROFILE",
        "TARGET",
        "OPT_LEVEL",
    ];
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| variable.starts_with(prefix));
    starts(&SETTINGS) && !starts(&HARMLESS)
}

/// The flags that replace paths, quoted for TOML. Registries are folders with a hash of their address in the name.
fn remapped(root: &Path) -> io::Result<Vec<String>> {
    let mut flags = vec![remap(root, "/twine")?];
    for registry in fs::read_dir(cargo_home()?.join("registry/src"))? {
        flags.push(remap(&registry?.path(), "/crates")?);
    }
    flags.sort();
    Ok(flags)
}

/// One flag. Single quotes keep TOML from interpreting anything.
fn remap(from: &Path, to: &str) -> io::Result<String> {
    match from.to_str() {
        Some(from) if !from.contains(['\'', '\n']) => {
            Ok(format!("'--remap-path-prefix={from}={to}'"))
        }
        _ => Err(io::Error::other(format!(
            "{}: Cargo cannot be told of a path like this",
            from.display()
        ))),
    }
}

/// The folder with the packages' sources.
fn cargo_home() -> io::Result<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".cargo")))
        .ok_or_else(|| io::Error::other("neither CARGO_HOME nor a home folder is known"))
}
