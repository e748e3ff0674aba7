//! `twine sqlite`: SQLite's shell in an enclave, on a protected volume.
//!
//! The shell is a guest like any other; this command only knows where its module is, how to mount the volume, and which
//! of the shell's options suit it. `docs/sqlite.md` gives the reasons.

mod module;
mod terminal;
mod trouble;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use twine::launch::Launch;
use twine::{Outcome, Runtime};

use self::trouble::Trouble;
use super::run::{Backend, announce, report, text};
use crate::exit::{self, Code};

/// Open a database on a protected volume with SQLite's shell, in an enclave
///
/// Without SQL it reads commands: from a terminal with line editing, `.help` tells which; from a pipe or file as they
/// come. The volume is created if it is not there, and only this program can open it again. Without a volume the
/// database lives in the enclave's memory and ends with it.
#[derive(Args, Debug)]
#[command(after_help = exit::HELP)]
pub(crate) struct Arguments {
    /// The file of the protected volume
    volume: Option<PathBuf>,
    /// SQL, and options of SQLite's shell like -json, to run instead of reading commands
    #[arg(
        value_name = "SQL",
        allow_hyphen_values = true,
        trailing_var_arg = true
    )]
    sql: Vec<OsString>,
    /// The database's file in the volume
    #[arg(
        long,
        value_name = "NAME",
        default_value = "main.db",
        requires = "volume"
    )]
    database: String,
    /// Change nothing: neither the volume nor the database
    #[arg(long, requires = "volume")]
    read_only: bool,
    /// SQLite's module [default: the one installed with this program]
    #[arg(
        long,
        value_name = "FILE",
        env = "TWINE_SQLITE",
        help_heading = "The enclave"
    )]
    module: Option<PathBuf>,
    /// Where the enclave runs; auto takes the device if it can be used
    #[arg(
        long,
        value_enum,
        default_value = "auto",
        value_name = "BACKEND",
        help_heading = "The enclave"
    )]
    backend: Backend,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let runtime = Runtime::builder().backend(self.backend.into()).build()?;
        let module = match &self.module {
            Some(path) => runtime.load(path)?,
            None => runtime.load(module::installed()?)?,
        };
        let interactive = self.sql.is_empty() && io::stdin().is_terminal();
        let mut launch = self.mount(Launch::new(&runtime, &module))?;
        // The shell looks for its start-up file there: in the volume, so that nobody outside writes it.
        launch = launch.env("HOME", "/");
        for argument in self.shell_arguments(if interactive { INTERACTIVE } else { BATCH }) {
            launch = launch.arg(text("SQL", argument)?);
        }
        launch = launch.inherit_stdio();
        if interactive {
            launch = terminal::attach(launch)?;
        }
        announce(&runtime, &launch)?;
        let trouble = Trouble::default();
        let outcome = trouble.watch(launch).run()?;
        let succeeded = outcome == Outcome::Exited { code: 0 };
        let code = report(outcome);
        Ok(if trouble.is_reported() && !succeeded {
            Code::Tampered.into()
        } else {
            code
        })
    }

    fn mount<'a>(&self, launch: Launch<'a>) -> Result<Launch<'a>> {
        let Some(volume) = &self.volume else {
            return Ok(launch);
        };
        let launch = launch.volume("/", volume);
        Ok(if self.read_only {
            launch.read_only("/")?
        } else {
            launch.create_volumes()?
        })
    }

    /// The shell's command line, behind its name.
    fn shell_arguments(&self, mode: &str) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![mode.into()];
        if self.volume.is_none() {
            arguments.push(":memory:".into());
        } else {
            arguments.extend(["-vfs".into(), "volume".into()]);
            if self.read_only {
                arguments.push("-readonly".into());
            }
            arguments.push(format!("/{}", self.database.trim_start_matches('/')).into());
        }
        arguments.extend(self.sql.iter().cloned());
        arguments
    }
}

/// How the shell behaves. It is told, because it cannot ask a terminal that belongs to the line editor.
const INTERACTIVE: &str = "-interactive";
const BATCH: &str = "-batch";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn shell_arguments(line: &[&str]) -> String {
        let line = Line::parse_from(["sqlite"].iter().chain(line));
        line.arguments
            .shell_arguments(BATCH)
            .join(" ".as_ref())
            .into_string()
            .unwrap()
    }

    #[test]
    fn a_database_is_in_the_volume_or_in_memory() {
        assert_eq!(shell_arguments(&[]), "-batch :memory:");
        assert_eq!(shell_arguments(&["my.tv"]), "-batch -vfs volume /main.db");
        assert_eq!(
            shell_arguments(&["my.tv", "--database", "/shop.db", "--read-only", "select 1"]),
            "-batch -vfs volume -readonly /shop.db select 1"
        );
    }

    #[test]
    fn the_shells_own_options_are_passed_on() {
        assert_eq!(
            shell_arguments(&["my.tv", "-json", "select 1", "--read-only"]),
            "-batch -vfs volume /main.db -json select 1 --read-only"
        );
    }
}
