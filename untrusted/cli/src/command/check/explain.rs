//! A launch document in sentences, in the document's order.

use twine::document::{
    Arguments, Binding, Environment, KeySource, LaunchDocument, Mount, MountKind, Provisioning,
    RuntimeBinding, VolumePolicy,
};

/// What the document allows.
pub(super) fn explain(document: &LaunchDocument) -> Vec<String> {
    let application = &document.application;
    let module = &document.module;
    let mut out = vec![
        format!(
            "`{}`, version {}, runs the module {} and no other.",
            application.name, application.version, module.sha256
        ),
        format!(
            "It was compiled for the engine {} from the Wasm {}.",
            module.engine, module.wasm_sha256
        ),
        if module.confidential {
            "The host sees neither the Wasm nor its machine code: the module comes from the provisioner."
        } else {
            "The host sees the module."
        }
        .to_owned(),
        match &document.owner {
            Some(owner) => format!("It starts only if {} has signed this document.", owner.key),
            None => "Nobody has to sign this document.".to_owned(),
        },
        match &document.arguments {
            Arguments::FromCaller => "Whoever starts it chooses its arguments.".to_owned(),
            Arguments::Fixed(fixed) => format!("Its arguments are exactly {}.", quoted(fixed)),
        },
    ];
    out.push(environment(&document.environment));
    let limits = &document.limits;
    out.push(format!(
        "It may use {} bytes of memory, {} bytes of stack, {} table elements and {} open descriptors.",
        limits.memory_bytes, limits.stack_bytes, limits.table_elements, limits.descriptors
    ));
    if let Some(timeout) = limits.timeout_ms {
        out.push(format!(
            "It may run {timeout} ms, if the host keeps the time."
        ));
    }
    if document.mounts.is_empty() {
        out.push("It sees no files.".to_owned());
    }
    out.extend(document.mounts.iter().map(mount));
    if let Some(provisioning) = &document.provisioning {
        out.extend(provisioned(provisioning));
    }
    out.extend(others(document));
    out
}

fn environment(environment: &Environment) -> String {
    let Environment { fixed, from_caller } = environment;
    let fixed: Vec<_> = fixed.keys().cloned().collect();
    let from_caller: Vec<_> = from_caller.iter().cloned().collect();
    match (&*fixed, &*from_caller) {
        ([], []) => "Its environment is empty.".to_owned(),
        (fixed, []) => format!(
            "The variables {} are fixed, there are no others.",
            quoted(fixed)
        ),
        ([], caller) => format!(
            "Whoever starts it may set the variables {}, and no others.",
            quoted(caller)
        ),
        (fixed, caller) => format!(
            "The variables {} are fixed; whoever starts it may set {}, and no others.",
            quoted(fixed),
            quoted(caller)
        ),
    }
}

fn mount(mount: &Mount) -> String {
    let guest = &mount.guest;
    let access = if mount.read_only {
        "may read"
    } else {
        "may read and write"
    };
    match &mount.kind {
        MountKind::Tmpfs { size_bytes } => {
            format!(
                "{guest}: it {access} up to {size_bytes} bytes of enclave memory, gone when it ends."
            )
        }
        MountKind::Host => format!("{guest}: it {access} a directory of the host, UNPROTECTED."),
        MountKind::Volume(policy) => format!(
            "{guest}: it {access} a protected volume. {}",
            volume(policy)
        ),
    }
}

fn volume(policy: &VolumePolicy) -> String {
    let key = match policy.key {
        KeySource::Provisioned => "Its key comes from the provisioner.".to_owned(),
        KeySource::Sealed { bound_to, runtime } => {
            let program = match bound_to {
                Binding::Module => "this module, under any launch document",
                Binding::Document => "exactly this launch document",
                Binding::Owner => {
                    "what the owner signs under this name, in a version not lower than any that has opened it"
                }
            };
            let runtime = match runtime {
                RuntimeBinding::Image => "this image of the runtime",
                RuntimeBinding::Signer => "any image of the same signer that is not older",
            };
            format!("On this machine, its key is given to {program}, in {runtime}.")
        }
    };
    if policy.create {
        format!("{key} If there is none, an empty one is made.")
    } else {
        key
    }
}

fn provisioned(provisioning: &Provisioning) -> Vec<String> {
    let mut out = vec![format!(
        "It starts only with a bundle from the provisioner {}.",
        provisioning.key
    )];
    if let (Some(folder), false) = (&provisioning.folder, provisioning.secrets.is_empty()) {
        let names = quoted(&provisioning.secrets);
        out.push(format!("The secrets {names} are files in {folder}."));
    }
    if !provisioning.environment.is_empty() {
        let names = quoted(&provisioning.environment);
        out.push(format!(
            "The secrets {names} are variables of its environment."
        ));
    }
    out
}

fn others(document: &LaunchDocument) -> Vec<String> {
    let mut out = Vec::new();
    for key in &document.recovery {
        out.push(format!(
            "Whoever has the private half of {key} can open every volume that it makes or writes."
        ));
    }
    if let Some(tls) = &document.tls {
        let (folder, names) = (&tls.folder, quoted(&tls.names));
        out.push(format!(
            "In {folder} it finds a certificate for {names} that proves what runs here, and its key."
        ));
    }
    for image in &document.migration.to {
        out.push(format!(
            "Volume keys may be handed over to the image {image}."
        ));
    }
    for image in &document.migration.from {
        out.push(format!(
            "Volume keys may be taken over from the image {image}."
        ));
    }
    out.push(
        if document.diagnostics.backtraces {
            "If it traps, the host gets a backtrace."
        } else {
            "If it traps, the host gets no backtrace."
        }
        .to_owned(),
    );
    out
}

fn quoted(texts: &[String]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| format!("{text:?}")).collect();
    match &*texts {
        [] => "none".to_owned(),
        texts => texts.join(", "),
    }
}
