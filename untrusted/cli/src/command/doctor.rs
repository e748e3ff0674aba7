//! `twine doctor`: what this machine offers, what is missing, and how to get it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use twine::backend::device::{Fact, Machine, Requirement, State};

/// Tell what this machine offers for SGX, what is missing, and how to get it
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print JSON with all facts about the machine that a bug report should have; no names of hosts, users or files
    #[arg(long)]
    report: bool,
}

impl Arguments {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let machine = Machine::detect();
        let requirements = machine.requirements();
        let text = if self.report {
            format!("{:#}\n", as_report(&requirements, &machine.facts()))
        } else if self.json {
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
            "device": { "usable": is_ready(requirements), "run_on_silicon_before": false },
            "emulator": { "usable": true },
        },
        "requirements": list,
        "to_do": to_do(requirements)
            .iter()
            .map(|step| json!({ "remedy": step.remedy, "for": step.names }))
            .collect::<Vec<_>>(),
    })
}

/// The same with facts.
fn as_report(requirements: &[Requirement], facts: &[Fact]) -> serde_json::Value {
    let mut report = as_json(requirements);
    let facts: serde_json::Map<_, _> = facts
        .iter()
        .map(|fact| (fact.name.to_owned(), fact.value.clone().into()))
        .collect();
    if let Some(report) = report.as_object_mut() {
        report.insert("facts".to_owned(), facts.into());
    }
    report
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
    let device = if is_ready(requirements) {
        "  ok       device: all it needs is here; no release has run on silicon yet, see docs/hardware.md"
    } else {
        "  no       device: something is missing"
    };
    let _ = write!(
        text,
        "\nBackends\n{device}\n  ok       emulator: runs everywhere, protects nothing\n"
    );
    text
}

/// What to do, in order.
fn advice(requirements: &[Requirement]) -> String {
    let mut text = String::new();
    let steps = to_do(requirements);
    if !steps.is_empty() {
        text.push_str("\nTo do, in this order; run `twine doctor` again after each step\n");
    }
    for (number, step) in (1..).zip(&steps) {
        let _ = writeln!(
            text,
            "  {number}. {}\n     for: {}",
            step.remedy,
            step.names.join(", ")
        );
    }
    let is_aesm = |r: &&Requirement| r.state == State::Optional && r.name.starts_with("AESM");
    if let Some(aesm) = requirements
        .iter()
        .find(is_aesm)
        .filter(|_| steps.is_empty())
    {
        let _ = writeln!(text, "\nFor attestation: {}", aesm.remedy);
    }
    text
}

/// One thing to do, and what for.
struct Step<'a> {
    remedy: &'a str,
    names: Vec<&'a str>,
}

/// The remedies of what is missing, in the order in which they make sense, each once.
fn to_do(requirements: &[Requirement]) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for missing in requirements.iter().filter(|r| r.state == State::Missing) {
        match steps.iter_mut().find(|step| step.remedy == missing.remedy) {
            Some(step) => step.names.push(missing.name),
            None => steps.push(Step {
                remedy: &missing.remedy,
                names: vec![missing.name],
            }),
        }
    }
    steps
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

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(name: &'static str, state: State, remedy: &str) -> Requirement {
        Requirement {
            name,
            state,
            found: "something".into(),
            remedy: remedy.into(),
        }
    }

    #[test]
    fn what_is_to_be_done_is_listed_in_order_and_each_thing_once() {
        let list = [
            requirement("cpu", State::Met, "buy"),
            requirement("driver", State::Missing, "boot"),
            requirement("rights", State::Missing, "join"),
            requirement("device", State::Missing, "boot"),
        ];
        let text = as_text(&list);
        assert!(text.contains("  ok       cpu: something\n"), "{text}");
        assert!(
            text.contains("  1. boot\n     for: driver, device\n  2. join\n     for: rights\n"),
            "{text}"
        );
        assert!(text.contains("no       device"), "{text}");
        let json = as_json(&list);
        assert_eq!(json["machine_ready"], false);
        assert_eq!(json["requirements"][1]["state"], "missing");
        assert_eq!(json["to_do"][0]["remedy"], "boot");
        assert_eq!(json["backends"]["device"]["usable"], false);
    }

    #[test]
    fn a_complete_machine_is_ready_and_told_what_has_never_been_tried() {
        let list = [
            requirement("cpu", State::Met, ""),
            requirement("AEX", State::Optional, ""),
        ];
        let text = as_text(&list);
        assert!(!text.contains("To do"), "{text}");
        assert!(text.contains("no release has run on silicon yet"), "{text}");
        assert_eq!(as_json(&list)["machine_ready"], true);
    }

    #[test]
    fn a_report_holds_the_facts() {
        let fact = Fact {
            name: "kernel",
            value: "6.12".into(),
        };
        let report = as_report(&[], &[fact]);
        assert_eq!(report["facts"]["kernel"], "6.12");
        assert_eq!(report["machine_ready"], true);
    }
}
