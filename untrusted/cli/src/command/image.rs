//! `twine image`: the enclave image, looked at, exported, dumped, signed and checked.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use twine::Error;
use twine::image::Image;

mod dump;
mod info;
mod sign;
mod verify;

/// Look at, export, sign or check the enclave image
///
/// The image is the runtime that every guest runs in. It is one for all programs, and its MRENCLAVE is one on all
/// machines.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dump(dump::Arguments),
    Info(info::Arguments),
    Sgxs(Sgxs),
    Sign(sign::Arguments),
    Verify(verify::Arguments),
}

/// Export the image as canonical SGXS: the SHA-256 of the file is MRENCLAVE
#[derive(Args, Debug)]
struct Sgxs {
    #[command(flatten)]
    source: Source,
    /// Where to write; `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Which image.
#[derive(Args, Debug)]
pub(crate) struct Source {
    /// An ELF or SGXS file [default: the image that is part of this program]
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        match &self.command {
            Command::Dump(arguments) => arguments.run()?,
            Command::Info(arguments) => arguments.run()?,
            Command::Sgxs(arguments) => arguments.run()?,
            Command::Sign(arguments) => arguments.run()?,
            Command::Verify(arguments) => arguments.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Sgxs {
    fn run(&self) -> Result<()> {
        let mut stream = Vec::new();
        self.source.load()?.write_sgxs(&mut stream)?;
        write(&self.output, &stream)
    }
}

impl Source {
    /// Reads the image.
    pub(crate) fn load(&self) -> Result<Image> {
        match &self.image {
            Some(path) => load(path),
            None => Ok(Image::bundled()?),
        }
    }
}

/// Reads an image from an ELF or SGXS file.
pub(super) fn load(path: &Path) -> Result<Image> {
    let file = read(path)?;
    let image = if file.starts_with(SGXS) {
        Image::from_sgxs(&file).map_err(anyhow::Error::new)
    } else {
        Image::from_elf(&file).map_err(anyhow::Error::new)
    };
    image.with_context(|| path.display().to_string())
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| in_file(path, source))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if path == Path::new("-") {
        return Ok(io::stdout().write_all(bytes)?);
    }
    fs::write(path, bytes).map_err(|source| in_file(path, source))
}

fn in_file(path: &Path, source: io::Error) -> anyhow::Error {
    let path = path.to_owned();
    Error::File { path, source }.into()
}

/// How an SGXS file starts.
const SGXS: &[u8] = b"ECREATE\0";
