//! `deny`: licences, duplicates and sources of all dependencies, by cargo-deny.
//!
//! Two files: `deny.toml` for everything, `trusted/deny.toml` for what ends up in the image, where every crate is named.
//! The file system is held to both: it is trusted, and what tests and measures it is built here. Advisories need a database from the network and change without us, so they are asked for apart.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::command;
use crate::project::{Project, Workspace};

/// The release of cargo-deny that the files are written for.
const VERSION: &str = "0.20.2";

#[derive(Args, Default)]
pub(crate) struct Options {
    /// Look for known vulnerabilities as well; fetches the `RustSec` database.
    #[arg(long)]
    pub advisories: bool,
}

/// The graphs, and what each is held to.
const GRAPHS: [Graph; 4] = [
    Graph {
        workspace: Workspace::Main,
        rules: "deny.toml",
        features: &[],
        silence: &[],
    },
    Graph {
        workspace: Workspace::Enclave,
        rules: "trusted/deny.toml",
        features: &[],
        silence: &[],
    },
    Graph {
        workspace: Workspace::FileSystem,
        rules: "deny.toml",
        features: &[],
        silence: &PARTIAL,
    },
    Graph {
        workspace: Workspace::FileSystem,
        rules: "trusted/deny.toml",
        features: &["--no-default-features", "--features=pure-rust"],
        silence: &PARTIAL,
    },
];

struct Graph {
    workspace: Workspace,
    rules: &'static str,
    /// As the image has them, where tests have others.
    features: &'static [&'static str],
    silence: &'static [&'static str],
}

/// The file system uses few of the crates that the files speak of: there, a rule without use is nothing to warn of.
const PARTIAL: [&str; 3] = [
    "--allow=unmatched-skip",
    "--allow=unnecessary-skip",
    "--allow=license-not-encountered",
];

/// Checks all graphs, installing cargo-deny into the target folder first if it is not there.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let program = install(project)?;
    for graph in GRAPHS {
        let Graph {
            workspace,
            rules,
            features,
            silence,
        } = graph;
        println!("deny: {} by {rules}", workspace.manifest());
        let mut command = std::process::Command::new(&program);
        command
            .arg("--manifest-path")
            .arg(project.path(workspace.manifest()))
            .args(features)
            .args(["--locked", "--config"])
            .arg(project.path(rules))
            .args(["check", "--hide-inclusion-graph"])
            .args(silence)
            .args(["licenses", "bans", "sources"]);
        if options.advisories {
            command.arg("advisories");
        }
        command::run(&mut command)?;
    }
    Ok(())
}

/// Returns the program, built if it has not been yet. A debug build: it takes two minutes less and checks as well.
fn install(project: &Project) -> Result<PathBuf> {
    let folder = project.target(format!("tools/cargo-deny-{VERSION}"));
    let program = folder.join("bin/cargo-deny");
    if !program.is_file() {
        println!("deny: installing cargo-deny {VERSION}");
        command::run(
            project
                .cargo(Workspace::Main)
                .args([
                    "install",
                    "--quiet",
                    "--locked",
                    "--debug",
                    "cargo-deny",
                    "--version",
                    VERSION,
                    "--root",
                ])
                .arg(&folder)
                // Not the workspace's target folder: nothing can be shared, and the leavings are large.
                .env_remove("CARGO_TARGET_DIR"),
        )?;
    }
    Ok(program)
}
