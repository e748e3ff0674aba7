//! Fetching collateral, over a transport that answers from a file.

use serde_json::Value;
use twine_attest::pccs::{Error, Response, Transport, fetch};
use twine_attest::{Quote, Verdict};

use crate::vectors::{
    EVALUATION_17, LENIENT, QUOTE, TIME, bytes, collateral, judge, policy, quote,
};

/// A service with one set, at `base`; `broken` names a document that it answers wrongly.
struct Service {
    base: &'static str,
    broken: &'static str,
}

const LOCAL: &str = "https://localhost:8081";
const INTEL: &str = "https://api.trustedservices.intel.com";

fn plain(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

impl Transport for Service {
    fn get(&self, url: &str) -> Result<Response, String> {
        let set = bytes(&format!("matrix/collateral/{EVALUATION_17}.json"));
        let set: Value = serde_json::from_slice(&set).unwrap();
        let text = |name: &str| set[name].as_str().unwrap().to_owned();
        let field = |header: &str, name: &str| {
            vec![(
                header.to_owned(),
                urlencoding::encode(&text(name)).into_owned(),
            )]
        };
        let signed = |key: &str, name: &str| {
            let signature = text(&format!("{name}_signature")).to_uppercase();
            format!("{{\"{key}\":{},\"signature\":\"{signature}\"}}", text(name)).into_bytes()
        };
        let path = url.strip_prefix(self.base).unwrap_or(url);
        let (header, body) = match path {
            "/sgx/certification/v4/pckcrl?ca=platform&encoding=der" => (
                field("sgx-pck-crl-issuer-chain", "pck_crl_issuer_chain"),
                plain(&text("pck_crl")),
            ),
            "/sgx/certification/v4/tcb?fmspc=00606A000000" => (
                field("TCB-Info-Issuer-Chain", "tcb_info_issuer_chain"),
                signed("tcbInfo", "tcb_info"),
            ),
            "/sgx/certification/v4/qe/identity" => (
                field(
                    "SGX-Enclave-Identity-Issuer-Chain",
                    "qe_identity_issuer_chain",
                ),
                signed("enclaveIdentity", "qe_identity"),
            ),
            "/sgx/certification/v4/rootcacrl" if self.base == LOCAL => {
                (Vec::new(), text("root_ca_crl").into_bytes())
            }
            "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
                if self.base == INTEL =>
            {
                (Vec::new(), plain(&text("root_ca_crl")))
            }
            _ => return Err("no route".to_owned()),
        };
        let broken = !self.broken.is_empty() && path.contains(self.broken);
        Ok(Response {
            status: 200,
            header,
            body: if broken { b"{}".to_vec() } else { body },
        })
    }
}

#[test]
fn a_caching_service_and_intels_own_give_the_set_that_the_quote_needs() {
    let bytes = quote(QUOTE);
    let wanted = Quote::parse(&bytes).unwrap();
    for base in [LOCAL, INTEL] {
        let service = Service { base, broken: "" };
        let set = fetch(&service, &format!("{base}/"), &wanted).unwrap();
        assert_eq!(set, collateral(EVALUATION_17));
        let verdict = judge(&bytes, &policy(&bytes, "", LENIENT), &set, TIME);
        assert!(matches!(verdict, Verdict::Genuine(_)), "{verdict:?}");
    }
}

#[test]
fn an_answer_of_another_form_is_refused_and_names_what_was_asked_for() {
    let wanted = Quote::parse(&quote(QUOTE)).unwrap();
    for broken in ["/tcb", "/qe/identity", "/rootcacrl"] {
        let service = Service {
            base: LOCAL,
            broken,
        };
        let error = fetch(&service, LOCAL, &wanted).unwrap_err();
        assert!(
            matches!(&error, Error::Form { url, .. } if url.contains(broken)),
            "{error}"
        );
    }
    let elsewhere = fetch(
        &Service {
            base: INTEL,
            broken: "",
        },
        LOCAL,
        &wanted,
    )
    .unwrap_err();
    assert!(matches!(&elsewhere, Error::Unreachable { problem, .. } if problem == "no route"));
    // A list of revoked certificates is not looked into before it is used.
    let service = Service {
        base: LOCAL,
        broken: "/pckcrl",
    };
    let set = fetch(&service, LOCAL, &wanted).unwrap();
    let bytes = quote(QUOTE);
    let verdict = judge(&bytes, &policy(&bytes, "", LENIENT), &set, TIME);
    assert!(matches!(verdict, Verdict::Refused(_)), "{verdict:?}");
}
