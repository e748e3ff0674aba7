//! The program `twine`: one file for each command, and nothing that the library `twine` could do.

mod command;
mod demangle;
mod exit;
mod logging;
mod profile;
mod units;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::command::{
    attest, check, compile, completions, doctor, image, init, measure, migrate, provision, run,
    sign, sqlite, verify, volume,
};
use crate::exit::Code;

/// Runs WebAssembly programs inside SGX enclaves
#[derive(Debug, Parser)]
#[command(name = "twine", version, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Tell more: identity and what is being done; twice for every detail
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    Attest(attest::Arguments),
    Run(run::Arguments),
    Sqlite(sqlite::Arguments),
    Compile(compile::Arguments),
    Init(init::Arguments),
    Check(check::Arguments),
    Sign(sign::Arguments),
    Measure(measure::Arguments),
    Image(image::Arguments),
    Verify(verify::Arguments),
    Provision(provision::Arguments),
    Volume(volume::Arguments),
    Migrate(migrate::Arguments),
    Doctor(doctor::Arguments),
    Completions(completions::Arguments),
}

fn main() -> ExitCode {
    let matches = command_line().get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    logging::start(cli.verbose);
    let result = match cli.command {
        Command::Run(arguments) => arguments.run(),
        Command::Attest(arguments) => arguments.run(),
        Command::Sqlite(arguments) => arguments.run(),
        Command::Compile(arguments) => arguments.run(),
        Command::Init(arguments) => arguments.run(),
        Command::Check(arguments) => arguments.run(),
        Command::Sign(arguments) => arguments.run(),
        Command::Measure(arguments) => arguments.run(),
        Command::Image(arguments) => arguments.run(),
        Command::Verify(arguments) => arguments.run(),
        Command::Provision(arguments) => arguments.run(),
        Command::Volume(arguments) => arguments.run(),
        Command::Migrate(arguments) => arguments.run(),
        Command::Doctor(arguments) => arguments.run(),
        Command::Completions(arguments) => arguments.run(command_line()),
    };
    result.unwrap_or_else(|error| fail(&error))
}

fn fail(error: &anyhow::Error) -> ExitCode {
    let io = error.downcast_ref::<std::io::Error>();
    if io.is_none_or(|io| io.kind() != ErrorKind::BrokenPipe) {
        log::error!("{}", message(error));
    }
    Code::of(error).into()
}

/// An error with its causes, without those that the message before has already quoted.
fn message(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if message.is_empty() {
            message = cause;
        } else if !message.ends_with(&cause) {
            message.push_str(": ");
            message.push_str(&cause);
        }
    }
    message
}

/// The command line, with its commands grouped by task.
fn command_line() -> clap::Command {
    let command = Cli::command();
    let template = help_template(&command);
    command.help_template(template)
}

fn help_template(command: &clap::Command) -> StyledStr {
    let mut text = String::from("{about}\n\n{usage-heading} {usage}\n");
    for (heading, names) in GROUPS {
        text.push_str(&format!("\n{heading}:\n"));
        for subcommand in names
            .iter()
            .filter_map(|name| command.find_subcommand(name))
        {
            let about = subcommand.get_about().map(ToString::to_string);
            let about = about.unwrap_or_default();
            text.push_str(&format!("  {:12} {about}\n", subcommand.get_name()));
        }
    }
    text.push_str("\nOptions:\n{options}\n\n`twine <COMMAND> --help` tells more about a command.");
    text.into()
}

/// Which commands belong together.
const GROUPS: &[(&str, &[&str])] = &[
    ("Programs", &["run", "sqlite", "compile"]),
    ("Launch documents", &["init", "check", "sign"]),
    ("Identity", &["measure", "image"]),
    ("Trust", &["attest", "verify", "provision"]),
    ("Files", &["volume", "migrate"]),
    ("This machine", &["doctor", "completions"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command_line().debug_assert();
    }

    #[test]
    fn help_shows_every_command_once_with_its_purpose() {
        let help = command_line().render_help().to_string();
        for subcommand in Cli::command().get_subcommands() {
            let line = format!("\n  {:12} ", subcommand.get_name());
            assert_eq!(help.matches(&line).count(), 1, "{line:?} in {help}");
            let about = subcommand.get_about().unwrap().to_string();
            assert!(help.contains(&about), "{about}");
        }
    }

    #[test]
    fn a_cause_is_told_once() {
        let inner = std::io::Error::other("disk on fire");
        let error = anyhow::Error::new(inner).context("reading: disk on fire");
        assert_eq!(message(&error), "reading: disk on fire");
        let error = anyhow::anyhow!("inner").context("outer");
        assert_eq!(message(&error), "outer: inner");
    }
}
