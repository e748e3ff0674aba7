//! Properties that fuzzers drive; the unit tests call them on corner cases.

use crate::document::LaunchDocument;

/// Reading any bytes ends in a document or an error, never a panic; what is read survives being written, and writing it
/// again changes nothing.
pub fn document(bytes: &[u8]) {
    let Ok(document) = LaunchDocument::parse(bytes) else {
        return;
    };
    let text = document.to_toml();
    // A document that leaves its defaults out can be a little shorter than its canonical text, hence longer than allowed
    // once written.
    if text.len() > crate::limits::DOCUMENT_LEN_BYTES_MAX {
        return;
    }
    let again = LaunchDocument::parse(text.as_bytes());
    assert_eq!(
        again.as_ref(),
        Ok(&document),
        "writing must not change the meaning"
    );
    assert_eq!(
        again.map(|again| again.to_toml()),
        Ok(text),
        "one document has one text"
    );
}
