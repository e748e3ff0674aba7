//! The counts as tables for readers; the same structures are the JSON form.

use std::fmt;

use serde::Serialize;

use super::graph::{Crate, Role};
use super::lines::Lines;

/// What has to be trusted.
#[derive(Serialize)]
pub(super) struct Report {
    /// Packages, by role and name.
    pub crates: Vec<Crate>,
    /// Sections that are loaded, with their length in memory in bytes.
    pub sections: Vec<(String, u64)>,
}

impl Report {
    fn of(&self, role: Role) -> impl Iterator<Item = &Crate> {
        self.crates
            .iter()
            .filter(move |package| package.role == role)
    }

    fn total(&self, role: Role) -> Lines {
        let mut total = Lines::default();
        for package in self.of(role) {
            total += package.lines;
        }
        total
    }

    fn table(&self, formatter: &mut fmt::Formatter<'_>, role: Role, title: &str) -> fmt::Result {
        writeln!(formatter, "{title}\n")?;
        writeln!(
            formatter,
            "{:>9} {:>9} {:>7}  package",
            "code", "comment", "unsafe"
        )?;
        for package in self.of(role) {
            let Crate {
                name,
                version,
                licence,
                lines,
                ..
            } = package;
            writeln!(formatter, "{}  {name} {version} ({licence})", Row(*lines))?;
        }
        writeln!(
            formatter,
            "{}  total of {}\n",
            Row(self.total(role)),
            self.of(role).count()
        )
    }
}

struct Row(Lines);

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lines {
            code,
            comment,
            unsafe_blocks,
        } = self.0;
        write!(formatter, "{code:>9} {comment:>9} {unsafe_blocks:>7}")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table(
            formatter,
            Role::Own,
            "In the image, ours: lines the compiler read, without tests",
        )?;
        self.table(
            formatter,
            Role::Foreign,
            "In the image, by others (and `core` and `alloc` of the toolchain)",
        )?;
        self.table(
            formatter,
            Role::Build,
            "Not in the image, but running while it is built (and the toolchain)",
        )?;
        writeln!(
            formatter,
            "The image, by section\n\n{:>9}  section",
            "bytes"
        )?;
        for (name, length) in &self.sections {
            writeln!(formatter, "{length:>9}  {name}")?;
        }
        let total: u64 = self.sections.iter().map(|(_, length)| length).sum();
        writeln!(formatter, "{total:>9}  total")
    }
}
