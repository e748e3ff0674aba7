//! The client against services that are honest, absent, broken or lying. Each is a socket with a script behind it.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::message::{
    GetQuoteExResponse, GetQuoteSizeExResponse, GetSupportedAttKeyIdNumResponse,
    GetSupportedAttKeyIdsResponse, InitQuoteExResponse, UnsupportedRequestResponse,
};
use super::*;

/// What a service sends back, byte for byte, for a request; nothing: it hangs up.
type Script = dyn Fn(Request) -> Vec<u8> + Send + Sync;

/// A client of a service that follows the script.
fn client(script: impl Fn(Request) -> Vec<u8> + Send + Sync + 'static) -> Aesm {
    let script: Arc<Script> = Arc::new(script);
    Aesm::behind(Box::new(move || {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let script = Arc::clone(&script);
        thread::spawn(move || serve(theirs, &*script));
        Ok(Box::new(ours))
    }))
}

fn serve(mut stream: UnixStream, script: &Script) {
    let request = frame::read(&mut stream).unwrap();
    let answer = script(Request::decode(request.as_slice()).unwrap());
    // A client that has heard enough may have hung up.
    let _ = stream.write_all(&answer);
}

fn framed(response: &Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write(&mut bytes, &response.encode_to_vec()).unwrap();
    bytes
}

/// The identity of a key for this algorithm.
fn key(algorithm: u32, mark: u8) -> Vec<u8> {
    let mut id = vec![mark; KEY_ID_LEN];
    id[ALGORITHM_OFFSET..][..4].copy_from_slice(&algorithm.to_le_bytes());
    id
}

fn a_quote() -> Vec<u8> {
    let mut quote = vec![0x3a; 432];
    quote.extend(100_u32.to_le_bytes());
    quote.extend([0x3b; 100]);
    quote
}

/// What an honest service says that has an EPID key and an ECDSA key.
fn honest(request: &Request) -> Response {
    let mut response = Response::default();
    if request.get_supported_att_key_id_num.is_some() {
        response.get_supported_att_key_id_num = Some(GetSupportedAttKeyIdNumResponse {
            error_code: Some(0),
            att_key_id_num: Some(2),
        });
    }
    if let Some(ask) = &request.get_supported_att_key_ids {
        assert_eq!(ask.buf_size, Some(512));
        response.get_supported_att_key_ids = Some(GetSupportedAttKeyIdsResponse {
            error_code: Some(0),
            att_key_ids: Some([key(1, 5), key(2, 6)].concat()),
        });
    }
    if let Some(ask) = &request.init_quote_ex {
        assert_eq!(ask.att_key_id, Some(key(2, 6)));
        let wants_key = ask.b_pub_key_id.unwrap();
        assert_eq!(ask.buf_size, Some(if wants_key { 32 } else { 0 }));
        response.init_quote_ex = Some(InitQuoteExResponse {
            error_code: Some(0),
            target_info: wants_key.then(|| vec![0x7a; 512]),
            pub_key_id_size: Some(32),
            pub_key_id: wants_key.then(|| vec![1; 32]),
        });
    }
    if let Some(ask) = &request.get_quote_size_ex {
        assert_eq!(ask.att_key_id, Some(key(2, 6)));
        response.get_quote_size_ex = Some(GetQuoteSizeExResponse {
            error_code: Some(0),
            quote_size: Some(4096),
        });
    }
    if let Some(ask) = &request.get_quote_ex {
        assert_eq!(ask.att_key_id, Some(key(2, 6)));
        assert_eq!(ask.report.as_deref(), Some(&[0x4e; Report::LEN][..]));
        assert_eq!(ask.buf_size, Some(4096));
        assert_eq!(ask.qe_report_info.as_ref().map(Vec::len), Some(960));
        let mut quote = a_quote();
        quote.resize(4096, 0);
        response.get_quote_ex = Some(GetQuoteExResponse {
            error_code: Some(0),
            quote: Some(quote),
            qe_report_info: ask.qe_report_info.clone(),
        });
    }
    response
}

/// A client of a service that is honest but for what `change` does to its answers.
fn but(change: impl Fn(&mut Response) + Send + Sync + 'static) -> Aesm {
    client(move |request| {
        let mut response = honest(&request);
        change(&mut response);
        framed(&response)
    })
}

const REPORT: [u8; Report::LEN] = [0x4e; Report::LEN];

#[test]
fn an_honest_service_is_understood() {
    let aesm = client(|request| framed(&honest(&request)));
    assert_eq!(aesm.target_info().unwrap(), [0x7a; 512]);
    assert_eq!(aesm.quote(&REPORT).unwrap(), a_quote());
}

