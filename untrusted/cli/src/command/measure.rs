//! `twine measure`: who a program is, as a quote would show it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use twine::abi::sgx::{AttributeFlags, Attributes, Sigstruct};
use twine::document::{KeySource, LaunchDocument, ModuleIdentity, Mount, MountKind};
use twine::launch::Launch;
use twine::launch::create::{Configuration, Debugging};
use twine::sign::Certificate;
use twine::{BackendChoice, Error, Runtime};

use super::hex;

/// Show the identity of a program, or of the runtime alone
///
/// MRENCLAVE is the runtime, the same for every program and on every machine. CONFIGID and CONFIGSVN are the program:
/// the hash of its launch document, and the version in it. A module without a launch document is measured with the
/// document that `twine run` would write for it without further options.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// A launch document (.toml), or a module
    file: Option<PathBuf>,
    /// Measure a debug launch
    #[arg(long)]
    debug: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print a policy for `twine verify` that accepts exactly this program
    #[arg(long, requires = "file", conflicts_with = "json")]
    policy: bool,
}

impl Arguments {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let runtime = Runtime::builder()
            .backend(BackendChoice::Emulator)
            .build()?;
        let program = match &self.file {
            Some(path) => Some(self.program(&runtime, path)?),
            None => None,
        };
        let identity = Identity {
            certificate: runtime.certificate(self.debugging())?,
            program,
        };
        let text = if self.json {
            format!("{:#}\n", identity.as_json())
        } else if self.policy {
            identity.as_policy()
        } else {
            identity.as_text()
        };
        io::stdout().write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }

    const fn debugging(&self) -> Debugging {
        if self.debug {
            Debugging::Allowed
        } else {
            Debugging::Forbidden
        }
    }

    fn program(&self, runtime: &Runtime, path: &Path) -> Result<Program> {
        let (bytes, document) = if super::is_document(path) {
            let bytes = fs::read(path).map_err(|source| Error::File {
                path: path.to_owned(),
                source,
            })?;
            let document = LaunchDocument::parse(&bytes).map_err(Error::from)?;
            (bytes, document)
        } else {
            let module = runtime.load(path)?;
            let launch = Launch::new(runtime, &module);
            (launch.document_bytes()?, launch.document()?)
        };
        let svn = document.application.version;
        Ok(Program {
            configuration: Configuration::of(&bytes, svn, self.debugging()),
            module: document.module.clone(),
            mounts: document.mounts.clone(),
        })
    }
}

/// The runtime, and the program if there is one.
struct Identity<'a> {
    certificate: &'a Certificate,
    program: Option<Program>,
}

struct Program {
    configuration: Configuration,
    module: ModuleIdentity,
    mounts: Vec<Mount>,
}

