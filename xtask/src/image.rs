//! `image`: builds the enclave image and checks what can be checked without running it.
//!
//! | check | why |
//! |---|---|
//! | instructions | what is illegal in an enclave kills it on silicon, and only there |
//! | undefined symbols | nobody would resolve them |
//! | size | what is measured has to be read by somebody |
//! | two folders, one MRENCLAVE | the published value is worth nothing if nobody else arrives at it |

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use twine::image::Image;

use crate::disassemble;
use crate::project::Project;

pub(crate) mod build;
mod reproduce;
pub(crate) mod shape;

use shape::Shape;

#[derive(Args)]
pub(crate) struct Options {
    /// Build it a second time, from a copy of the tree in another folder, and compare MRENCLAVE.
    #[arg(long)]
    pub reproducible: bool,
}

/// Builds, checks and prints MRENCLAVE.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    println!("image: building");
    let build = build::build(&project.path(""), &project.target("enclave"))?;
    let file = read(&build.image)?;

    let shape = Shape::of(&file)?;
    shape.check()?;
    println!(
        "image: {} bytes without symbols, at most {}; no undefined symbol",
        shape.stripped_len,
        shape::STRIPPED_LEN_MAX
    );

    let instructions = disassemble::check(&file)?;
    println!("image: {instructions} instructions, all of them legal in an enclave");

    let mrenclave = mrenclave(&file)?;
    println!("image: {}", project.relative(&build.image).display());
    println!("image: MRENCLAVE {mrenclave}");

    if options.reproducible {
        println!("image: building again, from a copy of the tree in another folder");
        let other = self::mrenclave(&read(&reproduce::build_elsewhere(project)?)?)?;
        ensure!(
            other == mrenclave,
            "the image is not reproducible: built in another folder, its MRENCLAVE is {other}"
        );
        println!("image: the same MRENCLAVE again");
    }
    Ok(())
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The measurement in hexadecimal, as everybody prints it.
fn mrenclave(file: &[u8]) -> Result<String> {
    use std::fmt::Write as _;
    let image = Image::from_elf(file).context("the image cannot live in an enclave")?;
    let mut digits = String::new();
    for byte in image.mrenclave() {
        _ = write!(digits, "{byte:02x}");
    }
    Ok(digits)
}
