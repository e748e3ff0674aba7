//! The emulator's marks. It has a root of its own and writes into every layer that it signs what it is, so that its
//! evidence cannot pass for a processor's, nor a processor's for its own.

use twine_abi::sgx::Digest;

use crate::chain::{self, Platform};
use crate::collateral::Collateral;
use crate::quote::Quote;

/// A place where the emulator says what it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Mark {
    /// The user data in a quote's header: `SIMULATED-NOT-SECURE`.
    UserData,
    /// CPUSVN in the report: `SIMULATED-CPUSVN`.
    CpuSvn,
    /// MRSIGNER of the quoting enclave: SHA-256 of `SIMULATED QE - NOT INTEL`.
    QuotingEnclave,
    /// FMSPC in the processor's certificate: `53494d000000`.
    Fmspc,
    /// PPID in the processor's certificate: `SIMULATED-PPID-0`.
    Ppid,
    /// The name that a certificate is issued to: it has `SIMULATED` and `NOT INTEL` in it.
    CertificateName,
}

impl Mark {
    /// What it is, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserData => "the quote's user data",
            Self::CpuSvn => "CPUSVN",
            Self::QuotingEnclave => "the quoting enclave's MRSIGNER",
            Self::Fmspc => "FMSPC",
            Self::Ppid => "PPID",
            Self::CertificateName => "the names in certificates",
        }
    }
}

/// The marks that are there, and those that are not.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Marks {
    pub(crate) present: Vec<Mark>,
    pub(crate) missing: Vec<Mark>,
}

impl Marks {
    /// Looks at the quote alone.
    pub(crate) fn of_quote(quote: &Quote) -> Self {
        let mut marks = Self::default();
        marks.compare(Mark::UserData, &quote.header().user_data, &USER_DATA);
        marks.compare(Mark::CpuSvn, &quote.body().cpu_svn, &CPU_SVN);
        let signer = quote.quoting_enclave().mr_signer;
        marks.compare(Mark::QuotingEnclave, &signer, &quoting_enclave_signer());
        marks
    }

    /// Looks at every layer. Names are marked if one certificate of the quote is, and unmarked if any certificate is not.
    pub(crate) fn of_all(
        quote: &Quote,
        collateral: &Collateral,
        platform: Option<&Platform>,
    ) -> Self {
        let mut marks = Self::of_quote(quote);
        if let Some(platform) = platform {
            marks.compare(Mark::Fmspc, &platform.fmspc, &FMSPC);
            marks.compare(Mark::Ppid, &platform.ppid, &PPID);
        }
        let names = |text: &str| {
            let certificates = chain::certificates(text);
            let names = certificates
                .iter()
                .map(|certificate| chain::subject(certificate));
            names.map(Option::unwrap_or_default).collect::<Vec<_>>()
        };
        let quotes = names(quote.certificates());
        if quotes
            .iter()
            .any(|name| NAMES.iter().any(|part| name.contains(part)))
        {
            marks.present.push(Mark::CertificateName);
        }
        let marked = |name: &String| NAMES.iter().all(|part| name.contains(part));
        let mut all = quotes
            .into_iter()
            .chain(collateral.chains().flat_map(names));
        if !all.all(|name| marked(&name)) {
            marks.missing.push(Mark::CertificateName);
        }
        marks
    }

    fn compare(&mut self, mark: Mark, found: &[u8], marked: &[u8]) {
        let list = if found == marked {
            &mut self.present
        } else {
            &mut self.missing
        };
        list.push(mark);
    }
}

const USER_DATA: [u8; 20] = *b"SIMULATED-NOT-SECURE";
const CPU_SVN: [u8; 16] = *b"SIMULATED-CPUSVN";
const FMSPC: [u8; 6] = *b"SIM\0\0\0";
const PPID: [u8; 16] = *b"SIMULATED-PPID-0";
const NAMES: [&str; 2] = ["SIMULATED", "NOT INTEL"];

fn quoting_enclave_signer() -> Digest {
    twine_evidence::sha256(b"SIMULATED QE - NOT INTEL")
}
