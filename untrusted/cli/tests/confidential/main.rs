//! A confidential service from the first command to the second start, as `docs/provisioning.md` tells it: init, measure, policy,
//! attest, verify, provision, run on two volumes, stop, start again. And what its host has seen of it all.
//!
//! | file | owns |
//! |---|---|
//! | `parties` | the owner and the host, each with a folder of their own, and the commands they give |
//! | `search` | a process's memory, inside and outside of the enclave, and pieces of what must not be there |

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod parties;
mod search;

use std::fs;

use parties::{PLANTED, Parties, Way};
use search::Seen;

#[test]
fn a_host_that_runs_a_confidential_service_has_nothing_of_it() {
    let parties = Parties::new();
    parties.prepare();
    parties.verify_evidence();
    let needles = parties.needles();

    for (way, says) in [
        (Way::Folder, "kept 32 bytes\n"),
        (Way::Http, "knows 32 bytes\n"),
    ] {
        let service = parties.start(way);
        assert_eq!(service.said, says);
        let Seen { inside, outside } = search::memory(service.id());
        assert!(outside.holds(PLANTED.as_bytes()), "nothing can be found");
        for needle in &needles {
            assert!(
                !outside.holds(&needle.bytes),
                "the host's memory holds the {}: {}",
                needle.name,
                needle.bytes.escape_ascii()
            );
        }
        // An emulated enclave can be looked into: what is searched for does exist.
        for name in ["secret", "file contents", "machine code"] {
            let mut searched = needles.iter().filter(|needle| needle.name == name);
            assert!(
                searched.any(|needle| inside.holds(&needle.bytes)),
                "the enclave itself does not hold the {name}"
            );
        }
        service.stop();
    }

    let files = parties.files_of_the_host();
    assert!(files.holds(PLANTED.as_bytes()), "nothing can be found");
    for needle in &needles {
        assert!(
            !files.holds(&needle.bytes),
            "the host's files hold the {}",
            needle.name
        );
    }
}

#[test]
fn a_bundle_of_an_earlier_launch_and_a_silent_provisioner_end_a_launch_with_codes_of_their_own() {
    let parties = Parties::new();
    parties.prepare();
    parties.attest();
    parties.start(Way::Folder).stop();
    let replayed = fs::read(parties.owner("bundle.cbor")).unwrap();
    let ended = parties.launch_answered_with(&replayed);
    assert_eq!(ended.status.code(), Some(110), "{ended:?}");
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(told.contains("answers another request"), "{told}");

    let ended = parties.launch_that_nobody_answers();
    assert_eq!(ended.status.code(), Some(109), "{ended:?}");
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(told.contains("no bundle came"), "{told}");
}

#[test]
fn another_document_than_the_provisioners_own_gets_nothing() {
    let parties = Parties::new();
    parties.prepare();
    parties.attest();
    // With more arguments, for example, than the owner allows.
    let document = fs::read_to_string(parties.host("app.toml")).unwrap();
    fs::write(parties.host("app.toml"), document + "# changed\n").unwrap();
    let refused = parties.answer_to_a_launch();
    assert_eq!(refused.status.code(), Some(111), "{refused:?}");
    let told = String::from_utf8(refused.stdout).unwrap();
    assert!(told.contains("CONFIGID"), "{told}");
    // Nor does a policy that is not strict enough help.
    parties.accept_any_document();
    let refused = parties.answer_to_a_launch();
    assert_eq!(refused.status.code(), Some(111), "{refused:?}");
    let told = String::from_utf8(refused.stdout).unwrap();
    assert!(told.contains("another launch document"), "{told}");
}
