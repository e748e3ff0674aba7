//! `twine verify`: whether evidence from elsewhere is to be trusted.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use clap::Args;
use jiff::Timestamp;
use twine_attest::evidence::{Nonce, Purpose};
use twine_attest::policy::Source;
use twine_attest::presented::Kind;
use twine_attest::{Collateral, Expectation, Policy, Presented, Verdict, pccs};

use super::{read, usage};
use crate::exit::{self, Code};

mod transport;
pub(super) mod words;

use transport::Https;

/// Verify evidence from elsewhere by a policy
///
/// The evidence is a file that an attester sent: evidence (`twine attest`), a quote alone, or an RA-TLS certificate in PEM
/// or DER. Policy, collateral and clock are yours: who chose one of them could choose the verdict. The policy's form is
/// described in docs/attestation.md.
#[derive(Args, Debug)]
#[command(after_help = exit::VERIFY_HELP)]
pub(crate) struct Arguments {
    /// What the attester sent
    evidence: PathBuf,
    /// What is accepted (TOML)
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// What Intel publishes about processors: a file (JSON), or pccs:URL [default: where the policy says]
    #[arg(long, value_name = "FILE|pccs:URL", value_parser = source)]
    collateral: Option<Source>,
    /// What the evidence has to be for: launch, ra-tls, provision, migrate, guest or peer [default: launch for
    /// evidence, ra-tls for a certificate, none for a quote alone]
    #[arg(long, value_parser = purpose)]
    purpose: Option<Purpose>,
    /// The nonce that the evidence has to answer, 8 to 64 bytes in hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = nonce)]
    nonce: Option<Nonce>,
    /// What the guest has to vouch for, with purpose guest or peer
    #[arg(long, value_name = "FILE")]
    user_data: Option<PathBuf>,
    /// Judge as of this time, for example 2025-06-20T10:55:09Z, or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let named = |path: &Path| path.display().to_string();
        let policy = read(&self.policy)?;
        let policy = Policy::parse(&policy).with_context(|| named(&self.policy))?;
        let bytes = read(&self.evidence)?;
        let presented = Presented::read(&bytes).with_context(|| named(&self.evidence))?;
        let expectation = self.expectation(&bytes)?;
        let source = self.collateral.as_ref();
        let collateral = collateral(source, &policy, &self.policy, &presented)?;
        let now = self.at.map_or_else(SystemTime::now, SystemTime::from);
        let verdict = twine_attest::verify(&presented, &expectation, &policy, &collateral, now);
        let text = if self.json {
            format!("{:#}\n", verdict.to_json())
        } else {
            words::of(&verdict)
        };
        io::stdout().write_all(text.as_bytes())?;
        Ok(match verdict {
            Verdict::Genuine(_) | Verdict::Simulated(_) => ExitCode::SUCCESS,
            Verdict::Refused(_) => Code::Refused.into(),
        })
    }

    fn expectation(&self, bytes: &[u8]) -> Result<Expectation> {
        let purpose = self.purpose.or_else(|| match Kind::of(bytes)? {
            Kind::Evidence => Some(Purpose::Launch),
            Kind::Certificate => Some(Purpose::RaTls),
            Kind::Quote => None,
        });
        let mut expectation = purpose.map_or_else(Expectation::quote_alone, Expectation::of);
        if let Some(nonce) = &self.nonce {
            expectation = expectation.with_nonce(nonce.clone());
        }
        if let Some(path) = &self.user_data {
            expectation = expectation.with_user_data(&read(path)?);
        }
        Ok(expectation)
    }
}

/// The collateral for what was presented: what the caller names, else where the policy says.
pub(super) fn collateral(
    named: Option<&Source>,
    policy: &Policy,
    policy_file: &Path,
    presented: &Presented,
) -> Result<Collateral> {
    let source = match (named, policy.source()) {
        (Some(source), _) => source.clone(),
        // The policy speaks of files as seen from where it lies.
        (None, Some(Source::File(path))) => match policy_file.parent() {
            Some(folder) => Source::File(folder.join(path)),
            None => Source::File(path.clone()),
        },
        (None, Some(source)) => source.clone(),
        (None, None) => {
            let message = "no collateral: name a file or a service with --collateral, or under [collateral] \
                           in the policy";
            return Err(usage(message).into());
        }
    };
    match source {
        Source::File(path) => {
            let set = Collateral::parse(&read(&path)?);
            set.with_context(|| path.display().to_string())
        }
        Source::Pccs(url) => {
            log::info!("fetching collateral from {url}");
            let transport = Https::new(&url);
            Ok(pccs::fetch(&transport, &url, presented.quote())?)
        }
    }
}

pub(super) fn source(text: &str) -> Result<Source, String> {
    if text.starts_with("pccs:") || text.starts_with("file:") {
        text.parse().map_err(str::to_owned)
    } else {
        Ok(Source::File(text.into()))
    }
}

fn purpose(text: &str) -> Result<Purpose, String> {
    Purpose::from_name(text).ok_or_else(|| {
        let names = Purpose::ALL.map(Purpose::name);
        format!("no purpose; there are {}", names.join(", "))
    })
}

fn nonce(text: &str) -> Result<Nonce, String> {
    let digit = |letter: u8| char::from(letter).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks();
    let byte = |[high, low]: &[u8; 2]| u8::try_from(16 * digit(*high)? + digit(*low)?).ok();
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    match bytes {
        Some(bytes) if rest.is_empty() => Nonce::new(&bytes).map_err(|error| error.to_string()),
        _ => Err("not hexadecimal digits, two for each byte".into()),
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    let time = match text.parse() {
        Ok(seconds) => Timestamp::from_second(seconds),
        Err(_) => text.parse(),
    };
    time.map_err(|_| "not a time; times are written like 2025-06-20T10:55:09Z".into())
}
