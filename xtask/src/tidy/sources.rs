//! What a single file has to keep to: a header, a length, no loose ends, no paths of somebody's machine.

use std::sync::LazyLock;

use regex::Regex;

use super::{Finding, SourceFile};

/// Lines above which a file is better split. The best in this field have nine files in ten below.
const LINES_ADVISED: usize = 400;

/// Lines above which a file has to be split.
const LINES_MAX: usize = 600;

/// Files that may be longer, with the reason. Generated files only, or tables nobody reads from top to bottom.
const LONG_FILES: [(&str, &str); 0] = [];

/// Marks of unfinished work. In pieces, so that this file does not find itself.
static LOOSE_END: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let words = ["TO", "DO|FIX", "ME|XX", "X|HA", "CK"].concat();
    let macros = ["to", "do!|unimplemen", "ted!"].concat();
    Regex::new(&format!(r"\b(?:{words})\b|\b(?:{macros})")).ok()
});

/// A reference that says where the unfinished work is followed up.
static ISSUE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"#\d+|https://\S+/issues/\d+").ok());

/// The beginning of a path that exists on one machine only.
static MACHINE_PATH: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&[r"(?:^|[^\w./-])/(?:home|root|work|tm", r"p|Users)/[\w.]"].concat()).ok()
});

/// Guests name paths that must not exist for them.
const PATHS_ARE_DATA: &str = "guests/";

/// Checks one file.
pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    if file.path.ends_with("Cargo.lock") {
        return Vec::new();
    }
    let mut findings: Vec<Finding> = [header(file), length(file)].into_iter().flatten().collect();
    for (index, line) in file.text.lines().enumerate() {
        let fault = |text| Finding::fault(&file.path, index + 1, text);
        findings.extend(loose_end(line).map(fault));
        if !file.path.starts_with(PATHS_ARE_DATA) {
            findings.extend(machine_path(line).map(fault));
        }
    }
    findings
}

/// Every Rust file says first what it owns.
fn header(file: &SourceFile) -> Option<Finding> {
    let first = file
        .text
        .lines()
        .find(|line| !line.trim().is_empty() && !is_attribute(line))
        .unwrap_or_default();
    let has_header = first.starts_with("//!") || file.text.contains("#![doc = include_str!(");
    (file.path.ends_with(".rs") && !has_header).then(|| {
        let text = "no module documentation, begin the file with `//!`: what it owns, the one idea, its place";
        Finding::fault(&file.path, 1, text)
    })
}

/// Attributes of the whole file may stand above its documentation.
fn is_attribute(line: &str) -> bool {
    line.starts_with("#![")
}

fn length(file: &SourceFile) -> Option<Finding> {
    let lines = file.text.lines().count();
    if !file.path.ends_with(".rs") || LONG_FILES.iter().any(|(path, _)| *path == file.path) {
        return None;
    }
    let text = format!(
        "{lines} lines, split the file by what it owns (advised: {LINES_ADVISED}, most: {LINES_MAX})"
    );
    if lines > LINES_MAX {
        Some(Finding::fault(&file.path, lines, text))
    } else {
        (lines > LINES_ADVISED).then(|| Finding::advice(&file.path, lines, text))
    }
}

fn loose_end(line: &str) -> Option<String> {
    let mark = LOOSE_END.as_ref()?.find(line)?;
    let followed_up = ISSUE.as_ref()?.is_match(line);
    (!followed_up).then(|| {
        format!(
            "`{}` without an issue, do it or name the issue (#1)",
            mark.as_str()
        )
    })
}

fn machine_path(line: &str) -> Option<String> {
    let path = MACHINE_PATH.as_ref()?.find(line)?;
    Some(format!(
        "a path of one machine (`{}…`), make it relative or ask the environment",
        path.as_str().trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::super::{Severity, planted};
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<Finding> {
        check(&planted(path, text))
    }

    #[test]
    fn a_rust_file_without_a_header_is_found() {
        assert_eq!(findings("a.rs", "fn main() {}\n").len(), 1);
        assert_eq!(findings("a.rs", "").len(), 1);
        assert!(findings("a.rs", "//! Says hello.\n").is_empty());
        assert!(findings("a.rs", "#![no_std]\n//! Says hello.\n").is_empty());
        assert!(findings("a.c", "int main(void) { return 0; }\n").is_empty());
    }

    #[test]
    fn a_long_file_is_advice_and_then_a_fault() {
        let severity = |lines: usize| {
            let text = "//! A line.\n".repeat(lines);
            findings("a.rs", &text)
                .first()
                .map(|finding| finding.severity)
        };
        assert_eq!(severity(LINES_ADVISED), None);
        assert_eq!(severity(LINES_ADVISED + 1), Some(Severity::Advice));
        assert_eq!(severity(LINES_MAX + 1), Some(Severity::Fault));
    }

    #[test]
    fn unfinished_work_needs_an_issue() {
        for mark in [
            ["TO", "DO"],
            ["FIX", "ME"],
            ["XX", "X"],
            ["to", "do!()"],
            ["unimplemen", "ted!()"],
        ] {
            let mark = mark.concat();
            assert_eq!(findings("a.md", &mark).len(), 1, "{mark}");
            assert!(
                findings("a.md", &format!("{mark} (#12)")).is_empty(),
                "{mark}"
            );
        }
    }

    #[test]
    fn a_path_of_one_machine_is_found_in_code_and_prose() {
        for folder in [
            "home/me",
            "root",
            "work",
            "Users/me",
            ["t", "mp"].concat().as_str(),
        ] {
            assert_eq!(
                findings("a.md", &format!("See `/{folder}/notes`.")).len(),
                1,
                "{folder}"
            );
        }
        for folder in ["work", "home"] {
            let text =
                format!("See untrusted/{folder}/notes, at https://example.org/{folder}/page.");
            assert!(findings("a.md", &text).is_empty(), "{folder}");
        }
    }

    #[test]
    fn line_numbers_count_from_one() {
        let text = format!("first\nsecond {}\n", ["TO", "DO"].concat());
        assert_eq!(findings("a.md", &text)[0].line, 2);
    }
}
