//! Quotes of emulated enclaves, judged by a verifier that others wrote.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dcap_qvl::intel::parse_pck_extension;
use dcap_qvl::verify::{Quote, QuoteVerifier};
use dcap_qvl::{QuoteClaims, QuoteCollateralV3, QuotePolicy};
use twine_abi::sgx::{AttributeFlags, KeyName, KeyRequest, Report, TargetInfo};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::backend::emulator::model::{Architectural, CPU_SVN, Model, PlatformSecret, Processor};

use super::certificate::FMSPC;
use super::enclave::{IDENTITY, QuotingEnclave, Refused};
use super::*;

const SECRET: [u8; 32] = [7; 32];

fn processor() -> Processor {
    Processor::new(PlatformSecret::new(SECRET), [1; 32])
}

fn platform() -> SimulatedPlatform {
    SimulatedPlatform::with(&PlatformSecret::new(SECRET)).unwrap()
}

/// An enclave that somebody wants quoted.
fn application(processor: &Processor, rights: AttributeFlags) -> Model {
    Model::architectural(
        processor,
        &Architectural {
            mr_enclave: [0xe0; 32],
            mr_signer: [0x51; 32],
            isv_prod_id: 3,
            isv_svn: 4,
            rights,
        },
    )
}

/// The quote of such an enclave, with this data, by way of AESM's protocol.
fn quote(rights: AttributeFlags) -> Vec<u8> {
    let processor = processor();
    let source = source(&processor);
    let target = TargetInfo::from_bytes(&source.target_info().unwrap());
    let report = application(&processor, rights).report(&target, [0xda; 64]);
    source.quote(&report.to_bytes()).unwrap()
}

/// What the verifier says, whatever somebody's policy would make of it.
fn verify(verifier: &QuoteVerifier, quote: &[u8], collateral: &str) -> Result<QuoteClaims, String> {
    let collateral: QuoteCollateralV3 = serde_json::from_str(collateral).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let policy = QuotePolicy::claims_only(now.as_secs());
    verifier
        .verify_with_policy(quote, collateral, now.as_secs(), &policy)
        .map_err(|error| format!("{error:#}"))
}

fn verify_under(root: &[u8], quote: &[u8], collateral: &str) -> Result<QuoteClaims, String> {
    verify(&QuoteVerifier::new(root.to_vec()), quote, collateral)
}

/// What the verifier says of a good quote with such collateral.
fn verdict(collateral: &Collateral) -> Result<QuoteClaims, String> {
    let platform = platform();
    let collateral = platform.collateral(collateral).unwrap();
    verify_under(platform.root(), &quote(AttributeFlags::EMPTY), &collateral)
}

#[test]
fn a_quote_verifies_under_its_own_root_and_says_who_the_enclave_is() {
    let verified = verdict(&Collateral::now()).unwrap();
    assert_eq!(verified.tcb.status, dcap_qvl::TcbStatus::UpToDate);
    assert!(verified.tcb.advisory_ids.is_empty());
    assert_eq!(verified.platform.pck.ppid, b"SIMULATED-PPID-0");
    let report = verified.report.as_sgx().unwrap();
    assert_eq!(report.mr_enclave, [0xe0; 32]);
    assert_eq!(report.mr_signer, [0x51; 32]);
    assert_eq!((report.isv_prod_id, report.isv_svn), (3, 4));
    assert_eq!(report.report_data, [0xda; 64]);
}

#[test]
fn every_signed_layer_says_that_it_is_simulated() {
    let bytes = quote(AttributeFlags::EMPTY);
    let parsed = Quote::parse(&bytes).unwrap();
    assert_eq!(&parsed.header.user_data, b"SIMULATED-NOT-SECURE");
    assert_eq!(&bytes[48..64], b"SIMULATED-CPUSVN");
    let own = &bytes[564..948];
    assert_eq!(&own[..16], b"SIMULATED-CPUSVN");
    assert_eq!(
        own[128..160],
        Sha256::digest("SIMULATED QE - NOT INTEL")[..]
    );
    let certificates = dcap_qvl::intel::extract_cert_chain(&parsed).unwrap();
    assert_eq!(certificates.len(), 3);
    for der in &certificates {
        let certificate = Certificate::from_der(der).unwrap();
        for name in [
            certificate.tbs_certificate().subject(),
            certificate.tbs_certificate().issuer(),
        ] {
            let name = name.to_string();
            assert_eq!(name.matches("SIMULATED").count(), 2, "{name}");
            assert_eq!(name.matches("NOT INTEL").count(), 2, "{name}");
        }
    }
    let pck = parse_pck_extension(&certificates[0]).unwrap();
    assert_eq!(pck.cpu_svn, CPU_SVN);
    assert_eq!(pck.fmspc, FMSPC);
    assert_eq!(hexadecimal(&FMSPC), "53494d000000");
    // The only one that is not marked: verifiers know no vendor but Intel.
    assert_eq!(
        hexadecimal(&parsed.header.qe_vendor_id),
        "939a7233f79c4ca9940a0db3957f0607"
    );
}

