//! From a request to a bundle, or to a refusal with every reason.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha512};
use twine::owner::OwnerKey;
use twine_attest::evidence::bundle::{Header, seal};
use twine_attest::evidence::{Claims, Purpose, Request, Statement};
use twine_attest::{Expectation, Policy, Presented, Source, Verdict};
use zeroize::Zeroizing;

use super::super::verify::{collateral, words};
use super::goods::Goods;
use super::{Given, keys, read};
use crate::exit::Blame;

/// Everything that it takes to answer any number of requests for one launch document.
pub(super) struct Provisioner {
    policy: Policy,
    policy_file: PathBuf,
    collateral: Option<Source>,
    config_id: [u8; 64],
    config_svn: u16,
    key: OwnerKey,
    goods: Goods,
}

/// What has become of a request.
pub(super) enum Answer {
    /// The enclave gets what it is to have.
    Bundle {
        /// The bundle.
        bundle: Vec<u8>,
        /// Who the enclave is, for people.
        verdict: String,
    },
    /// It gets nothing.
    Refused {
        /// Every reason, for people.
        verdict: String,
    },
}

impl Provisioner {
    /// Reads and checks everything beforehand: what is missing shows before an enclave waits.
    pub(super) fn new(given: &Given) -> Result<Self> {
        let policy = Policy::parse(&read(&given.policy)?)
            .with_context(|| given.policy.display().to_string())?;
        let key = keys::signing_key(&given.key)?;
        let bytes = read(&given.document)?;
        let (document, goods) = Goods::load(given, &bytes, key.public())
            .with_context(|| given.document.display().to_string())?;
        Ok(Self {
            policy,
            policy_file: given.policy.clone(),
            collateral: given.collateral.clone(),
            config_id: Sha512::digest(&bytes).into(),
            config_svn: document.application.version,
            key,
            goods,
        })
    }

    /// Verifies the request's evidence, and seals the bundle if it is accepted.
    pub(super) fn answer(&self, request: &[u8]) -> Result<Answer> {
        let asked = Request::decode(request).map_err(not_a_request)?;
        let presented = Presented::evidence(&asked.evidence.encode())?;
        let source = self.collateral.as_ref();
        let collateral = collateral(source, &self.policy, &self.policy_file, &presented)?;
        let verdict = twine_attest::verify(
            &presented,
            &Expectation::of(Purpose::Provision),
            &self.policy,
            &collateral,
            SystemTime::now(),
        );
        let text = words::of(&verdict);
        let statement = match &verdict {
            Verdict::Genuine(genuine) => genuine.statement(),
            Verdict::Simulated(simulated) => simulated.statement(),
            Verdict::Refused(_) => return Ok(Answer::Refused { verdict: text }),
        };
        let report = statement.report();
        if report.config_id != self.config_id || report.config_svn != self.config_svn {
            return Ok(Answer::Refused {
                verdict: format!(
                    "REFUSED. The enclave is what the policy accepts, but runs another launch document than this \
                     one, so it is not to have this one's secrets.\n\n{text}"
                ),
            });
        }
        let Some(Claims {
            statement: Statement::Provision { key },
            ..
        }) = statement.claims()
        else {
            unreachable!("evidence for another purpose has been refused");
        };
        let bundle = self.seal(request, key)?;
        Ok(Answer::Bundle {
            bundle,
            verdict: text,
        })
    }

    fn seal(&self, request: &[u8], recipient: &[u8; 32]) -> Result<Vec<u8>> {
        let header = Header {
            engine: self.goods.engine(),
            request: &Request::hash(request),
            config_id: &self.config_id,
        };
        let mut fresh = Zeroizing::new([0; 32]);
        getrandom::fill(fresh.as_mut_slice())
            .map_err(|error| std::io::Error::other(error.to_string()))?;
        let payload = self.goods.payload();
        let sealed = seal(&payload, &header, recipient, self.key.signing_key(), *fresh);
        sealed.map_err(|error| not_a_request(error).into())
    }
}

fn not_a_request(error: impl std::fmt::Display) -> Blame {
    Blame {
        code: crate::exit::Code::NoEvidence,
        message: format!("not a request that can be answered: {error}"),
    }
}
