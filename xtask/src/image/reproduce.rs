//! A second build of the image from a copy of the tree, in a folder of another name and depth.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::build;
use crate::project::Project;

/// What the image is made from; `docs` because crates include their documentation. If anything else mattered, it would
/// show.
const SOURCES: [&str; 4] = ["trusted/", "shared/", "docs/", "rust-toolchain.toml"];

/// Copies the sources, builds them and returns the image.
pub(super) fn build_elsewhere(project: &Project) -> Result<PathBuf> {
    let elsewhere = project.target("reproduce/in-a-folder/of-another-name");
    if elsewhere.exists() {
        fs::remove_dir_all(&elsewhere).with_context(|| elsewhere.display().to_string())?;
    }
    for path in project.paths()? {
        if SOURCES.iter().any(|source| path.starts_with(source)) {
            let to = elsewhere.join(&path);
            copy(&project.path(&path), &to).with_context(|| format!("cannot copy {path}"))?;
        }
    }
    Ok(build::build(&elsewhere, &elsewhere.join("target"))?.image)
}

/// Copies a file; a symbolic link stays one.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    if from.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    fs::copy(from, to).map(drop)
}
