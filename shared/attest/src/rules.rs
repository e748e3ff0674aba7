//! The policy's rules, each over facts alone.

use jiff::Timestamp;
use twine_abi::sgx::{AttributeFlags, ReportBody};
use twine_evidence::Origin;

use crate::chain::Platform;
use crate::policy::{Allow, ConfigIds, Debug, EnclaveRules, PlatformRules};
use crate::reason::Reason;

/// What speaks against the enclave.
pub(crate) fn of_enclave(rules: &EnclaveRules, report: &ReportBody, origin: Origin) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut when = |applies: bool, reason: Reason| {
        if applies {
            reasons.push(reason);
        }
    };
    if let Some(images) = &rules.mrenclave {
        let found = report.mr_enclave;
        when(!images.contains(&found), Reason::WrongImage { found });
    }
    if let Some(signer) = rules.signer {
        let found = report.mr_signer;
        when(found != signer.mrsigner, Reason::WrongSigner { found });
        let (found, expected) = (report.isv_prod_id, signer.prod_id);
        when(found != expected, Reason::WrongProduct { found, expected });
    }
    let (found, min) = (report.isv_svn, rules.min_isv_svn);
    when(found < min, Reason::OldVersion { found, min });
    if let ConfigIds::Listed(ids) = &rules.config_id {
        let found = report.config_id;
        when(!ids.contains(&found), Reason::WrongConfiguration { found });
    }
    let (found, min) = (report.config_svn, rules.min_config_svn);
    when(found < min, Reason::OldConfiguration { found, min });

    let flags = report.attributes.flags;
    let debug_allowed = rules.debug == Debug::InSimulation && origin == Origin::Emulator;
    let debug = flags.contains(AttributeFlags::DEBUG);
    when(debug && !debug_allowed, Reason::Debug);
    let bits = rules.required.without(flags).bits();
    when(bits != 0, Reason::MissingAttributes { bits });
    // DEBUG has had its say; what has no name could mean anything.
    let unknown = flags.without(AttributeFlags::NAMED);
    let bits = (flags & rules.forbidden)
        .without(AttributeFlags::DEBUG)
        .union(unknown)
        .bits();
    when(bits != 0, Reason::ForbiddenAttributes { bits });
    let bits = report.attributes.xfrm & !rules.xfrm_max;
    when(bits != 0, Reason::TooMuchState { bits });
    let bits = report.misc_select.bits() & !rules.misc_select_max;
    when(bits != 0, Reason::TooMuchSaved { bits });
    reasons
}

/// What speaks against the machine. `now` is in seconds since 1970.
pub(crate) fn of_platform(
    rules: &PlatformRules,
    platform: &Platform,
    origin: Origin,
    now: u64,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut when = |applies: bool, reason: Reason| {
        if applies {
            reasons.push(reason);
        }
    };
    let found = platform.tcb_status;
    when(
        !status_allowed(rules, platform, now),
        Reason::TcbStatus { found },
    );
    let ids: Vec<_> = platform
        .advisories
        .iter()
        .filter(|id| !rules.accepted_advisories.contains(id))
        .cloned()
        .collect();
    when(!ids.is_empty(), Reason::Advisories { ids });
    // An emulator publishes its collateral once; Intel counts up and dates what it publishes.
    if origin == Origin::Processor {
        let (found, min) = (
            platform.tcb_eval_data_number,
            rules.min_tcb_eval_data_number,
        );
        when(found < min, Reason::OldEvaluation { found, min });
        let max_days = rules.max_tcb_info_age_days;
        when(
            is_older(platform.tcb_info_issued, max_days, now),
            Reason::OldTcbInfo {
                issued: Timestamp::from_second(platform.tcb_info_issued).unwrap_or_default(),
                max_days,
            },
        );
    }
    let denied = |allow, has| allow == Allow::No && has == Some(true);
    let dynamic = denied(rules.dynamic_platform, platform.dynamic_platform);
    when(dynamic, Reason::DynamicPlatform);
    when(denied(rules.smt, platform.smt), Reason::Smt);
    when(
        denied(rules.cached_keys, platform.cached_keys),
        Reason::CachedKeys,
    );
    let fmspc = platform.fmspc;
    when(
        rules.fmspc_deny.contains(&fmspc),
        Reason::DeniedProcessor { fmspc },
    );
    let found = platform.sgx_type;
    when(!rules.sgx_types.contains(&found), Reason::SgxType { found });
    let other = Reason::OtherMachine {
        instance: platform.instance,
        ppid: platform.ppid.clone(),
    };
    when(!is_named(rules, platform), other);
    reasons
}

