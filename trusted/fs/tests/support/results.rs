//! Measurements for the report: one line of JSON each, appended to the file that `TWINE_RESULTS` names, if it does.

use std::{fs::OpenOptions, io::Write as _};

/// Appends a measurement: what a variant of a group of variants took. No name may need escapes.
///
/// # Panics
/// If the file cannot be written.
pub(crate) fn append(group: &str, variant: &str, values: &[(&str, f64)]) {
    let Some(path) = std::env::var_os("TWINE_RESULTS") else {
        return;
    };
    let values: Vec<String> = values
        .iter()
        .map(|(name, value)| format!("\"{name}\": {value}"))
        .collect();
    let values = values.join(", ");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    writeln!(
        file,
        "{{\"group\": \"{group}\", \"variant\": \"{variant}\", \"values\": {{{values}}}}}"
    )
    .unwrap();
}