impl Identity<'_> {
    fn as_text(&self) -> String {
        let sigstruct = self.certificate.sigstruct();
        let attributes = attributes(sigstruct);
        let mut lines = vec![
            ("MRENCLAVE", hex(&sigstruct.enclave_hash)),
            ("MRSIGNER", hex(&self.certificate.mrsigner())),
            ("ISVPRODID", sigstruct.isv_prod_id.to_string()),
            ("ISVSVN", sigstruct.isv_svn.to_string()),
            ("FLAGS", flags(attributes.flags)),
            ("XFRM", format!("{:#x}", attributes.xfrm)),
        ];
        if let Some(Program {
            configuration,
            module,
            mounts,
        }) = &self.program
        {
            lines.extend([
                ("CONFIGID", hex(&configuration.id)),
                ("CONFIGSVN", configuration.svn.to_string()),
                ("module", module.sha256.to_string()),
                ("wasm", module.wasm_sha256.to_string()),
                ("engine", module.engine.clone()),
            ]);
            lines.extend(mounts.iter().map(|mount| ("mount", described(mount))));
        }
        let line = |(name, value): &(&str, String)| format!("{name:10} {value}\n");
        lines.iter().map(line).collect()
    }

    /// A policy (docs/attestation.md, section 4): as strict as it can be without knowing the verifier's mind.
    fn as_policy(&self) -> String {
        let sigstruct = self.certificate.sigstruct();
        let attributes = attributes(sigstruct);
        let mut text = format!(
            "version = 1\n\n[enclave]\nmrenclave = [\"{}\"]\n\
             # Instead, or as well: every image of this signer from this security version on.\n\
             # mrsigner = \"{}\"\n# prod_id = {}\n# min_isv_svn = {}\n",
            hex(&sigstruct.enclave_hash),
            hex(&self.certificate.mrsigner()),
            sigstruct.isv_prod_id,
            sigstruct.isv_svn,
        );
        if let Some(Program { configuration, .. }) = &self.program {
            text.push_str(&format!(
                "config_id = [\"sha512:{}\"]\nmin_config_svn = {}\n",
                hex(&configuration.id),
                configuration.svn
            ));
        }
        if attributes.flags.contains(AttributeFlags::DEBUG) {
            text.push_str("debug = true                    # only together with [simulation]\n");
        }
        text
    }

    fn as_json(&self) -> Value {
        let sigstruct = self.certificate.sigstruct();
        let attributes = attributes(sigstruct);
        let program = self.program.as_ref();
        json!({
            "mrenclave": hex(&sigstruct.enclave_hash),
            "mrsigner": hex(&self.certificate.mrsigner()),
            "isv_prod_id": sigstruct.isv_prod_id,
            "isv_svn": sigstruct.isv_svn,
            "isv_ext_prod_id": hex(&sigstruct.isv_ext_prod_id),
            "isv_family_id": hex(&sigstruct.isv_family_id),
            "attributes": { "flags": attributes.flags.bits(), "xfrm": attributes.xfrm },
            "misc_select": sigstruct.misc_select.bits(),
            "config_id": program.map(|program| hex(&program.configuration.id)),
            "config_svn": program.map(|program| program.configuration.svn),
            "module": program.map(|Program { module, .. }| json!({
                "sha256": module.sha256.to_string(),
                "wasm_sha256": module.wasm_sha256.to_string(),
                "engine": module.engine,
            })),
            "mounts": program.map(|program| program.mounts.iter().map(as_json).collect::<Vec<_>>()),
        })
    }
}

/// A mount, for people.
fn described(mount: &Mount) -> String {
    let what = match &mount.kind {
        MountKind::Volume(policy) => match policy.key {
            KeySource::Sealed { bound_to, runtime } => format!(
                "protected volume; its key is bound to the {} and the runtime's {}",
                bound_to.name(),
                runtime.name()
            ),
            KeySource::Provisioned => {
                "protected volume; its key comes from the provisioner".to_owned()
            }
        },
        MountKind::Tmpfs { size_bytes } => format!("{size_bytes} bytes of enclave memory"),
        MountKind::Host => "UNPROTECTED directory of the host".to_owned(),
    };
    let access = if mount.read_only { " (read-only)" } else { "" };
    format!("{}{access}: {what}", mount.guest)
}

fn as_json(mount: &Mount) -> Value {
    let mut value = json!({
        "guest": mount.guest,
        "kind": mount.kind.name(),
        "read_only": mount.read_only,
    });
    if let (MountKind::Volume(policy), Some(fields)) = (&mount.kind, value.as_object_mut()) {
        fields.insert("create".into(), policy.create.into());
        fields.insert("bound_to".into(), policy.key.name().into());
        if let KeySource::Sealed { runtime, .. } = policy.key {
            fields.insert("runtime".into(), runtime.name().into());
        }
    }
    value
}

/// ATTRIBUTES as a report shows them: EINIT has set INIT.
fn attributes(sigstruct: &Sigstruct) -> Attributes {
    Attributes {
        flags: sigstruct.attributes.flags | AttributeFlags::INIT,
        ..sigstruct.attributes
    }
}

/// The flags by name.
fn flags(flags: AttributeFlags) -> String {
    let names = [
        (AttributeFlags::INIT, "INIT"),
        (AttributeFlags::DEBUG, "DEBUG"),
        (AttributeFlags::MODE64BIT, "MODE64BIT"),
        (AttributeFlags::KSS, "KSS"),
    ];
    let set = names.iter().filter(|(flag, _)| flags.contains(*flag));
    let names: Vec<_> = set.map(|(_, name)| *name).collect();
    format!("{:#x} ({})", flags.bits(), names.join(", "))
}

#[cfg(test)]
mod tests {
    use twine::image::Image;
    use twine::sign::development;
    use twine::state::Directories;

    use super::*;

    /// A runtime and a user of their own.
    fn runtime(home: &Path) -> Runtime {
        let directories = Directories::below(home);
        Runtime::builder().directories(directories).build().unwrap()
    }

    fn arguments() -> Arguments {
        Arguments {
            file: None,
            debug: false,
            json: false,
            policy: false,
        }
    }

