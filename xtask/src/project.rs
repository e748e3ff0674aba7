//! The source tree: where it is, which files and packages it has, and how Cargo is called in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use anyhow::{Context as _, Result};
use cargo_metadata::{Metadata, MetadataCommand};
use ignore::WalkBuilder;

/// The image's processor features, as the compiler is told them where no configuration does. Without them ciphers run in software.
pub(crate) const IMAGE_FEATURES: [&str; 2] = [
    "-Ctarget-cpu=x86-64-v3",
    "-Ctarget-feature=+aes,+pclmulqdq,+sha",
];

/// The source tree that this program was compiled in.
pub(crate) struct Project {
    root: PathBuf,
    target: PathBuf,
}

/// A Cargo workspace of the tree. They are apart because Cargo unifies features inside one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Workspace {
    /// The host's side and everything both sides share.
    Main,
    /// The enclave image.
    Enclave,
    /// The protected file system, until the image uses it.
    FileSystem,
    /// The fuzz targets.
    Fuzz,
}

/// A text file of the tree.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Its path from the root, with `/` between the parts.
    pub path: String,
    /// Its contents.
    pub text: String,
}

impl Project {
    /// Finds the tree.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let root = root
            .canonicalize()
            .context("the source tree has been moved; build xtask again")?;
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => env::current_dir()?.join(folder),
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// A path of the tree.
    pub(crate) fn path(&self, from_root: impl AsRef<Path>) -> PathBuf {
        self.root.join(from_root)
    }

    /// A path of the main workspace's target folder.
    pub(crate) fn target(&self, path: impl AsRef<Path>) -> PathBuf {
        self.target.join(path)
    }

    /// A path as seen from the root, or in full if it lies elsewhere.
    pub(crate) fn relative<'path>(&self, path: &'path Path) -> &'path Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    /// Cargo in a workspace's folder, with a target folder below ours. The enclave's is the one that the host library's
    /// build script uses.
    pub(crate) fn cargo(&self, workspace: Workspace) -> Command {
        let target = match workspace {
            Workspace::Main => self.target.clone(),
            Workspace::Enclave => self.target("enclave"),
            Workspace::FileSystem => self.target("fs"),
            Workspace::Fuzz => self.target("fuzz"),
        };
        let mut command = Command::new(cargo());
        command
            .current_dir(self.path(workspace.folder()))
            .env("CARGO_TARGET_DIR", target);
        command
    }

    /// The workspaces that exist.
    pub(crate) fn workspaces(&self) -> impl Iterator<Item = Workspace> {
        let exists = |workspace: &Workspace| self.path(workspace.manifest()).is_file();
        [
            Workspace::Main,
            Workspace::Enclave,
            Workspace::FileSystem,
            Workspace::Fuzz,
        ]
        .into_iter()
        .filter(exists)
    }

    /// What Cargo knows of a workspace and its dependencies. The lock file has to be up to date.
    pub(crate) fn metadata(&self, workspace: Workspace) -> Result<Metadata> {
        let what = || format!("the packages of {}", workspace.manifest());
        MetadataCommand::new()
            .cargo_path(cargo())
            .manifest_path(self.path(workspace.manifest()))
            .other_options(["--locked".to_owned()])
            .exec()
            .with_context(what)
    }

    /// All text files but those that Git ignores, sorted by path, and symbolic links.
    pub(crate) fn files(&self) -> Result<Vec<SourceFile>> {
        let mut files = Vec::new();
        for path in self
            .paths()?
            .into_iter()
            .filter(|path| !self.path(path).is_symlink())
        {
            match fs::read_to_string(self.path(&path)) {
                Ok(text) => files.push(SourceFile { path, text }),
                // Not text; or deleted since, by somebody at work in the same tree.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::InvalidData | io::ErrorKind::NotFound
                    ) => {}
                Err(error) => return Err(error).context(path),
            }
        }
        Ok(files)
    }

    /// Paths of all files, symbolic links included, but those that Git ignores, sorted.
    pub(crate) fn paths(&self) -> Result<Vec<String>> {
        let mut walk = WalkBuilder::new(&self.root);
        walk.hidden(false)
            .parents(false)
            .git_global(false)
            .git_exclude(false)
            .require_git(false)
            .filter_entry(|entry| entry.file_name() != ".git");
        let mut paths = Vec::new();
        for entry in walk.build() {
            let entry = entry?;
            if entry.file_type().is_some_and(|kind| !kind.is_dir()) {
                let path = self
                    .relative(entry.path())
                    .to_str()
                    .context("a path is not UTF-8")?;
                paths.push(path.to_owned());
            }
        }
        paths.sort();
        Ok(paths)
    }
}

impl Workspace {
    /// The folder, from the root.
    pub(crate) const fn folder(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Enclave => "trusted/enclave",
            Self::FileSystem => "trusted/fs",
            Self::Fuzz => "fuzz",
        }
    }

    /// The manifest, from the root.
    pub(crate) const fn manifest(self) -> &'static str {
        match self {
            Self::Main => "Cargo.toml",
            Self::Enclave => "trusted/enclave/Cargo.toml",
            Self::FileSystem => "trusted/fs/Cargo.toml",
            Self::Fuzz => "fuzz/Cargo.toml",
        }
    }
}

/// The Cargo that runs us.
fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}
