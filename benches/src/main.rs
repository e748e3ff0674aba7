//! `twine-bench`: what Twine costs, beside baselines that run interleaved in the same process or beside it.
//!
//! | group | question | baseline |
//! |---|---|---|
//! | `border` | what do entering, leaving and an empty host call cost? | a system call |
//! | `launch` | what does a whole launch cost, in one process? | a process that does nothing |
//! | `process` | from process start to exit, module cached and not? | the same program, native |
//! | `polybench` | how fast does a guest compute? | the same kernels, native by Clang |
//! | `speedtest1` | SQLite's own speed test, in memory and in a protected file? | natively |
//! | `records` | the paper's micro-benchmark: inserting and reading records | natively, in memory |
//! | `costs` | image, compiling, memory, transitions | |
//!
//! Everything runs on the emulator, where a transition is cheap; variants called `charged` are made to pay for transitions and
//! pages as on hardware ([`enclave::HARDWARE`]). Absolute times of shared machines mean little; quote the ratio, which is the
//! median over rounds.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

mod border;
mod contest;
mod costs;
mod enclave;
mod launches;
mod machine;
mod native;
mod outside;
mod peers;
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a model for comparison: its numbers are its own"
)]
mod pfs;
mod polybench;
mod processes;
mod records;
mod results;
mod sqlite;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use twine_guests::polybench::Size;

use contest::{Effort, Row};
use machine::Machine;

/// Measures what Twine costs.
#[derive(Parser)]
struct Options {
    /// What to measure [default: all]
    groups: Vec<Group>,
    /// Few rounds and little work: minutes instead of hours, for a first look
    #[arg(long)]
    quick: bool,
    /// JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Keep the results in this folder, a file of JSON and one of CSV for each group
    #[arg(long, value_name = "FOLDER")]
    results: Option<PathBuf>,
    /// The program `twine`, release build, for processes
    #[arg(long, default_value = "target/release/twine")]
    twine: PathBuf,
    /// Rounds that count, whatever the group
    #[arg(long)]
    rounds: Option<usize>,
    /// Sizes of PolyBench's kernels [default: medium,large; with --quick eight of the large ones]
    #[arg(long, value_delimiter = ',')]
    sizes: Vec<KernelSize>,
    /// Only these kernels of PolyBench
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    kernels: Vec<String>,
    /// Measure runtimes of others as well: wasmtime from PyPI, and WAMR if wamrc and iwasm are on the path
    #[arg(long)]
    peers: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Group {
    Border,
    Launch,
    Process,
    Polybench,
    Speedtest1,
    Records,
    Costs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KernelSize {
    Mini,
    Small,
    Medium,
    Large,
}

impl From<KernelSize> for Size {
    fn from(size: KernelSize) -> Self {
        match size {
            KernelSize::Mini => Self::Mini,
            KernelSize::Small => Self::Small,
            KernelSize::Medium => Self::Medium,
            KernelSize::Large => Self::Large,
        }
    }
}

impl Group {
    const fn name(self) -> &'static str {
        match self {
            Self::Border => "border",
            Self::Launch => "launch",
            Self::Process => "process",
            Self::Polybench => "polybench",
            Self::Speedtest1 => "speedtest1",
            Self::Records => "records",
            Self::Costs => "costs",
        }
    }

    fn measure(self, options: &Options) -> Result<Vec<Row>> {
        let pick = |full: usize, quick: usize| {
            let default = if options.quick { quick } else { full };
            options.rounds.unwrap_or(default)
        };
        match self {
            Self::Border => border::rows(pick(100, 10)),
            Self::Launch => launches::rows(pick(100, 10)),
            Self::Process => processes::rows(&options.twine, pick(100, 10)),
            Self::Polybench => polybench::rows(&options.plan(pick(9, 3))),
            Self::Speedtest1 if options.quick => sqlite::rows(10, pick(9, 3)),
            Self::Speedtest1 => sqlite::rows(100, pick(9, 3)),
            Self::Records if options.quick => records::rows(&records::FEW, pick(5, 3)),
            Self::Records => records::rows(&records::COUNTS, pick(5, 3)),
            Self::Costs => costs::rows(&options.twine, options.effort()),
        }
    }
}

impl Options {
    const fn effort(&self) -> Effort {
        if self.quick {
            Effort::Quick
        } else {
            Effort::Full
        }
    }

    fn plan(&self, rounds: usize) -> polybench::Plan {
        let sizes = match self.sizes.as_slice() {
            [] => vec![Size::Medium, Size::Large],
            sizes => sizes.iter().copied().map(Size::from).collect(),
        };
        polybench::Plan {
            sizes,
            kernels: self.kernels.clone(),
            effort: self.effort(),
            rounds,
            peers: self.peers,
        }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    ensure!(
        options.rounds != Some(0),
        "--rounds 0 would measure nothing"
    );
    let machine = Machine::describe();
    let command = command();
    let groups = if options.groups.is_empty() {
        Group::value_variants()
    } else {
        &options.groups
    };
    let mut all = Vec::new();
    for group in groups {
        let rows = group.measure(&options)?;
        if let Some(folder) = &options.results {
            results::write(
                folder,
                group.name(),
                &command,
                &machine,
                options.effort(),
                &rows,
            )?;
        }
        if !options.json {
            println!("{}", Row::HEAD);
            rows.iter().for_each(|row| println!("{row}"));
        }
        all.extend(rows);
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    Ok(())
}

/// The command as somebody else would type it: without the paths of this machine.
fn command() -> String {
    let mut line = "twine-bench".to_owned();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if ["--results", "--twine"].contains(&argument.as_str()) {
            arguments.next();
        } else {
            line = line + " " + &argument;
        }
    }
    line
}