    #[test]
    fn a_module_and_the_document_generated_for_it_have_one_identity() {
        let home = tempfile::tempdir().unwrap();
        let runtime = runtime(home.path());
        let module = home.path().join("app.wat");
        fs::write(&module, "(module)").unwrap();
        let of_module = arguments().program(&runtime, &module).unwrap();

        let loaded = runtime.load(&module).unwrap();
        let document = home.path().join("app.toml");
        let bytes = Launch::new(&runtime, &loaded).document_bytes().unwrap();
        fs::write(&document, bytes).unwrap();
        let of_document = arguments().program(&runtime, &document).unwrap();
        assert_eq!(of_module.configuration, of_document.configuration);
        assert_eq!(of_module.module, of_document.module);

        fs::write(&document, "version = 1\n").unwrap();
        let refused = arguments().program(&runtime, &document);
        assert!(matches!(
            refused.err().unwrap().downcast_ref(),
            Some(Error::BadDocument(_))
        ));
    }

    #[test]
    fn every_mount_is_told_and_an_unprotected_one_loudly() {
        let home = tempfile::tempdir().unwrap();
        let runtime = runtime(home.path());
        let module = home.path().join("app.wat");
        fs::write(&module, "(module)").unwrap();
        let loaded = runtime.load(&module).unwrap();
        let launch = Launch::new(&runtime, &loaded)
            .volume("/data", "data.tv")
            .host_directory("/in", "in")
            .read_only("/in")
            .unwrap();
        let document = home.path().join("app.toml");
        fs::write(&document, launch.document_bytes().unwrap()).unwrap();
        let identity = Identity {
            certificate: runtime.certificate(Debugging::Forbidden).unwrap(),
            program: Some(arguments().program(&runtime, &document).unwrap()),
        };
        let text = identity.as_text();
        for line in [
            "mount      /data: protected volume; its key is bound to the module and the runtime's signer\n",
            "mount      /in (read-only): UNPROTECTED directory of the host\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        let json = identity.as_json();
        assert_eq!(json["mounts"][0]["bound_to"], "module");
        assert_eq!(json["mounts"][1]["kind"], "host");
    }

    #[test]
    fn a_policy_names_this_program_and_no_other() {
        let home = tempfile::tempdir().unwrap();
        let runtime = runtime(home.path());
        let module = home.path().join("app.wat");
        fs::write(&module, "(module)").unwrap();
        let program = arguments().program(&runtime, &module).unwrap();
        let config_id = hex(&program.configuration.id);
        let identity = Identity {
            certificate: runtime.certificate(Debugging::Forbidden).unwrap(),
            program: Some(program),
        };
        let policy = identity.as_policy();
        let mrenclave = hex(&Image::bundled().unwrap().mrenclave());
        for line in [
            format!("mrenclave = [\"{mrenclave}\"]\n"),
            format!("config_id = [\"sha512:{config_id}\"]\n"),
            "min_config_svn = 0\n".to_owned(),
        ] {
            assert!(policy.contains(&line), "{policy}");
        }
        assert!(!policy.contains("debug"));
    }

    #[test]
    fn text_and_json_tell_the_same() {
        let home = tempfile::tempdir().unwrap();
        let runtime = runtime(home.path());
        let directories = Directories::below(home.path());
        let signer = development::key(&directories).unwrap().public().mrsigner();
        for (debugging, named, flags) in [
            (Debugging::Forbidden, "0x85 (INIT, MODE64BIT, KSS)", 0x85),
            (
                Debugging::Allowed,
                "0x87 (INIT, DEBUG, MODE64BIT, KSS)",
                0x87,
            ),
        ] {
            let identity = Identity {
                certificate: runtime.certificate(debugging).unwrap(),
                program: None,
            };
            let mrenclave = hex(&Image::bundled().unwrap().mrenclave());
            let (text, json) = (identity.as_text(), identity.as_json());
            assert!(
                text.contains(&format!("MRENCLAVE  {mrenclave}\n")),
                "{text}"
            );
            assert!(
                text.contains(&format!("MRSIGNER   {}\n", hex(&signer))),
                "{text}"
            );
            assert!(text.contains(named), "{text}");
            assert_eq!(json["mrenclave"], mrenclave);
            assert_eq!(json["mrsigner"], hex(&signer));
            assert_eq!(json["attributes"]["flags"], flags);
            assert!(json.get("config_id").is_some_and(Value::is_null));
        }
    }
}
