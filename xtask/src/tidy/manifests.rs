//! Every package takes its lints from its workspace, and every workspace has those of the main one.

use toml::{Table, Value};

use super::{Finding, SourceFile};

/// The main workspace's manifest.
const MAIN: &str = "Cargo.toml";

/// Lints that a workspace may leave out or set otherwise, each with its reason.
const EXCEPTIONS: [(&str, &str); 1] = [
    // The image's own package is where `unsafe` is normal; the others are compiled in the main workspace as well.
    ("trusted/enclave/Cargo.toml", "unsafe_code"),
];

/// Looks at all manifests.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let main = files.iter().find(|file| file.path == MAIN);
    let lints = main
        .and_then(|file| file.text.parse().ok())
        .map(|manifest| workspace_lints(&manifest));
    let lints = lints.unwrap_or_default();
    let mut findings = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.path == MAIN || file.path.ends_with("/Cargo.toml"))
    {
        match file.text.parse::<Table>() {
            Ok(manifest) => findings.extend(check_one(file, &manifest, &lints)),
            Err(error) => findings.push(Finding::fault(
                &file.path,
                1,
                format!("not TOML: {}", error.message()),
            )),
        }
    }
    findings
}

/// A lint with its level.
type Lint = (String, Value);

fn check_one(file: &SourceFile, manifest: &Table, lints: &[Lint]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if manifest.contains_key("package") && !inherits_lints(manifest) {
        let text =
            "the package has lints of its own or none, add `[lints]` with `workspace = true`";
        findings.push(Finding::fault(&file.path, 1, text));
    }
    if manifest.contains_key("workspace") {
        let own = workspace_lints(manifest);
        let is_missing =
            |lint: &&Lint| !own.contains(lint) && !EXCEPTIONS.contains(&(&file.path, &lint.0));
        let missing: Vec<&str> = lints
            .iter()
            .filter(is_missing)
            .map(|(name, _)| name.as_str())
            .collect();
        if !missing.is_empty() {
            let text = format!(
                "lints of the main workspace are missing or weaker, copy from ./Cargo.toml: {}",
                missing.join(", ")
            );
            findings.push(Finding::fault(&file.path, 1, text));
        }
    }
    findings
}

fn inherits_lints(manifest: &Table) -> bool {
    manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"))
        .and_then(Value::as_bool)
        == Some(true)
}

/// The lints of rustc and clippy that a workspace sets.
fn workspace_lints(manifest: &Table) -> Vec<Lint> {
    let tools = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("lints"))
        .and_then(Value::as_table);
    tools
        .into_iter()
        .flat_map(Table::values)
        .filter_map(Value::as_table)
        .flatten()
        .map(|(name, level)| (name.clone(), level.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::planted;
    use super::*;

    const MAIN_TEXT: &str =
        "[workspace.lints.rust]\nmissing_docs = \"warn\"\nunsafe_code = \"deny\"\n";

    fn findings(path: &str, text: &str) -> usize {
        check(&[planted(MAIN, MAIN_TEXT), planted(path, text)]).len()
    }

    #[test]
    fn a_package_without_the_workspaces_lints_is_found() {
        assert_eq!(findings("a/Cargo.toml", "[package]\nname = \"a\"\n"), 1);
        assert_eq!(
            findings(
                "a/Cargo.toml",
                "[package]\nname = \"a\"\n[lints.rust]\nmissing_docs = \"allow\"\n"
            ),
            1
        );
        assert_eq!(
            findings(
                "a/Cargo.toml",
                "[package]\nname = \"a\"\n[lints]\nworkspace = true\n"
            ),
            0
        );
    }

    #[test]
    fn a_workspace_with_fewer_lints_is_found() {
        assert_eq!(
            findings(
                "fuzz/Cargo.toml",
                "[workspace.lints.rust]\nmissing_docs = \"warn\"\n"
            ),
            1
        );
        assert_eq!(findings("fuzz/Cargo.toml", "[workspace]\n"), 1);
        assert_eq!(findings("fuzz/Cargo.toml", MAIN_TEXT), 0);
    }

    #[test]
    fn an_exception_is_one_lint_of_one_workspace() {
        let but_one = "[workspace.lints.rust]\nmissing_docs = \"warn\"\n";
        assert_eq!(findings("trusted/enclave/Cargo.toml", but_one), 0);
        assert_eq!(findings("trusted/runtime/Cargo.toml", but_one), 1);
    }
}
