//! The packages of the image: those Cargo compiled for it, with the files that the compiler read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use cargo_metadata::{Artifact, Metadata, Package};
use serde::Serialize;

use super::lines::{self, Lines};
use crate::image::build::{Build, TARGET};
use crate::project::{Project, Workspace};

/// A package of the image or of its build.
#[derive(Debug, Serialize)]
pub(super) struct Crate {
    pub name: String,
    pub version: String,
    pub licence: String,
    pub role: Role,
    #[serde(flatten)]
    pub lines: Lines,
}

/// What a package has to do with the image.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    /// Inside, written here.
    Own,
    /// Inside, written by others.
    Foreign,
    /// Runs while the image is built: build scripts, macros and what they use.
    Build,
}

/// All packages that took part in a build, the trusted first.
pub(super) fn crates(project: &Project, metadata: &Metadata, build: &Build) -> Result<Vec<Crate>> {
    let mut sources: BTreeMap<(Role, &str, &str), (&Package, BTreeSet<PathBuf>)> = BTreeMap::new();
    for artifact in &build.artifacts {
        let package = &metadata[&artifact.package_id];
        let key = (
            role(artifact, package),
            package.name.as_str(),
            package.id.repr.as_str(),
        );
        let (_, files) = sources
            .entry(key)
            .or_insert_with(|| (package, BTreeSet::new()));
        files.extend(files_read(project, artifact).with_context(|| package.name.to_string())?);
    }
    let mut crates = Vec::new();
    for ((role, ..), (package, files)) in sources {
        crates.push(Crate {
            name: package.name.to_string(),
            version: package.version.to_string(),
            licence: package.license.clone().unwrap_or_else(|| "none".to_owned()),
            role,
            lines: count(&files)?,
        });
    }
    Ok(crates)
}

/// What is compiled for the image's target is inside; the rest is compiled to run here.
fn role(artifact: &Artifact, package: &Package) -> Role {
    let is_inside = artifact
        .filenames
        .iter()
        .any(|path| path.components().any(|part| part.as_str() == TARGET));
    match (is_inside, package.source.is_none()) {
        (false, _) => Role::Build,
        (true, true) => Role::Own,
        (true, false) => Role::Foreign,
    }
}

/// The Rust and assembly files that the compiler read for an artifact, from the list it left beside it.
fn files_read(project: &Project, artifact: &Artifact) -> Result<Vec<PathBuf>> {
    let product = artifact
        .filenames
        .first()
        .context("Cargo names no file")?
        .as_std_path();
    let list = list_beside(product)?;
    let text = fs::read_to_string(&list).with_context(|| list.display().to_string())?;
    // Cargo runs the compiler for packages of the tree in the workspace's folder.
    let base = project.path(Workspace::Enclave.folder());
    Ok(listed(&text)
        .map(|path| base.join(path))
        .filter(|path| is_source(path))
        .collect())
}

/// Finds the compiler's list of files: `deps/name-hash.d` for `deps/libname-hash.rlib`. A program has lost its hash on
/// the way to its place, so for programs it is the newest list of that name.
fn list_beside(product: &Path) -> Result<PathBuf> {
    let folder = product.parent().context("a product without a folder")?;
    let stem = product
        .file_stem()
        .and_then(|stem| stem.to_str())
        .context("a product without a name")?;
    if let (Some(name), Some(_)) = (stem.strip_prefix("lib"), product.extension()) {
        return Ok(folder.join(name).with_extension("d"));
    }
    let prefix = format!("{}-", stem.replace('-', "_"));
    let mut newest: Option<(SystemTime, PathBuf)> = None;
    for folder in [folder.join("deps"), folder.to_owned()] {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            if name.starts_with(&prefix) && name.ends_with(".d") {
                newest = newest.max(Some((entry.metadata()?.modified()?, entry.path())));
            }
        }
    }
    let (_, path) =
        newest.with_context(|| format!("no list of files beside {}", product.display()))?;
    Ok(path)
}

/// The paths in a list: the compiler ends it with one empty rule for each.
fn listed(text: &str) -> impl Iterator<Item = PathBuf> {
    text.lines()
        .filter_map(|line| line.strip_suffix(':'))
        .map(|path| PathBuf::from(path.replace("\\ ", " ")))
}

fn is_source(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending == "rs" || ending == "s")
}

fn count(files: &BTreeSet<PathBuf>) -> Result<Lines> {
    let mut lines = Lines::default();
    for path in files {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        lines += if path.extension().is_some_and(|ending| ending == "s") {
            lines::assembly(&text)
        } else {
            lines::rust(&text).with_context(|| path.display().to_string())?
        };
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_each_file_once() {
        let text = "/t/a.d: src/lib.rs src/my\\ file.rs\n\n/t/a.rlib: src/lib.rs\n\nsrc/lib.rs:\nsrc/my\\ file.rs:\n# env-dep:A=b\n";
        let paths: Vec<_> = listed(text).collect();
        assert_eq!(
            paths,
            [PathBuf::from("src/lib.rs"), PathBuf::from("src/my file.rs")]
        );
    }

    #[test]
    fn a_library_and_a_program_have_their_lists_in_different_places() {
        let folder = tempfile::tempdir().unwrap();
        let deps = folder.path().join("deps");
        fs::create_dir(&deps).unwrap();
        fs::write(deps.join("twine_enclave-0a.d"), "").unwrap();
        let program = folder.path().join("twine-enclave");
        assert_eq!(
            list_beside(&program).unwrap(),
            deps.join("twine_enclave-0a.d")
        );
        let library = deps.join("libtwine_abi-0b.rlib");
        assert_eq!(list_beside(&library).unwrap(), deps.join("twine_abi-0b.d"));
        list_beside(&folder.path().join("other")).unwrap_err();
    }
}
