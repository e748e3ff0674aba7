//! `tidy`: the rules of the house that neither the compiler, clippy nor rustfmt knows.
//!
//! Every finding is one line, `path:line: what, and what to do`. Each check is a function from facts to findings; it
//! has a test that plants a fault and looks for it.

use std::fmt;

use anyhow::{Result, bail};

use crate::project::{Project, SourceFile, Workspace};

mod arrows;
mod claims;
mod links;
mod locks;
mod manifests;
mod sources;
mod unsafety;

/// Something that breaks a rule.
#[derive(Debug)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    text: String,
    severity: Severity,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Severity {
    /// Printed.
    Advice,
    /// Printed, and `tidy` fails.
    Fault,
}

impl Finding {
    /// A broken rule. Lines count from 1.
    fn fault(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            text: text.into(),
            severity: Severity::Fault,
        }
    }

    /// A rule about to be broken.
    fn advice(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self {
            severity: Severity::Advice,
            ..Self::fault(path, line, text)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let note = if self.severity == Severity::Advice {
            "advice: "
        } else {
            ""
        };
        write!(
            formatter,
            "{}:{}: {note}{}",
            self.path, self.line, self.text
        )
    }
}

/// Checks everything and prints all findings.
///
/// # Errors
/// If there is a fault.
pub(crate) fn run(project: &Project) -> Result<()> {
    let files = project.files()?;
    let mut findings = check_files(&files);
    let mut graphs = Vec::new();
    for workspace in project.workspaces() {
        let metadata = project.metadata(workspace)?;
        findings.extend(arrows::check(&arrows::packages(workspace, &metadata)));
        graphs.push((workspace, metadata));
    }
    findings.extend(locks::check_between(&graphs));
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    for finding in &findings {
        println!("{finding}");
    }
    match findings
        .iter()
        .filter(|finding| finding.severity == Severity::Fault)
        .count()
    {
        0 => {
            println!("tidy: {} files, no fault", files.len());
            Ok(())
        }
        faults => bail!("tidy: {faults} faults"),
    }
}

/// The checks that need nothing but the files.
fn check_files(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        findings.extend(sources::check(file));
        findings.extend(unsafety::check(file));
    }
    findings.extend(manifests::check(files));
    findings.extend(links::check(files));
    findings.extend(claims::check(files));
    findings
}

/// A file made up for a test.
#[cfg(test)]
fn planted(path: &str, text: &str) -> SourceFile {
    SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}
