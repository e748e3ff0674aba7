//! The document around the tables: what people write stays, what stands between marks is written anew.
//!
//! ```text
//!   <!-- polybench: written by cargo xtask bench -->
//!   …
//!   <!-- end of polybench -->
//! ```

use anyhow::{Context as _, Result};

/// What stands between marks while nothing was measured.
const NOTHING: &str = "Not measured yet: `cargo xtask bench` does.\n";

/// Puts `text` between the marks of `name`, or that there is nothing yet.
///
/// # Errors
/// If the document lacks the marks.
pub(crate) fn fill(document: &str, name: &str, text: Option<&str>) -> Result<String> {
    let (begin, end) = marks(name);
    let missing = || format!("the document lacks `{begin}` or `{end}`");
    let (before, rest) = document.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    let text = text.unwrap_or(NOTHING).trim_end();
    Ok(format!("{before}{begin}\n\n{text}\n\n{end}{after}"))
}

fn marks(name: &str) -> (String, String) {
    (
        format!("<!-- {name}: written by cargo xtask bench -->"),
        format!("<!-- end of {name} -->"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str =
        "before\n<!-- a: written by cargo xtask bench -->\nold\n<!-- end of a -->\nafter\n";

    #[test]
    fn only_what_stands_between_the_marks_changes() {
        let filled = fill(DOCUMENT, "a", Some("new\n")).unwrap();
        assert!(filled.starts_with("before\n") && filled.ends_with("\nafter\n"));
        assert!(filled.contains("\n\nnew\n\n") && !filled.contains("old"));
        assert_eq!(fill(&filled, "a", Some("new\n")).unwrap(), filled);
    }

    #[test]
    fn a_document_without_marks_is_an_error() {
        fill(DOCUMENT, "b", None).unwrap_err();
    }
}
