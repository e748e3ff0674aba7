//! `twine attest`: evidence that an enclave on this machine holds a launch document.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use twine::backend::emulator::{Collateral, SimulatedPlatform};
use twine::evidence::limits::{NONCE_LEN_BYTES_MAX, NONCE_LEN_BYTES_MIN};
use twine::evidence::{Evidence, Origin};
use twine::state::Directories;
use twine::{Attest, BackendChoice, Error, Runtime};

use super::{signature_beside, usage};
use crate::exit::Blame;

/// Make evidence that an enclave on this machine holds a launch document
///
/// An enclave is created for the document, checks it, and has the processor vouch for what it says. Nothing of the program
/// runs, and its module need not be there. Whoever gets the evidence checks it with `twine verify`.
///
/// Made by the emulator it says so, and proves nothing to anybody.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// A launch document
    file: PathBuf,
    /// The verifier's nonce: 8 to 64 bytes, in hexadecimal
    #[arg(long, value_name = "HEX", value_parser = nonce)]
    nonce: Option<Nonce>,
    /// Where to put the evidence
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Where to put collateral for the simulated quote: what a verifier of real ones gets from the processor's maker
    #[arg(long, value_name = "FILE")]
    collateral: Option<PathBuf>,
    /// Have a debug enclave say so
    #[arg(long)]
    debug: bool,
}

impl Arguments {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let runtime = Runtime::builder().backend(BackendChoice::Auto).build()?;
        let document = fs::read(&self.file).map_err(|source| file(&self.file, source))?;
        let mut attest = Attest::new(&runtime, &document)?;
        if let Some(Nonce(nonce)) = &self.nonce {
            attest = attest.nonce(nonce);
        }
        if let Some(signature) = signature_beside(&self.file)? {
            attest = attest.signature(signature);
        }
        if self.debug {
            attest = attest.debuggable();
        }
        let evidence = attest.run()?;
        fs::write(&self.output, evidence.encode()).map_err(|source| file(&self.output, source))?;
        if let Some(path) = &self.collateral {
            write_collateral(&evidence, path)?;
        }
        log::info!("{}", description(&evidence));
        Ok(ExitCode::SUCCESS)
    }
}

fn write_collateral(evidence: &Evidence, path: &Path) -> Result<()> {
    if evidence.origin() == Origin::Processor {
        let message = "the quote is a processor's: its collateral comes from the processor's maker, or from a PCCS";
        return Err(usage(message).into());
    }
    let platform = SimulatedPlatform::of(&Directories::of_user()?)?;
    let collateral = platform.collateral(&Collateral::now())?;
    fs::write(path, collateral).map_err(|source| file(path, source))?;
    log::info!(
        "root of the simulated platform, for a policy: sha256 {}",
        platform.root_sha256()
    );
    Ok(())
}

fn file(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
    }
}

fn description(evidence: &Evidence) -> String {
    let by = match evidence.origin() {
        Origin::Processor => "a processor",
        Origin::Emulator => "the EMULATOR, which proves nothing",
    };
    let len = evidence.quote().len();
    format!("the enclave's claims are vouched for by {by}: a quote of {len} bytes")
}

/// A verifier's nonce.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Nonce(Vec<u8>);

fn nonce(text: &str) -> Result<Nonce, Blame> {
    let refused = || {
        usage(&format!(
            "a nonce is {NONCE_LEN_BYTES_MIN} to {NONCE_LEN_BYTES_MAX} bytes, two hexadecimal digits each"
        ))
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| {
        let digits = str::from_utf8(pair).ok()?;
        // `from_str_radix` takes a sign, too.
        let both = pair.iter().all(u8::is_ascii_hexdigit);
        both.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
    };
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    bytes
        .filter(|bytes| {
            rest.is_empty() && (NONCE_LEN_BYTES_MIN..=NONCE_LEN_BYTES_MAX).contains(&bytes.len())
        })
        .map(Nonce)
        .ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_8_to_64_bytes_in_hexadecimal() {
        assert_eq!(
            nonce("0011223344556677").unwrap().0,
            [0, 17, 34, 51, 68, 85, 102, 119]
        );
        assert_eq!(nonce(&"aB".repeat(64)).unwrap().0, [0xab; 64]);
        for text in [
            "",
            "00112233445566",
            "001122334455667",
            "+0+1+2+3+4+5+6+7",
            &"00".repeat(65),
        ] {
            nonce(text).unwrap_err();
        }
    }
}