/// Whether the state is listed, or would be after updates for which there is still time.
fn status_allowed(rules: &PlatformRules, platform: &Platform, now: u64) -> bool {
    let found = platform.tcb_status;
    if rules.tcb_status.contains(&found) {
        return true;
    }
    let Some(updated) = found.updated() else {
        return false;
    };
    let parts = [
        (platform.processor_status, platform.tcb_date),
        (platform.qe_status, platform.qe_tcb_date),
    ];
    let grace = rules.out_of_date_grace_days;
    let in_time = parts
        .iter()
        .filter(|(status, _)| status.updated().is_some())
        .all(|(_, date)| !is_older(*date, grace, now));
    grace > 0 && rules.tcb_status.contains(&updated) && in_time
}

/// Whether more than this many days lie between a date, in seconds since 1970, and now.
fn is_older(date: i64, days: u32, now: u64) -> bool {
    let until = i128::from(date) + i128::from(days) * SECONDS_PER_DAY;
    i128::from(now) > until
}

const SECONDS_PER_DAY: i128 = 24 * 60 * 60;

fn is_named(rules: &PlatformRules, platform: &Platform) -> bool {
    let named = &rules.platform_instance_allow;
    let has = |id: &[u8]| named.iter().any(|name| name == id);
    named.is_empty()
        || platform.instance.is_some_and(|instance| has(&instance))
        || has(&platform.ppid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use crate::tcb::TcbStatus;

    const NOW: u64 = 1_800_000_000;
    const DAY: i64 = 24 * 60 * 60;

    fn days_ago(days: i64) -> i64 {
        1_800_000_000 - days * DAY
    }

    fn platform() -> Platform {
        Platform {
            fmspc: [1; 6],
            ppid: vec![2; 16],
            instance: None,
            sgx_type: 0,
            dynamic_platform: None,
            cached_keys: None,
            smt: None,
            tcb_status: TcbStatus::UpToDate,
            processor_status: TcbStatus::UpToDate,
            qe_status: TcbStatus::UpToDate,
            tcb_date: days_ago(1000),
            qe_tcb_date: days_ago(1000),
            advisories: Vec::new(),
            tcb_eval_data_number: 20,
            tcb_info_issued: days_ago(10),
            collateral_expires: NOW + 1,
        }
    }

    fn codes(lines: &str, platform: &Platform) -> Vec<&'static str> {
        let text = format!(
            "version = 1\n[enclave]\nmrenclave = [\"{}\"]\nconfig_id = \"any\"\n[platform]\n{lines}\n",
            "ab".repeat(32)
        );
        let policy = Policy::parse(text.as_bytes()).unwrap();
        let reasons = of_platform(&policy.platform, platform, Origin::Processor, NOW);
        reasons.iter().map(Reason::code).collect()
    }

    #[test]
    fn grace_is_counted_from_the_level_that_is_out_of_date() {
        let behind = |processor, qe| Platform {
            tcb_status: TcbStatus::OutOfDate,
            processor_status: processor,
            qe_status: qe,
            ..platform()
        };
        let (fine, late) = (TcbStatus::UpToDate, TcbStatus::OutOfDate);
        let grace = |platform: &Platform| codes("out_of_date_grace_days = 30", platform);
        let recent = days_ago(30);
        let processor = Platform {
            tcb_date: recent,
            ..behind(late, fine)
        };
        assert_eq!(grace(&processor), [""; 0]);
        assert_eq!(codes("", &processor), ["tcb-status"]);
        let too_late = Platform {
            tcb_date: recent - 1,
            ..processor
        };
        assert_eq!(grace(&too_late), ["tcb-status"]);
        let enclave = Platform {
            qe_tcb_date: recent,
            ..behind(fine, late)
        };
        assert_eq!(grace(&enclave), [""; 0]);
        assert_eq!(grace(&behind(late, late)), ["tcb-status"]);
    }

    #[test]
    fn settings_that_the_certificate_tells_are_judged_and_others_are_not() {
        assert_eq!(codes("", &platform()), [""; 0]);
        let told = |has| Platform {
            dynamic_platform: Some(has),
            cached_keys: Some(has),
            smt: Some(has),
            ..platform()
        };
        assert_eq!(codes("", &told(false)), [""; 0]);
        assert_eq!(
            codes("", &told(true)),
            ["dynamic-platform", "smt", "cached-keys"]
        );
        let allowing = "allow_dynamic_platform = true\nallow_smt = true\nallow_cached_keys = true";
        assert_eq!(codes(allowing, &told(true)), [""; 0]);
    }

    #[test]
    fn old_tcb_info_is_told_to_the_second() {
        let issued = |at| Platform {
            tcb_info_issued: at,
            ..platform()
        };
        assert_eq!(codes("", &issued(days_ago(30))), [""; 0]);
        assert_eq!(codes("", &issued(days_ago(30) - 1)), ["old-tcb-info"]);
        assert_eq!(codes("", &issued(i64::MAX)), [""; 0]);
    }
}
