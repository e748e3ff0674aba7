//! Every reason is told apart from every other.

use std::collections::BTreeSet;

use super::*;

fn every() -> Vec<Reason> {
    let time = Timestamp::UNIX_EPOCH;
    vec![
        Reason::RootExchanged,
        Reason::ForeignVendor { vendor: [1; 16] },
        Reason::OtherRoot,
        Reason::CertificateRevoked,
        Reason::PlatformRevoked,
        Reason::QuoteAltered,
        Reason::CollateralAltered,
        Reason::CollateralExpired { next_update: time },
        Reason::CollateralNotYetValid { issued: time },
        Reason::OtherPlatform {
            quote: [1; 6],
            collateral: "020202020202".into(),
        },
        Reason::RevocationUnknown,
        Reason::TcbUnknown,
        Reason::Unverifiable {
            detail: "why".into(),
        },
        Reason::MarkedAsSimulated {
            marks: vec![Mark::Ppid],
        },
        Reason::UnmarkedSimulation {
            missing: vec![Mark::Ppid],
        },
        Reason::SimulationRefused,
        Reason::OtherEmulator {
            root: Some([1; 32]),
        },
        Reason::WrongImage { found: [1; 32] },
        Reason::WrongSigner { found: [1; 32] },
        Reason::WrongProduct {
            found: 1,
            expected: 2,
        },
        Reason::OldVersion { found: 1, min: 2 },
        Reason::WrongConfiguration { found: [1; 64] },
        Reason::OldConfiguration { found: 1, min: 2 },
        Reason::Debug,
        Reason::MissingAttributes { bits: 1 << 7 },
        Reason::ForbiddenAttributes { bits: 1 << 63 },
        Reason::TooMuchState { bits: 8 },
        Reason::TooMuchSaved { bits: 2 },
        Reason::TcbStatus {
            found: TcbStatus::OutOfDate,
        },
        Reason::Advisories {
            ids: vec!["INTEL-SA-00001".into()],
        },
        Reason::OldEvaluation { found: 17, min: 19 },
        Reason::OldTcbInfo {
            issued: time,
            max_days: 30,
        },
        Reason::DynamicPlatform,
        Reason::Smt,
        Reason::CachedKeys,
        Reason::DeniedProcessor { fmspc: [1; 6] },
        Reason::SgxType { found: 1 },
        Reason::OtherMachine {
            instance: None,
            ppid: vec![1; 16],
        },
        Reason::NoClaims,
        Reason::UnexpectedClaims,
        Reason::ClaimsNotBound,
        Reason::ClaimsMalformed {
            detail: "why".into(),
        },
        Reason::WrongPurpose {
            found: Purpose::Guest,
            expected: Purpose::Launch,
        },
        Reason::NoNonce,
        Reason::WrongNonce,
        Reason::WrongUserData,
        Reason::DocumentContradicts,
        Reason::WrongPublicKey,
        Reason::NoCertificate,
    ]
}

#[test]
fn every_reason_has_a_name_and_a_message_of_its_own() {
    let every = every();
    let codes: BTreeSet<_> = every.iter().map(Reason::code).collect();
    let messages: BTreeSet<_> = every.iter().map(ToString::to_string).collect();
    assert_eq!(codes.len(), every.len());
    assert_eq!(messages.len(), every.len());
    for reason in every {
        let kebab = |letter: u8| letter == b'-' || letter.is_ascii_lowercase();
        assert!(reason.code().bytes().all(kebab), "{}", reason.code());
        assert!(!reason.remedy().is_empty() && !reason.to_string().ends_with('.'));
    }
}

#[test]
fn messages_carry_what_was_found() {
    let told = Reason::ForbiddenAttributes { bits: 1 << 63 | 2 }.to_string();
    assert!(told.contains("DEBUG, 0x8000000000000000"), "{told}");
    let told = Reason::OldEvaluation { found: 17, min: 19 }.to_string();
    assert!(told.contains("evaluation 17, at least 19"), "{told}");
}
