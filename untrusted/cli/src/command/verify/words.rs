//! A verdict for people.

use jiff::Timestamp;
use twine::abi::sgx::{AttributeFlags, ReportBody};
use twine_attest::evidence::Nonce;
use twine_attest::{Blame, Platform, Refused, Statement, Verdict};

use super::super::hex;

pub(in crate::command) fn of(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Genuine(genuine) => format!(
            "GENUINE: a processor vouches for this enclave, and the policy allows it.\n\n{}",
            statement(genuine.statement())
        ),
        Verdict::Simulated(simulated) => format!(
            "SIMULATED: an emulator that the policy names vouches for this enclave. NOTHING IN IT IS PROTECTED.\n\n{}",
            statement(simulated.statement())
        ),
        Verdict::Refused(refused) => refusal(refused),
    }
}

fn statement(statement: &Statement) -> String {
    let mut lines = enclave(statement.report());
    if let Some(claims) = statement.claims() {
        lines.push(("purpose", claims.purpose().name().to_owned()));
        let module = claims.module().map(|module| ("module", hex(module)));
        let nonce = claims.nonce().map(Nonce::as_bytes);
        lines.extend(module);
        lines.extend(nonce.map(|nonce| ("nonce", hex(nonce))));
    }
    lines.extend(machine(statement.platform()));
    table(&lines)
}

fn refusal(refused: &Refused) -> String {
    let reasons = refused.reasons();
    let mut text = match reasons.len() {
        1 => "REFUSED. Do not trust this enclave.\n".to_owned(),
        count => format!("REFUSED, for {count} reasons. Do not trust this enclave.\n"),
    };
    for (index, reason) in reasons.iter().enumerate() {
        text.push_str(&format!(
            "\n{}. {reason}\n   whose doing: {}\n   what to do:  {}\n",
            index + 1,
            doing(reason.blame()),
            reason.remedy()
        ));
    }
    text.push_str(match refused.platform() {
        Some(_) => "\nThe quote itself is authentic. It says:\n\n",
        None => "\nThe quote may be false. It says:\n\n",
    });
    let mut lines = enclave(refused.report());
    lines.extend(refused.platform().into_iter().flat_map(machine));
    text.push_str(&table(&lines));
    text
}

const fn doing(blame: Blame) -> &'static str {
    match blame {
        Blame::Presenter => "whoever sent the evidence",
        Blame::Launcher => "whoever started the enclave",
        Blame::Machine => "whoever keeps the machine",
        Blame::Verifier => "yours: policy, collateral or clock",
        _ => "unknown",
    }
}

fn enclave(report: &ReportBody) -> Vec<(&'static str, String)> {
    let debug = report.attributes.flags.contains(AttributeFlags::DEBUG);
    let mut lines = vec![
        ("MRENCLAVE", hex(&report.mr_enclave)),
        ("MRSIGNER", hex(&report.mr_signer)),
        ("ISVPRODID", report.isv_prod_id.to_string()),
        ("ISVSVN", report.isv_svn.to_string()),
        ("CONFIGID", hex(&report.config_id)),
        ("CONFIGSVN", report.config_svn.to_string()),
    ];
    if debug {
        lines.push(("DEBUG", "yes: nothing in it is protected".to_owned()));
    }
    lines
}

fn machine(platform: &Platform) -> Vec<(&'static str, String)> {
    let advisories = match platform.advisories.as_slice() {
        [] => "none".to_owned(),
        ids => ids.join(", "),
    };
    let id = platform.instance.map_or_else(
        || format!("PPID {}", hex(&platform.ppid)),
        |instance| format!("instance {}", hex(&instance)),
    );
    let expires = i64::try_from(platform.collateral_expires);
    let until = expires
        .ok()
        .and_then(|expires| Timestamp::from_second(expires).ok());
    let mut lines = vec![
        ("machine", format!("{id}, FMSPC {}", hex(&platform.fmspc))),
        (
            "state",
            format!(
                "{} by evaluation {}",
                platform.tcb_status, platform.tcb_eval_data_number
            ),
        ),
        ("advisories", advisories),
    ];
    lines.extend(until.map(|until| ("holds until", until.to_string())));
    lines
}

fn table(lines: &[(&str, String)]) -> String {
    let line = |(name, value): &(&str, String)| format!("{name:12} {value}\n");
    lines.iter().map(line).collect()
}
