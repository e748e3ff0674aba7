//! Builds the enclave image and embeds it (feature `bundled-image`).
//!
//! `TWINE_IMAGE=file` embeds an image that was built elsewhere. Either way the image is checked here, with the code
//! that lays it out at run time, and its MRENCLAVE is computed here, so that a launch does not have to.

use std::env;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "src/image/mod.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "the library uses what this script does not"
)]
mod image;
#[path = "build/nested.rs"]
mod nested;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=TWINE_IMAGE");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/image");
    if env::var_os("CARGO_FEATURE_BUNDLED_IMAGE").is_none() {
        return Ok(());
    }
    let path = match env::var_os("TWINE_IMAGE").filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => build()?,
    };
    embed(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Builds the image of this tree and returns where it is.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let root = fs::canonicalize(Path::new(&variable("CARGO_MANIFEST_DIR")?).join("../.."))?;
    watch(&root)?;
    let target = target_folder(Path::new(&variable("OUT_DIR")?));
    run(&mut nested::fetch(&root))?;
    run(&mut nested::build(&root, &target)?)?;
    Ok(nested::image(&target))
}

/// Has Cargo run this script again when a file changes that the image is made of. Build output and tests below a
/// package do not count.
fn watch(root: &Path) -> Result<(), Box<dyn Error>> {
    let mut paths = vec![root.join("rust-toolchain.toml")];
    for side in ["shared", "trusted"] {
        for package in children(&root.join(side))? {
            if package.is_dir() {
                paths.extend(children(&package)?);
            }
        }
    }
    let elsewhere = ["target", "tests", "benches"];
    paths.retain(|path| !elsewhere.iter().any(|name| path.ends_with(name)));
    for path in paths {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    Ok(())
}

fn children(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let list = || {
        fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()
    };
    list().map_err(|error| format!("{}: {error}", folder.display()).into())
}

/// A target folder beside the caller's profiles (`target/debug/build/twine-…/out` becomes `target/enclave`), so that
/// the image is built once for all of them. Where Cargo lays its folders out otherwise, a folder of this script's own.
fn target_folder(out: &Path) -> PathBuf {
    let profile = out
        .ancestors()
        .find(|folder| folder.ends_with("build"))
        .and_then(Path::parent);
    let target = profile.and_then(Path::parent).map(|target| {
        // `--target` adds one more folder.
        let is_triple = env::var("TARGET").is_ok_and(|triple| target.ends_with(triple));
        if is_triple {
            target.parent().unwrap_or(target)
        } else {
            target
        }
    });
    target.unwrap_or(out).join("enclave")
}

/// Checks the image and puts it where the library includes it from.
fn embed(path: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", path.display());
    let file = fs::read(path)?;
    let image = image::Image::from_elf(&file)?;
    let out = PathBuf::from(variable("OUT_DIR")?);
    fs::write(out.join("enclave.elf"), &file)?;
    fs::write(out.join("enclave.mrenclave"), image.mrenclave())?;
    Ok(())
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    // The command itself would show every variable that has been taken out of its environment.
    let step = command.get_args().next().unwrap_or_default().display();
    Err(format!("`cargo {step}` in trusted/enclave: {status}").into())
}

fn variable(name: &str) -> Result<String, Box<dyn Error>> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}
