//! A host that passes the wrong things to a launch: another document, another module, memory that is not its own.

use std::thread;

use twine::abi::exchange::{LaunchRequest, Span};
use twine::abi::layout::{ARENA_OFFSET, ENCLAVE_LEN, HEAP_OFFSET, THREADS_OFFSET};
use twine::error::Refusal;
use twine::{Error, Outcome};
use twine_tests::hostile::{Memory, Over, Papers, enclave, launch, request};

const GUEST: &str = "wat_says_hello";

/// Launches an enclave made for `papers` with these bytes instead.
fn with(papers: &Papers, document: &[u8], module: &[u8]) -> Result<Outcome, Error> {
    let [document, module, arguments] = [document, module, b"guest\0"].map(Memory::of);
    launch(&papers.enclave(), &request(&document, &module, &arguments))
}

fn refusal(outcome: Result<Outcome, Error>) -> Refusal {
    match outcome {
        Err(Error::Refused { refusal, .. }) => refusal,
        other => panic!("it must be refused: {other:?}"),
    }
}

/// Copies of the bytes with one bit changed, here and there.
fn spoilt(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let len = bytes.len();
    let places = (0..24).map(move |index| index * (len - 1) / 23);
    places.map(|place| {
        let mut spoilt = bytes.to_vec();
        spoilt[place] ^= 1 << (place % 8);
        spoilt
    })
}

#[test]
fn honest_papers_are_accepted() {
    let papers = Papers::of(GUEST);
    assert_eq!(
        with(&papers, &papers.document, &papers.module).unwrap(),
        Outcome::Exited { code: 0 }
    );
}

#[test]
fn a_changed_launch_document_is_refused() {
    let papers = Papers::of(GUEST);
    for document in spoilt(&papers.document) {
        assert_eq!(
            refusal(with(&papers, &document, &papers.module)),
            Refusal::Document
        );
    }
}

#[test]
fn a_shortened_lengthened_or_missing_launch_document_is_refused() {
    let papers = Papers::of(GUEST);
    let all = &papers.document;
    for document in [&all[..all.len() - 1], &[all, &b"\n"[..]].concat(), b""] {
        assert_eq!(
            refusal(with(&papers, document, &papers.module)),
            Refusal::Document
        );
    }
}

#[test]
fn another_applications_document_and_module_are_refused() {
    let (papers, other) = (Papers::of(GUEST), Papers::of("wat_does_nothing"));
    assert_eq!(
        refusal(with(&papers, &other.document, &other.module)),
        Refusal::Document
    );
    assert_eq!(
        refusal(with(&papers, &papers.document, &other.module)),
        Refusal::Module
    );
}

#[test]
fn a_document_of_another_version_than_the_enclaves_is_refused() {
    let papers = Papers::of(GUEST);
    let other = enclave(&papers.document, papers.version + 1);
    let [document, module, arguments] =
        [&papers.document[..], &papers.module, b"guest\0"].map(Memory::of);
    assert_eq!(
        refusal(launch(&other, &request(&document, &module, &arguments))),
        Refusal::Document
    );
}

/// The enclave is made for the bytes, so only the document's own rules can refuse it.
#[test]
fn a_document_that_is_not_valid_is_refused_even_if_the_enclave_was_made_for_it() {
    let papers = Papers::of(GUEST);
    let text = String::from_utf8(papers.document.clone()).unwrap();
    let unknown = format!("{text}\n[powers]\neverything = true\n");
    for document in [&b"\xff\xfe"[..], b"= =", b"", unknown.as_bytes()] {
        let spoilt = Papers {
            document: document.to_vec(),
            ..papers.clone()
        };
        assert_eq!(
            refusal(with(&spoilt, document, &papers.module)),
            Refusal::Document
        );
    }
}

#[test]
fn a_changed_module_is_refused() {
    let papers = Papers::of(GUEST);
    for module in spoilt(&papers.module) {
        assert_eq!(
            refusal(with(&papers, &papers.document, &module)),
            Refusal::Module
        );
    }
}

#[test]
fn a_shortened_lengthened_or_missing_module_is_refused() {
    let papers = Papers::of(GUEST);
    let all = &papers.module;
    for module in [
        &all[..all.len() - 1],
        &[all, &b"\0"[..]].concat(),
        &all[..all.len() / 2],
        b"",
    ] {
        assert_eq!(
            refusal(with(&papers, &papers.document, module)),
            Refusal::Module
        );
    }
}

/// The module changes all the time while the enclave reads it: it is copied once, and what was copied is hashed and run.
#[test]
fn a_module_that_changes_while_it_is_read_runs_as_it_was_hashed_or_not_at_all() {
    let papers = Papers::of("c_computes");
    let [document, module, arguments] =
        [&papers.document[..], &papers.module, b"guest\0"].map(Memory::of);
    let test = Over::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !test.is_over() {
                module.disturb();
            }
        });
        let _guard = test.guard();
        for _ in 0..16 {
            match launch(&papers.enclave(), &request(&document, &module, &arguments)) {
                Ok(Outcome::Exited { code: 0 }) => {}
                other => assert_eq!(refusal(other), Refusal::Module),
            }
        }
    });
}

