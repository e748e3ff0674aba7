//! `twine provision`: answering enclaves that ask for a confidential module, for secrets, for keys of volumes.
//!
//! | file | owns |
//! |---|---|
//! | `answer` | from a request to a bundle, or to a refusal |
//! | `goods` | what there is to hand over, checked against the launch document |
//! | `keys` | files that hold keys |
//! | `serve` | the server |

mod answer;
mod goods;
mod keys;
mod serve;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use twine_attest::Source;

use self::answer::{Answer, Provisioner};
use super::{read, usage, write_whole};
use crate::exit::{self, Blame, Code};

/// Answer the request of an enclave: verify its evidence, then seal what it is to have
///
/// The enclave asks because its launch document names your key. What you hand over is encrypted to the one enclave whose
/// evidence your policy accepts, for this one launch, and signed by you; the machine in between sees its size.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, after_help = exit::PROVISION_HELP)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    // Two groups, not one in the other: whether a group is there, clap knows of plain ones only.
    #[command(flatten)]
    once: Option<Once>,
    #[command(flatten)]
    given: Option<Given>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
}

/// One request in a file, one bundle into another.
#[derive(Args, Debug)]
struct Once {
    /// The request (`request.cbor` of `twine run --provision DIR`)
    request: PathBuf,
    /// Where to write the bundle (`bundle.cbor` in the same folder)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// What a provisioner has to be told.
#[derive(Args, Debug)]
struct Given {
    /// Which enclaves are accepted (TOML)
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The launch document of the application, byte for byte
    #[arg(long, value_name = "FILE")]
    document: PathBuf,
    /// The private key whose public half the launch document names: P-256, PKCS#8 in PEM, nobody else's to read
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The confidential module: .wasm, .wat, or compiled by `twine compile`
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// A secret of the launch document and the file that holds it; may be repeated
    #[arg(long, value_name = "NAME=FILE", value_parser = pair)]
    secret: Vec<(String, PathBuf)>,
    /// The guest path of a volume bound to the provisioner, and the file with its key: 32 bytes, nobody else's to read;
    /// may be repeated
    #[arg(long, value_name = "GUEST=FILE", value_parser = pair)]
    volume_key: Vec<(String, PathBuf)>,
    /// What Intel publishes about processors: a file (JSON), or pccs:URL [default: where the policy says]
    #[arg(long, value_name = "FILE|pccs:URL", value_parser = super::verify::source)]
    collateral: Option<Source>,
}

impl Arguments {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        match (&self.command, &self.once, &self.given) {
            (Some(Command::Serve(arguments)), ..) => arguments.run(),
            (None, Some(once), Some(given)) => once.run(given),
            _ => {
                Err(usage("name a request and what there is to answer it with, or `serve`").into())
            }
        }
    }
}

impl Once {
    fn run(&self, given: &Given) -> Result<ExitCode> {
        let provisioner = Provisioner::new(given)?;
        let request = read(&self.request)?;
        match provisioner.answer(&request)? {
            Answer::Bundle { bundle, verdict } => {
                write_whole(&self.output, &bundle)?;
                io::stdout().write_all(verdict.as_bytes())?;
                Ok(ExitCode::SUCCESS)
            }
            Answer::Refused { verdict } => {
                io::stdout().write_all(verdict.as_bytes())?;
                Ok(Code::Refused.into())
            }
        }
    }
}

/// `NAME=FILE`. The first `=` separates: neither secrets nor guest paths have one, files may.
fn pair(text: &str) -> Result<(String, PathBuf), Blame> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok((name.to_owned(), file.into()))
        }
        _ => Err(usage(&format!("{text}: write NAME=FILE"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_file_are_told_apart_at_the_first_sign() {
        assert_eq!(pair("a=b=c").unwrap(), ("a".into(), "b=c".into()));
        for wrong in ["a", "=b", "a=", ""] {
            assert!(pair(wrong).unwrap_err().message.contains("NAME=FILE"));
        }
    }
}
