//! Measurements for the report: one line of JSON each, appended to the file that `TWINE_RESULTS` names, if it does.

use std::{fs::OpenOptions, io::Write as _};

/// Appends a measurement. Neither `id` nor the names of values may need escapes.
///
/// # Panics
/// If the file cannot be written.
pub(crate) fn append(id: &str, values: &[(&str, f64)]) {
    let Some(path) = std::env::var_os("TWINE_RESULTS") else {
        return;
    };
    let fields: String = values
        .iter()
        .map(|(name, value)| format!(", \"{name}\": {value}"))
        .collect();
    let file = OpenOptions::new().create(true).append(true).open(path);
    writeln!(file.unwrap(), "{{\"id\": \"{id}\"{fields}}}").unwrap();
}