#[test]
fn bad_collateral_makes_a_verifier_refuse_or_say_so() {
    let with = |change: &dyn Fn(&mut Collateral)| {
        let mut collateral = Collateral::now();
        change(&mut collateral);
        verdict(&collateral)
    };
    let status = |status| {
        let verified = with(&|collateral| {
            collateral.platform = status;
            collateral.advisories = vec!["SIMULATED-SA-00001".into()];
        });
        verified.map(|verified| (verified.tcb.status.to_string(), verified.tcb.advisory_ids))
    };
    for (wanted, text) in [
        (TcbStatus::OutOfDate, "OutOfDate"),
        (TcbStatus::SWHardeningNeeded, "SWHardeningNeeded"),
        (TcbStatus::ConfigurationNeeded, "ConfigurationNeeded"),
        (
            TcbStatus::ConfigurationAndSWHardeningNeeded,
            "ConfigurationAndSWHardeningNeeded",
        ),
        (
            TcbStatus::OutOfDateConfigurationNeeded,
            "OutOfDateConfigurationNeeded",
        ),
    ] {
        let (status, advisories) = status(wanted).unwrap();
        assert_eq!(status, text);
        assert_eq!(advisories, ["SIMULATED-SA-00001"]);
    }
    assert!(status(TcbStatus::Revoked).unwrap_err().contains("Revoked"));
    let enclave = |status| with(&|collateral| collateral.quoting_enclave = status);
    let old = enclave(TcbStatus::OutOfDate).unwrap();
    assert_eq!(old.tcb.status, dcap_qvl::TcbStatus::OutOfDate);
    enclave(TcbStatus::Revoked).unwrap_err();
    for revoked in [Revoked::Pck, Revoked::PckCa, Revoked::TcbSigning] {
        let error = with(&|collateral| collateral.revoked = Some(revoked)).unwrap_err();
        assert!(error.contains("CertRevoked"), "{revoked:?}: {error}");
    }
    let expired = with(&|collateral| {
        collateral.issued -= Duration::from_secs(40 * 24 * 3600);
    });
    let error = expired.unwrap_err();
    assert!(error.to_lowercase().contains("expired"), "{error}");
    let early = with(&|collateral| collateral.issued += Duration::from_secs(2 * 3600));
    let error = early.unwrap_err();
    assert!(error.contains("future"), "{error}");
}

#[test]
fn debug_enclaves_and_unknown_vendors_are_refused() {
    let platform = platform();
    let collateral = platform.collateral(&Collateral::now()).unwrap();
    let debug = verify_under(platform.root(), &quote(AttributeFlags::DEBUG), &collateral);
    assert!(debug.unwrap_err().contains("Debug"));
    let processor = processor();
    let enclave = QuotingEnclave::new(&processor).unwrap();
    let report =
        application(&processor, AttributeFlags::EMPTY).report(&enclave.target_info(), [0; 64]);
    let vendor = enclave.quote_as(&report, *b"SIMULATED-VENDOR").unwrap();
    let error = verify_under(platform.root(), &vendor, &collateral).unwrap_err();
    assert!(error.contains("vendor"), "{error}");
}

#[test]
fn nobody_elses_root_is_accepted() {
    let collateral = platform().collateral(&Collateral::now()).unwrap();
    let other = SimulatedPlatform::with(&PlatformSecret::new([8; 32])).unwrap();
    assert_ne!(other.root_sha256(), platform().root_sha256());
    let quote = quote(AttributeFlags::EMPTY);
    verify_under(other.root(), &quote, &collateral).unwrap_err();
    verify(&QuoteVerifier::new_prod(), &quote, &collateral).unwrap_err();
}

