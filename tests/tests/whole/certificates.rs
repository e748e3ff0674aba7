//! Certificates that enclaves issue to their guests, taken apart by another library than the one that wrote them. Whether
//! a verifier accepts them is tested in `untrusted/cli/tests/certificate.rs`.

use p256::SecretKey;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{DerSignature, VerifyingKey};
use p256::pkcs8::DecodePublicKey as _;
use twine::abi::exchange::HostCall;
use twine::abi::sgx::ReportBody;
use twine::document::{LaunchDocument, Tls};
use twine::error::Refusal;
use twine::evidence::{Evidence, Statement, sha256};
use twine::launch::run::Wrap;
use twine::{Capture, Error, Launch, Outcome};
use twine_tests::run::{module, runtime, text};
use x509_cert::Certificate;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode as _, DecodePem as _, Encode as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::attestation::{honest_quoter, no};

const GUEST: &str = "c_shows_its_certificate";

/// Where the guest looks.
const FOLDER: &str = "/run/tls";

const TAGGED_EVIDENCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.5.4.9");
const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// What the guest found.
struct Shown {
    pem: String,
    certificate: Certificate,
    private: SecretKey,
}

impl Shown {
    fn extension(&self, which: ObjectIdentifier) -> Option<Vec<u8>> {
        let extensions = self.certificate.tbs_certificate().extensions()?;
        let mut found = extensions.iter().filter(|entry| entry.extn_id == which);
        let value = found.next().map(|entry| {
            assert!(!entry.critical);
            entry.extn_value.as_bytes().to_vec()
        });
        assert_eq!(found.count(), 0);
        value
    }

    fn public_key(&self) -> Vec<u8> {
        let body = self.certificate.tbs_certificate();
        body.subject_public_key_info().to_der().unwrap()
    }
}

fn document(names: &[&str]) -> Vec<u8> {
    let module = module(GUEST);
    let launch = Launch::new(runtime(), &module);
    let mut draft = (*launch.document().unwrap()).clone();
    draft.tls = Some(Tls {
        folder: FOLDER.into(),
        names: names.iter().copied().map(String::from).collect(),
    });
    LaunchDocument::new(draft).unwrap().to_toml().into_bytes()
}

fn start(names: &[&str], services: Option<Wrap>) -> Result<Shown, Error> {
    let module = module(GUEST);
    let (output, errors) = (Capture::default(), Capture::default());
    let document = document(names);
    let mut launch = Launch::from_document(runtime(), &module, &document)
        .unwrap()
        .args([FOLDER, "certificate.pem", "key.pem"])
        .stdout(&output)
        .stderr(&errors);
    if let Some(services) = services {
        launch = launch.services(services);
    }
    let outcome = launch.run()?;
    let errors = errors.take();
    assert_eq!(outcome, Outcome::Exited { code: 0 }, "{}", text(&errors));
    let shown = output.take();
    let shown = text(&shown);
    let (certificate, private) = shown.split_at(shown.find("-----BEGIN PRIVATE").unwrap());
    Ok(Shown {
        pem: certificate.to_owned(),
        certificate: Certificate::from_pem(certificate).unwrap(),
        private: private.parse().unwrap(),
    })
}

/// The guest finds a key and a certificate that belong together, and cannot change them.
#[test]
pub(crate) fn c_shows_its_certificate() {
    let shown = start(&["db.example.org", "::1"], Some(honest_quoter())).unwrap();
    let public = shown.public_key();
    let key = VerifyingKey::from_public_key_der(&public).unwrap();
    assert_eq!(VerifyingKey::from(shown.private.public_key()), key);

    let certificate = &shown.certificate;
    let signature = DerSignature::from_bytes(certificate.signature().raw_bytes()).unwrap();
    let body = certificate.tbs_certificate();
    key.verify(&body.to_der().unwrap(), &signature).unwrap();
    assert_eq!(body.issuer(), body.subject());
    assert_eq!(body.issuer().to_string(), "CN=Twine enclave");

    let names = shown.extension(SUBJECT_ALTERNATIVE_NAME).unwrap();
    let names = SubjectAltName::from_der(&names).unwrap().0;
    let address = [&[0; 15][..], &[1]].concat();
    let [GeneralName::DnsName(name), GeneralName::IpAddress(found)] = &*names else {
        panic!("{names:?}");
    };
    assert_eq!(name.as_str(), "db.example.org");
    assert_eq!(found.as_bytes(), address);

    let evidence = Evidence::decode(&shown.extension(TAGGED_EVIDENCE).unwrap()).unwrap();
    let (_, report) = evidence.quote().split_at(48);
    let report = ReportBody::from_bytes(report.first_chunk().unwrap());
    let claims = evidence.vouched_claims(&report.report_data).unwrap();
    assert_eq!(claims.document, report.config_id);
    let expected = Statement::RaTls {
        module: module(GUEST).sha256().0,
        public_key: sha256(&public),
        nonce: None,
    };
    assert_eq!(claims.statement, expected);
}

#[test]
fn every_launch_has_a_key_and_a_certificate_of_its_own() {
    let [one, other] = [(); 2].map(|()| start(&[], Some(honest_quoter())).unwrap());
    assert_ne!(one.public_key(), other.public_key());
    let serial = |shown: &Shown| {
        let serial = shown.certificate.tbs_certificate().serial_number().clone();
        serial.as_bytes().to_vec()
    };
    assert_eq!(serial(&one).len(), 16);
    assert_ne!(serial(&one), serial(&other));
    assert!(one.extension(SUBJECT_ALTERNATIVE_NAME).is_none());
}

#[test]
fn the_emulators_quoting_enclave_vouches_for_certificates() {
    let shown = start(&["localhost"], None).unwrap();
    assert!(shown.pem.len() < 16 << 10, "{}", shown.pem.len());
}

#[test]
fn without_a_quote_there_is_no_certificate_and_no_run() {
    for call in [HostCall::QuoteTarget, HostCall::Quote] {
        let Err(Error::Refused { refusal, message }) = start(&[], Some(no(call))) else {
            panic!("{call:?}");
        };
        assert_eq!(refusal, Refusal::QuoteMissing);
        assert!(message.contains("no evidence can be made"), "{message}");
    }
}
