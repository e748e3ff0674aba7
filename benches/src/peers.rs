//! Other runtimes, for those who have them: `wasmtime` from PyPI, and WAMR's `wamrc` and `iwasm` if they are on the path.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use twine_guests::oracle::{self, Given};

/// WAMR, with a folder for what it compiles.
pub(crate) struct Wamr {
    compiler: PathBuf,
    runner: PathBuf,
    folder: TempDir,
}

/// How WAMR compiles.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// For SGX, with its checks: its safe form there.
    Sgx,
    /// For SGX, with the checks switched off.
    SgxUnchecked,
    /// For an ordinary process, with guard pages.
    Outside,
}

impl Form {
    pub(crate) const ALL: [Self; 3] = [Self::Sgx, Self::SgxUnchecked, Self::Outside];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sgx => "wamr/sgx",
            Self::SgxUnchecked => "wamr/sgx-unchecked",
            Self::Outside => "wamr/outside",
        }
    }

    const fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Sgx => &["-sgx", "--bounds-checks=1"],
            Self::SgxUnchecked => &["-sgx", "--bounds-checks=0"],
            Self::Outside => &[],
        }
    }
}

impl Wamr {
    /// Looks for it on the path.
    ///
    /// # Errors
    /// If there is no folder for temporary files.
    pub(crate) fn find() -> Result<Option<Self>> {
        let (Some(compiler), Some(runner)) = (on_path("wamrc"), on_path("iwasm")) else {
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        Ok(Some(Self {
            compiler,
            runner,
            folder,
        }))
    }

    /// Compiles a module ahead of time.
    ///
    /// # Errors
    /// If the compiler fails.
    pub(crate) fn compile(&self, module: &Path, form: Form) -> Result<PathBuf> {
        let name = module.file_name().context("a module without a name")?;
        let name = format!("{}.{form:?}.aot", name.to_string_lossy());
        let compiled = self.folder.path().join(name);
        let mut command = Command::new(&self.compiler);
        command
            .args(form.flags())
            .arg("-o")
            .arg(&compiled)
            .arg(module);
        printed(&mut command)?;
        Ok(compiled)
    }

    /// Runs what it compiled and returns what it printed.
    ///
    /// # Errors
    /// If the program fails.
    pub(crate) fn run(&self, compiled: &Path, arguments: &[String]) -> Result<String> {
        printed(Command::new(&self.runner).arg(compiled).args(arguments))
    }
}

/// Runs a module under `wasmtime`'s Python package and returns what it printed.
///
/// # Errors
/// If there is no pip, or the program fails.
pub(crate) fn wasmtime(module: &Path, arguments: &[String]) -> Result<String> {
    let name = std::iter::once("program");
    let arguments: Vec<&str> = name.chain(arguments.iter().map(String::as_str)).collect();
    let given = Given {
        arguments: &arguments,
        ..Given::default()
    };
    let output = oracle::run(module, given)?;
    ensure!(output.status.success(), "wasmtime: {output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a program that has to end well, and returns what it printed.
///
/// # Errors
/// If it does not, with what it wrote to standard error.
pub(crate) fn printed(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut found = env::split_paths(&path).map(|folder| folder.join(program));
    found.find(|file| file.is_file())
}