#[test]
fn a_report_for_somebody_else_or_from_elsewhere_is_not_quoted() {
    let processor = processor();
    let enclave = QuotingEnclave::new(&processor).unwrap();
    let application = application(&processor, AttributeFlags::EMPTY);
    let report = application.report(&enclave.target_info(), [1; 64]);
    enclave.quote(&report).unwrap();
    let mut forged = report;
    forged.body.report_data = [2; 64];
    assert_eq!(enclave.quote(&forged), Err(Refused::Report));
    let mut forged = report;
    forged.mac[15] ^= 1;
    assert_eq!(enclave.quote(&forged), Err(Refused::Report));
    let for_itself = TargetInfo::of(&report.body);
    let report = application.report(&for_itself, [1; 64]);
    assert_eq!(enclave.quote(&report), Err(Refused::Report));
    let elsewhere = Processor::new(PlatformSecret::new([8; 32]), [1; 32]);
    let report = self::application(&elsewhere, AttributeFlags::EMPTY)
        .report(&enclave.target_info(), [1; 64]);
    assert_eq!(enclave.quote(&report), Err(Refused::Report));
}

#[test]
fn the_enclave_that_is_quoted_can_check_who_quoted_it() {
    use crate::quote::aesm::message::{GetQuoteExRequest, QE_REPORT_INFO_LEN, Request};
    use aes::Aes128;
    use cmac::{Cmac, KeyInit as _, Mac as _};

    let processor = processor();
    let server = Server::new(&processor).unwrap();
    let enclave = QuotingEnclave::new(&processor).unwrap();
    let application = application(&processor, AttributeFlags::EMPTY);
    let report = application.report(&enclave.target_info(), [1; 64]);
    let mut about = [&[9; 16][..], &TargetInfo::of(&report.body).to_bytes()].concat();
    about.resize(QE_REPORT_INFO_LEN, 0);
    server.make_ready();
    let answer = server.answer(Request {
        get_quote_ex: Some(GetQuoteExRequest {
            report: Some(report.to_bytes().to_vec()),
            att_key_id: Some(server::keys()[1].to_vec()),
            qe_report_info: Some(about),
            buf_size: Some(8192),
            timeout: None,
        }),
        ..Request::default()
    });
    let answer = answer.get_quote_ex.unwrap();
    let quote = answer.quote.unwrap();
    let len = 436 + u32::from_le_bytes(quote[432..436].try_into().unwrap()) as usize;
    let about = answer.qe_report_info.unwrap();
    let about = Report::from_bytes(about[528..].try_into().unwrap());
    let key = application.key(&KeyRequest {
        key_name: KeyName::Report as u16,
        key_id: about.key_id,
        ..KeyRequest::ZERO
    });
    let mut mac = Cmac::<Aes128>::new(&key.unwrap().into());
    mac.update(&about.body.to_bytes());
    mac.verify(&about.mac.into()).unwrap();
    assert_eq!(about.body.mr_signer, IDENTITY.mr_signer());
    let bound = Sha256::new()
        .chain_update([9; 16])
        .chain_update(&quote[..len])
        .finalize();
    assert_eq!(about.body.report_data[..32], bound[..]);
}

/// Policies name the root by its hash: whatever changes it here makes them all void.
#[test]
fn a_users_root_is_the_same_for_ever() {
    let platform = platform();
    assert_eq!(platform.root_sha256(), ROOT_SHA256);
    let home = tempfile::tempdir().unwrap();
    let directories = Directories::below(home.path());
    let first = SimulatedPlatform::of(&directories).unwrap();
    let second = SimulatedPlatform::of(&directories).unwrap();
    assert_eq!(first.root(), second.root());
    assert_ne!(first.root(), platform.root());
}

#[test]
fn a_secret_that_cannot_be_used_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("secret");
    fs::write(&path, "something else").unwrap();
    let error = SimulatedPlatform::load(&path).unwrap_err().to_string();
    assert!(error.contains("emulator"), "{error}");
    SimulatedPlatform::load(Path::new("/proc/none/here")).unwrap_err();
}

/// The root of the secret that is 32 times 7.
const ROOT_SHA256: &str = "f23271874f39b337b0bc09c48751eac42371c290c17a86cbc8ab5a6c5ebd92a8";