#[test]
fn every_request_goes_over_a_connection_of_its_own() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let aesm = client(move |request| {
        counter.fetch_add(1, Ordering::Relaxed);
        framed(&honest(&request))
    });
    aesm.target_info().unwrap();
    assert_eq!(requests.swap(0, Ordering::Relaxed), 4);
    aesm.quote(&REPORT).unwrap();
    assert_eq!(requests.load(Ordering::Relaxed), 4);
}

#[test]
fn a_real_socket_is_served_too() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("aesm.socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let service = thread::spawn(move || {
        for stream in listener.incoming().take(4) {
            serve(stream.unwrap(), &|request| framed(&honest(&request)));
        }
    });
    assert_eq!(Aesm::at(&socket).target_info().unwrap(), [0x7a; 512]);
    service.join().unwrap();
    // The socket is still there, but nobody listens any more.
    let error = Aesm::at(&socket).target_info().unwrap_err();
    assert!(matches!(error, QuoteError::NotRunning { .. }));
}

#[test]
fn an_operator_learns_what_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let nowhere = home.path().join("aesm.socket");
    let error = Aesm::at(&nowhere).target_info().unwrap_err();
    assert!(error.is_absence());
    let text = error.to_string();
    assert!(
        text.contains("start aesmd") && text.contains("aesm.socket"),
        "{text}"
    );

    // Root may talk to everybody.
    if !rustix::process::geteuid().is_root() {
        let listener = UnixListener::bind(&nowhere).unwrap();
        std::fs::set_permissions(&nowhere, std::fs::Permissions::from_mode(0o0)).unwrap();
        let error = Aesm::at(&nowhere).target_info().unwrap_err();
        assert!(matches!(error, QuoteError::NotPermitted { .. }), "{error}");
        drop(listener);
    }

    let refuses = |code| {
        but(move |response| {
            if let Some(answer) = &mut response.init_quote_ex {
                answer.error_code = Some(code);
            }
        })
        .target_info()
        .unwrap_err()
        .to_string()
    };
    let text = refuses(44);
    assert!(text.contains("InitQuoteEx was refused: AESM_NO_PLATFORM_CERT_DATA (44)"));
    assert!(text.contains("register it with a PCCS"), "{text}");
    assert!(refuses(12).contains("network"));
    assert!(refuses(4711).contains("4711"));
}

#[test]
fn services_without_ecdsa_are_told_from_broken_ones() {
    let only_epid = but(|response| {
        if let Some(answer) = &mut response.get_supported_att_key_ids {
            answer.att_key_ids = Some([key(0, 1), key(1, 2)].concat());
        }
    });
    let old = client(|_| {
        framed(&Response {
            unsupported_request: Some(UnsupportedRequestResponse {
                error_code: Some(1),
            }),
            ..Response::default()
        })
    });
    for aesm in [only_epid, old] {
        let error = aesm.quote(&REPORT).unwrap_err();
        assert!(matches!(error, QuoteError::NoEcdsaKey), "{error}");
    }
}

#[test]
fn a_service_that_has_lost_its_key_is_asked_to_make_it_ready() {
    let aesm = restarted(None);
    assert_eq!(aesm.quote(&REPORT).unwrap(), a_quote());
    // The quoting enclave is another one now: the report is for the old one.
    let error = restarted(Some(47)).quote(&REPORT).unwrap_err();
    assert!(matches!(error, QuoteError::TargetChanged), "{error}");
}

/// A client of a service that refuses quotes until it is initialised, and then with `code`.
fn restarted(code: Option<u32>) -> Aesm {
    let ready = std::sync::atomic::AtomicBool::new(false);
    but(move |response| {
        if response.init_quote_ex.is_some() {
            ready.store(true, Ordering::Relaxed);
        }
        let is_ready = ready.load(Ordering::Relaxed);
        if let Some(answer) = &mut response.get_quote_size_ex
            && !is_ready
        {
            answer.error_code = Some(42);
        }
        if let Some(answer) = &mut response.get_quote_ex {
            answer.error_code = code.or(answer.error_code);
        }
    })
}

#[test]
fn a_key_that_never_gets_ready_is_reported_and_not_asked_for_for_ever() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let aesm = but(move |response| {
        counter.fetch_add(1, Ordering::Relaxed);
        if let Some(answer) = &mut response.get_quote_size_ex {
            answer.error_code = Some(42);
        }
    });
    let error = aesm.quote(&REPORT).unwrap_err();
    assert!(matches!(error, QuoteError::Refused { .. }), "{error}");
    assert_eq!(requests.load(Ordering::Relaxed), 6);
}