/// Every field of a launch request that is a range of memory.
const SPANS: [fn(&mut LaunchRequest) -> &mut Span; 6] = [
    |request| &mut request.document,
    |request| &mut request.module,
    |request| &mut request.arguments,
    |request| &mut request.environment,
    |request| &mut request.signature,
    |request| &mut request.message,
];

/// Launches with one range replaced.
fn with_span(
    field: fn(&mut LaunchRequest) -> &mut Span,
    replace: impl FnOnce(u64, Span) -> Span,
) -> Result<Outcome, Error> {
    let papers = Papers::of(GUEST);
    let enclave = papers.enclave();
    let [document, module, arguments] =
        [&papers.document[..], &papers.module, b"guest\0"].map(Memory::of);
    let mut request = request(&document, &module, &arguments);
    let span = field(&mut request);
    *span = replace(enclave.base(), *span);
    launch(&enclave, &request)
}

#[test]
fn a_range_that_touches_the_enclave_is_refused() {
    let inside = [
        0,
        0x1000,
        THREADS_OFFSET,
        HEAP_OFFSET,
        ARENA_OFFSET,
        ENCLAVE_LEN - 8,
    ];
    for field in SPANS {
        for offset in inside {
            let outcome = with_span(field, |base, _| Span {
                address: base + offset,
                len: 8,
            });
            assert_eq!(refusal(outcome), Refusal::Host, "offset {offset:#x}");
        }
        let across_the_start = with_span(field, |base, _| Span {
            address: base - 8,
            len: 9,
        });
        assert_eq!(refusal(across_the_start), Refusal::Host);
        let around_it_all = with_span(field, |base, _| Span {
            address: base - 8,
            len: ENCLAVE_LEN + 16,
        });
        assert_eq!(refusal(around_it_all), Refusal::Host);
    }
}

#[test]
fn a_range_that_wraps_around_or_is_misaligned_or_null_is_refused() {
    for field in SPANS {
        for span in [
            Span {
                address: u64::MAX - 7,
                len: 16,
            },
            Span {
                address: 8,
                len: u64::MAX,
            },
            Span { address: 0, len: 8 },
            Span {
                address: u64::MAX - 7,
                len: u64::MAX - 7,
            },
        ] {
            assert_eq!(
                refusal(with_span(field, |_, _| span)),
                Refusal::Host,
                "{span:x?}"
            );
        }
        let misaligned = with_span(field, |_, honest| Span {
            address: honest.address + 1,
            len: 8,
        });
        assert_eq!(refusal(misaligned), Refusal::Host);
    }
}

#[test]
fn a_range_that_is_too_long_is_refused_before_it_is_read() {
    for field in SPANS {
        // Not mapped that far: reading it would be the end of the enclave.
        let outcome = with_span(field, |_, honest| Span {
            len: 1 << 40,
            address: honest.address.max(0x10_0000),
        });
        assert_eq!(refusal(outcome), Refusal::Host);
    }
}

#[test]
fn a_range_that_is_not_mapped_costs_the_host_its_enclave_and_nothing_else() {
    for field in SPANS {
        let outcome = with_span(field, |_, _| Span {
            address: 0x10_0000,
            len: 8,
        });
        assert!(
            matches!(outcome, Err(Error::EnclaveKilled { .. })),
            "{outcome:?}"
        );
    }
    honest_papers_are_accepted();
}

#[test]
fn ranges_that_overlap_are_read_as_what_they_hold() {
    let papers = Papers::of(GUEST);
    let both = Memory::of(&papers.document);
    let outcome = launch(
        &papers.enclave(),
        &request(&both, &both, &Memory::of(b"guest\0")),
    );
    assert_eq!(refusal(outcome), Refusal::Module);
}

#[test]
fn arguments_and_variables_that_are_not_lists_of_strings_are_refused() {
    let papers = Papers::of(GUEST);
    let [document, module, good] =
        [&papers.document[..], &papers.module, b"guest\0"].map(Memory::of);
    for bad in [&b"no end"[..], b"\xff\0", b"one\0no end"] {
        let bad = Memory::of(bad);
        assert_eq!(
            refusal(launch(
                &papers.enclave(),
                &request(&document, &module, &bad)
            )),
            Refusal::Arguments
        );
    }
    for bad in [
        &b"NAME=value\0"[..],
        b"no equals sign\0",
        b"A=no end",
        b"=\0",
    ] {
        let bad = Memory::of(bad);
        let request = LaunchRequest {
            environment: bad.span(),
            ..request(&document, &module, &good)
        };
        assert_eq!(
            refusal(launch(&papers.enclave(), &request)),
            Refusal::Arguments,
            "{bad:?}"
        );
    }
}
