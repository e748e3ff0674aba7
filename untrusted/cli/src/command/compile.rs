//! `twine compile`: from Wasm to the machine code that an enclave loads.

use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use twine::Error;
use twine::cache::Cache;
use twine::document::LaunchDocument;
use twine::module::Module;
use twine::state::Directories;

/// Compile a module ahead of time
///
/// The compiled module holds machine code for any processor with SGX2, and runs without a compiler. The same Wasm and
/// the same version of Twine give the same bytes on every machine.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The module: .wasm or .wat
    file: PathBuf,
    /// Where to write the compiled module [default: the module's name with .twasm, beside it]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Also write a launch document for the module, to be edited
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let module = Module::load(&self.file, &cache()?)?;
        let output = self.output.clone();
        let output = output.unwrap_or_else(|| self.file.with_extension("twasm"));
        write_module(&module, &output).map_err(|source| cannot_write(&output, source))?;
        log::info!("module sha256 {}", module.sha256());
        log::info!("wasm   sha256 {}", module.wasm_sha256());
        if let Some(path) = &self.document {
            let document = LaunchDocument::new(module.draft()).map_err(Error::from)?;
            fs::write(path, document.to_toml()).map_err(|source| cannot_write(path, source))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn cache() -> Result<Cache, Error> {
    Ok(Cache::of(&Directories::of_user()?))
}

/// Writes beside the target first: a reader never sees half a module.
fn write_module(module: &Module, path: &Path) -> std::io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let result = fs::File::create(&temporary)
        .and_then(|file| module.write(BufWriter::new(file)))
        .and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        // The error that matters is the one being returned.
        let _ = fs::remove_file(&temporary);
    }
    result
}

fn cannot_write(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
    }
}