/// What a liar changes, and how it is found out.
type Lie = (&'static str, fn(&mut Response));

#[test]
fn every_lie_is_an_error_with_a_name() {
    let lies: &[Lie] = &[
        ("another question", |response| {
            *response = Response::default()
        }),
        ("neither yes nor no", |response| {
            if let Some(answer) = &mut response.get_supported_att_key_id_num {
                answer.error_code = None;
            }
        }),
        ("impossible number", |response| {
            if let Some(answer) = &mut response.get_supported_att_key_id_num {
                answer.att_key_id_num = Some(u32::MAX);
            }
        }),
        ("impossible number", |response| {
            if let Some(answer) = &mut response.get_supported_att_key_id_num {
                answer.att_key_id_num = None;
            }
        }),
        ("half an identity", |response| {
            if let Some(answer) = &mut response.get_supported_att_key_ids {
                answer.att_key_ids = Some(vec![0; 511]);
            }
        }),
        ("no length of the quote", |response| {
            if let Some(answer) = &mut response.get_quote_size_ex {
                answer.quote_size = None;
            }
        }),
        ("before its signature", |response| {
            if let Some(answer) = &mut response.get_quote_ex {
                answer.quote = None;
            }
        }),
        ("before its signature", |response| {
            if let Some(answer) = &mut response.get_quote_ex {
                answer.quote = Some(vec![0; 435]);
            }
        }),
        ("shorter than it says", |response| {
            if let Some(answer) = &mut response.get_quote_ex {
                answer.quote = Some(vec![0xff; 4096]);
            }
        }),
    ];
    for (name, lie) in lies {
        let error = but(*lie).quote(&REPORT).unwrap_err();
        assert!(
            matches!(error, QuoteError::Protocol { .. }),
            "{name}: {error}"
        );
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
    let lies: &[Lie] = &[
        ("no length of the public key", |response| {
            if let Some(answer) = &mut response.init_quote_ex {
                answer.pub_key_id_size = None;
            }
        }),
        ("another length than 512", |response| {
            if let Some(answer) = &mut response.init_quote_ex {
                answer.target_info = Some(vec![0; 511]);
            }
        }),
        ("another length than 512", |response| {
            if let Some(answer) = &mut response.init_quote_ex {
                answer.target_info = None;
            }
        }),
    ];
    for (name, lie) in lies {
        let error = but(*lie).target_info().unwrap_err();
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
}

#[test]
fn an_answer_cut_short_anywhere_is_an_error() {
    let whole = framed(&honest(&Request {
        get_supported_att_key_id_num: Some(GetSupportedAttKeyIdNumRequest { timeout: None }),
        ..Request::default()
    }));
    for len in 0..whole.len() {
        let cut = whole[..len].to_vec();
        let error = client(move |_| cut.clone()).target_info().unwrap_err();
        assert!(error.to_string().contains("too early"), "{len}: {error}");
    }
    let huge = [&u32::MAX.to_le_bytes()[..], &[0; 100]].concat();
    let error = client(move |_| huge.clone()).target_info().unwrap_err();
    assert!(error.to_string().contains("1 MiB"), "{error}");
    let noise = [&8_u32.to_le_bytes()[..], &[0xff; 8]].concat();
    let error = client(move |_| noise.clone()).target_info().unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
}

#[test]
fn a_service_that_says_nothing_is_not_waited_for_for_ever() {
    let (ours, _silent) = UnixStream::pair().unwrap();
    let aesm = Aesm::behind(Box::new(move || {
        let stream = ours.try_clone().unwrap();
        Ok(patient(stream, Duration::from_millis(50)).unwrap())
    }));
    let error = aesm.target_info().unwrap_err();
    assert!(matches!(error, QuoteError::Io { .. }), "{error}");
    assert!(error.to_string().contains("timed out"), "{error}");
}

#[test]
fn requests_ask_for_a_report_to_whoever_made_theirs() {
    let mut body = ReportBody::ZERO;
    body.mr_enclave = [3; 32];
    body.config_svn = 9;
    let report = Report {
        body,
        ..Report::ZERO
    };
    let info = qe_report_info(&report.to_bytes());
    assert_eq!(info.len(), QE_REPORT_INFO_LEN);
    let target = TargetInfo::from_bytes(info[16..528].try_into().unwrap());
    assert_eq!(target, TargetInfo::of(&body));
    assert!(info[..16].iter().chain(&info[528..]).all(|byte| *byte == 0));
}
