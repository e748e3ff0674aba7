//! What enclaves say of themselves: evidence for anybody, messages between two on one machine; and hosts and guests that
//! want them to say something else.
//!
//! The quotes here are a report with a head and no signature: what the enclave itself can check of a quote. Whether a
//! signature holds is tested where there are keys, in `shared/attest` and the emulator.

use std::cell::RefCell;
use std::rc::Rc;

use twine::abi::exchange::{Header, HostCall, HostErrno, PAYLOAD_LEN};
use twine::abi::sgx::{Report, ReportBody, TargetInfo};
use twine::error::Refusal;
use twine::evidence::{Claims, Evidence, Nonce, Origin, PeerMessage, Purpose, Statement, sha256};
use twine::launch::run::Wrap;
use twine::{Attest, Error, Launch, Outcome};
use twine_tests::hostile::liar;
use twine_tests::run::{Given, Ran, launch, module, run, runtime, text};

use Application::{First, Second};

const GUEST: &str = "c_vouches_for_itself";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    assert!(rest.is_empty());
    let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.iter().map(byte).collect()
}

/// What the guest printed behind a word.
fn printed(ran: &Ran, word: &str) -> Vec<u8> {
    let output = text(&ran.output);
    let line = output.lines().find_map(|line| line.strip_prefix(word));
    from_hex(
        line.unwrap_or_else(|| panic!("no {word} in {ran:?}"))
            .trim(),
    )
}

/// One of two applications: the same program with another document, hence another enclave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Application {
    First,
    Second,
}

fn application(which: Application, arguments: &[&str]) -> Ran {
    let environment: &[_] = match which {
        First => &[],
        Second => &[("OTHER", "1")],
    };
    let given = Given {
        arguments,
        environment,
        ..Given::default()
    };
    launch(&module(GUEST), given)
}

fn message_for(target: &[u8], from: Application, data: &[u8]) -> Vec<u8> {
    let ran = application(from, &["report", &hex(target), &hex(data)]);
    printed(&ran, "answer")
}

/// Two applications exchange targets and messages; each learns who the other is.
#[test]
pub(crate) fn c_vouches_for_itself() {
    for (one, other) in [(First, Second), (Second, First)] {
        let target = printed(&application(one, &["target"]), "answer");
        let message = message_for(&target, other, b"my key");
        let ran = application(one, &["verify", &hex(&message)]);
        assert_eq!(
            ran.outcome.as_ref().ok(),
            Some(&Outcome::Exited { code: 0 }),
            "{ran:?}"
        );

        let module = module(GUEST);
        let mut peer = Launch::new(runtime(), &module);
        if other == Second {
            peer = peer.env("OTHER", "1");
        }
        let identity = peer.identity().unwrap();
        assert_eq!(printed(&ran, "mrenclave"), identity.mrenclave);
        assert_eq!(printed(&ran, "mrsigner"), identity.mrsigner);
        assert_eq!(printed(&ran, "config-id"), identity.configuration.id);
        assert_eq!(printed(&ran, "module"), module.sha256().0);
        assert_eq!(printed(&ran, "user"), sha256(b"my key"));
        assert!(text(&ran.output).contains("debug 0 svn"));
    }
}

#[test]
fn a_message_for_another_enclave_changed_or_forged_is_not_believed() {
    let target = printed(&application(First, &["target"]), "answer");
    let message = message_for(&target, Second, b"my key");
    let refused = |other, message: &[u8], word: &str| {
        let ran = application(other, &["verify", &hex(message)]);
        assert_eq!(text(&ran.output).trim(), word);
    };
    // The message is for the first application, not for the one that made it.
    refused(Second, &message, "EACCES");
    // One bit in the report's body, in its tag, in the claims; another form.
    let decoded = PeerMessage::decode(&message).unwrap();
    let report = message
        .windows(432)
        .position(|w| w == decoded.report())
        .unwrap();
    for (place, word) in [
        (report + 64, "EACCES"),
        (report + 320, "EACCES"),
        (report + 431, "EACCES"),
        (message.len() - 8, "EACCES"),
        (0, "EBADMSG"),
    ] {
        let mut changed = message.clone();
        changed[place] ^= 1;
        refused(First, &changed, word);
    }
    refused(First, &message[1..], "EBADMSG");
    // The host has a report of the peer for this enclave, by naming it as the quoting enclave; its purpose gives it away.
    let seen = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&seen);
    let quoting = quoter(
        move |payload| payload[..512].copy_from_slice(&target),
        move |report, _| *kept.borrow_mut() = report.to_vec(),
    );
    let ran = run(&module(GUEST), |launch| {
        launch.args(["evidence", "00"]).services(quoting)
    });
    let evidence = Evidence::decode(&printed(&ran, "answer")).unwrap();
    let claims = Claims::decode(evidence.claims()).unwrap();
    let report: [u8; 432] = seen.take().try_into().unwrap();
    refused(First, &PeerMessage::new(report, &claims).encode(), "EACCES");
}

