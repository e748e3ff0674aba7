//! The judgement itself: one function over everything that was handed over, which never stops at the first reason.

use std::time::{SystemTime, UNIX_EPOCH};

use twine_evidence::Origin;

use crate::chain::{self, Platform};
use crate::collateral::Collateral;
use crate::expectation::{self, Expectation};
use crate::marks::Marks;
use crate::policy::Policy;
use crate::presented::Presented;
use crate::reason::Reason;
use crate::root::{self, Root};
use crate::rules;
use crate::statement::Statement;
use crate::verdict::{Genuine, Refused, Simulated, Verdict};

/// Judges what was handed over.
///
/// `collateral` comes from the verifier, and so does `now`: who chose either could choose a verdict. A verdict holds until
/// the collateral expires ([`Platform::collateral_expires`]).
pub fn verify(
    presented: &Presented,
    expectation: &Expectation,
    policy: &Policy,
    collateral: &Collateral,
    now: SystemTime,
) -> Verdict {
    judge(
        presented,
        expectation,
        policy,
        collateral,
        now,
        &Root::INTEL,
    )
}

/// [`verify`], with another root in Intel's place: tests have no other way to see a quote of a processor that carries the
/// emulator's marks.
fn judge(
    presented: &Presented,
    expectation: &Expectation,
    policy: &Policy,
    collateral: &Collateral,
    now: SystemTime,
    intel: &Root<'_>,
) -> Verdict {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = since.as_secs();
    let report = *presented.report();
    let mut reasons = Vec::new();

    let platform = vouched(presented, policy, collateral, now, intel);
    let platform = platform.map_err(|reason| reasons.push(reason)).ok();
    reasons.extend(contradictory_marks(
        presented,
        collateral,
        platform.as_ref(),
        intel,
    ));
    reasons.extend(rules::of_enclave(
        &policy.enclave,
        &report,
        presented.origin,
    ));
    if let Some(platform) = &platform {
        reasons.extend(rules::of_platform(
            &policy.platform,
            platform,
            presented.origin,
            now,
        ));
    }
    let claims = expectation::claims(expectation, presented, &mut reasons);

    match (platform, reasons.is_empty()) {
        (Some(platform), true) => {
            let statement = Statement {
                report,
                platform,
                claims,
            };
            match presented.origin {
                Origin::Processor => Verdict::Genuine(Genuine(statement)),
                Origin::Emulator => Verdict::Simulated(Simulated(statement)),
            }
        }
        (platform, _) => Verdict::Refused(Refused {
            reasons,
            report,
            platform,
        }),
    }
}

/// The machine that vouches for the quote, under the root that its origin asks for.
fn vouched(
    presented: &Presented,
    policy: &Policy,
    collateral: &Collateral,
    now: u64,
    intel: &Root<'_>,
) -> Result<Platform, Reason> {
    let quote = &presented.quote;
    if presented.origin == Origin::Processor {
        return chain::check(quote, collateral, intel, now);
    }
    if !policy.allows_simulation() {
        return Err(Reason::SimulationRefused);
    }
    // A trusted root may stand anywhere: its hash is what makes it one.
    let texts = [quote.certificates()]
        .into_iter()
        .chain(collateral.chains());
    let certificates: Vec<_> = texts.flat_map(chain::certificates).collect();
    let trusted = certificates
        .iter()
        .find_map(|certificate| Root::among(certificate, &policy.simulated_roots));
    let root = trusted.ok_or_else(|| Reason::OtherEmulator {
        root: chain::certificates(quote.certificates())
            .last()
            .map(|root| root::fingerprint(root)),
    })?;
    chain::check(quote, collateral, &root, now)
}

/// What a processor's evidence has of the emulator's marks, or the emulator's lacks of them.
fn contradictory_marks(
    presented: &Presented,
    collateral: &Collateral,
    platform: Option<&Platform>,
    intel: &Root<'_>,
) -> Vec<Reason> {
    let Marks { present, missing } = Marks::of_all(&presented.quote, collateral, platform);
    let is_intels = chain::certificates(presented.quote.certificates())
        .iter()
        .any(|certificate| certificate == intel.certificate());
    let mut reasons = Vec::new();
    let passes_for_genuine = presented.origin == Origin::Processor || is_intels;
    if passes_for_genuine && !present.is_empty() {
        reasons.push(Reason::MarkedAsSimulated { marks: present });
    }
    if presented.origin == Origin::Emulator && !missing.is_empty() {
        reasons.push(Reason::UnmarkedSimulation { missing });
    }
    reasons
}

#[cfg(test)]
mod tests;
