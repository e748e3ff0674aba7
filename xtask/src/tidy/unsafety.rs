//! `unsafe` has its places. Everywhere else the compiler forbids it, and no attribute further down can allow it again.
//!
//! That each `unsafe` block argues for itself is clippy's business (`undocumented_unsafe_blocks`).

use super::{Finding, SourceFile};

/// The attribute at the top of a crate.
const FORBID: &str = "#![forbid(unsafe_code)]";

/// Trusted crates that contain `unsafe`, with the reason.
const EXCEPTIONS: [(&str, &str); 2] = [
    (
        "trusted/enclave/src/main.rs",
        "entry, exceptions, page tables of its own: this is the crate for it",
    ),
    (
        "trusted/runtime/src/lib.rs",
        "loads compiled code into the engine, which has to be told that it is genuine",
    ),
];

/// A crate whose `unsafe` is measured has to be listed above, or forbid it.
pub(super) fn check(file: &SourceFile) -> Option<Finding> {
    let is_trusted = ["trusted/", "shared/"]
        .iter()
        .any(|folder| file.path.starts_with(folder));
    let is_root = file.path.ends_with("/src/lib.rs") || file.path.ends_with("/src/main.rs");
    let is_listed = EXCEPTIONS.iter().any(|(path, _)| *path == file.path);
    let forbids = file.text.lines().any(|line| line == FORBID);
    let text = match (is_trusted && is_root, is_listed, forbids) {
        (true, false, false) => format!("a trusted crate that allows `unsafe`, add `{FORBID}`"),
        (true, true, true) => {
            "forbids `unsafe`, remove it from the exceptions in xtask/src/tidy/unsafety.rs"
                .to_owned()
        }
        _ => return None,
    };
    Some(Finding::fault(&file.path, 1, text))
}

#[cfg(test)]
mod tests {
    use super::super::planted;
    use super::*;

    #[test]
    fn a_trusted_crate_that_allows_unsafe_is_found() {
        assert!(check(&planted("shared/abi/src/lib.rs", "//! Plain data.\n")).is_some());
        assert!(
            check(&planted(
                "shared/abi/src/lib.rs",
                "//! Plain data.\n#![forbid(unsafe_code)]\n"
            ))
            .is_none()
        );
    }

    #[test]
    fn an_exception_that_is_needed_no_longer_is_found() {
        assert!(check(&planted(EXCEPTIONS[0].0, "#![forbid(unsafe_code)]\n")).is_some());
        assert!(check(&planted(EXCEPTIONS[0].0, "//! The image.\n")).is_none());
    }

    #[test]
    fn untrusted_crates_and_inner_modules_are_not_concerned() {
        assert!(check(&planted("untrusted/host/src/lib.rs", "")).is_none());
        assert!(check(&planted("shared/abi/src/entry.rs", "")).is_none());
    }
}
