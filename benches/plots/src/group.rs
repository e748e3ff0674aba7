//! A group's results as `twine-bench --results` keeps them.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// What was measured of a group.
#[derive(Deserialize)]
pub(crate) struct Group {
    pub(crate) command: String,
    pub(crate) machine: Machine,
    pub(crate) quick: bool,
    pub(crate) rows: Vec<Row>,
}

/// What it was measured on.
#[derive(Deserialize)]
pub(crate) struct Machine {
    processor: String,
    cores: u32,
    memory_gib: u64,
    system: String,
    load: Option<f64>,
    commit: String,
}

/// What one variant of a subject cost.
#[derive(Deserialize)]
pub(crate) struct Row {
    pub(crate) subject: String,
    pub(crate) variant: String,
    pub(crate) unit: String,
    pub(crate) median: Option<f64>,
    pub(crate) best: Option<f64>,
    pub(crate) ratio: Option<f64>,
    pub(crate) ratio_low: Option<f64>,
    pub(crate) ratio_high: Option<f64>,
}

impl Group {
    /// Reads a group's file, if there is one.
    ///
    /// # Errors
    /// If it cannot be read, or is none.
    pub(crate) fn load(folder: &Path, name: &str) -> Result<Option<Self>> {
        let path = folder.join(format!("{name}.json"));
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let group = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        Ok(Some(group))
    }

    /// The rows of a subject.
    pub(crate) fn of<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.subject == subject)
    }

    /// One variant of a subject.
    pub(crate) fn row(&self, subject: &str, variant: &str) -> Option<&Row> {
        let mut rows = self.rows.iter().filter(|row| row.subject == subject);
        rows.find(|row| row.variant == variant)
    }

    /// The variants of subjects that begin so, in the order of the file.
    pub(crate) fn variants(&self, prefix: &str) -> Vec<&str> {
        let mut variants: Vec<&str> = Vec::new();
        for row in self
            .rows
            .iter()
            .filter(|row| row.subject.starts_with(prefix))
        {
            if !variants.contains(&row.variant.as_str()) {
                variants.push(&row.variant);
            }
        }
        variants
    }

    /// What follows `prefix` in the names of subjects, in the order of the file.
    pub(crate) fn subjects<'a>(&'a self, prefix: &str) -> Vec<&'a str> {
        let mut subjects: Vec<&str> = Vec::new();
        for row in &self.rows {
            if let Some(rest) = row.subject.strip_prefix(prefix)
                && !subjects.contains(&rest)
            {
                subjects.push(rest);
            }
        }
        subjects
    }

    /// One line under a table: how it was measured, and on what.
    pub(crate) fn origin(&self, name: &str) -> String {
        let Machine {
            processor,
            cores,
            memory_gib,
            system,
            load,
            commit,
        } = &self.machine;
        let quick = if self.quick {
            " A first look, with few rounds."
        } else {
            ""
        };
        let load = load.map_or_else(String::new, |load| {
            format!(", load {load:.1} a core when it began")
        });
        format!(
            "`{}` on {processor}, {cores} cores, {memory_gib} GiB, {system}{load}; sources {commit}.{quick} All rows: \
             [{name}.csv](benchmarks/{name}.csv).\n",
            self.command
        )
    }
}

/// The geometric mean; not a number without values.
pub(crate) fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count): (f64, f64), value| {
        (sum + value.ln(), count + 1.0)
    });
    (sum / count).exp()
}
