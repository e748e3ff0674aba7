//! Every risk is warned about, and nothing is without one.

use twine::document::{
    Application, Arguments, Binding, Digest, Draft, KeySource, ModuleIdentity, Mount, MountKind,
    Owner, RecoveryKey, RuntimeBinding, VerifyingKey, VolumePolicy,
};

use super::*;

fn draft() -> Draft {
    let application = Application {
        name: "app".to_owned(),
        version: 3,
    };
    let module = ModuleIdentity {
        sha256: Digest([1; 32]),
        wasm_sha256: Digest([2; 32]),
        engine: "e".to_owned(),
        confidential: false,
    };
    let mut key = [3; 33];
    key[0] = 2;
    Draft {
        owner: Some(Owner {
            key: VerifyingKey(key),
        }),
        ..Draft::new(application, module)
    }
}

fn volume(bound_to: Binding) -> Mount {
    let runtime = RuntimeBinding::Signer;
    Mount {
        guest: "/data".to_owned(),
        kind: MountKind::Volume(VolumePolicy {
            create: false,
            key: KeySource::Sealed { bound_to, runtime },
        }),
        read_only: false,
    }
}

/// The keys that are warned about when one thing is changed.
fn warned(change: impl FnOnce(&mut Draft)) -> Vec<&'static str> {
    let mut draft = draft();
    change(&mut draft);
    let warnings = warnings(&LaunchDocument::new(draft).unwrap());
    warnings.iter().map(|warning| warning.key).collect()
}

#[test]
fn a_document_without_risks_has_no_warnings() {
    assert!(warned(|_| ()).is_empty());
    let quiet = warned(|draft| {
        draft.mounts = vec![volume(Binding::Owner)];
        draft.recovery = vec![RecoveryKey([4; 32])];
    });
    assert!(quiet.is_empty(), "{quiet:?}");
}

#[test]
fn every_risk_has_its_warning() {
    assert_eq!(warned(|draft| draft.owner = None), ["owner"]);
    assert_eq!(
        warned(|draft| draft.diagnostics.backtraces = true),
        ["diagnostics.backtraces"]
    );
    assert_eq!(
        warned(|draft| draft.arguments = Arguments::FromCaller),
        [""; 0]
    );
    let risky = warned(|draft| {
        draft.arguments = Arguments::FromCaller;
        draft.environment.from_caller = ["LANG".to_owned()].into();
        draft.mounts = vec![volume(Binding::Module)];
        draft.recovery = vec![RecoveryKey([4; 32])];
    });
    assert_eq!(
        risky,
        ["arguments.from_caller", "environment.from_caller", "mounts"]
    );
    let lost = warned(|draft| draft.mounts = vec![volume(Binding::Owner)]);
    assert_eq!(lost, ["mounts"]);
    let host = warned(|draft| {
        draft.mounts = vec![Mount {
            kind: MountKind::Host,
            ..volume(Binding::Owner)
        }];
    });
    assert_eq!(host, ["mounts"]);
}

#[test]
fn text_and_json_tell_the_same() {
    let mut draft = draft();
    draft.mounts = vec![volume(Binding::Module)];
    let document = LaunchDocument::new(draft).unwrap();
    let warnings = warnings(&document);
    let (text, json) = (as_text(&document, &warnings), as_json(&document, &warnings));
    for sentence in [
        "`app`, version 3, runs the module",
        "Its arguments are exactly \"app\".",
        "/data: it may read and write a protected volume. On this machine, its key is given to this module",
        "* mounts: /data is bound to the module alone",
    ] {
        assert!(text.contains(sentence), "{text}");
    }
    let allows = json["allows"].as_array().unwrap();
    assert!(
        allows
            .iter()
            .all(|line| text.contains(line.as_str().unwrap()))
    );
    assert_eq!(json["warnings"].as_array().unwrap().len(), 2);
}
