//! What is tested is what is measured: a crate that both the image and the main workspace contain has one version.
//!
//! The two have lock files of their own. If they drifted apart, the tests of `trusted/runtime` would speak of another
//! engine than the one inside, and the compiler outside would not fit the engine inside.

use cargo_metadata::{Metadata, Package};

use super::{Finding, Workspace};

/// A locked crate, by name and version.
type Locked = (String, String);

/// Compares the image's lock file with the main one.
pub(super) fn check_between(graphs: &[(Workspace, Metadata)]) -> Vec<Finding> {
    let locked = |wanted: Workspace| -> Option<Vec<Locked>> {
        let graph = graphs.iter().find(|(workspace, _)| *workspace == wanted);
        // What comes from the tree has no version to speak of.
        let foreign = |package: &&Package| package.source.is_some();
        graph.map(|(_, metadata)| {
            metadata
                .packages
                .iter()
                .filter(foreign)
                .map(name_and_version)
                .collect()
        })
    };
    match (locked(Workspace::Main), locked(Workspace::Enclave)) {
        (Some(main), Some(enclave)) => check(&main, &enclave),
        _ => Vec::new(),
    }
}

fn name_and_version(package: &Package) -> Locked {
    (package.name.to_string(), package.version.to_string())
}

fn check(main: &[Locked], enclave: &[Locked]) -> Vec<Finding> {
    let drifted = |(name, version): &&Locked| {
        let same_line = |(other, theirs): &Locked| other == name && line(theirs) == line(version);
        main.iter().any(same_line) && !main.contains(&(name.clone(), version.clone()))
    };
    enclave
        .iter()
        .filter(drifted)
        .map(|(name, version)| {
            let text = format!(
                "{name} is {version} here and another compatible version in Cargo.lock, bring them together with `cargo update {name} --precise`"
            );
            Finding::fault("trusted/enclave/Cargo.lock", 1, text)
        })
        .collect()
}

/// The part of a version that Cargo allows only once in a graph: `1` of 1.2.3, `0.2` of 0.2.3.
fn line(version: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in version.split(['.', '-', '+']) {
        parts.push(part);
        if part != "0" {
            break;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(version: &str) -> Vec<Locked> {
        vec![("engine".to_owned(), version.to_owned())]
    }

    #[test]
    fn two_versions_of_one_line_are_found() {
        assert_eq!(check(&locked("48.0.1"), &locked("48.0.0")).len(), 1);
        assert_eq!(check(&locked("0.2.9"), &locked("0.2.8")).len(), 1);
    }

    #[test]
    fn equal_and_incompatible_versions_are_not() {
        assert!(check(&locked("48.0.1"), &locked("48.0.1")).is_empty());
        assert!(check(&locked("0.3.0"), &locked("0.2.8")).is_empty());
    }
}
