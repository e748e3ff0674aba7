//! Dependencies between our own packages follow the arrows of `ARCHITECTURE.md`, and nothing trusted needs anything
//! untrusted.

use cargo_metadata::{DependencyKind, Metadata};

use super::{Finding, Workspace};

/// Who may use whom; nothing else is allowed. A package that is not here is a finding, so the table stays complete.
const ARROWS: [(&str, &[&str]); 13] = [
    ("twine-abi", &[]),
    ("twine-evidence", &[]),
    ("twine-attest", &["twine-abi", "twine-evidence"]),
    ("twine-launch", &[]),
    ("twine-fs", &[]),
    ("twine-recovery", &[]),
    (
        "twine-runtime",
        &[
            "twine-abi",
            "twine-evidence",
            "twine-fs",
            "twine-launch",
            "twine-recovery",
        ],
    ),
    (
        "twine-enclave",
        &["twine-abi", "twine-fs", "twine-launch", "twine-runtime"],
    ),
    // Stand-ins for crates of these names.
    ("cpufeatures", &[]),
    ("memfd", &[]),
    ("twine-volume", &["twine-fs", "twine-recovery"]),
    ("twine", &["twine-abi", "twine-evidence", "twine-launch"]),
    ("twine-cli", &["twine", "twine-attest", "twine-volume"]),
];

/// What is never shipped: it may use everything, and nothing shipped may use it, but in tests.
const TOOLS: [&str; 6] = [
    "twine-benches",
    "twine-fuzz",
    "twine-guests",
    "twine-plots",
    "twine-tests",
    "xtask",
];

/// A package of ours and those of ours that it names.
#[derive(Debug)]
pub(super) struct Package {
    name: String,
    /// The workspace's manifest, where a reader finds the package.
    manifest: String,
    uses: Vec<(String, DependencyKind)>,
}

/// Our own packages of a workspace: those that come from a path.
pub(super) fn packages(workspace: Workspace, metadata: &Metadata) -> Vec<Package> {
    metadata
        .workspace_packages()
        .into_iter()
        .map(|package| Package {
            name: package.name.to_string(),
            manifest: workspace.manifest().to_owned(),
            uses: package
                .dependencies
                .iter()
                .filter(|dependency| dependency.path.is_some())
                .map(|dependency| (dependency.name.clone(), dependency.kind))
                .collect(),
        })
        .collect()
}

/// Compares with the table.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    packages
        .iter()
        .flat_map(|package| {
            package
                .uses
                .iter()
                .filter_map(|used| package.judge(used))
                .chain(package.unknown())
        })
        .collect()
}

impl Package {
    fn allowed(&self) -> Option<&'static [&'static str]> {
        ARROWS
            .iter()
            .find(|(name, _)| *name == self.name)
            .map(|(_, allowed)| *allowed)
    }

    fn is_tool(&self) -> bool {
        TOOLS.contains(&self.name.as_str())
    }

    fn unknown(&self) -> Option<Finding> {
        (self.allowed().is_none() && !self.is_tool()).then(|| {
            self.fault(format!(
                "the package {} has no place in the house, give it one in xtask/src/tidy/arrows.rs and ARCHITECTURE.md",
                self.name
            ))
        })
    }

    fn judge(&self, (used, kind): &(String, DependencyKind)) -> Option<Finding> {
        let allowed = self.allowed()?;
        // Its own features, too, a package may turn on for its tests by naming itself.
        let in_tests = *kind == DependencyKind::Development;
        let is_for_tests = in_tests && (TOOLS.contains(&used.as_str()) || *used == self.name);
        (!allowed.contains(&used.as_str()) && !is_for_tests).then(|| {
            self.fault(format!(
                "{} must not use {used}: no arrow leads there, see ARCHITECTURE.md",
                self.name
            ))
        })
    }

    fn fault(&self, text: String) -> Finding {
        Finding::fault(&self.manifest, 1, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, used: &str, kind: DependencyKind) -> Package {
        Package {
            name: name.to_owned(),
            manifest: "Cargo.toml".to_owned(),
            uses: vec![(used.to_owned(), kind)],
        }
    }

    fn findings(name: &str, used: &str, kind: DependencyKind) -> usize {
        check(&[package(name, used, kind)]).len()
    }

    #[test]
    fn a_trusted_package_that_uses_the_host_is_found() {
        assert_eq!(
            findings("twine-runtime", "twine", DependencyKind::Normal),
            1
        );
        assert_eq!(findings("twine-enclave", "twine", DependencyKind::Build), 1);
        assert_eq!(
            findings("twine-abi", "twine", DependencyKind::Development),
            1
        );
    }

    #[test]
    fn the_enclave_is_no_dependency_of_the_host() {
        assert_eq!(findings("twine", "twine-enclave", DependencyKind::Build), 1);
    }

    #[test]
    fn a_tool_is_used_in_tests_only() {
        assert_eq!(
            findings("twine", "twine-guests", DependencyKind::Development),
            0
        );
        assert_eq!(findings("twine", "twine-guests", DependencyKind::Normal), 1);
        assert_eq!(findings("xtask", "twine", DependencyKind::Normal), 0);
    }

    #[test]
    fn a_package_names_itself_in_tests_only() {
        let itself = |kind| findings("twine-runtime", "twine-runtime", kind);
        assert_eq!(itself(DependencyKind::Development), 0);
        assert_eq!(itself(DependencyKind::Normal), 1);
    }

    #[test]
    fn a_package_without_a_place_is_found() {
        assert_eq!(
            findings("twine-surprise", "twine", DependencyKind::Normal),
            1
        );
    }

    #[test]
    fn the_arrows_form_no_circle() {
        // Each row uses only rows above it.
        for (index, (name, used)) in ARROWS.iter().enumerate() {
            for used in *used {
                assert!(
                    ARROWS[..index].iter().any(|(above, _)| above == used),
                    "{name} -> {used}"
                );
            }
        }
    }
}
