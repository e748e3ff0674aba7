//! Recorded measurements: lines of JSON, each a variant of a group, and numbers with names.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// All measurements, in the order in which they were made.
pub(crate) struct Results(Vec<Measurement>);

/// One line.
#[derive(Deserialize)]
pub(crate) struct Measurement {
    group: String,
    pub(crate) variant: String,
    values: BTreeMap<String, f64>,
}

impl Results {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or a line is not a measurement.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().zip(1..);
        let parsed = lines
            .map(|(line, at)| serde_json::from_str(line).with_context(|| format!("line {at}")));
        parsed.collect::<Result<_>>().map(Self)
    }

    /// The groups whose variants have a number of this name, in the order of the file.
    pub(crate) fn groups(&self, with: &str) -> Vec<&str> {
        let mut groups = Vec::new();
        for measurement in &self.0 {
            if measurement.values.contains_key(with) && !groups.contains(&&*measurement.group) {
                groups.push(&*measurement.group);
            }
        }
        groups
    }

    /// The variants of a group.
    pub(crate) fn variants(&self, group: &str) -> impl Iterator<Item = &Measurement> {
        self.0
            .iter()
            .filter(move |measurement| measurement.group == group)
    }

    /// One variant of a group.
    ///
    /// # Errors
    /// If it was not measured.
    pub(crate) fn variant(&self, group: &str, variant: &str) -> Result<&Measurement> {
        self.variants(group)
            .find(|measurement| measurement.variant == variant)
            .with_context(|| format!("{group}/{variant} was not measured; run all benchmarks"))
    }
}

impl Measurement {
    /// A number.
    ///
    /// # Errors
    /// If the measurement has none of this name.
    pub(crate) fn value(&self, name: &str) -> Result<f64> {
        let value = self.values.get(name).copied();
        value.with_context(|| format!("{}/{} has no {name}", self.group, self.variant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = r#"{"group": "fs/read", "variant": "pread", "values": {"ratio": 1}}
{"group": "fs/read", "variant": "volume/gcm", "values": {"ratio": 2.5}}
{"group": "fs/sqlite/wal", "variant": "volume", "values": {"blocks": 6}}
"#;

    #[test]
    fn groups_and_variants_come_in_order() {
        let results = Results::parse(LINES).unwrap();
        assert_eq!(results.groups("ratio"), ["fs/read"]);
        let names: Vec<_> = results
            .variants("fs/read")
            .map(|found| &found.variant)
            .collect();
        assert_eq!(names, ["pread", "volume/gcm"]);
    }

    #[test]
    fn what_was_not_measured_is_named() {
        let results = Results::parse(LINES).unwrap();
        let found = results.variant("fs/sqlite/wal", "volume").unwrap();
        let error = found.value("flushes").unwrap_err().to_string();
        assert_eq!(error, "fs/sqlite/wal/volume has no flushes");
        assert!(results.variant("fs/read", "mmap").is_err());
        assert!(Results::parse("not JSON").is_err());
    }
}
