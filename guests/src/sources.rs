//! Sources of programs that others wrote, from package registries: nothing of them is kept in this repository.
//!
//! Unpacked like the tools, once, below `target/tools`, and pinned by hash: Cargo checks a crate's against the lock file
//! here, and a Debian source package is compared with the hash written beside its name.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;
use crate::tools::{apt, check_hash, fetch_once, python, short_hash, tools};

/// A crate that is unpacked for its contents; it is not compiled.
pub(crate) struct Crate {
    /// Its name and version, as its folder is called.
    pub folder: &'static str,
    /// A manifest that depends on it.
    pub manifest: &'static str,
    /// The lock file that goes with the manifest.
    pub lock: &'static str,
}

/// The upstream part of one of Debian's source packages.
pub(crate) struct DebianSource {
    /// The package.
    pub name: &'static str,
    /// The archive's file.
    pub archive: &'static str,
    /// Its SHA-256.
    pub sha256: &'static str,
    /// The one file in it that is wanted.
    pub member: &'static str,
}

impl Crate {
    /// Unpacks the crate, unless that has been done, and returns its folder.
    pub(crate) fn unpack(&self) -> Result<PathBuf, Error> {
        let pin = short_hash(&[self.manifest.as_bytes(), self.lock.as_bytes()]);
        let folder = tools().join(format!("{}-{pin}", self.folder));
        fetch_once(&folder, |unpacked| {
            let write = |name: &str, text: &str| {
                let path = unpacked.join(name);
                fs::write(&path, text).map_err(Error::io(&path))
            };
            let src = unpacked.join("src");
            fs::create_dir_all(&src).map_err(Error::io(&src))?;
            write("Cargo.toml", self.manifest)?;
            write("Cargo.lock", self.lock)?;
            write("src/lib.rs", "")?;
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let output = Command::new(&cargo)
                .args(["vendor", "--locked", "--versioned-dirs", "vendor"])
                .current_dir(unpacked)
                .output()
                .map_err(Error::io(Path::new(&cargo)))?;
            Error::check(&format!("cargo vendor {}", self.folder), output).map(drop)
        })?;
        Ok(folder.join("vendor").join(self.folder))
    }
}

impl DebianSource {
    /// Fetches the archive, checks its hash, and returns the file that is wanted, unless all that has been done.
    ///
    /// Systems list no source packages as they are installed, so APT is given lists of its own, made from the system's.
    pub(crate) fn file(&self) -> Result<PathBuf, Error> {
        let folder = tools().join(format!(
            "{}-{}",
            self.archive,
            short_hash(&[self.sha256.as_bytes()])
        ));
        let name = Path::new(self.member).file_name().unwrap_or_default();
        fetch_once(&folder, |unpacked| {
            let lists = unpacked.join("lists/partial");
            fs::create_dir_all(&lists).map_err(Error::io(&lists))?;
            let list = unpacked.join("sources.list");
            fs::write(&list, sources_list()?).map_err(Error::io(&list))?;
            let what = format!("apt-get source {}", self.name);
            Error::check(&what, apt(private_apt(unpacked).arg("update").output())?)?;
            let source = ["source", "--download-only", "--tar-only", self.name];
            Error::check(&what, apt(private_apt(unpacked).args(source).output())?)?;
            self.extract(unpacked, name)
        })?;
        Ok(folder.join(name))
    }

    /// Takes the file out of the archive. Python knows the compression; `tar` would need another package.
    fn extract(&self, folder: &Path, name: &OsStr) -> Result<(), Error> {
        let path = folder.join(self.archive);
        check_hash(&path, self.sha256)?;
        let output = Command::new("python3")
            .args(["-c", EXTRACT])
            .args([
                path.as_os_str(),
                self.member.as_ref(),
                folder.join(name).as_os_str(),
            ])
            .output();
        Error::check(&format!("unpacking {}", self.archive), python(output)?)?;
        for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
            let other = entry.map_err(Error::io(folder))?.path();
            if other.is_dir() {
                fs::remove_dir_all(&other).map_err(Error::io(&other))?;
            } else if other.file_name() != Some(name) {
                fs::remove_file(&other).map_err(Error::io(&other))?;
            }
        }
        Ok(())
    }
}

/// Writes the member of an archive to a file: archive, member, file.
const EXTRACT: &str = "\
import sys, tarfile
archive, member, file = sys.argv[1:]
with tarfile.open(archive) as archive, open(file, 'wb') as out:
    out.write(archive.extractfile(member).read())
";

/// The source packages of the system's own main archives: the same places, the same releases.
fn sources_list() -> Result<String, Error> {
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI) $(RELEASE)"])
        .args(["Created-By: Packages", "Component: main"])
        .output();
    let output = Error::check("apt-get indextargets", apt(output)?)?;
    let archives = String::from_utf8_lossy(&output.stdout).into_owned();
    let keys = Path::new(DEBIAN_KEYS);
    let signed = if keys.exists() {
        format!("[signed-by={DEBIAN_KEYS}] ")
    } else {
        String::new()
    };
    let debian = archives.lines().filter(|line| line.contains("/debian"));
    Ok(debian
        .map(|archive| format!("deb-src {signed}{archive} main\n"))
        .collect())
}

/// Where Debian keeps the keys of its archives.
const DEBIAN_KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// `apt-get` with lists and a cache of its own below `folder`; it needs no rights then.
fn private_apt(folder: &Path) -> Command {
    let mut command = Command::new("apt-get");
    let settings = [
        ("Dir::Etc::SourceList", folder.join("sources.list")),
        ("Dir::Etc::SourceParts", folder.join("none")),
        ("Dir::State::Lists", folder.join("lists")),
        ("Dir::Cache", folder.join("cache")),
    ];
    for (name, value) in settings {
        command.arg("-o").arg(format!("{name}={}", value.display()));
    }
    command
        .args(["-o", "APT::Sandbox::User=", "-o", "Acquire::Languages=none"])
        .current_dir(folder);
    command
}