#[test]
fn what_no_program_should_pass_is_an_error_and_harms_nobody() {
    let ran = application(First, &["misuse"]);
    let expected = "E2BIG EFAULT EFAULT EFAULT EFAULT EFAULT EFAULT E2BIG ERANGE needed EINVAL EFAULT EFAULT EBADMSG";
    let words = text(&ran.output);
    let first = words.lines().map(|line| line.split(' ').next().unwrap());
    assert_eq!(first.collect::<Vec<_>>().join(" "), expected);
    assert!(
        words.contains("needed 6"),
        "a message takes 600 bytes and more: {words}"
    );
}

/// A host that makes quotes without signatures: `target` may change the TARGETINFO, `spoil` sees the report and may change
/// the quote.
fn quoter(
    target: impl Fn(&mut [u8]) + 'static,
    spoil: impl Fn(&[u8], &mut Vec<u8>) + 'static,
) -> Wrap {
    liar(move |header, payload, honest| match header.op {
        op if op == HostCall::QuoteTarget as u32 => {
            payload[..TargetInfo::LEN].fill(0);
            target(payload);
            0
        }
        op if op == HostCall::Quote as u32 => {
            let report = payload[..Report::LEN].to_vec();
            let mut quote = quote_of(&report[..ReportBody::LEN]);
            spoil(&report, &mut quote);
            let fits = quote.len().min(PAYLOAD_LEN);
            payload[..fits].copy_from_slice(&quote[..fits]);
            i64::try_from(quote.len()).unwrap()
        }
        _ => honest.serve(header, payload),
    })
}

fn quote_of(body: &[u8]) -> Vec<u8> {
    let mut quote = vec![3, 0];
    quote.resize(48, 0);
    quote.extend_from_slice(body);
    quote.extend(4_u32.to_le_bytes());
    quote.extend(*b"sign");
    quote
}

pub(crate) fn honest_quoter() -> Wrap {
    quoter(|_| (), |_, _| ())
}

fn attest(nonce: &[u8], services: Wrap) -> (Vec<u8>, Result<Evidence, Error>) {
    let module = module(GUEST);
    let document = Launch::new(runtime(), &module).document_bytes().unwrap();
    let attest = Attest::new(runtime(), &document).unwrap().nonce(nonce);
    let evidence = attest.services(services).run();
    (document, evidence)
}

fn report_of(evidence: &Evidence) -> ReportBody {
    let (_, body) = evidence.quote().split_at(48);
    ReportBody::from_bytes(body.first_chunk().unwrap())
}

#[test]
fn an_enclave_states_which_document_it_holds() {
    for nonce in [&b""[..], b"verifier", &[7; 64]] {
        let (document, evidence) = attest(nonce, honest_quoter());
        let evidence = evidence.unwrap();
        let body = report_of(&evidence);
        let claims = evidence.vouched_claims(&body.report_data).unwrap();
        assert_eq!(claims.document, body.config_id);
        assert_eq!(body.mr_enclave, runtime().mrenclave());
        let configuration = twine::launch::create::Configuration::of(
            &document,
            0,
            twine::launch::create::Debugging::Forbidden,
        );
        assert_eq!(body.config_id, configuration.id);
        let module = module(GUEST).sha256().0;
        let nonce = Nonce::new(nonce).ok();
        assert_eq!(claims.statement, Statement::Launch { module, nonce });
        assert_eq!(evidence.origin(), Origin::Emulator);
    }
}

#[test]
fn nonces_that_are_too_short_or_too_long_are_refused() {
    for len in [7, 65] {
        let (_, evidence) = attest(&vec![1; len], honest_quoter());
        let refusal = Refusal::Arguments;
        assert!(
            matches!(&evidence, Err(Error::Refused { refusal: found, .. }) if *found == refusal),
            "{len}: {evidence:?}"
        );
    }
}

#[test]
fn a_host_that_gives_no_quote_is_told_so_and_gets_no_evidence() {
    for call in [HostCall::QuoteTarget, HostCall::Quote, HostCall::Evidence] {
        let services = no(call);
        let (_, evidence) = attest(b"", services);
        assert!(
            matches!(
                evidence,
                Err(Error::Refused {
                    refusal: Refusal::QuoteMissing,
                    ..
                })
            ),
            "{call:?}: {evidence:?}"
        );
    }
}

/// Quotes, but for this call, which fails.
pub(crate) fn no(call: HostCall) -> Wrap {
    let honest = honest_quoter();
    Box::new(move |others| {
        let mut quoting = honest(others);
        let failing = liar(move |header: &Header, payload, next| {
            if header.op == call as u32 {
                -(HostErrno::Io as i64)
            } else {
                next.serve(header, payload)
            }
        });
        quoting = failing(quoting);
        quoting
    })
}

