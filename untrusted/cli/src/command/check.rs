//! `twine check`: what a launch document allows, and what is risky about it.

mod explain;
mod warn;

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use twine::Error;
use twine::document::LaunchDocument;

use self::explain::explain;
use self::warn::{Warning, warnings};
use super::{sign, signature_beside};

/// Explain what a launch document allows, and warn about what is risky
///
/// Nothing is run, and no module is needed. A document that is not valid is refused with line and key.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The launch document (.toml)
    document: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let path = &self.document;
        let bytes = fs::read(path).map_err(|source| Error::File {
            path: path.clone(),
            source,
        })?;
        let document = LaunchDocument::parse(&bytes).map_err(Error::from)?;
        let mut warnings = warnings(&document);
        if let Some(owner) = &document.owner {
            match signature_beside(path)? {
                None => warnings.push(Warning {
                    key: "owner",
                    text: "the owner has not signed it yet: it cannot start (`twine sign`)"
                        .to_owned(),
                }),
                Some(signature) => signature
                    .verify(&bytes, owner.key)
                    .map_err(sign::blame(path))?,
            }
        }
        let text = if self.json {
            format!("{:#}\n", as_json(&document, &warnings))
        } else {
            as_text(&document, &warnings)
        };
        io::stdout().write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn as_text(document: &LaunchDocument, warnings: &[Warning]) -> String {
    let mut text = String::new();
    for sentence in explain(document) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{sentence}");
    }
    if !warnings.is_empty() {
        text.push_str("\nMind:\n");
    }
    for Warning { key, text: warning } in warnings {
        let _ = writeln!(text, "* {key}: {warning}");
    }
    text
}

fn as_json(document: &LaunchDocument, warnings: &[Warning]) -> Value {
    let warnings = warnings
        .iter()
        .map(|warning| json!({ "key": warning.key, "text": warning.text }));
    json!({
        "application": document.application.name,
        "version": document.application.version,
        "allows": explain(document),
        "warnings": warnings.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
