//! What a document says about the code, in a form that can be checked, is so.
//!
//! | in backticks | must exist |
//! |---|---|
//! | `path/file.rs::name` | a function of that name, outside or inside a test module, in that file |
//! | `path/file.rs` | a file whose path is or ends so |
//!
//! This is how SECURITY.md names the test that holds a defence.

use std::sync::LazyLock;

use regex::Regex;

use super::links::{is_document, prose};
use super::{Finding, SourceFile};

/// A path with a folder in it and an ending of ours, and perhaps a function. Words in angle brackets do not match.
static CLAIM: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"`([\w.-]+(?:/[\w.-]+)+\.(?:rs|s|md|toml|sh))(?:::(\w+(?:::\w+)*))?`").ok()
});

/// Checks all Markdown files.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for document in files.iter().filter(|file| is_document(file)) {
        for (line, text) in prose(&document.text) {
            let Some(claims) = CLAIM.as_ref() else {
                continue;
            };
            for claim in claims.captures_iter(text) {
                let function = claim.get(2).map(|name| name.as_str());
                let problem = claim
                    .get(1)
                    .and_then(|path| problem(files, path.as_str(), function));
                findings
                    .extend(problem.map(|problem| Finding::fault(&document.path, line, problem)));
            }
        }
    }
    findings
}

fn problem(files: &[SourceFile], path: &str, function: Option<&str>) -> Option<String> {
    let is_it = |file: &&SourceFile| file.path == path || file.path.ends_with(&format!("/{path}"));
    let mut named = files.iter().filter(is_it).peekable();
    if named.peek().is_none() {
        return Some(format!("there is no file `{path}`, correct the path"));
    }
    let function = function?.rsplit("::").next()?;
    let definition = format!("fn {function}");
    let defines = |file: &SourceFile| {
        let mut places = file
            .text
            .match_indices(&definition)
            .map(|(start, found)| start + found.len());
        places.any(|end| file.text[end..].starts_with(['(', '<']))
    };
    (!named.any(defines)).then(|| {
        format!("`{path}` has no function `{function}`, correct the name or write the test")
    })
}

#[cfg(test)]
mod tests {
    use super::super::planted;
    use super::*;

    fn findings(text: &str) -> usize {
        let test = planted(
            "tests/tests/hostile.rs",
            "#[test]\nfn a_lie_is_refused() {}\n",
        );
        check(&[planted("SECURITY.md", text), test]).len()
    }

    #[test]
    fn a_test_that_is_not_there_is_found() {
        assert_eq!(
            findings("Held by `tests/hostile.rs::a_lie_is_believed`."),
            1
        );
        assert_eq!(findings("Held by `tests/hostile.rs::a_lie`."), 1);
        assert_eq!(findings("Held by `tests/hostile.rs::a_lie_is_refused`."), 0);
        assert_eq!(
            findings("Held by `tests/hostile.rs::inner::a_lie_is_refused`."),
            0
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_found() {
        assert_eq!(findings("See `tests/friendly.rs`."), 1);
        assert_eq!(
            findings("See `tests/tests/hostile.rs` and `guests/<name>.rs`."),
            0
        );
    }
}