/// A quote of another report, cut, with something behind it, of another version, longer than any.
#[test]
fn what_is_no_quote_of_the_enclaves_report_is_refused() {
    let lies: [fn(&mut Vec<u8>); 8] = [
        |quote| quote[48] ^= 1,
        |quote| quote[48 + 320] ^= 1,
        |quote| quote[0] = 4,
        |quote| quote.truncate(435),
        |quote| quote.clear(),
        |quote| quote.push(0),
        |quote| quote.truncate(439),
        |quote| {
            // Well formed, and no room beside it for the claims.
            quote.resize(PAYLOAD_LEN, 0);
            let len = u32::try_from(PAYLOAD_LEN - 436).unwrap();
            quote[432..436].copy_from_slice(&len.to_le_bytes());
        },
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let (_, evidence) = attest(b"", quoter(|_| (), move |_, quote| lie(quote)));
        assert!(
            matches!(
                evidence,
                Err(Error::Refused {
                    refusal: Refusal::Host,
                    ..
                })
            ),
            "{number}: {evidence:?}"
        );
    }
}

#[test]
fn a_quote_longer_than_the_payload_is_refused() {
    for len in [PAYLOAD_LEN + 1, 1 << 31, usize::MAX >> 1] {
        let services = liar(move |header, payload, honest| match header.op {
            op if op == HostCall::QuoteTarget as u32 => {
                payload[..TargetInfo::LEN].fill(0);
                0
            }
            op if op == HostCall::Quote as u32 => i64::try_from(len).unwrap(),
            _ => honest.serve(header, payload),
        });
        let (_, evidence) = attest(b"", services);
        assert!(
            matches!(
                evidence,
                Err(Error::Refused {
                    refusal: Refusal::Host,
                    ..
                })
            ),
            "{len}: {evidence:?}"
        );
    }
}

/// EREPORT faults on them, and that would cost the enclave.
#[test]
fn a_quoting_enclave_with_reserved_bytes_is_refused() {
    for place in [49, 56, 63, 128, 511] {
        let (_, evidence) = attest(b"", quoter(move |target| target[place] = 1, |_, _| ()));
        assert!(
            matches!(
                evidence,
                Err(Error::Refused {
                    refusal: Refusal::Host,
                    ..
                })
            ),
            "{place}: {evidence:?}"
        );
    }
}

/// The guest passes what the runtime would claim; what comes out is the guest's own purpose and a hash.
#[test]
fn a_guest_cannot_speak_for_the_runtime() {
    let module = module(GUEST);
    let document = Launch::new(runtime(), &module)
        .identity()
        .unwrap()
        .configuration
        .id;
    let forged = Claims {
        document,
        statement: Statement::Provision { key: [9; 32] },
    };
    let ran = run(&module, |launch| {
        launch
            .args(["evidence", &hex(&forged.encode())])
            .services(honest_quoter())
    });
    let evidence = Evidence::decode(&printed(&ran, "answer")).unwrap();
    let data = report_of(&evidence).report_data;
    let claims = evidence.vouched_claims(&data).unwrap();
    assert_eq!(claims.purpose(), Purpose::Guest);
    let user = sha256(&forged.encode());
    assert_eq!(
        claims.statement,
        Statement::Guest {
            module: module.sha256().0,
            user
        }
    );
    // With the guest's claims in place of the runtime's, the quote vouches for nothing.
    let pasted = Evidence::new(Origin::Emulator, evidence.quote().to_vec(), forged.encode());
    pasted.unwrap().vouched_claims(&data).unwrap_err();
}

#[test]
fn a_guest_whose_host_gives_no_quote_goes_on() {
    let ran = run(&module(GUEST), |launch| {
        launch
            .args(["evidence", "00"])
            .services(no(HostCall::Quote))
    });
    assert_eq!(text(&ran.output).trim(), "EIO");
}

#[test]
fn a_guest_whose_host_lies_about_quotes_ends() {
    let ran = run(&module(GUEST), |launch| {
        let lying = quoter(|_| (), |_, quote| quote[48] ^= 1);
        launch.args(["evidence", "00"]).services(lying)
    });
    assert!(
        matches!(
            ran.outcome,
            Err(Error::Refused {
                refusal: Refusal::Host,
                ..
            })
        ),
        "{ran:?}"
    );
}

/// No host is in between here: the emulator's own quoting enclave takes the report, after it has checked its tag.
#[test]
fn the_emulators_quoting_enclave_vouches_and_says_what_it_is() {
    let module = module(GUEST);
    let document = Launch::new(runtime(), &module).document_bytes().unwrap();
    let attest = Attest::new(runtime(), &document).unwrap();
    let launched = attest.nonce(b"verifier").run().unwrap();
    let ran = application(First, &["evidence", &hex(b"my key")]);
    let guests = Evidence::decode(&printed(&ran, "answer")).unwrap();
    for (evidence, purpose) in [(launched, Purpose::Launch), (guests, Purpose::Guest)] {
        assert_eq!(evidence.origin(), Origin::Emulator);
        assert_eq!(&evidence.quote()[28..48], b"SIMULATED-NOT-SECURE");
        let claims = evidence.vouched_claims(&report_of(&evidence).report_data);
        assert_eq!(claims.unwrap().purpose(), purpose);
    }
}
