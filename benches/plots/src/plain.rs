//! Groups that are tables and nothing else.

use std::fmt::Write as _;

use anyhow::Result;

use crate::group::Group;

/// Returns a table with a line for each row.
pub(crate) fn table(name: &str, group: &Group) -> Result<String> {
    let mut text = String::from(
        "| what | variant | median | ratio | middle half of ratios |\n|---|---|---|---|---|\n",
    );
    for row in &group.rows {
        let first = group.of(&row.subject).next().map(|first| &first.variant);
        let compared = group.of(&row.subject).count() > 1
            && row.ratio_low.is_some()
            && row.unit != "MiB"
            && row.unit != "KiB"
            && !row.subject.starts_with("costs/");
        let [ratio, low, high] =
            [row.ratio, row.ratio_low, row.ratio_high].map(|value| value.unwrap_or(f64::NAN));
        let (ratio, spread) = if compared && first != Some(&row.variant) {
            (format!("{ratio:.2}"), format!("{low:.2} to {high:.2}"))
        } else {
            Default::default()
        };
        let median = row.median.unwrap_or(f64::NAN);
        let (subject, variant, unit) = (&row.subject, &row.variant, &row.unit);
        writeln!(
            text,
            "| `{subject}` | {variant} | {median:.2} {unit} | {ratio} | {spread} |"
        )?;
    }
    Ok(text + "\n" + &group.origin(name))
}
