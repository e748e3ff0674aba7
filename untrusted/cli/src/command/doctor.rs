//! `twine doctor`: what this machine offers, what is missing, and how to get it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use twine::backend::device::{Machine, Requirement, State};

/// Tell what this machine offers for SGX, what is missing, and how to get it
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let requirements = Machine::detect().requirements();
        let text = if self.json {
            format!("{:#}\n", as_json(&requirements))
        } else {
            as_text(&requirements)
        };
        io::stdout().write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn as_json(requirements: &[Requirement]) -> serde_json::Value {
    let list: Vec<_> = requirements
        .iter()
        .map(|requirement| {
            json!({
                "name": requirement.name,
                "state": name(requirement.state),
                "found": requirement.found,
                "remedy": requirement.remedy,
            })
        })
        .collect();
    json!({
        "machine_ready": is_ready(requirements),
        "backends": {
            "device": { "usable": false, "reason": DEVICE_BACKEND },
            "emulator": { "usable": true },
        },
        "requirements": list,
    })
}

fn as_text(requirements: &[Requirement]) -> String {
    let mut text = String::from("SGX on this machine\n");
    for requirement in requirements {
        let Requirement { name, found, .. } = requirement;
        let mark = mark(requirement.state);
        let colon = if found.is_empty() { "" } else { ": " };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {mark:8} {name}{colon}{found}");
    }
    text.push_str(&advice(requirements));
    let _ = write!(
        text,
        "\nBackends\n  no       device: {DEVICE_BACKEND}\n  ok       emulator: runs everywhere, protects nothing\n"
    );
    text
}

/// The first missing thing only: most of what follows is missing because of it.
fn advice(requirements: &[Requirement]) -> String {
    let of = |state| requirements.iter().filter(move |r| r.state == state);
    let mut text = String::new();
    if let Some(missing) = of(State::Missing).next() {
        let more = of(State::Missing).count() - 1;
        let _ = writeln!(text, "\nNext: {}\n  {}", missing.name, missing.remedy);
        if more > 0 {
            let _ = writeln!(text, "  (then {more} more; run `twine doctor` again)");
        }
    } else if let Some(optional) = of(State::Optional).find(|r| r.name.starts_with("AESM")) {
        let _ = writeln!(text, "\nFor attestation: {}", optional.remedy);
    }
    text
}

fn is_ready(requirements: &[Requirement]) -> bool {
    requirements.iter().all(|r| r.state != State::Missing)
}

const fn mark(state: State) -> &'static str {
    match state {
        State::Met => "ok",
        State::Optional => "absent",
        State::Missing => "MISSING",
    }
}

const fn name(state: State) -> &'static str {
    match state {
        State::Met => "met",
        State::Optional => "optional",
        State::Missing => "missing",
    }
}

const DEVICE_BACKEND: &str = "not in this release of Twine";

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(name: &'static str, state: State) -> Requirement {
        Requirement {
            name,
            state,
            found: "something".into(),
            remedy: "do this",
        }
    }

    #[test]
    fn the_first_missing_thing_comes_with_its_remedy() {
        let list = [
            requirement("cpu", State::Met),
            requirement("driver", State::Missing),
            requirement("rights", State::Missing),
        ];
        let text = as_text(&list);
        assert!(text.contains("  ok       cpu: something\n"), "{text}");
        assert!(
            text.contains("Next: driver\n  do this\n  (then 1 more"),
            "{text}"
        );
        assert_eq!(as_json(&list)["machine_ready"], false);
        assert_eq!(as_json(&list)["requirements"][1]["state"], "missing");
    }

    #[test]
    fn a_complete_machine_is_ready_and_told_nothing_more() {
        let list = [
            requirement("cpu", State::Met),
            requirement("AEX", State::Optional),
        ];
        assert!(!as_text(&list).contains("Next"));
        assert_eq!(as_json(&list)["machine_ready"], true);
    }
}
