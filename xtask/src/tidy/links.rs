//! A link of a document to a file or a heading of the tree leads somewhere.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use regex::Regex;

use super::{Finding, SourceFile};

/// The target of an inline link, without a title.
static LINK: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\]\(([^()\s]+)(?:\s[^)]*)?\)").ok());

/// Checks all Markdown files.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let tree = Tree::of(files);
    files
        .iter()
        .filter(|file| is_document(file))
        .flat_map(|file| tree.check(file))
        .collect()
}

/// Tells whether a file is written for readers.
pub(super) fn is_document(file: &SourceFile) -> bool {
    file.path.ends_with(".md")
}

struct Tree<'files> {
    paths: HashSet<&'files str>,
    anchors: HashMap<&'files str, HashSet<String>>,
}

impl<'files> Tree<'files> {
    fn of(files: &'files [SourceFile]) -> Self {
        let mut paths = HashSet::new();
        for file in files {
            // A file's folders can be linked to as well.
            let parents = file
                .path
                .match_indices('/')
                .map(|(end, _)| &file.path[..end]);
            paths.extend(parents.chain([file.path.as_str()]));
        }
        let documents = files.iter().filter(|file| is_document(file));
        let anchors = documents
            .map(|file| (file.path.as_str(), anchors(&file.text)))
            .collect();
        Self { paths, anchors }
    }

    fn check(&self, file: &SourceFile) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (line, text) in prose(&file.text) {
            let Some(links) = LINK.as_ref() else { continue };
            for link in links.captures_iter(text).filter_map(|found| found.get(1)) {
                let problem = self.problem(&file.path, link.as_str());
                findings.extend(problem.map(|problem| Finding::fault(&file.path, line, problem)));
            }
        }
        findings
    }

    fn problem(&self, from: &str, link: &str) -> Option<String> {
        // Elsewhere in the world, or an item of the Rust documentation that the file is included in.
        if link.contains("://") || link.contains("::") || link.starts_with("mailto:") {
            return None;
        }
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        let path = if path.is_empty() {
            Some(from.to_owned())
        } else {
            resolve(from, path)
        };
        let Some(path) = path.filter(|path| path.is_empty() || self.paths.contains(path.as_str()))
        else {
            return Some(format!(
                "the link to `{link}` leads nowhere, correct the path"
            ));
        };
        let anchors = self.anchors.get(path.as_str())?;
        (!anchor.is_empty() && !anchors.contains(anchor))
            .then(|| format!("no heading of {path} makes the anchor `#{anchor}`, correct it"))
    }
}

/// The lines outside fenced code, with their numbers.
pub(super) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        (!fenced && !is_fence).then_some((index + 1, line))
    })
}

/// A link's path from the root, or nothing if it leaves the tree.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> HashSet<String> {
    prose(text)
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(_, line)| slug(line.trim_start_matches('#').trim()))
        .collect()
}

fn slug(heading: &str) -> String {
    let lower = heading.to_lowercase();
    let kept = lower
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::planted;
    use super::*;

    fn findings(text: &str) -> usize {
        check(&[
            planted("docs/abi.md", text),
            planted("README.md", "# What it is\n"),
            planted("xtask/src/main.rs", ""),
        ])
        .len()
    }

    #[test]
    fn a_link_to_a_file_that_is_not_there_is_found() {
        assert_eq!(findings("See [this](../SECURITY.md)."), 1);
        assert_eq!(findings("See [this](README.md)."), 1);
        assert_eq!(findings("See [this](../../outside.md)."), 1);
        assert_eq!(
            findings("See [this](../README.md), [that](../xtask) and [the root](..)."),
            0
        );
    }

    #[test]
    fn a_link_to_a_heading_that_is_not_there_is_found() {
        assert_eq!(findings("See [this](../README.md#what-it-was)."), 1);
        assert_eq!(findings("See [this](../README.md#what-it-is)."), 0);
        assert_eq!(
            findings("# Here\nSee [above](#here), not [this](#there)."),
            1
        );
    }

    #[test]
    fn the_world_outside_and_code_are_left_alone() {
        assert_eq!(
            findings("See [this](https://example.org/x.md) and [that](crate::image)."),
            0
        );
        assert_eq!(findings("```text\n[x](y.md)\n```"), 0);
    }
}
