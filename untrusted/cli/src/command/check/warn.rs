//! What is risky about a launch document.

use twine::document::{
    Arguments, Binding, KeySource, LaunchDocument, Mount, MountKind, RuntimeBinding,
};

/// Something that its author may not have meant.
pub(super) struct Warning {
    /// Which part of the document.
    pub(super) key: &'static str,
    pub(super) text: String,
}

/// Everything that is risky, in the document's order.
pub(super) fn warnings(document: &LaunchDocument) -> Vec<Warning> {
    let mut out = Vec::new();
    let mut warn = |key, text: String| out.push(Warning { key, text });
    let holds_secrets = document.provisioning.is_some()
        || document
            .mounts
            .iter()
            .any(|mount| matches!(mount.kind, MountKind::Volume(_)));
    if document.owner.is_none() {
        let text = "there is none, so nothing in the enclave tells this document from one that somebody else writes for the \
                    same module; whoever verifies it has to know its CONFIGID (`twine measure`)";
        warn("owner", text.to_owned());
    }
    if document.arguments == Arguments::FromCaller && holds_secrets {
        let text = "whoever starts it chooses the arguments, and with them what it does with its files and secrets: who \
                    chooses the arguments of a shell reads what it prints; fix them if you can";
        warn("arguments.from_caller", text.to_owned());
    }
    if !document.environment.from_caller.is_empty() && holds_secrets {
        let text = "whoever starts it chooses the values of these variables; make sure that none of them makes the program \
                    show its files and secrets";
        warn("environment.from_caller", text.to_owned());
    }
    for mount in &document.mounts {
        if let Some(text) = unprotected(mount) {
            warn("mounts", text);
        }
        for text in of_volume(document, mount) {
            warn("mounts", text);
        }
    }
    if let Some(provisioning) = &document.provisioning
        && !provisioning.environment.is_empty()
    {
        let text =
            "programs print and pass on their environment more often than files; prefer `secrets`";
        warn("provisioning.environment", text.to_owned());
    }
    if document.diagnostics.backtraces {
        let text = "a trap tells the host which functions were active, and with that something of what was computed";
        warn("diagnostics.backtraces", text.to_owned());
    }
    out
}

fn unprotected(mount: &Mount) -> Option<String> {
    let guest = &mount.guest;
    match (&mount.kind, mount.read_only) {
        (MountKind::Host, true) => Some(format!(
            "{guest} is a directory of the host: what is read there may be anything"
        )),
        (MountKind::Host, false) => Some(format!(
            "{guest} is a directory of the host: what is read there may be anything, and what is written there leaves \
             the enclave in the clear"
        )),
        _ => None,
    }
}

fn of_volume(document: &LaunchDocument, mount: &Mount) -> Vec<String> {
    let MountKind::Volume(policy) = &mount.kind else {
        return Vec::new();
    };
    let guest = &mount.guest;
    let mut out = Vec::new();
    if let KeySource::Sealed { bound_to, runtime } = policy.key {
        if bound_to == Binding::Module {
            out.push(format!(
                "{guest} is bound to the module alone: anybody can write another document for this module, with other \
                 arguments, environment and mounts, and have it show what is in there; bind it to the document or the owner"
            ));
        }
        if document.recovery.is_empty() {
            let when = match (bound_to, runtime) {
                (_, RuntimeBinding::Image) if document.migration.to.is_empty() => {
                    "with this machine, and with every new release of the runtime"
                }
                (Binding::Document, _) => {
                    "with this machine, and when this document changes in a single byte"
                }
                _ => "with this machine",
            };
            out.push(format!(
                "{guest} has no recovery key: its contents are lost {when}; add one to `recovery.keys`"
            ));
        }
    }
    if policy.create && !mount.read_only {
        out.push(format!(
            "{guest} is made if it is not there: the host can take it away and the program starts with an empty one"
        ));
    }
    out
}
